#include "tests/bench/client/payload.hpp"

#include <random>
#include <string_view>

namespace bench {

namespace {
constexpr std::size_t length = 100;
constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}  // namespace

std::string random_args(std::uint64_t number) {
    thread_local std::mt19937_64 random(std::random_device{}());
    std::string args = "{\"n\": " + std::to_string(number) + ", \"data\": \"";
    std::uint64_t bits = 0;
    for (int left = 0; args.size() < length - 2; bits >>= 6, --left) {
        if (left == 0) {
            bits = random();
            left = 10;
        }
        args += letters[bits & 63];
    }
    return args + "\"}";
}

}  // namespace bench
