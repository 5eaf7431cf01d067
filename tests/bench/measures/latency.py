"""From the commit of an enqueue to the start of the job's handler, one job at a time on an idle worker."""

import os

from harness.client import run_client
from harness.postgres import Connection
from harness.queue import Tail, check_jobs
from harness.report import arguments, fail_unless, median_fields, note, percentile, print_line
from harness.server import Server
from harness.worker import Worker


def read_numbers(path):
    with open(path) as file:
        return [tuple(int(number) for number in line.split()) for line in file]


def latencies(sent, started):
    """In ms, of each job: from the answer to the commit and from the sending of the call to the handler's start."""
    fail_unless(len(started) == len(sent), f"{len(started)} jobs started of {len(sent)}")
    starts = dict(started)
    fail_unless(len(starts) == len(sent), "a job started twice")
    return (
        [(starts[n] - committed) / 1e6 for n, (_, committed) in enumerate(sent)],
        [(starts[n] - begun) / 1e6 for n, (begun, _) in enumerate(sent)],
    )


def percentiles(sent, started):
    after_commit, after_call = latencies(sent, started)
    fields = {f"p{percent}_ms": percentile(after_commit, percent) for percent in (50, 95, 99)}
    return fields | {"call_p50_ms": percentile(after_call, 50), "call_p99_ms": percentile(after_call, 99)}


def offer_worker(server, options):
    url = server.create_database("work", "template_queue")
    stamps = os.path.join(server.folder, "stamps")
    times = os.path.join(server.folder, "times")
    environment = {"TASK_WORKER_BENCH_STAMPS": stamps}
    with Connection(url) as connection:
        with Worker(options.stamp_worker, server.folder, url, environment=environment) as worker:
            run_client(
                options, "offer", url=url, sql="select task_queue.enqueue('stamp', $1::json)", rate=options.rate,
                seconds=options.seconds, times=times,
            )
            Tail(connection).await_empty()
            jobs = options.rate * options.seconds
            check_jobs(connection, worker.metrics(), jobs, kept=True, kind="stamp")
    server.drop_database("work")
    return percentiles(read_numbers(times), read_numbers(stamps))


def measure(options):
    runs = []
    with Server() as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            runs.append(offer_worker(server, options))
            note(
                f"{options.measure} {turn + 1}/{options.repeats}: p50 {runs[-1]['p50_ms']:.3f} ms, "
                f"p95 {runs[-1]['p95_ms']:.3f}, p99 {runs[-1]['p99_ms']:.3f}"
            )
        fields = {"rate": options.rate, "seconds": options.seconds} | median_fields(runs)
        print_line(options, server, fields)


if __name__ == "__main__":
    # Few enough a second that the worker is idle when the next one comes.
    measure(arguments("latency", "Latency on an idle worker.", rate=20, seconds=20))
