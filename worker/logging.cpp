#include "worker/logging.hpp"

#include "worker/log_cause.hpp"
#include "worker/log_file.hpp"
#include "worker/logging_format.hpp"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

namespace worker {

namespace {

constexpr std::size_t most_texts = 16;  // about one trouble
constexpr std::array<std::string_view, 8> component_words{
    "worker", "control", "engine", "jobs", "handlers", "maintenance", "database", "endpoints"
};
constexpr std::array<std::string_view, 7> level_words{"trace", "debug", "info", "warn", "error", "fatal", "off"};

spdlog::level::level_enum spdlog_level(LogLevel level) {
    return static_cast<spdlog::level::level_enum>(level);
}

// What log() was given for the line that this thread is writing. The logger is synchronous, so its formatter runs below
// log() on the same thread; a separator inside the message instead would let a message forge fields.
struct Current {
    Component component = Component::handlers;  // code that is linked in writes to spdlog itself
    const Fields* fields = nullptr;
};
thread_local Current current;

// The log of the process. Set before there are other threads.
struct Setup {
    std::array<std::atomic<LogLevel>, component_words.size()> levels{};
    std::shared_ptr<LogFile> file;
};
Setup setup;

struct Limited {
    std::mutex mutex;
    Repeats repeats;  // guarded by mutex
};
Limited limited;

class LineFormatter final : public spdlog::formatter {
public:
    explicit LineFormatter(bool json) : json_(json) {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& buffer) override {
        const LogLine line{
            message.time,
            level_words.at(static_cast<std::size_t>(message.level)),
            {message.payload.data(), message.payload.size()},
            current.fields,
            component_words.at(static_cast<std::size_t>(current.component))
        };
        const std::string text = json_ ? to_json_line(line) : to_text_line(line);
        buffer.append(text.data(), text.data() + text.size());
    }
    std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(json_); }

private:
    bool json_;
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(const LogConfig& config, std::shared_ptr<spdlog::sinks::sink> sink) {
    auto logger = std::make_shared<spdlog::logger>("task-worker", std::move(sink));
    logger->set_formatter(std::make_unique<LineFormatter>(config.format == LogFormat::json));
    LogLevel least = config.level;
    for (const auto& [component, level] : config.levels) least = std::min(least, level);
    logger->set_level(spdlog_level(least));
    logger->flush_on(spdlog::level::trace);  // a line that explains a crash must not wait in a buffer
    return logger;
}

void set_up_logging(const LogConfig& config) {
    LogConfig resolved = config;
    std::shared_ptr<spdlog::sinks::sink> sink;
    setup.file = config.file.empty() ? nullptr : std::make_shared<LogFile>(config.file);
    if (config.format == LogFormat::automatic) {
        resolved.format = !setup.file && isatty(STDERR_FILENO) == 1 ? LogFormat::text : LogFormat::json;
    }
    for (std::atomic<LogLevel>& level : setup.levels) level = config.level;
    for (const auto& [component, level] : config.levels) setup.levels.at(static_cast<std::size_t>(component)) = level;
    sink = setup.file;
    if (!sink) sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    spdlog::set_default_logger(make_logger(resolved, std::move(sink)));
}

void reopen_log() {
    if (!setup.file) return;
    if (const std::string problem = setup.file->reopen(); !problem.empty()) {
        log(Component::worker, LogLevel::error, "the log goes on in its old file", {{"error", problem}});
    } else {
        log(Component::worker, LogLevel::info, "the log goes on in a new file");
    }
}

bool is_logged(Component component, LogLevel level) {
    return level >= setup.levels.at(static_cast<std::size_t>(component));
}

void log(Component component, LogLevel level, std::string_view message, const Fields& fields) {
    if (!is_logged(component, level)) return;
    const Current outer = std::exchange(current, {component, &fields});
    const spdlog::string_view_t text(message.data(), message.size());
    spdlog::default_logger_raw()->log(spdlog_level(level), text);  // never throws
    current = outer;
}

void log_limited(
    Component component, LogLevel level, std::string_view message, const Fields& fields, std::string subject
) {
    if (!is_logged(component, level)) return;
    {
        const std::lock_guard lock(limited.mutex);
        Repeats::Place place{component, level, std::string(message), std::move(subject)};
        if (!limited.repeats.admit(std::move(place), Repeats::Time::clock::now())) return;
    }
    log(component, level, message, fields);
}

void log_left_out(Repeats::Time now) {
    std::vector<Repeats::LeftOut> all;
    {
        const std::lock_guard lock(limited.mutex);
        if (limited.repeats.empty()) return;
        all = limited.repeats.due(now);
    }
    for (const auto& [place, lines] : all) {
        Fields fields;
        if (!place.subject.empty()) fields.emplace_back("subject", place.subject);
        fields.emplace_back("left_out", lines);
        log(place.component, place.level, place.message, fields);
    }
}

Fields job_fields(const jobs::Job& job, queue::WorkerId worker) {
    Fields fields{{"job_id", job.id}, {"kind", job.kind}, {"attempt", job.attempt}};
    if (job.batch) fields.emplace_back("batch_id", *job.batch);
    if (const auto trace = trace_id(job.traceparent); !trace.empty()) fields.emplace_back("trace_id", trace);
    fields.emplace_back("worker_id", worker);
    return fields;
}

std::optional<std::int64_t> SayOnce::next(std::string_view text, Time now) {
    std::string blind;  // to numbers
    for (const char letter : text) {
        const bool digit = letter >= '0' && letter <= '9';
        if (!digit) {
            blind += letter;
        } else if (!blind.ends_with('#')) {
            blind += '#';
        }
    }
    const std::lock_guard lock(mutex_);
    const auto found = said_.find(blind);
    if (found == said_.end() ? said_.size() == most_texts : now - found->second < reminder) {
        ++passed_over_;
        return {};
    }
    said_.insert_or_assign(std::move(blind), now);
    return std::exchange(passed_over_, 0);
}

bool SayOnce::clear() {
    const std::lock_guard lock(mutex_);
    passed_over_ = 0;
    return !std::exchange(said_, {}).empty();
}

void log_once(SayOnce& once, Component component, LogLevel level, std::string_view message, Fields fields) {
    // Another error is news, though the sentence around it is the same.
    std::string subject(message);
    for (const Field& field : fields) {
        if (const auto* text = std::get_if<std::string>(&field.value)) subject += '\n' + *text;
    }
    const std::optional<std::int64_t> repeats = once.next(subject);
    if (!repeats) return;
    if (*repeats > 0) fields.emplace_back("repeated", *repeats);
    log(component, level, message, fields);
}

}  // namespace worker
