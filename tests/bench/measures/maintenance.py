"""How long each statement of the leader takes at most on a queue of 10,000,000 rows with all its work behind."""

import re
import time

from harness.backlog import fill, left
from harness.postgres import Connection
from harness.report import arguments, fail_unless, note, print_line
from harness.server import Server
from harness.worker import Worker

# Whoever is registered and does not beat is declared dead soon.
settings = "worker:\n  heartbeat: 1s\n  lease_timeout: 5s\n"
settings_of_server = ("log_min_duration_statement=0", "log_line_prefix=%p %a ", "max_wal_size=8GB", "shared_buffers=512MB")
steps = {
    "look", "promote_jobs", "fold_batch_changes", "seal_due_batches", "cancel_remaining_jobs", "declare_dead", "rescue_jobs",
    "read_depth", "create_partitions", "drop_partition", "prune_dead_jobs", "prune_batches", "prune_enqueue_keys",
    "prune_workers", "prune_task_progress",
}
timing = re.compile(r"^(\d+) task-worker LOG:  duration: ([\d.]+) ms  (parse|bind|execute) (\w+):")


def longest_by_name(log):
    """Milliseconds of the longest run of each statement, planning included, and how often each ran."""
    longest, runs, begun = {}, {}, {}
    for line in log:
        found = timing.match(line)
        if not found:
            continue
        process, milliseconds, phase, name = found.groups()
        taken = begun.pop((process, name), 0.0) + float(milliseconds)
        if phase == "execute":
            longest[name] = max(longest.get(name, 0.0), taken)
            runs[name] = runs.get(name, 0) + 1
        else:
            begun[process, name] = taken
    return longest, runs


def await_done(connection, seconds):
    """Until nothing is behind, or so long. Then 10 s more: what it costs to find that out."""
    limit = time.monotonic() + seconds
    while (behind := left(connection)) and time.monotonic() < limit:
        note("maintenance: left " + ", ".join(f"{count:,} {name}" for name, count in behind.items()))
        time.sleep(5)
    time.sleep(10)
    return behind


def measure(options):
    with Server((*settings_of_server, *options.set)) as server:
        server.create_queue(options.worker)
        url = server.create_database("work", "template_queue")
        with Connection(url) as connection, Connection(url) as reader:
            fill(connection, options.jobs)
            if options.snapshot:
                reader.rows("begin isolation level repeatable read")
                reader.rows("select count(*) from task_queue.queues")
            server.checkpoint()
            with Worker(options.worker, server.folder, url, settings):
                behind = await_done(connection, options.seconds)
        with open(server.log) as log:
            longest, runs = longest_by_name(log)
        missing = steps - longest.keys()
        fail_unless(not missing, f"the leader never sent {', '.join(sorted(missing))}")
        measured = {name: longest[name] for name in sorted(steps)}
        worst = max(measured, key=measured.get)
        fields = {"jobs": options.jobs, "snapshot": options.snapshot, "longest": worst, "longest_ms": measured[worst]}
        fields |= {f"{name}_ms": value for name, value in measured.items()}
        fields |= {f"{name}_runs": runs[name] for name in sorted(steps)} | {f"left_{name}": n for name, n in behind.items()}
        print_line(options, server, fields)
        fail_unless(measured[worst] <= options.limit, f"{worst} took {measured[worst]:.0f} ms")


if __name__ == "__main__":
    measure(
        arguments(
            "maintenance",
            "The longest run of each maintenance statement, in ms, on a queue with everything behind. --snapshot 1: another "
            "session holds a snapshot meanwhile. --seconds: how long the leader may work on it. --limit: ms allowed.",
            repeats=1, jobs=10_000_000, snapshot=0, seconds=180, limit=250,
        )
    )
