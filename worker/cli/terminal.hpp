#pragma once

// Text for terminals: widths, colours, bars, and one line that is redrawn in place. Pure but for inspect_terminal and
// LiveLine.

#include "worker/cli/options.hpp"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace worker::cli {

struct Terminal {
    bool is_terminal = false;
    bool colours = false;
    int columns = 80;  // of a terminal; 80 for anything else
};

// What a descriptor writes to. NO_COLOR and TERM=dumb turn colours off.
Terminal inspect_terminal(int descriptor, bool no_color);

// Where a command shows how far it is: standard error; no terminal when it writes only what was asked for, or JSON.
Terminal progress_terminal(const Global& global);

// For tables on standard output: the terminal's, elsewhere 0: nothing needs to be cut for a program.
std::size_t table_width();

enum class Colour { green, red, yellow, grey };
std::string paint(std::string_view text, Colour colour, bool colours);

// [#####-----] with so many cells between the brackets. The last cell fills only at 1. Out of range counts as the end
// of the range; not a number counts as 0. Of what is filled, the failed share is drawn as x: [####x-----], one cell at
// least when anything failed.
std::string draw_bar(double fraction, int cells, double failed = 0);

// Characters that a text takes on a terminal: code points, which is right but for wide scripts.
std::size_t shown_width(std::string_view text);

// The text in at most `width` characters; a cut one ends in "…".
std::string cut_to_width(std::string_view text, std::size_t width);

// Breaks lines wider than `width` at blanks. What goes on stands below the second column of a "name   description"
// line, else below the line's first character. A word that is too long stays whole.
std::string wrap_lines(std::string_view text, std::size_t width);

// The same for a message of some lines, without a break at its end. A command of ours at the end of a line stays whole,
// so that it can be copied: it has a line for itself when it does not fit behind what stands before it.
std::string wrap_message(std::string_view text, int columns);

// The lines of a text that stands behind `indent` characters, broken at blanks to fit into `width`, the later ones
// indented. Width 0: as they are, but indented.
std::string hang_lines(std::string_view text, std::size_t indent, std::size_t width);

// Line breaks become blanks, other control characters "?": nothing in a name can steer the terminal.
std::string printable(std::string_view text);
// The same for each line of a text; the lines stay apart. A break at the end goes.
std::string printable_lines(std::string_view text);

// One line at the bottom of a terminal, redrawn at most five times a second. Draws nothing elsewhere. Without colours
// it needs no escape codes: it is redrawn with blanks.
class LiveLine {
public:
    LiveLine(std::FILE* file, const Terminal& terminal) : file_(file), terminal_(terminal) {}
    ~LiveLine();  // leaves the last line where it is
    LiveLine(const LiveLine&) = delete;
    LiveLine& operator=(const LiveLine&) = delete;

    // Whether a new line would be drawn now.
    bool is_due() const;
    void draw(const std::string& line);
    void erase();

private:
    void put(const std::string& line);

    using Clock = std::chrono::steady_clock;
    std::FILE* file_;
    Terminal terminal_;
    Clock::time_point drawn_at_{};
    bool drawn_ = false;
    std::size_t width_ = 0;  // of what stands there
};

}  // namespace worker::cli
