"""How fast a backlog is worked off: the worker without and with history, and the floor, in turns."""

import json
import statistics
import subprocess
import time

from harness.postgres import Connection
from harness.process import cpu_seconds
from harness.queue import Tail, check_jobs, create_floor, enqueue, fill_floor
from harness.report import arguments, fail_unless, median_fields, note, print_line
from harness.server import Server, settle_disk
from harness.worker import Worker, migrate

warm_up = 2_000  # jobs before the clock starts: connections are open, statements prepared
claim_jobs = 1_000  # jobs of one round of the floor: as many as the worker takes at most


def drain_worker(server, options, bundle, settings, kept):
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection, Worker(options.programs, server.folder, url, settings) as worker:
        enqueue(connection, warm_up, bundle)
        tail = Tail(connection)
        while not tail.is_empty():
            time.sleep(0.01)
        server.checkpoint()
        connection.rows("begin")
        enqueue(connection, options.jobs, bundle)
        tail = Tail(connection)
        settle_disk()
        server_cpu, wal = server.usage()
        worker_cpu = cpu_seconds(worker.pid)
        # The worker is up and idle, and the commit is what shows it the jobs and wakes it.
        connection.rows("commit")
        start = time.monotonic()
        while True:
            now = time.monotonic()
            if tail.is_empty():
                break
            time.sleep(0.01)
        seconds = now - start
        client = cpu_seconds(worker.pid) - worker_cpu
        after_cpu, after_wal = server.usage()
        metrics = worker.metrics()
        check_jobs(connection, metrics, options.jobs + warm_up, kept)
    # The worker's own connections are gone: their commits are counted, those of its start and stop among them.
    commits = server.commits("work")
    server.drop_database("work")
    return {
        "jobs_per_s": options.jobs / seconds,
        "client_us_per_job": client / options.jobs * 1e6,
        "server_us_per_job": (after_cpu - server_cpu) / options.jobs * 1e6,
        "wal_bytes_per_job": (after_wal - wal) / options.jobs,
        "commits_per_1000_jobs": commits / options.jobs * 1000,
    }


def drain_floor(server, options, bundle):
    url = server.create_database("floor")
    with Connection(url) as connection:
        create_floor(connection)
        server.checkpoint()
        connection.rows("begin")
        fill_floor(connection, options.jobs, bundle)
        connection.rows("commit")
        rows = max(1, round(claim_jobs / bundle))
        settle_disk()
        server_cpu, wal = server.usage()
        loop = subprocess.run(
            [options.client, "drain-floor", "--url", url, "--rows", str(rows)], input="\n", capture_output=True, text=True
        )
        fail_unless(loop.returncode == 0, loop.stderr)
        after_cpu, after_wal = server.usage()
        answer = json.loads(loop.stdout.splitlines()[-1])
        left = connection.number("select count(*) from floor_bundles")
        fail_unless(answer["jobs"] == options.jobs and left == 0, f"the floor did {answer}, {left} rows are left")
    server.drop_database("floor")
    return {
        "jobs_per_s": options.jobs / answer["seconds"],
        "server_us_per_job": (after_cpu - server_cpu) / options.jobs * 1e6,
        "wal_bytes_per_job": (after_wal - wal) / options.jobs,
    }


def measure(options, bundle, floor_bundle, with_history):
    ours, floors, histories = [], [], []
    with Server() as server:
        migrate(options.programs, server.create_database("template_queue"))
        for turn in range(options.repeats):
            ours.append(drain_worker(server, options, bundle, "retention:\n  completed: 0\n", kept=False))
            floors.append(drain_floor(server, options, floor_bundle))
            if with_history:
                histories.append(drain_worker(server, options, bundle, "", kept=True))
            note(
                f"{options.measure} {turn + 1}/{options.repeats}: worker {ours[-1]['jobs_per_s']:,.0f} jobs/s, "
                f"floor {floors[-1]['jobs_per_s']:,.0f}"
                + (f", with history {histories[-1]['jobs_per_s']:,.0f}" if with_history else "")
            )
        fields = {"jobs": options.jobs} | median_fields(ours)
        fields |= {"floor_" + name: value for name, value in median_fields(floors).items()}
        fields["ratio"] = statistics.median(a["jobs_per_s"] / b["jobs_per_s"] for a, b in zip(ours, floors))
        if with_history:
            fields["history_jobs_per_s"] = median_fields(histories)["jobs_per_s"]
            fields["history_ratio"] = statistics.median(
                a["jobs_per_s"] / b["jobs_per_s"] for a, b in zip(histories, ours)
            )
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(
        arguments("drain", "Drains jobs that were enqueued in bulk.", jobs=1_000_000),
        bundle=None, floor_bundle=63, with_history=True,
    )
