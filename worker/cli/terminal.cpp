#include "worker/cli/terminal.hpp"

#include "worker/config_value.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace worker::cli {

namespace {

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view{} : value;
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

Terminal inspect_terminal(int descriptor, bool no_color) {
    Terminal terminal;
    terminal.is_terminal = isatty(descriptor) == 1;
    if (!terminal.is_terminal) return terminal;
    winsize size{};
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.columns = size.ws_col;
    if (const auto columns = parse_integer(variable("COLUMNS")); size.ws_col == 0 && columns && *columns > 0) {
        terminal.columns = static_cast<int>(std::min<std::int64_t>(*columns, 1000));
    }
    terminal.colours = !no_color && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
    return terminal;
}

std::size_t table_width() {
    const Terminal terminal = inspect_terminal(STDOUT_FILENO, true);
    return terminal.is_terminal ? static_cast<std::size_t>(terminal.columns) : 0;
}

std::string paint(std::string_view text, Colour colour, bool colours) {
    if (!colours) return std::string(text);
    const char* code = "90";
    switch (colour) {
        case Colour::green:
            code = "32";
            break;
        case Colour::red:
            code = "31";
            break;
        case Colour::yellow:
            code = "33";
            break;
        case Colour::grey:
            break;
    }
    return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

std::string draw_bar(double fraction, int cells) {
    const double share = std::isnan(fraction) ? 0 : std::clamp(fraction, 0.0, 1.0);
    const auto width = static_cast<std::size_t>(std::max(cells, 1));
    const auto full = std::min(width, static_cast<std::size_t>(share * static_cast<double>(width)));
    return "[" + std::string(full, '#') + std::string(width - full, '-') + "]";
}

std::size_t shown_width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

std::string cut_to_width(std::string_view text, std::size_t width) {
    if (shown_width(text) <= width) return std::string(text);
    if (width == 0) return {};
    std::size_t end = 0;
    for (std::size_t shown = 1; shown < width; ++shown) {
        ++end;
        while (end < text.size() && is_continuation(text[end])) ++end;
    }
    return std::string(text.substr(0, end)) + "…";
}

std::string printable(std::string_view text) {
    std::string shown;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F are control characters as well: C2 80 to C2 9F.
        const bool second_control = byte == 0xC2U && i + 1 < text.size() &&
                                    static_cast<unsigned char>(text[i + 1]) >= 0x80U &&
                                    static_cast<unsigned char>(text[i + 1]) < 0xA0U;
        if (second_control) ++i;
        if (byte == '\n' || byte == '\r' || byte == '\t') {
            shown += ' ';
        } else if (byte < ' ' || byte == 0x7FU || second_control) {
            shown += '?';
        } else {
            shown += text[i];
        }
    }
    return shown;
}

LiveLine::~LiveLine() {
    if (!drawn_) return;
    std::fputc('\n', file_);
    std::fflush(file_);
}

bool LiveLine::is_due() const {
    return terminal_.is_terminal && (!drawn_ || Clock::now() - drawn_at_ >= std::chrono::milliseconds(200));
}

void LiveLine::draw(const std::string& line) {
    if (!terminal_.is_terminal) return;
    std::fputs(("\r" + line + "\033[K").c_str(), file_);
    std::fflush(file_);
    drawn_at_ = Clock::now();
    drawn_ = true;
}

void LiveLine::erase() {
    if (!drawn_) return;
    std::fputs("\r\033[K", file_);
    std::fflush(file_);
    drawn_ = false;
}

}  // namespace worker::cli
