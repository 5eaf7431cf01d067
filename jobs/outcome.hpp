#pragma once

// What a handler answers about its attempt.

#include <boost/json/value.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <variant>

namespace jobs {

struct Complete {
    std::optional<boost::json::value> result;
};
struct Retry {  // run again later, attempt spent; the last allowed attempt is discarded instead
    std::string error;
    std::optional<std::chrono::milliseconds> after;  // empty: the kind's backoff
};
struct Snooze {  // run again later, attempt refunded
    std::chrono::milliseconds after{60'000};
    std::string reason;
};
struct Discard {  // never again: a dead letter
    std::string error;
};
struct Cancel {  // stopped on request
    std::string reason;
};

using Outcome = std::variant<Complete, Retry, Snooze, Discard, Cancel>;

}  // namespace jobs
