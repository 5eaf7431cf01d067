#pragma once

// SQL for the set-up of a test and for asking what is there, in one blocking line.

#include <chrono>
#include <string>
#include <vector>

namespace tests {

// Runs SQL (several statements too) on a blocking connection of its own and returns the rows of the last one, every
// value as text, null as "". For set-up and for asking what is there; the code under test goes through db::Session.
// Throws: std::runtime_error with the server's message.
using TextRows = std::vector<std::vector<std::string>>;
TextRows psql(const std::string& url, const std::string& sql);

// Asks until the one value of the one row is `wanted`: what is awaited is a commit of another process, which nothing
// else tells of. Throws: std::runtime_error with what it was last after the limit; as psql.
void await_value(
    const std::string& url,
    const std::string& sql,
    const std::string& wanted,
    std::chrono::seconds limit = std::chrono::seconds(60)
);

}  // namespace tests
