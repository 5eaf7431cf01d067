#pragma once

// C++ source taken apart as far as the architecture test needs it.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

struct SourceFile {
    std::string path;  // from the project's folder: "queue/claim.cpp"
    std::string text;

    std::string room() const { return path.substr(0, path.find('/')); }
    bool is_header() const { return path.ends_with(".hpp"); }
    int lines() const;
};

// Every .cpp and .hpp below the rooms named, in the order of their paths.
std::vector<SourceFile> read_sources(const std::filesystem::path& project, const std::vector<std::string>& rooms);

// The text with comments blanked and string literals kept; line breaks stay where they are.
std::string without_comments(std::string_view text);

// The contents of the string literals, raw ones too; adjacent ones are not joined.
std::vector<std::string> string_literals(std::string_view text);

// What is included: db/pool.hpp of `#include "db/pool.hpp"`, boost/json.hpp of `#include <boost/json.hpp>`.
std::vector<std::string> includes(std::string_view text);

// The words of the identifiers and of the literals in lower case: JobId and job_id give job and id.
std::vector<std::string> words(std::string_view text);

}  // namespace tests
