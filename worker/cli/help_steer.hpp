#pragma once

// As worker/cli/help.hpp, of the commands that show and steer what is in the queue.

namespace worker::cli::help {

inline constexpr const char* batch =
    R"(A batch is named by its id, or by its name: the newest of that name.

Examples:
  task-worker batch list --state open
  task-worker batch show photos --slowest 20
  task-worker batch watch photos)";

inline constexpr const char* batch_list =
    R"(--json: [{id, name, state, round, total, completed, discarded, cancelled,
  running, waiting, percent, recent_rate, overall_rate, eta_seconds, created_at,
  sealed_at, finished_at, meta}]

Examples:
  task-worker batch list --state open)";

inline constexpr const char* batch_show =
    R"(--json: the object that list writes, and callbacks: {on_finish, on_success,
  on_failure}, unserved: [{kind, queue, reason}], due_at,
  slowest: [{job, kind, run_ms, jobs, args}],
  failures: [{job, kind, attempt, error, died_at, args}]

Examples:
  task-worker batch show photos --slowest 20)";

inline constexpr const char* batch_watch =
    R"(Exit code 1 when jobs were discarded or cancelled. Ctrl-C leaves the batch alone.
When the database goes away it waits for it, for a minute at most.

--json: an object as list writes it for each change, one a line, the last one
  with "final": true

Examples:
  task-worker batch watch photos)";

inline constexpr const char* batch_seal =
    R"(--json: {id, sealed}

Examples:
  task-worker batch seal photos)";

inline constexpr const char* batch_cancel =
    R"(Jobs that wait are cancelled, running ones are asked to stop, and no more come in.
It asks first, or wants --yes.

--json: {id, cancelled, stopping, dry_run}

Examples:
  task-worker batch cancel photos --dry-run
  task-worker batch cancel photos --yes)";

inline constexpr const char* batch_redrive =
    R"(All in one transaction: the batch goes on in one more round, and its callbacks
are enqueued once more when that ends. Exit code 1 when there was nothing to
redrive.

--json: {id, redriven: [job], left, dry_run}, where left counts those that stay
  dead: a live job has their unique key, or the batch was cancelled; with
  --watch the objects of batch watch follow, one a line

Examples:
  task-worker batch redrive photos --watch
  task-worker batch redrive photos --kind resize --dry-run)";

inline constexpr const char* job =
    R"(Examples:
  task-worker job show 128
  task-worker job why 128
  task-worker job list --state running --kind resize
  task-worker job cancel 128)";

inline constexpr const char* job_list =
    R"(--json: [{id, kind, queue, state, priority, attempt, batch, created_at,
  finished_at}]

Examples:
  task-worker job list --state running --kind resize
  task-worker job list --queue mail --limit 100)";

inline constexpr const char* job_show =
    R"(The number of attempts is that of the handler in this configuration; where it
has none, that of the enqueue call.

--json: the object that list writes, and max_attempts (of the enqueue call),
  max_attempts_in_force, run_at, claimed_at, worker, unique_key,
  cancel_requested, unserved, args, result, discarded_because, error,
  errors: [{attempt, at, error}], meta, progress: {done, total, message} or null

Examples:
  task-worker job show 128)";

inline constexpr const char* job_why =
    R"(The limit of a kind is that of the handler in this configuration.

--json: {job, kind, queue, state, reasons: [{reason, text}]}, where reason is
  ended, error, redrive, running, lost_worker, cancel_requested,
  batch_cancelled, scheduled, retry, no_leader, paused, unserved, busy,
  queue_limit, kind_limit, suspect, behind or next

Examples:
  task-worker job why 128)";

inline constexpr const char* job_wait =
    R"(Exit code 0 when it completed, 1 when it was discarded or cancelled, or still
has not ended after --timeout.

--json: {job, state}

Examples:
  task-worker job wait 128 --timeout 5m)";

inline constexpr const char* job_cancel =
    R"(Jobs that wait are cancelled, running ones are asked to stop. By anything but
numbers it asks first, or wants --yes; jobs enqueued meanwhile are left alone.
Exit code 1 when one had ended before, when none matched, or some are left.

--json: for each number {job, answer}: cancelled, stopping or finished, one a
  line; else {cancelled, stopping, left, dry_run}, where left counts those in
  rows that stayed in use

Examples:
  task-worker job cancel 128 256
  task-worker job cancel --kind resize --state scheduled --dry-run
  task-worker job cancel --queue mail --yes)";

inline constexpr const char* queue =
    R"(Examples:
  task-worker queue list
  task-worker queue create mail --concurrency 5
  task-worker queue pause mail)";

inline constexpr const char* queue_list =
    R"(--json: [{name, paused, concurrency, available, scheduled, running,
  oldest_seconds}]

Examples:
  task-worker queue list)";

inline constexpr const char* queue_create =
    R"(--json: {name, paused, concurrency}

Examples:
  task-worker queue create mail --concurrency 5)";

inline constexpr const char* queue_pause =
    R"(What runs goes on; what waits stays in its line.

--json: {name, paused, concurrency}

Examples:
  task-worker queue pause mail)";

inline constexpr const char* queue_resume =
    R"(--json: {name, paused, concurrency}

Examples:
  task-worker queue resume mail)";

inline constexpr const char* worker =
    R"(Examples:
  task-worker worker list)";

inline constexpr const char* worker_list =
    R"(--json: [{id, host, pid, version, state, slots, connections, kinds, queues,
  started_at, heartbeat_at}]

Examples:
  task-worker worker list)";

inline constexpr const char* dead =
    R"(redrive and purge want numbers, --kind, --queue, --batch or --all. purge by
anything but numbers asks first, or wants --yes.

Examples:
  task-worker dead list --kind resize
  task-worker dead redrive 128 256
  task-worker dead redrive --batch photos
  task-worker dead purge --kind resize --dry-run)";

inline constexpr const char* dead_list =
    R"(--json: [{job, kind, queue, batch, attempt, error, created_at, died_at, args}]

Examples:
  task-worker dead list --kind resize --queue mail)";

inline constexpr const char* dead_show =
    R"(--json: as job show writes it

Examples:
  task-worker dead show 128)";

inline constexpr const char* dead_redrive =
    R"(All that are dead when it begins, each once, in one transaction. Exit code 1
when there was nothing to redrive.

--json: {redriven: [job], left, dry_run}, where left counts those that stay
  dead: a live job has their unique key, or their batch was cancelled

Examples:
  task-worker dead redrive 128 256
  task-worker dead redrive --kind resize --dry-run)";

inline constexpr const char* dead_purge =
    R"(Exit code 1 when there was nothing to purge.

--json: {purged, dry_run}

Examples:
  task-worker dead purge --kind resize --dry-run
  task-worker dead purge --kind resize --yes)";

inline constexpr const char* documents =
    R"(Text, Markdown and HTML, each also packed with gzip (.gz). Workers whose
documents.root is set read them, a job of the kind documents.ingest for each.

Examples:
  task-worker documents setup
  task-worker documents ingest /usr/share/doc --watch
  task-worker documents search 'signal handling')";

inline constexpr const char* documents_setup =
    R"(Creates the tables and the function documents.search, for a user who may create
in the database; again later is harmless. Creates the extension vector, too,
where the server has pgvector and the user may.

--json: {embeddings}: vector or real[]

Examples:
  task-worker documents setup)";

inline constexpr const char* documents_ingest =
    R"(What is stored already, and has not changed, is passed over, and so is a file
with the content of another. Links are not followed; images, archives and the
like are left out by their names. Exit code 1 when there is nothing to ingest.

--json: with --remove-gone first {removed}; {batch, name, jobs, skipped,
  first_job, existed, sealed}; with --watch the objects of batch watch follow

Examples:
  task-worker documents ingest /srv/docs --watch
  task-worker documents ingest /srv/docs/guides --remove-gone)";

inline constexpr const char* documents_search =
    R"(Ranked: every word must be there, or one of two with or between them; "a
phrase" in double quotes; no word with - before it. The function
documents.search does the same in SQL. Exit code 1 when nothing was found.

--json: [{rank, path, headline}], where the words stand between **

Examples:
  task-worker documents search connection pool
  task-worker documents search '"exit code" or signal -shell' --limit 3)";

}  // namespace worker::cli::help
