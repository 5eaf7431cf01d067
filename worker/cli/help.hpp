#pragma once

// The examples below each command's --help, and what its --json writes.

namespace worker::cli::help {

inline constexpr const char* overview =
    R"(Global options may stand before or after the command.
Exit codes: 0 ok; 1 failed, not found, or a watched batch with failures; 2 usage, configuration or a bad file;
3 database unreachable or login refused; 4 schema not understood; 5 connection budget refused; 130 interrupted.

Examples:
  task-worker dev                                   a database and a worker to try things on
  task-worker enqueue echo --args '{"text": "hi"}'  a job
  task-worker batch list                            what became of the batches)";

inline constexpr const char* run =
    R"(Stops in order at SIGTERM or Ctrl-C: running jobs may finish; a second signal skips ahead.

Examples:
  task-worker run
  task-worker run --set worker.concurrency=50 --set log.format=json)";

inline constexpr const char* dev =
    R"(The server listens on a Unix socket only and stops with this command; the data stays. Other commands find it by
themselves when they are started in the same folder without DATABASE_URL.

Examples:
  task-worker dev
  task-worker dev psql -- -c 'table task_queue.jobs'
  task-worker dev stop
  task-worker dev reset)";

inline constexpr const char* check =
    R"(Exit code 2 for problems in the configuration, 3, 4 and 5 as the database, its schema and the connection budget
demand. The budget counts the live workers, and one more with this configuration.
--json: {settings: [{key, value, source}], problems: [text], notes: [text], database: {url, reachable, server_version,
schema} or null, budget: {connections: [{name, connections}], claimed, limit, next_worker, fits} or null}

Examples:
  task-worker check
  task-worker check --config /etc/task-worker/config.yml --json)";

inline constexpr const char* migrate =
    R"(--json: status writes [{version, name, applied_at, changed, known}]; up and down write {migrations: [name]}

Examples:
  task-worker migrate up
  task-worker migrate status
  task-worker migrate down --to 2
  task-worker migrate sql > schema.sql)";

inline constexpr const char* enqueue =
    R"(A file is enqueued whole or not at all, in one transaction, whatever its size. A batch is sealed afterwards, so that
it finishes with its last job, unless --open. --watch without --batch makes a batch named like the kind.
--quiet writes the id only: the batch's, or the job's.
--json: {job, existed} for --args; else {batch, name, jobs, skipped, first_job, existed, sealed}; with --watch the
objects of batch watch follow, one a line.

Examples:
  enqueue send-email --args '{"to": "a@b.c"}' --delay 5m
  enqueue resize --file jobs.ndjson --batch photos --watch
  enqueue count-words *.txt --batch mine --on-finish report
  find /data -type f | enqueue count-words --files-from - --watch)";

inline constexpr const char* batch =
    R"(A batch is named by its id, or by its name: the newest of that name.
--json: one object, or an array of them for list: {id, name, state, round, total, completed, discarded, cancelled, running,
waiting, percent, recent_rate, overall_rate, eta_seconds, created_at, sealed_at, finished_at, meta}; show adds callbacks,
slowest: [{job, kind, run_ms, jobs, args}] and failures: [{job, kind, attempt, error, died_at, args}]; watch writes one such
object a line for each change, the last one with "final": true.

Examples:
  task-worker batch list --state open
  task-worker batch show photos --slowest 20
  task-worker batch watch photos)";

inline constexpr const char* job =
    R"(--json: one object, or an array of them for list: {id, kind, queue, state, priority, attempt, batch, created_at,
finished_at}; show adds max_attempts, run_at, claimed_at, worker, unique_key, cancel_requested, args, result, error, errors,
meta, progress: {done, total, message} or null.

Examples:
  task-worker job show 128
  task-worker job list --state running --kind resize
  task-worker job cancel 128)";

inline constexpr const char* queue =
    R"(--json: list writes [{name, paused, concurrency, available, scheduled, running, oldest_seconds}]

Examples:
  task-worker queue list
  task-worker queue create mail --concurrency 5
  task-worker queue pause mail)";

inline constexpr const char* worker =
    R"(--json: [{id, host, pid, version, state, slots, connections, kinds, queues, started_at, heartbeat_at}]

Examples:
  task-worker worker list)";

inline constexpr const char* dead =
    R"(redrive and purge want numbers, --kind, --batch or --all.
--json: list writes [{job, kind, queue, batch, attempt, error, created_at, died_at, args}]; redrive {redriven: [job]}; purge
{purged}; show as job show.

Examples:
  task-worker dead list --kind resize
  task-worker dead redrive 128 256
  task-worker dead redrive --batch photos
  task-worker dead purge --all)";

}  // namespace worker::cli::help
