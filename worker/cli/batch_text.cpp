#include "worker/cli/batch_text.hpp"

#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace worker::cli {

namespace {

// Only a whole batch is 100 %.
int whole_percent(const queue::BatchStatus& batch) {
    if (batch.total > 0) return static_cast<int>(100 * ended_jobs(batch) / batch.total);
    return batch.finished_at ? 100 : 0;
}

std::string numbers_of(const queue::BatchStatus& batch) {
    const bool finished = batch.finished_at.has_value();
    std::string numbers = fmt::format(" {}/{} {} %", ended_jobs(batch), batch.total, whole_percent(batch));
    const std::string rate = show_rate(finished || batch.recent_rate < 0.001 ? batch.overall_rate : batch.recent_rate);
    if (!rate.empty()) numbers += "  " + rate;
    if (batch.eta && ended_jobs(batch) < batch.total) numbers += "  ETA " + show_span(*batch.eta);
    if (finished)
        numbers +=
            "  in " +
            show_span(std::chrono::duration_cast<std::chrono::milliseconds>(*batch.finished_at - batch.created_at));
    return numbers;
}

std::string failures_of(const queue::BatchStatus& batch) {
    std::string failures;
    if (batch.discarded > 0) failures += fmt::format("  {} failed", batch.discarded);
    if (batch.cancelled > 0) failures += fmt::format("  {} cancelled", batch.cancelled);
    return failures;
}

std::string bar_of(const queue::BatchStatus& batch, int cells) {
    if (batch.total == 0) return draw_bar(batch.finished_at ? 1 : 0, cells);
    const auto total = static_cast<double>(batch.total);
    const auto ended = static_cast<double>(ended_jobs(batch));
    return draw_bar(ended / total, cells, static_cast<double>(failed_jobs(batch)) / total);
}

// What completed turns green when the batch has finished; what failed is red.
std::string paint_bar(std::string_view bar, bool finished) {
    const std::size_t failed = std::min(bar.find('x'), bar.find_first_of("-]"));
    const std::size_t open = bar.find_first_of("-]");
    return "[" + paint(bar.substr(1, failed - 1), Colour::green, finished) +
           paint(bar.substr(failed, open - failed), Colour::red, open > failed) + std::string(bar.substr(open));
}

}  // namespace

std::int64_t ended_jobs(const queue::BatchStatus& batch) {
    return batch.completed + batch.discarded + batch.cancelled;
}

std::int64_t failed_jobs(const queue::BatchStatus& batch) {
    return batch.discarded + batch.cancelled;
}

std::string show_rate(double jobs_per_second) {
    if (!(jobs_per_second >= 0.001)) return {};
    if (jobs_per_second < 0.1) return fmt::format("{:.3f}/s", jobs_per_second);
    if (jobs_per_second < 9.95) return fmt::format("{:.1f}/s", jobs_per_second);
    return fmt::format("{:.0f}/s", jobs_per_second);
}

void RateMeter::measure(queue::BatchStatus& batch, Time now) {
    constexpr auto window = std::chrono::seconds(10);
    const std::int64_t ended = ended_jobs(batch);
    if (!samples_.empty() && ended < samples_.back().ended) samples_.clear();  // redriven
    samples_.push_back({now, ended});
    while (samples_.size() > 2 && now - samples_[1].at >= window) samples_.pop_front();
    const Sample& first = samples_.front();
    const double seconds = std::chrono::duration<double>(now - first.at).count();
    if (ended == first.ended || seconds < 0.1 || batch.finished_at) return;
    batch.recent_rate = static_cast<double>(ended - first.ended) / seconds;
    const double left = static_cast<double>(batch.total - ended) / batch.recent_rate;
    batch.eta = std::chrono::seconds(static_cast<std::int64_t>(std::ceil(left)));
}

std::string batch_name(const queue::BatchStatus& batch) {
    return batch.name.empty() ? batch.id : printable(batch.name);
}

std::string batch_line(const queue::BatchStatus& batch, int columns, bool colours) {
    const std::string numbers = numbers_of(batch);
    const std::string failures = failures_of(batch);
    constexpr int widest_bar = 30;
    constexpr int narrowest_bar = 10;
    const int brackets_and_gap = 4;
    // Room for the longest numbers there will be, so that the bar keeps its width while they change.
    const auto longest =
        2 * std::to_string(batch.total).size() + std::string_view(" / 100 %  9999/s  ETA 59 min 59 s").size();
    const auto numbers_room = static_cast<int>(std::max(shown_width(numbers + failures), longest));
    const auto room = columns - numbers_room - brackets_and_gap - 1;  // 1: no line wraps
    const int name_room = std::max(std::clamp(room - narrowest_bar, 8, 36), room - widest_bar);
    const std::string name = cut_to_width(batch_name(batch), static_cast<std::size_t>(name_room)) + "  ";
    const int cells = std::clamp(room + 2 - static_cast<int>(shown_width(name)), narrowest_bar, widest_bar);
    const std::string bar = bar_of(batch, cells);
    const std::string line = name + bar + numbers + failures;
    const auto width = static_cast<std::size_t>(std::max(columns, 1));
    if (!colours || shown_width(line) > width) return cut_to_width(line, width);
    return name + paint_bar(bar, batch.finished_at.has_value()) + numbers +
           paint(failures, Colour::red, !failures.empty());
}

JsonObject batch_json(const queue::BatchStatus& batch) {
    JsonObject object;
    object.add("id", batch.id).add("name", batch.name).add("state", batch.state).add("round", batch.round);
    object.add("total", batch.total).add("completed", batch.completed).add("discarded", batch.discarded);
    object.add("cancelled", batch.cancelled).add("running", batch.running).add("waiting", batch.waiting);
    object.add("percent", batch.percent).add("recent_rate", batch.recent_rate).add("overall_rate", batch.overall_rate);
    std::optional<std::int64_t> eta;
    if (batch.eta) eta = batch.eta->count();
    object.add("eta_seconds", eta).add("created_at", batch.created_at).add("sealed_at", batch.sealed_at);
    object.add("finished_at", batch.finished_at).add_json("meta", batch.meta);
    return object;
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
    }
    return true;
}

}  // namespace worker::cli
