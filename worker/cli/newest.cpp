#include "worker/cli/newest.hpp"

#include "worker/cli/terminal.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <string>

namespace worker::cli {

void note_more(const Global& global, std::size_t shown, int limit) {
    const Terminal terminal = inspect_terminal(STDOUT_FILENO, global.no_color);
    if (!terminal.is_terminal || global.quiet || shown < static_cast<std::size_t>(limit)) return;
    const std::string text = limit == 1 ? "the newest" : fmt::format("the newest {}", limit);
    fmt::print("{}\n", paint(text + "; for more: --limit N", Colour::grey, terminal.colours));
}

}  // namespace worker::cli
