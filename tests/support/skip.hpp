#pragma once

// A test that cannot be run here says so: tests/run counts it apart, with the reason.

#include <string_view>

namespace tests {

// Prints that the test case is skipped, and why; it returns then.
void skip(std::string_view why);

}  // namespace tests
