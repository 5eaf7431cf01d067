"""How fast a backlog is worked off: the worker without and with history, and the floor, in turns."""

import time

from harness.client import run_client
from harness.postgres import Connection
from harness.queue import Tail, check_jobs, create_floor, enqueue, fill_floor, random_args
from harness.report import arguments, fail_unless, median_fields, median_ratio, note, print_line
from harness.server import Server, settle_disk
from harness.usage import Usage
from harness.worker import Worker

warm_up = 2_000  # jobs before the clock starts: connections are open, statements prepared
# One round of the floor: as much as the worker takes at most.
claim_jobs = 8_000
claim_rows = 1_000
# The floor is one bare connection, which also waits for the disk; over more it says what the server could do at best.
floor_connections = (1, 2, 4)
no_history = "retention:\n  completed: 0\n"


def drain_worker(server, options, bundle, settings, template="template_queue", args=random_args, jobs=None):
    jobs = jobs or options.jobs
    url = server.create_database("work", template)
    with Connection(url) as connection, Worker(options.worker, server.folder, url, settings) as worker:
        enqueue(connection, warm_up, bundle)
        Tail(connection).await_empty()
        server.checkpoint()
        connection.rows("begin")
        enqueue(connection, jobs, bundle, args)
        bytes_of_all = connection.number("select pg_total_relation_size('task_queue.bundles')")
        tail = Tail(connection)
        settle_disk()
        usage = Usage(server, worker.pid)
        # The worker is up and idle: the commit shows it the jobs and wakes it.
        connection.rows("commit")
        start = time.monotonic()
        seconds = tail.await_empty() - start
        fields = {"jobs_per_s": jobs / seconds} | usage.per_job(jobs) | {"table_bytes_per_job": bytes_of_all / jobs}
        check_jobs(connection, worker.metrics(), jobs + warm_up, kept=not settings)
    # The worker's own connections are gone: their commits are counted, those of its start and stop among them. Those of
    # this process are a few dozen.
    fields["commits_per_1000_jobs"] = server.commits("work") / jobs * 1000
    server.drop_database("work")
    return fields


def drain_floor(server, options, bundle, connections):
    url = server.create_database("floor")
    with Connection(url) as connection:
        create_floor(connection)
        server.checkpoint()
        connection.rows("begin")
        fill_floor(connection, options.jobs, bundle)
        connection.rows("commit")
        settle_disk()
        usage = Usage(server)
        answer = run_client(
            options, "drain-floor", url=url, rows=min(claim_rows, max(1, round(claim_jobs / bundle))),
            connections=connections,
        )
        fields = {"jobs_per_s": options.jobs / answer["seconds"]} | usage.per_job(options.jobs)
        check_floor(connection, answer, options.jobs)
    server.drop_database("floor")
    return fields


def strongest(floors):
    """Of the runs by connections: the number of connections with the best median, and its runs."""
    return max(floors.items(), key=lambda item: median_fields(item[1])["jobs_per_s"])


def show_floors(floors):
    return ", ".join(f"{runs[-1]['jobs_per_s']:,.0f} ({connections})" for connections, runs in floors.items())


def check_floor(connection, answer, jobs):
    left = connection.number("select count(*) from floor_bundles")
    fail_unless(answer["jobs"] == jobs and left == 0, f"the floor did {answer['jobs']} jobs, {left} rows are left")


def measure(options, bundle, floor_bundle, with_history):
    ours, histories = [], []
    floors = {connections: [] for connections in floor_connections}
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            ours.append(drain_worker(server, options, bundle, no_history))
            for connections, runs in floors.items():
                runs.append(drain_floor(server, options, floor_bundle, connections))
            if with_history:
                histories.append(drain_worker(server, options, bundle, ""))
            note(
                f"{options.measure} {turn + 1}/{options.repeats}: worker {ours[-1]['jobs_per_s']:,.0f} jobs/s, "
                f"floor (connections) {show_floors(floors)}"
                + (f", with history {histories[-1]['jobs_per_s']:,.0f}" if with_history else "")
            )
        if not with_history:
            drain_worker(server, options, bundle, "")  # not measured: history tells of a job that ran twice
        fields = {"jobs": options.jobs} | median_fields(ours)
        floor = floors[1]
        fields |= {"floor_" + name: value for name, value in median_fields(floor).items()}
        fields["ratio"] = median_ratio(ours, floor)
        fields["best_floor_connections"], best = strongest(floors)
        fields["best_floor_jobs_per_s"] = median_fields(best)["jobs_per_s"]
        fields["best_floor_ratio"] = median_ratio(ours, best)
        if with_history:
            fields["history_jobs_per_s"] = median_fields(histories)["jobs_per_s"]
            fields["history_ratio"] = median_ratio(histories, ours)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(
        arguments("drain", "Drains jobs that were enqueued in bulk.", jobs=1_000_000),
        bundle=None, floor_bundle=63, with_history=True,
    )
