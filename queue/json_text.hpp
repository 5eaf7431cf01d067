#pragma once

// Is a text exactly one JSON value? Pure.

#include <optional>
#include <string>
#include <string_view>

namespace queue {

// What keeps `text` from being the args of a job, or nothing: it must be one JSON value in UTF-8, nested at most 500
// deep. PostgreSQL accepts every text that passes.
std::optional<std::string> find_json_problem(std::string_view text);

}  // namespace queue
