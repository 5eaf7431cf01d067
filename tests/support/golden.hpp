#pragma once

// Golden files: the text that a function answers, kept in the repository so that a change shows in the review.

#include "tests/support/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace tests {

// Holds `actual` against the file, a path from the repository's root. With UPDATE_GOLDEN set, writes the file first.
inline void check_golden(const std::string& path, const std::string& actual) {
    const std::string full = std::string(TASK_WORKER_SOURCE_DIR) + "/" + path;
    if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(full, std::ios::binary) << actual;
    std::ifstream file(full, std::ios::binary);
    const std::string kept{std::istreambuf_iterator<char>(file), {}};
    INFO(path << " is not current: run the golden tests with UPDATE_GOLDEN=1 and look at the difference");
    CHECK(kept == actual);
}

}  // namespace tests
