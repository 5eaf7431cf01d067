#include "jobs/args.hpp"

#include <boost/json/parse.hpp>

#include <utility>

namespace jobs {

namespace json = boost::json;

Args::Args(json::value value) : value_(std::move(value)) {}

Args::Args(std::shared_ptr<const void> owner, std::string_view text)
    : owner_(std::move(owner)), text_(text), is_read_(false) {}

const json::value& Args::value() const {
    if (is_read_) return value_;
    json::parse_options options;
    options.max_depth = 600;
    boost::system::error_code error;
    json::value read = json::parse({text_.data(), text_.size()}, error, {}, options);
    if (error) throw ArgsError("the args cannot be read: nested too deep, or not Unicode");
    value_ = std::move(read);
    is_read_ = true;
    return value_;
}

}  // namespace jobs
