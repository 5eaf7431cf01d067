"""From nothing to the first claim: how long a worker takes to begin on a migrated database with a job in line."""

import subprocess
import time

from harness.postgres import Connection
from harness.queue import check_jobs, enqueue
from harness.report import arguments, fail_unless, note, percentile, print_line
from harness.server import Server
from harness.worker import Worker

claims = "select extract(epoch from claimed_at) from task_queue.finished_bundles"


def connect(url):
    """What any program pays that asks the server one question: psql, from its start to its end."""
    start = time.monotonic()
    asked = subprocess.run(["psql", "-XAtc", "select 1", url], capture_output=True, text=True)
    fail_unless(asked.stdout == "1\n", f"psql said: {asked.stderr}")
    return (time.monotonic() - start) * 1e3


def start(server, options):
    """Milliseconds from the start of the process to the claim, by the clock that it shares with the server."""
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection:
        enqueue(connection, 1, bundle=1)
        with Worker(options.worker, server.folder, url) as worker:
            while not (claimed := connection.rows(claims)):
                time.sleep(0.01)
            check_jobs(connection, worker.metrics(), 1, kept=True)
    server.drop_database("work")
    return (float(claimed[0][0]) - worker.started_at) * 1e3


def measure(options):
    times, floor = [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            times.append(start(server, options))
            floor.append(connect(server.url("template_queue")))
            note(f"start {turn + 1}/{options.repeats}: claimed after {times[-1]:.0f} ms; psql {floor[-1]:.0f} ms")
        fields = {"p50_ms": percentile(times, 50), "longest_ms": max(times), "psql_ms": percentile(floor, 50)}
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("start", "Starts a worker on a database with one job, again and again.", repeats=20))
