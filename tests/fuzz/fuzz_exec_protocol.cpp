// Whatever a program prints, its lines are read in bounded memory and none of them breaks the worker.
#include "jobs/exec_output.hpp"
#include "jobs/exec_protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    jobs::read_line({reinterpret_cast<const char*>(data), size}, 0, 1024);
    return 0;
}
