#include "jobs/args.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace jobs {

namespace json = boost::json;

namespace {

constexpr std::size_t most_digits = 300;  // of a number without an exponent that fits a double for sure

// Numbers beyond a double become infinite, for which JSON has no word.
bool has_endless_number(const json::value& value) {
    const auto in = [](const json::value& element) { return has_endless_number(element); };
    if (const json::array* array = value.if_array()) return std::ranges::any_of(*array, in);
    if (const json::object* object = value.if_object()) {
        return std::ranges::any_of(*object, [&](const json::key_value_pair& member) { return in(member.value()); });
    }
    const double* number = value.if_double();
    return number != nullptr && !std::isfinite(*number);
}

}  // namespace

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
    const bool may_be_endless = text_.size() > most_digits || text_.find_first_of("eE") != std::string_view::npos;
    if (may_be_endless && has_endless_number(read)) {
        throw ArgsError("the args cannot be read: a number is beyond the range of a double");
    }
    value_ = std::move(read);
    is_read_ = true;
    return value_;
}

}  // namespace jobs
