#include "worker/cli/table.hpp"

#include "worker/cli/terminal.hpp"

#include <algorithm>
#include <numeric>

namespace worker::cli {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 6;

// Whether it fits then.
bool shrink(std::vector<std::size_t>& widths, const std::vector<Column>& columns, std::size_t width) {
    const std::size_t gaps = gap * (widths.size() - 1);
    while (std::accumulate(widths.begin(), widths.end(), gaps) > width) {
        std::size_t widest = columns.size();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (!columns[i].shrinks || widths[i] <= narrowest) continue;
            if (widest == columns.size() || widths[i] > widths[widest]) widest = i;
        }
        if (widest == columns.size()) return false;
        --widths[widest];
    }
    return true;
}

std::vector<std::size_t> widths_of(const std::vector<Cells>& lines) {
    std::vector<std::size_t> widths(lines.front().size(), 0);
    for (const Cells& line : lines) {
        for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], shown_width(line[i]));
    }
    return widths;
}

// Leaves out the last column that may be left out, if there is one.
bool leave_out(std::vector<Column>& columns, std::vector<Cells>& lines) {
    const auto last = std::ranges::find(columns.rbegin(), columns.rend(), true, &Column::leaves);
    if (last == columns.rend()) return false;
    const auto place = columns.rend() - last - 1;
    for (Cells& line : lines) line.erase(line.begin() + place);
    columns.erase(columns.begin() + place);
    return true;
}

std::string render_line(
    const Cells& cells, const std::vector<Column>& columns, const std::vector<std::size_t>& widths
) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const std::string cell = cut_to_width(cells[i], widths[i]);
        const std::string padding(widths[i] - std::min(widths[i], shown_width(cell)), ' ');
        if (i > 0) line.append(gap, ' ');
        line += columns[i].right ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

}  // namespace

std::string render_table(std::vector<Column> columns, const std::vector<Cells>& rows, std::size_t width) {
    std::vector<Cells> lines(1);
    for (const Column& column : columns) lines.front().push_back(column.title);
    for (const Cells& row : rows) {
        Cells& line = lines.emplace_back();
        for (const std::string& cell : row) line.push_back(printable(cell));
        line.resize(columns.size());
    }
    std::vector<std::size_t> widths = widths_of(lines);
    while (width > 0 && !shrink(widths, columns, width) && leave_out(columns, lines)) widths = widths_of(lines);
    std::string text;
    for (const Cells& line : lines) text += render_line(line, columns, widths);
    return text;
}

}  // namespace worker::cli
