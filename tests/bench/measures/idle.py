"""What a worker costs that has nothing to do: its processor time, its memory, and what it asks of the server."""

import time

from harness.postgres import Connection
from harness.process import cpu_seconds, resident_mb
from harness.queue import Tail, check_jobs, enqueue
from harness.report import arguments, median_fields, note, print_line
from harness.server import Server
from harness.worker import Worker
from measures.drain import warm_up

settling = 3  # seconds after the last job, until nothing of it is left to do


def rest(server, options):
    """A worker, the leader, that has worked and waits, with all its settings as shipped."""
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection, Worker(options.worker, server.folder, url) as worker:
        fresh = resident_mb(worker.pid)
        enqueue(connection, warm_up)
        Tail(connection).await_empty()
        time.sleep(settling)
        before, served = cpu_seconds(worker.pid), server.usage()[0]
        time.sleep(options.seconds)
        used, server_used = cpu_seconds(worker.pid) - before, server.usage()[0] - served
        fields = {
            "cpu_pct_of_a_core": 100 * used / options.seconds,
            "server_cpu_pct_of_a_core": 100 * server_used / options.seconds,
            "rss_start_mb": fresh,
            "rss_mb": resident_mb(worker.pid),
            "threads": len(worker.threads()),
        }
        check_jobs(connection, worker.metrics(), warm_up, kept=True)
    server.drop_database("work")
    return fields


def measure(options):
    runs = []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            runs.append(rest(server, options))
            note(
                f"idle {turn + 1}/{options.repeats}: {runs[-1]['cpu_pct_of_a_core']:.3f} % of a core, "
                f"{runs[-1]['rss_mb']:.1f} MB"
            )
        print_line(options, server, {"seconds": options.seconds} | median_fields(runs))


if __name__ == "__main__":
    measure(arguments("idle", "Watches a worker that has nothing to do.", repeats=3, seconds=30))
