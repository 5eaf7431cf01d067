#include "worker/logging.hpp"

#include "worker/logging_format.hpp"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <array>
#include <utility>

namespace worker {

namespace {

constexpr std::size_t most_texts = 16;  // about one trouble
constexpr std::array<std::string_view, 7> level_words{"trace", "debug", "info", "warn", "error", "fatal", "off"};

spdlog::level::level_enum spdlog_level(LogLevel level) {
    return static_cast<spdlog::level::level_enum>(level);
}

// The fields of the line that this thread is writing. The logger is synchronous, so its formatter runs below log() on
// the same thread; a separator inside the message instead would let a message forge fields.
thread_local const Fields* current_fields = nullptr;

class LineFormatter final : public spdlog::formatter {
public:
    explicit LineFormatter(bool json) : json_(json) {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& buffer) override {
        const LogLine line{
            message.time,
            level_words.at(static_cast<std::size_t>(message.level)),
            {message.payload.data(), message.payload.size()},
            current_fields
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
    logger->set_level(spdlog_level(config.level));
    logger->flush_on(spdlog::level::trace);  // a line that explains a crash must not wait in a buffer
    return logger;
}

void set_up_logging(const LogConfig& config) {
    LogConfig resolved = config;
    if (config.format == LogFormat::automatic) {
        resolved.format = isatty(STDERR_FILENO) == 1 ? LogFormat::text : LogFormat::json;
    }
    spdlog::set_default_logger(make_logger(resolved, std::make_shared<spdlog::sinks::stderr_sink_mt>()));
}

void log(spdlog::logger& logger, LogLevel level, std::string_view message, const Fields& fields) {
    const Fields* const outer = std::exchange(current_fields, &fields);
    logger.log(spdlog_level(level), spdlog::string_view_t(message.data(), message.size()));  // never throws
    current_fields = outer;
}

void log(LogLevel level, std::string_view message, const Fields& fields) {
    log(*spdlog::default_logger_raw(), level, message, fields);
}

bool is_logged(LogLevel level) {
    return spdlog::default_logger_raw()->should_log(spdlog_level(level));
}

Fields job_fields(const jobs::Job& job, queue::WorkerId worker) {
    Fields fields{{"job_id", job.id}, {"kind", job.kind}, {"attempt", job.attempt}};
    if (job.batch) fields.emplace_back("batch_id", *job.batch);
    fields.emplace_back("worker_id", worker);
    return fields;
}

std::optional<std::int64_t> SayOnce::next(std::string_view text) {
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
    if (said_.size() == most_texts || !said_.insert(std::move(blind)).second) {
        ++passed_over_;
        return {};
    }
    return std::exchange(passed_over_, 0);
}

bool SayOnce::clear() {
    const std::lock_guard lock(mutex_);
    passed_over_ = 0;
    return !std::exchange(said_, {}).empty();
}

void log_once(SayOnce& once, LogLevel level, std::string_view message, Fields fields) {
    // Another error is news, though the sentence around it is the same.
    std::string subject(message);
    for (const Field& field : fields) {
        if (const auto* text = std::get_if<std::string>(&field.value)) subject += '\n' + *text;
    }
    const std::optional<std::int64_t> repeats = once.next(subject);
    if (!repeats) return;
    if (*repeats > 0) fields.emplace_back("repeated", *repeats);
    log(level, message, fields);
}

}  // namespace worker
