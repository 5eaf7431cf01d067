"""Enqueues in bulk and works off at once: the worker beside a producer, and the floor, in turns."""

import time

from harness.client import Client, run_client
from harness.postgres import Connection
from harness.queue import Tail, check_jobs, create_floor, enqueue
from harness.report import arguments, median_fields, median_ratio, note, print_line
from harness.server import Server, settle_disk
from harness.usage import Usage
from harness.worker import Worker
from measures.drain import check_floor, claim_jobs, no_history, warm_up

call = 1_008  # jobs of one enqueue call and transaction: from so many on, a row has 63 of them
bundle = 63


def steady_worker(server, options, settings=no_history):
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection, Worker(options.worker, server.folder, url, settings) as worker:
        enqueue(connection, warm_up)
        Tail(connection).await_empty()
        producer = Client(options, "enqueue", url=url, jobs=options.jobs, call=call)
        server.checkpoint()
        settle_disk()
        usage = Usage(server, worker.pid)
        start = time.monotonic()
        producer.go()
        enqueued = producer.result()
        seconds = Tail(connection).await_empty() - start
        fields = {"jobs_per_s": options.jobs / seconds, "enqueued_per_s": options.jobs / enqueued["seconds"]}
        fields |= usage.per_job(options.jobs)
        check_jobs(connection, worker.metrics(), options.jobs + warm_up, kept=not settings)
    fields["commits_per_1000_jobs"] = server.commits("work") / options.jobs * 1000
    server.drop_database("work")
    return fields


def steady_floor(server, options):
    url = server.create_database("floor")
    with Connection(url) as connection:
        create_floor(connection)
        server.checkpoint()
        settle_disk()
        answer = run_client(
            options, "steady-floor", url=url, jobs=options.jobs, call=call, bundle=bundle, rows=claim_jobs // bundle
        )
        check_floor(connection, answer, options.jobs)
    server.drop_database("floor")
    return {"jobs_per_s": options.jobs / answer["seconds"]}


def measure(options):
    ours, floors = [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            ours.append(steady_worker(server, options))
            floors.append(steady_floor(server, options))
            note(
                f"steady {turn + 1}/{options.repeats}: worker {ours[-1]['jobs_per_s']:,.0f} jobs/s, "
                f"floor {floors[-1]['jobs_per_s']:,.0f}"
            )
        steady_worker(server, options, "")  # not measured: history tells of a job that ran twice
        fields = {"jobs": options.jobs} | median_fields(ours)
        fields |= {"floor_jobs_per_s": median_fields(floors)["jobs_per_s"], "ratio": median_ratio(ours, floors)}
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("steady", "Enqueues and works off at once.", jobs=500_000))
