#pragma once

// A statement that the program runs: its SQL, and the name under which it is prepared, timed and logged.

#include <string_view>

namespace db {

struct Statement {
    // Both end with a zero, as libpq wants them, and outlive every connection: literals do.
    constexpr Statement(const char* function_name, const char* text) : name(function_name), sql(text) {}

    std::string_view name;  // unique in the program; lower_snake, the name of the function that runs it
    std::string_view sql;   // one statement; parameters are $1, $2, ..., with a cast where the type is not plain
};

}  // namespace db
