// `enqueue`: a job, a file of jobs, or a job per path; perhaps as a batch that is watched.

#include "queue/enqueue.hpp"

#include "db/transaction.hpp"
#include "queue/batches.hpp"
#include "queue/bulk_enqueue.hpp"
#include "queue/json_text.hpp"
#include "queue/limits.hpp"
#include "queue/read_job.hpp"
#include "worker/cli/batch_text.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job_source.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/kinds.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/cli/watch.hpp"
#include "worker/config_value.hpp"
#include "worker/registry.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

bool is_one_job(const EnqueueCommand& command) {
    return command.file.empty() && command.paths.empty() && command.paths_from.empty();
}

// What one call put into the queue.
struct Done {
    std::optional<queue::JobId> first;
    std::int64_t jobs = 0;
    bool existed = false;  // by its key, from an earlier call
    queue::BatchId batch;  // empty: none
    std::string batch_name;
    bool sealed = false;
    SourceCounts source;
};

// An earlier call with this key happened: the batch made for this one must not stay. Rolls back.
struct Repeated {
    Done done;
};

queue::EnqueueOptions options_of(const EnqueueCommand& command, const queue::BatchId& batch) {
    queue::EnqueueOptions options;
    options.queue = command.queue;
    options.priority = command.priority;
    options.run_at = command.at;
    options.delay = command.delay;
    options.max_attempts = command.max_attempts;
    options.enqueue_key = command.enqueue_key;
    if (!batch.empty()) options.batch = batch;
    options.bundle = command.bundle;
    options.meta = command.meta;
    return options;
}

// Enters the batch that is named, or makes it.
asio::awaitable<void> open_batch(db::Session& session, const EnqueueCommand& command, Done& done) {
    if (is_uuid(command.batch)) {
        const auto batch = co_await queue::read_batch_status(session, command.batch);
        if (!batch) {
            throw Failure(
                exit_failed, "there is no batch " + command.batch + ": give a name, and a batch of that name is made"
            );
        }
        if (command.on_finish || command.on_success || command.on_failure) {
            throw Failure(
                exit_usage, "the batch " + command.batch + " exists already: callbacks are given when a batch is made"
            );
        }
        done.batch = batch->id;
        done.batch_name = batch->name;
        co_return;
    }
    queue::NewBatch fresh;
    fresh.name = command.batch.empty() ? command.kind : command.batch;
    fresh.on_finish = command.on_finish;
    fresh.on_success = command.on_success;
    fresh.on_failure = command.on_failure;
    fresh.callback_queue = command.queue;
    fresh.meta = command.meta;
    done.batch_name = fresh.name;
    done.batch = co_await queue::create_batch(session, std::move(fresh));
}

// A bar on standard error while a source is read; nothing when that is no terminal.
class LoadingBar {
public:
    explicit LoadingBar(const Global& global) : terminal_(progress_terminal(global)), live_(stderr, terminal_) {}

    void show(const SourceCounts& counts) {
        constexpr std::int64_t stride = 256;  // jobs between two looks at the clock
        if (counts.jobs % stride != 0 || !live_.is_due()) return;
        std::string line = "loading";
        if (counts.size > 0) {
            const double share = static_cast<double>(counts.bytes) / static_cast<double>(counts.size);
            line += "  " + draw_bar(share, 30);
        }
        live_.draw(line + "  " + count_of(counts.jobs, "job"));
    }
    void erase() { live_.erase(); }

private:
    Terminal terminal_;
    LiveLine live_;
};

asio::awaitable<void> enqueue_source(
    db::Session& session, const Global& global, const EnqueueCommand& command, JobSource& source, Done& done
) {
    LoadingBar bar(global);
    const auto next = [&](std::string& args) {
        const bool more = source.next(args);
        bar.show(source.counts());
        return more;
    };
    const queue::BulkEnqueued enqueued =
        co_await queue::bulk_enqueue(session, command.kind, options_of(command, done.batch), next);
    bar.erase();
    done.first = enqueued.first;
    done.jobs = enqueued.jobs;
    done.existed = enqueued.existed;
    done.source = source.counts();
}

asio::awaitable<void> enqueue_one(db::Session& session, const EnqueueCommand& command, Done& done) {
    queue::NewJob job;
    job.kind = command.kind;
    job.args = command.args.value_or("{}");
    job.unique_key = command.unique_key;
    job.options = options_of(command, done.batch);
    const queue::Enqueued enqueued = co_await queue::enqueue_job(session, std::move(job));
    done.first = enqueued.job;
    done.jobs = enqueued.existed ? 0 : 1;
    done.existed = enqueued.existed;
}

asio::awaitable<Done> enqueue_all(
    db::Session& session, const Global& global, const EnqueueCommand& command, JobSource* source
) {
    Done done;
    const bool in_batch = !command.batch.empty() || command.watch;
    if (in_batch) co_await open_batch(session, command, done);
    if (source != nullptr) {
        co_await enqueue_source(session, global, command, *source, done);
    } else {
        co_await enqueue_one(session, command, done);
    }
    if (in_batch && done.existed) throw Repeated{std::move(done)};
    if (in_batch && !command.open) done.sealed = co_await queue::seal_batch(session, done.batch);
    co_return done;
}

// In one transaction.
asio::awaitable<Done> transact_all(
    db::Session& session, const Global& global, const EnqueueCommand& command, JobSource* source
) {
    std::optional<Done> repeated;
    try {
        co_return co_await db::transact(session, [&](db::Session& inside) {
            return enqueue_all(inside, global, command, source);
        });
    } catch (Repeated& earlier) {
        repeated = std::move(earlier.done);
    }
    // The jobs are in the batch of the earlier call.
    repeated->batch.clear();
    if (repeated->first) {
        const auto job = co_await queue::read_job(session, *repeated->first);
        if (job && job->batch) repeated->batch = *job->batch;
    }
    co_return std::move(*repeated);
}

void report_json(const EnqueueCommand& command, const Done& done) {
    JsonObject object;
    std::optional<std::string> batch;
    if (!done.batch.empty()) batch = done.batch;
    if (is_one_job(command)) {
        object.add("job", done.first).add("existed", done.existed).add("batch", batch);
    } else {
        object.add("batch", batch).add("name", done.batch_name).add("jobs", done.jobs);
        object.add("skipped", done.source.skipped).add("first_job", done.first).add("existed", done.existed);
        object.add("sealed", done.sealed);
    }
    fmt::print("{}\n", object.text());
}

void report_text(const EnqueueCommand& command, const Done& done, std::chrono::milliseconds took) {
    if (done.existed && done.first) {
        fmt::print("job {} is there already, by its key: nothing was added\n", static_cast<std::int64_t>(*done.first));
    } else if (is_one_job(command)) {
        fmt::print("enqueued job {}\n", static_cast<std::int64_t>(*done.first));
    } else {
        fmt::print("enqueued {} of {} in {}\n", count_of(done.jobs, "job"), command.kind, show_span(took));
    }
    if (done.batch.empty()) return;
    fmt::print(
        "batch {}  {}{}\n", printable(done.batch_name), done.batch, done.sealed || done.existed ? "" : "  (open)"
    );
}

void report(const Global& global, const EnqueueCommand& command, const Done& done, std::chrono::milliseconds took) {
    if (global.json) {
        report_json(command, done);
    } else if (!global.quiet) {
        report_text(command, done, took);
    } else if (!done.batch.empty()) {
        fmt::print("{}\n", done.batch);
    } else if (done.first) {
        fmt::print("{}\n", static_cast<std::int64_t>(*done.first));
    }
    std::fflush(stdout);
}

std::vector<std::string> kinds_of(const EnqueueCommand& command) {
    std::vector<std::string> kinds{command.kind};
    for (const auto& callback : {command.on_finish, command.on_success, command.on_failure}) {
        if (callback) kinds.push_back(*callback);
    }
    return kinds;
}

asio::awaitable<int> enqueue(
    db::Session& session,
    const Global& global,
    const Config& config,
    const EnqueueCommand& command,
    queue::BatchId& watched
) {
    if (!command.new_kind) co_await check_kinds(session, kind_names(config, global.add_kinds), kinds_of(command));
    std::optional<JobSource> source;
    if (!is_one_job(command)) {
        source = open_source({
            .file = command.file,
            .paths = command.paths,
            .paths_from = command.paths_from,
            .skip_invalid = command.skip_invalid,
            .longest = co_await queue::read_args_limit(session),
        });
    }
    const auto started = std::chrono::steady_clock::now();
    const Done done = co_await transact_all(session, global, command, source ? &*source : nullptr);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    if (source) {
        if (const std::string skipped = source->skipped(); !skipped.empty()) complain(skipped);
    }
    report(global, command, done, took);
    if (!command.watch || done.batch.empty()) co_return exit_ok;
    watched = done.batch;
    co_return exit_ok;
}

void check_json(const std::string& option, const std::optional<std::string>& text, const std::string& example) {
    if (!text) return;
    const auto problem = queue::find_json_problem(*text);
    if (!problem) return;
    throw Failure(
        exit_usage,
        fmt::format(
            "{} {} is {}: quote it for the shell, such as {} {}", option, in_quotes(*text), *problem, option, example
        )
    );
}

}  // namespace

int perform(const Global& global, const EnqueueCommand& command) {
    check_json("--args", command.args, R"('{"to": "a@b.c"}')");
    check_json("--meta", command.meta, R"('{"traceparent": "00-.."}')");
    if (command.meta && !command.meta->starts_with('{')) throw Failure(exit_usage, "--meta is not a JSON object");
    if (command.open && command.watch) {
        throw Failure(exit_usage, "--watch would wait for ever for a batch that is left --open: seal it first");
    }
    const LoadedConfig loaded = load(global);
    queue::BatchId watched;
    const int code = with_session(loaded.config, {}, [&](db::Session& session) {
        return enqueue(session, global, loaded.config, command, watched);
    });
    return watched.empty() ? code : follow_batch(loaded.config, global, watched);
}

}  // namespace worker::cli
