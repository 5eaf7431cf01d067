#include "worker/cli/terminal.hpp"

#include "worker/config_value.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace worker::cli {

namespace {

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view{} : value;
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// Calls function(line) for each line of a text, without its break.
template <class Function>
void each_line(std::string_view text, Function function) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        function(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

// Where the lines that continue this one begin.
std::size_t hanging_indent(std::string_view line) {
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    const std::size_t gap = line.find("  ", begin);
    if (begin == 0 || gap == std::string_view::npos) return begin;
    return std::min(line.find_first_not_of(' ', gap), line.size());
}

std::string wrap_line(std::string line, std::size_t width) {
    line.erase(line.find_last_not_of(' ') + 1);
    const std::size_t indent = hanging_indent(line);
    std::string text;
    while (shown_width(line) > width) {
        std::size_t cut = line.rfind(' ', width);
        if (cut == std::string::npos || cut <= indent) cut = line.find(' ', std::max(width, indent));
        if (cut == std::string::npos) break;
        text += line.substr(0, line.find_last_not_of(' ', cut) + 1) + "\n";
        line = std::string(indent, ' ') + line.substr(line.find_first_not_of(' ', cut));
    }
    return text + line;
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

Terminal progress_terminal(const Global& global) {
    return inspect_terminal(global.quiet || global.json ? -1 : STDERR_FILENO, global.no_color);
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

std::string draw_bar(double fraction, int cells, double failed) {
    const auto width = static_cast<double>(std::max(cells, 1));
    const auto cells_of = [&](double share) { return std::isnan(share) ? 0 : std::clamp(share, 0.0, 1.0) * width; };
    const auto full = static_cast<std::size_t>(cells_of(fraction));
    const auto bad = std::min(full, static_cast<std::size_t>(std::ceil(cells_of(failed))));
    const auto empty = static_cast<std::size_t>(width) - full;
    return "[" + std::string(full - bad, '#') + std::string(bad, 'x') + std::string(empty, '-') + "]";
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

std::string wrap_lines(std::string_view text, std::size_t width) {
    std::string wrapped;
    each_line(text, [&](std::string_view line) { wrapped += wrap_line(std::string(line), width) + "\n"; });
    return wrapped;
}

std::string wrap_message(std::string_view text, int columns) {
    constexpr char kept = '\x1f';  // a blank where no line may be broken
    const auto width = static_cast<std::size_t>(std::max(columns, 1));
    std::string wrapped;
    each_line(text, [&](std::string_view whole) {
        std::string line(whole);
        const std::size_t command = line.rfind(" task-worker ");
        if (command != std::string::npos && shown_width(line.substr(command + 1)) <= width)
            std::ranges::replace(line.begin() + static_cast<std::ptrdiff_t>(command) + 1, line.end(), ' ', kept);
        wrapped += (wrapped.empty() ? "" : "\n") + wrap_line(std::move(line), width);
    });
    std::ranges::replace(wrapped, kept, ' ');
    return wrapped;
}

std::string hang_lines(std::string_view text, std::size_t indent, std::size_t width) {
    constexpr std::size_t narrowest = 20;
    std::string hung;
    const auto add = [&](std::string_view line) {
        if (!hung.empty()) hung += "\n" + std::string(indent, ' ');
        hung += line;
    };
    each_line(text, [&](std::string_view line) {
        if (width == 0) return add(line);
        each_line(wrap_line(std::string(line), std::max(width, indent + narrowest) - indent), add);
    });
    return hung;
}

std::string printable_lines(std::string_view text) {
    std::string shown;
    each_line(text, [&](std::string_view line) { shown += printable(line) + "\n"; });
    while (shown.ends_with('\n')) shown.pop_back();
    return shown;
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
    put(line);
    drawn_at_ = Clock::now();
    drawn_ = true;
}

void LiveLine::erase() {
    if (!drawn_) return;
    put("");
    std::fputs("\r", file_);
    std::fflush(file_);
    drawn_ = false;
}

void LiveLine::put(const std::string& line) {
    const std::size_t width = shown_width(line);
    const std::string rest = terminal_.colours ? "\033[K" : std::string(width_ - std::min(width, width_), ' ');
    std::fputs(("\r" + line + rest).c_str(), file_);
    std::fflush(file_);
    width_ = width;
}

}  // namespace worker::cli
