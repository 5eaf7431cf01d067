#pragma once

// A job's args: JSON, parsed when first asked for, and once.

#include <boost/json/value.hpp>

#include <memory>
#include <stdexcept>
#include <string_view>

namespace jobs {

// PostgreSQL keeps more JSON than Boost.JSON reads: deeper nesting, lone surrogates. The worker discards such a job.
class ArgsError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Thread: one at a time, also for value().
class Args {
public:
    Args() = default;                // null
    Args(boost::json::value value);  // NOLINT(google-explicit-constructor): a job's args are written as JSON
    // `text` lies in something that `owner` keeps alive. It is not looked at before value().
    Args(std::shared_ptr<const void> owner, std::string_view text);

    // Another text of the same owner's.
    void renew(std::string_view text) {
        text_ = text;
        if (is_read_) value_ = nullptr;
        is_read_ = false;
    }

    // Throws: ArgsError, each time.
    const boost::json::value& value() const;

private:
    std::shared_ptr<const void> owner_;  // while there is unread text
    std::string_view text_;
    mutable bool is_read_ = true;
    mutable boost::json::value value_;
};

}  // namespace jobs
