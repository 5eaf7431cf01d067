"""One database, several worker processes: 1, 2, 4 and 8 of them drain together, directly and through PgBouncer."""

import collections
import contextlib
import os
import tempfile
import time

from harness.pooler import Pooler
from harness.postgres import Connection
from harness.process import cpu_seconds
from harness.queue import Tail, check_jobs, enqueue
from harness.report import arguments, median_fields, note, print_line
from harness.server import Server, settle_disk
from harness.worker import Worker
from measures.drain import warm_up

fleets = (1, 2, 4, 8)
# Each worker may open so many: eight of them and the server's other users stay below its 100.
connections = 8
server_connections = 16  # of the pooler
budget = f"  pool_size: {connections - 4}\n  max_overflow: 0\n"


def start_fleet(stack, server, options, workers, url, pooler):
    """So many workers, each in a folder of its own, ready to claim."""
    through = f"  pooler: transaction\n  direct_url: \"{url}\"\n" if pooler else ""
    fleet = []
    for _ in range(workers):
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=server.folder))
        os.chmod(folder, 0o755)
        given = pooler.url("work") if pooler else url
        fleet.append(stack.enter_context(Worker(options.worker, folder, given, database=budget + through)))
    return fleet


def sum_of(metrics):
    total = collections.Counter()
    for one in metrics:
        total.update(one)
    return total


def drain(server, options, workers, through_pooler, bundle, jobs):
    url = server.create_database("work", "template_queue")
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(Connection(url))
        pooler = stack.enter_context(Pooler(server, server_connections)) if through_pooler else None
        fleet = start_fleet(stack, server, options, workers, url, pooler)
        enqueue(connection, warm_up, bundle)
        Tail(connection).await_empty()
        server.checkpoint()
        connection.rows("begin")
        enqueue(connection, jobs, bundle)
        tail = Tail(connection)
        settle_disk()
        served, used = server.usage()[0], sum(cpu_seconds(worker.pid) for worker in fleet)
        connection.rows("commit")
        start = time.monotonic()
        seconds = tail.await_empty() - start
        served, used = server.usage()[0] - served, sum(cpu_seconds(worker.pid) for worker in fleet) - used
        check_jobs(connection, sum_of(worker.metrics() for worker in fleet), jobs + warm_up, kept=True)
    server.drop_database("work")
    return {"jobs_per_s": jobs / seconds, "server_us_per_job": served / jobs * 1e6, "client_us_per_job": used / jobs * 1e6}


def measure(options):
    runs = collections.defaultdict(list)
    ways = [(pooled, bulk, workers) for pooled in (False, True) for bulk in (True, False) for workers in fleets]
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            for pooled, bulk, workers in ways:
                jobs = options.jobs if bulk else options.singles
                name = f"{'pooler' if pooled else 'direct'}_{'bulk' if bulk else 'singles'}_{workers}"
                runs[name].append(drain(server, options, workers, pooled, None if bulk else 1, jobs))
                last = runs[name][-1]
                note(
                    f"scale {turn + 1}/{options.repeats} {name}: {last['jobs_per_s']:,.0f} jobs/s, server "
                    f"{last['server_us_per_job']:.2f} us a job"
                )
        fields = {"jobs": options.jobs, "singles": options.singles}
        for name, all_of in runs.items():
            medians = median_fields(all_of)
            fields[name] = medians["jobs_per_s"]
            fields[f"{name}_server_us"] = medians["server_us_per_job"]
        for way in ("direct_bulk", "direct_singles", "pooler_bulk", "pooler_singles"):
            fields[f"{way}_ratio"] = fields[f"{way}_{fleets[-1]}"] / fields[f"{way}_1"]
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(
        arguments("scale", "Drains with 1, 2, 4 and 8 workers.", repeats=3, jobs=1_000_000, singles=100_000)
    )
