#pragma once

// What stands below each command's --help: notes, what its --json writes, examples. No line is longer than 80 columns.

namespace worker::cli::help {

inline constexpr const char* overview =
    R"(Global options may stand before or after the command. task-worker run --help
shows how a handler is declared.
Exit codes: 0 ok; 1 failed, not found, or a watched batch with failures;
2 usage, configuration or a bad file; 3 database unreachable or login refused;
4 schema not understood; 5 connection budget refused; 130 interrupted.

Examples:
  task-worker dev                   a database and a worker to try things on
  task-worker enqueue echo --args '{"text": "hi"}'
  task-worker batch list            what became of the batches)";

inline constexpr const char* run =
    R"(Stops in order at SIGTERM or Ctrl-C: running jobs may finish; a second signal
skips ahead.

The handlers of the kinds stand in config.yml:

  handlers:
    resize: {exec: [python3, resize.py], max_attempts: 3}

The program gets the job as JSON on standard input, {"id": .., "args": ..}. Exit
code 0 completes it, 65 discards it, any other is a failed attempt. All keys:
task-worker man task-worker-config | man -l -

--json: the log, on standard error, is written as JSON, an object a line

Examples:
  task-worker run
  task-worker run --set worker.concurrency=50 --set log.format=json)";

inline constexpr const char* dev =
    R"(The server listens on a Unix socket only and stops with this command; the data
stays, in .task-worker, for root in /var/lib/task-worker/dev, or in the folder
that --data names. Other commands find the database by themselves when they are
started in the same folder without DATABASE_URL; after dev --data DIR they want
the same --data DIR. Handlers are declared as task-worker run --help shows.

--json: {pid, folder, url} when it has started; the log, on standard error, is
  written as JSON, an object a line

Examples:
  task-worker dev
  task-worker dev psql -- -c 'table task_queue.jobs'
  task-worker dev --data /tmp/trial
  task-worker batch list --data /tmp/trial)";

inline constexpr const char* dev_stop =
    R"(--json: {stopped}, the number of the process

Examples:
  task-worker dev stop
  task-worker dev stop --data /tmp/trial)";

inline constexpr const char* dev_psql =
    R"(psql writes what it writes: --json is refused.

Examples:
  task-worker dev psql
  task-worker dev psql -- -c 'table task_queue.jobs')";

inline constexpr const char* dev_reset =
    R"(--json: {deleted}, a folder or null

Examples:
  task-worker dev reset --yes)";

inline constexpr const char* check =
    R"(Exit code 2 for problems in the configuration; 3, 4 and 5 as the database, its
schema and the connection budget demand. The budget counts the live workers, and
one more with this configuration.

--json: {problems: [text], settings: [{key, value, source}], notes: [text],
  database: {url, reachable, server_version, schema} or null,
  budget: {connections: [{name, connections}], claimed, limit, next_worker,
  fits} or null}

Examples:
  task-worker check
  task-worker check --config /etc/task-worker/config.yml --json)";

inline constexpr const char* migrate =
    R"(Examples:
  task-worker migrate up
  task-worker migrate status
  task-worker migrate down --to 2
  task-worker migrate sql > schema.sql)";

inline constexpr const char* migrate_up =
    R"(--json: {migrations: [name]}

Examples:
  task-worker migrate up
  task-worker migrate up --to 3)";

inline constexpr const char* migrate_down =
    R"(--json: {migrations: [name]}

Examples:
  task-worker migrate down
  task-worker migrate down --to 2)";

inline constexpr const char* migrate_status =
    R"(--json: [{version, name, applied_at, changed, known}]

Examples:
  task-worker migrate status)";

inline constexpr const char* migrate_sql =
    R"(--json: {sql}

Examples:
  task-worker migrate sql > schema.sql)";

inline constexpr const char* enqueue =
    R"(A file is enqueued whole or not at all, in one transaction, whatever its size. A
batch is sealed afterwards, so that it finishes with its last job, unless
--open. --watch without --batch makes a batch named like the kind. --quiet
writes the id only: the batch's, or the job's.

--json: {job, existed, batch} for --args; else {batch, name, jobs, skipped,
  first_job, existed, sealed}; with --watch the objects of batch watch follow, one a line

Examples:
  enqueue send-email --args '{"to": "a@b.c"}' --delay 5m
  enqueue resize --file jobs.ndjson --batch photos --watch
  enqueue count-words *.txt --batch mine --on-finish report
  find /data -type f | enqueue count-words --files-from - --watch)";

inline constexpr const char* doctor =
    R"(Looks at the connections against the budget, at what keeps dead rows from being
removed, at dead rows before the head of the lines, leases that nobody holds any
more, batches that cannot finish, the clocks, the schema and its indexes. Exit
code 1 when there is something to do.

--json: [{check, ok, text, advice}]

Examples:
  task-worker doctor
  task-worker doctor --patience 10m)";

inline constexpr const char* completion =
    R"(bash: in ~/.bashrc
  source <(task-worker completion bash)
zsh: once, for a folder of $fpath
  task-worker completion zsh > "${fpath[1]}/_task-worker"
fish: once
  task-worker completion fish > ~/.config/fish/completions/task-worker.fish
  task-worker completion fish > ~/.config/fish/completions/enqueue.fish

--json: {shell, script}

Examples:
  task-worker completion bash)";

inline constexpr const char* man =
    R"(The pages are made from what --help says, as troff source.

--json: {page, section, text}; with --to {files: [path]}

Examples:
  task-worker man task-worker-batch > task-worker-batch.1
  task-worker man --to /usr/local/share/man)";

}  // namespace worker::cli::help
