#pragma once

// What every fuzzer does with its bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace tests {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Ends the fuzzer, which keeps its input.
inline void expect(bool holds) {
    if (!holds) std::abort();
}

}  // namespace tests
