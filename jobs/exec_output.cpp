#include "jobs/exec_output.hpp"

#include "jobs/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace jobs {

namespace {

constexpr std::size_t longest_line = 4096;
constexpr std::size_t least_kept = 4096;  // for the error text, however small the limit
constexpr std::size_t tail_bytes = 2048;
constexpr std::size_t tail_lines = 20;

constexpr char mark_of(LogLevel level) {
    return level == LogLevel::warning ? 'w' : 'i';
}
constexpr LogLevel level_of(char mark) {
    return mark == 'w' ? LogLevel::warning : LogLevel::info;
}

}  // namespace

void LineSplitter::hold(std::string_view piece) {
    const std::size_t taken = std::min(piece.size(), cap_ - held_.size());
    held_ += piece.substr(0, taken);
    left_out_ += piece.size() - taken;
}

LogCapture::LogCapture(std::size_t limit, Sink sink) : half_(limit / 2), sink_(std::move(sink)) {}

void LogCapture::add(LogLevel level, std::string_view line, std::size_t left_out) {
    const std::string_view cut = cut_utf8(line, longest_line);
    left_out += line.size() - cut.size();
    const std::size_t start = kept_.size();
    kept_ += mark_of(level);
    append_valid_utf8(kept_, cut);
    if (left_out > 0) fmt::format_to(std::back_inserter(kept_), " [... {} bytes left out]", left_out);
    const std::string_view text = std::string_view(kept_).substr(start + 1);
    head_is_full_ = head_is_full_ || head_ + text.size() + 1 > half_;
    if (!head_is_full_) {
        head_ += text.size() + 1;
        sink_(level, text);
    }
    kept_ += '\n';
    if (!head_is_full_) passed_on_ = kept_.size();
    const std::size_t room = std::max(half_, least_kept);
    if (kept_.size() > 2 * room) {  // not at each line: moving the rest down must stay rare
        const std::size_t newest = start_of_newest(room);
        leave_out(newest);
        kept_.erase(0, newest);
        passed_on_ -= newest;
    }
}

// Where the newest lines start, worth at most `size` bytes.
std::size_t LogCapture::start_of_newest(std::size_t size) const {
    return kept_.size() <= size ? 0 : kept_.find('\n', kept_.size() - size - 1) + 1;
}

// Counts what the sink will not see of kept_ before `end`.
void LogCapture::leave_out(std::size_t end) {
    if (end <= passed_on_) return;
    const std::string_view lost = std::string_view(kept_).substr(passed_on_, end - passed_on_);
    const auto lines = static_cast<std::size_t>(std::ranges::count(lost, '\n'));
    lines_left_out_ += lines;
    bytes_left_out_ += lost.size() - lines;  // without the marks
    passed_on_ = end;
}

void LogCapture::finish() {
    if (passed_on_ == kept_.size()) return;
    leave_out(start_of_newest(half_));
    if (lines_left_out_ > 0) {
        sink_(LogLevel::warning, fmt::format("[... {} lines, {} bytes left out]", lines_left_out_, bytes_left_out_));
    }
    std::string_view rest = std::string_view(kept_).substr(passed_on_);
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        sink_(level_of(rest[0]), rest.substr(1, end - 1));
        rest.remove_prefix(end + 1);
    }
    passed_on_ = kept_.size();
}

std::string LogCapture::tail() const {
    std::vector<std::string_view> warnings;  // newest first
    std::vector<std::string_view> all;
    std::size_t end = kept_.size();
    while (end > 0 && warnings.size() < tail_lines) {
        const std::size_t before = end == 1 ? std::string::npos : kept_.rfind('\n', end - 2);
        const std::size_t start = before == std::string::npos ? 0 : before + 1;
        const std::string_view line = std::string_view(kept_).substr(start + 1, end - start - 2);
        if (level_of(kept_[start]) == LogLevel::warning) warnings.push_back(line);
        if (all.size() < tail_lines) all.push_back(line);
        end = start;
    }
    const auto& lines = warnings.empty() ? all : warnings;
    std::size_t count = 0;
    std::size_t bytes = 0;
    while (count < lines.size() && (count == 0 || bytes + lines[count].size() < tail_bytes)) {
        bytes += lines[count++].size() + 1;
    }
    std::string text;
    while (count > 0) {
        if (!text.empty()) text += '\n';
        text += cut_utf8(lines[--count], tail_bytes);
    }
    return text;
}

}  // namespace jobs
