#pragma once

// How much a test does, where its environment says so.

#include <cstdint>
#include <cstdlib>
#include <string>

namespace tests {

inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::stoull(text);
}

}  // namespace tests
