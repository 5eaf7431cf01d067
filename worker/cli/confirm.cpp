#include "worker/cli/confirm.hpp"

#include "worker/cli/errors.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <array>
#include <cstdio>

namespace worker::cli {

bool is_confirmed(const std::string& question, const std::string& otherwise) {
    if (isatty(STDIN_FILENO) != 1) throw Failure(exit_usage, otherwise + ": confirm with --yes");
    fmt::print(stderr, "{} Type yes: ", question);
    std::array<char, 16> answer{};
    return std::fgets(answer.data(), answer.size(), stdin) != nullptr && std::string(answer.data()) == "yes\n";
}

}  // namespace worker::cli
