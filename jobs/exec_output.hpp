#pragma once

// What a program prints, in bounded memory: bytes cut into lines, and lines kept as a log. Pure.

#include "jobs/context.hpp"
#include "jobs/exec_spec.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace jobs {

inline constexpr std::size_t longest_log_line = std::size_t{64} * 1024;
// Of a line that may be a message: written with spaces and escapes a result is longer than what its limit counts.
inline std::size_t longest_message(const ExecSpec& spec) {
    return 4 * spec.result_limit + 1024;
}

// Cuts a stream of bytes into lines. Of a line longer than the cap it keeps the first bytes and counts the others.
class LineSplitter {
public:
    explicit LineSplitter(std::size_t cap) : cap_(cap) {}

    // Calls on_line(std::string_view line, std::size_t left_out) for each line that `bytes` ends.
    template <class OnLine>
    void feed(std::string_view bytes, OnLine on_line) {
        while (!bytes.empty()) {
            const std::size_t end = bytes.find('\n');
            const std::string_view piece = bytes.substr(0, end);
            if (end == std::string_view::npos) {
                hold(piece);
                return;
            }
            bytes.remove_prefix(end + 1);
            if (held_.empty() && piece.size() <= cap_) {
                on_line(piece, std::size_t{0});
                continue;
            }
            hold(piece);
            finish(on_line);
        }
    }

    // Ends the last line when the stream stopped in the middle of it. Calls nothing when it did not.
    template <class OnLine>
    void finish(OnLine on_line) {
        if (held_.empty()) return;
        on_line(std::string_view(held_), left_out_);
        held_.clear();
        left_out_ = 0;
    }

private:
    void hold(std::string_view piece);

    std::size_t cap_;
    std::string held_;  // the line so far, at most cap_ bytes
    std::size_t left_out_ = 0;
};

// A program's log. The first half of the limit goes to the sink at once; after that the newest lines, worth the other
// half, are kept and go there at the end, behind a line that says how much was left out between them.
// Lines are made valid UTF-8 and cut at 4 KiB.
class LogCapture {
public:
    using Sink = std::function<void(LogLevel, std::string_view line)>;
    LogCapture(std::size_t limit, Sink sink);

    // Takes a line; `left_out` bytes of it were lost already.
    void add(LogLevel level, std::string_view line, std::size_t left_out = 0);
    // Hands the sink what it has not seen. Called once, at the end.
    void finish();
    // The last lines for an error text, at most 20 and 2 KiB: of the warnings (stderr), or of all when there are none.
    // Empty when nothing was logged.
    std::string tail() const;

private:
    std::size_t start_of_newest(std::size_t size) const;
    void leave_out(std::size_t end);

    std::size_t half_;
    Sink sink_;
    std::string kept_;           // the newest lines, each with its level before it and a newline after it
    std::size_t passed_on_ = 0;  // kept_ up to here went to the sink or is counted as left out
    std::size_t head_ = 0;       // bytes that went to the sink at once
    bool head_is_full_ = false;
    std::size_t bytes_left_out_ = 0;
    std::size_t lines_left_out_ = 0;
};

}  // namespace jobs
