#pragma once

// For programs that cannot say which port the system gave them.

namespace tests {

// A TCP port of 127.0.0.1 that nobody listens at just now.
int free_port();

}  // namespace tests
