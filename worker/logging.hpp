#pragma once

// The log: one line per event, text for people or JSON for machines, with fields beside the message (docs/logs.md).
// Down to the level info neither args, results, texts of jobs' errors nor secrets go into it: job_fields() names a job,
// never what it carries. What a handler writes for the log is the handler's.
//
// Thread: every function may be called from any thread once set_up_logging returned.

#include "jobs/context.hpp"
#include "queue/ids.hpp"
#include "worker/config.hpp"
#include "worker/repeats.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace worker {

// One field of a line. Names are lower_snake, and stand in docs/logs.md; time, level, component and message are taken.
struct Field {
    std::string_view name;  // of static storage
    std::variant<std::int64_t, double, std::string> value;

    template <class T>
    Field(std::string_view field_name, const T& field_value) : name(field_name), value(convert(field_value)) {}

private:
    template <class T>
    static std::variant<std::int64_t, double, std::string> convert(const T& given) {
        if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
            return static_cast<std::int64_t>(given);
        } else if constexpr (std::is_floating_point_v<T>) {
            return static_cast<double>(given);
        } else {
            return std::string(given);
        }
    }
};
using Fields = std::vector<Field>;

// Makes the log of the process: spdlog's default logger, so that lines written through spdlog look the same: they are
// the handlers'. Throws: std::runtime_error when log.file cannot be opened.
void set_up_logging(const LogConfig& config);

// The same logger over another sink. `automatic` is text here.
std::shared_ptr<spdlog::logger> make_logger(const LogConfig& config, std::shared_ptr<spdlog::sinks::sink> sink);

// Goes on in a new file, after the old one was moved away. Nothing without log.file.
void reopen_log();

// Writes one line. Control characters and bytes that are not UTF-8 are made harmless, so an event is always one line.
void log(Component component, LogLevel level, std::string_view message, const Fields& fields = {});
bool is_logged(Component component, LogLevel level);

// The same for lines of which there may be thousands: of those with one message and one subject Repeats::burst are
// written in an interval; of the others a line says at its end how many they were, with the field `left_out`. Not for
// what each time says something that is to be seen nowhere else.
void log_limited(
    Component component, LogLevel level, std::string_view message, const Fields& fields, std::string subject = {}
);
// Writes what log_limited left out in intervals that are over at that time; the process does so all the time.
void log_left_out(Repeats::Time now = Repeats::Time::clock::now());

// job_id, kind, attempt, batch_id when it is of a batch, trace_id when its enqueue had a traceparent, worker_id.
Fields job_fields(const jobs::Job& job, queue::WorkerId worker);

// Remembers what was said about one subject, so that an error which repeats is said once until all is well again, and
// once a minute while it is not. Texts that differ in their numbers alone are the same; beyond sixteen different ones
// only those are said again.
class SayOnce {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds reminder{60};

    // How many texts were passed over since the last one that was said, when `text` is to be said; else empty.
    std::optional<std::int64_t> next(std::string_view text, Time now = Time::clock::now());
    // The subject is in order again: the next text is new, whatever it is. Answers whether anything was wrong.
    bool clear();

private:
    std::mutex mutex_;
    std::map<std::string, Time> said_;  // and when; guarded by mutex_
    std::int64_t passed_over_ = 0;      // guarded by mutex_
};

// Writes the line when it is new, with the field `repeated`, how many were passed over before it, unless none.
void log_once(SayOnce& once, Component component, LogLevel level, std::string_view message, Fields fields = {});

}  // namespace worker
