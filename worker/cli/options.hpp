#pragma once

// What the command line says, as plain data.

#include "db/rows.hpp"
#include "queue/ids.hpp"
#include "worker/natives.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace worker::cli {

// Options that every command takes.
struct Global {
    std::string config_file;                      // empty: config.yml here, when there is one
    std::map<std::string, std::string> settings;  // --set and --url, by configuration key
    std::string data;                             // folder of an embedded PostgreSQL; empty: the default
    bool json = false;
    bool quiet = false;
    bool no_color = false;
    AddKinds add_kinds;  // not said: of the program that this is
};

struct RunCommand {
    std::string url_file;  // gets the database URL when the worker is ready
};

struct DevCommand {
    enum class Action { start, stop, psql, reset };
    Action action = Action::start;
    std::string url_file;
    bool yes = false;                  // reset without asking
    std::vector<std::string> to_psql;  // arguments handed on
};

struct CheckCommand {};

struct MigrateCommand {
    enum class Action { up, down, status, sql };
    Action action = Action::status;
    std::optional<int> to;
    std::optional<std::chrono::milliseconds> patience;  // of `up`, for locks
};

struct EnqueueCommand {
    std::string kind;
    // Where the jobs come from: one of these, or one job without args.
    std::optional<std::string> args;  // JSON
    std::string file;                 // NDJSON; - is standard input
    std::vector<std::string> paths;
    std::string paths_from;  // a file with a path a line

    std::string queue = "default";
    std::optional<int> priority;
    std::optional<std::chrono::milliseconds> delay;
    std::optional<db::TimePoint> at;
    std::optional<int> max_attempts;
    std::optional<std::string> unique_key;
    std::optional<std::string> enqueue_key;
    std::optional<int> bundle;
    std::optional<std::string> meta;  // JSON, of the jobs and of a batch that is made

    std::string batch;  // name of a new one, or the UUID of an open one
    bool open = false;  // do not seal it
    bool watch = false;
    std::optional<std::string> on_finish;
    std::optional<std::string> on_success;
    std::optional<std::string> on_failure;

    bool new_kind = false;
    bool skip_invalid = false;
};

struct BatchCommand {
    enum class Action { list, show, watch, seal, cancel, redrive };
    Action action = Action::list;
    std::string batch;                // name or UUID
    std::optional<std::string> kind;  // of redrive
    bool dry_run = false;             // of cancel and redrive
    bool yes = false;                 // cancel without asking
    bool watch = false;               // of redrive
    std::optional<std::string> state;
    int limit = 20;
    int slowest = 5;
    int failures = 5;
};

struct JobCommand {
    enum class Action { list, show, why, wait, cancel };
    Action action = Action::list;
    queue::JobId job{};
    std::vector<queue::JobId> jobs;                    // of cancel
    std::optional<std::chrono::milliseconds> timeout;  // of wait; empty: for ever
    std::optional<std::string> kind;
    std::optional<std::string> queue;
    std::optional<std::string> state;
    std::optional<std::string> batch;  // name or UUID
    bool all = false;                  // these three of cancel
    bool dry_run = false;
    bool yes = false;  // without asking
    int limit = 20;
};

struct QueueCommand {
    enum class Action { list, create, pause, resume };
    Action action = Action::list;
    std::string queue;
    std::optional<int> concurrency;
};

struct WorkerCommand {};  // list

struct DoctorCommand {
    std::chrono::milliseconds patience{60'000};  // what is older is a problem: transactions, leases
};

struct CompletionCommand {
    std::string shell;  // bash, zsh or fish
};

struct ManCommand {
    std::string page;  // empty: all
    std::string to;    // a folder to write into; empty: standard output
};

struct DeadCommand {
    enum class Action { list, show, redrive, purge };
    Action action = Action::list;
    std::vector<queue::JobId> jobs;
    std::optional<std::string> kind;
    std::optional<std::string> queue;
    std::optional<std::string> batch;  // name or UUID
    bool all = false;
    bool dry_run = false;
    bool yes = false;  // purge without asking
    int limit = 20;
};

using Command = std::variant<
    RunCommand,
    DevCommand,
    CheckCommand,
    MigrateCommand,
    EnqueueCommand,
    BatchCommand,
    JobCommand,
    QueueCommand,
    WorkerCommand,
    DeadCommand,
    DoctorCommand,
    CompletionCommand,
    ManCommand>;

}  // namespace worker::cli
