#include "worker/cli/count_text.hpp"

#include <fmt/format.h>

namespace worker::cli {

std::string count_of(std::int64_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

}  // namespace worker::cli
