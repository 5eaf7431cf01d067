"""What a long transaction costs: single jobs at full speed, and beside it a plain SKIP LOCKED claim at its own; then at
a given rate, under a held snapshot that keeps every dead row and index entry."""

import collections
import re
import statistics
import threading
import time

from harness.client import Client
from harness.postgres import Connection
from harness.queue import Tail, check_jobs, create_floor, enqueue
from harness.report import arguments, fail_unless, median_fields, note, print_line, rounded
from harness.server import Server
from harness.worker import Worker
from measures.drain import check_floor, claim_rows, no_history, warm_up
from measures.latency import producers

backlog = 20_000  # jobs that wait at full speed
jobs_a_call = 20  # of the offered load: its rows are of one job, its commits are not what is measured
completed = 'task_worker_jobs_finished_total{kind="noop",outcome="completed"}'


class Pin:
    """A snapshot of the database, held from the constructor to release()."""

    def __init__(self, url, table="task_queue.queues"):
        self._connection = Connection(url)
        self._connection.rows("begin isolation level repeatable read")
        self._connection.rows(f"select count(*) from {table}")

    def release(self):
        self._connection.rows("commit")
        self._connection.close()


class Filler:
    """Keeps the backlog full until stop(), from a thread of its own."""

    def __init__(self, url, worker):
        self.enqueued = 0
        self._worker = worker
        self._connection = Connection(url)
        self._before = worker.metrics()[completed]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            if self.enqueued - self.done() < backlog:
                enqueue(self._connection, backlog // 2, bundle=1)
                self.enqueued += backlog // 2
            else:
                time.sleep(0.02)

    def done(self):
        return self._worker.metrics()[completed] - self._before

    def stop(self):
        self._stop.set()
        self._thread.join()
        self._connection.close()


def claim_buckets(metrics):
    """The claims' durations so far: (upper bound in ms, claims up to it), ascending."""
    claims = re.compile(r'task_worker_statement_duration_seconds_bucket\{statement="claim_(?:whole_)?bundles",le="(.+)"\}')
    counts = collections.Counter()
    for name, count in metrics.items():
        if found := claims.fullmatch(name):
            counts[float(found[1]) * 1e3] += count
    return sorted(counts.items())


def claim_percentile(before, after, percent):
    """Of the claims between two readings, in ms, straight between the bounds of its bucket."""
    counts = [(bound, late - early) for (bound, late), (_, early) in zip(after, before)]
    wanted = counts[-1][1] * percent / 100
    lower_bound, lower = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted and count > lower:
            return lower_bound if bound == float("inf") else lower_bound + (bound - lower_bound) * (
                wanted - lower
            ) / (count - lower)
        lower_bound, lower = bound, count
    return 0.0


def observe(worker, connection, seconds, window):
    """A dictionary for each window of so many seconds."""
    windows = []
    start = time.monotonic()
    before, begun, enqueued = worker.metrics(), start, enqueued_rows(connection)
    for number in range(1, max(1, seconds // window) + 1):
        time.sleep(max(0.0, start + number * window - time.monotonic()))
        after, now, rows = worker.metrics(), time.monotonic(), enqueued_rows(connection)
        jobs = after[completed] - before[completed]
        windows.append({
            "jobs_per_s": jobs / (now - begun),
            "share": jobs / max(1, rows - enqueued),  # of what was enqueued meanwhile
            "claim_p99_ms": claim_percentile(claim_buckets(before), claim_buckets(after), 99),
        })
        note("  " + ", ".join(f"{name} {value:,.4g}" for name, value in windows[-1].items()))
        before, begun, enqueued = after, now, rows
    return windows


def enqueued_rows(connection):
    """Every row takes a base id; they are 128 apart."""
    return connection.number("select last_value / 128 from task_queue.base_ids")


def warm(connection):
    enqueue(connection, warm_up, bundle=1)
    Tail(connection).await_empty()


def at_full_speed(server, options):
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection, Worker(options.worker, server.folder, url, no_history) as worker:
        warm(connection)
        pin = Pin(url)
        filler = Filler(url, worker)
        try:
            windows = observe(worker, connection, options.full_seconds, options.full_window)
        finally:
            filler.stop()
        pin.release()
        Tail(connection).await_empty()
        check_jobs(connection, worker.metrics(), warm_up + filler.enqueued, kept=False)
    server.drop_database("work")
    rates = [window["jobs_per_s"] for window in windows]
    return {"kept": rates[-1] / rates[0], "full_windows": rates}


def floor_at_full_speed(server, options):
    """A claim as the other floors', but from the start of the line each time."""
    url = server.create_database("floor")
    with Connection(url) as connection:
        create_floor(connection)
        floor = Client(
            options, "plain-floor", url=url, rows=claim_rows, backlog=backlog, seconds=options.full_seconds,
            window=options.full_window,
        )
        pin = Pin(url, "floor_bundles")
        floor.go()
        answer = floor.result()
        pin.release()
        check_floor(connection, answer, answer["enqueued"])
    server.drop_database("floor")
    rates = answer["windows"]
    note("  plain claim: " + ", ".join(f"{rate:,.0f}" for rate in rates) + " jobs/s")
    return {"floor_kept": rates[-1] / rates[0], "floor_windows": rates}


def check_offered(answer, seconds):
    """A rate that was not offered was not withstood. The producers make up for a slow moment, so all that counts is how
    late they were in the end: by a fiftieth and a second at most."""
    fail_unless(
        answer["seconds"] <= 1.02 * seconds + 1,
        f"what was to be offered in {seconds} s took {answer['seconds']:.1f} s: commits are too slow here",
    )


def at_a_rate(server, options):
    url = server.create_database("work", "template_queue")
    sql = (
        "select count(*) from task_queue.enqueue_many('noop', "
        f"array_fill($1::json, array[{jobs_a_call}]), bundle => 1)"
    )
    with Connection(url) as connection, Worker(options.worker, server.folder, url, no_history) as worker:
        warm(connection)
        producer = Client(
            options, "offer", url=url, sql=sql, rate=options.rate // jobs_a_call,
            seconds=options.free_seconds + options.seconds, times=f"{server.folder}/times", producers=producers,
        )
        producer.go()
        free = observe(worker, connection, options.free_seconds, options.window)
        pin = Pin(url)
        pinned = observe(worker, connection, options.seconds, options.window)
        answer = producer.result()
        check_offered(answer, options.free_seconds + options.seconds)
        jobs = answer["jobs"] * jobs_a_call
        pin.release()
        Tail(connection).await_empty()
        check_jobs(connection, worker.metrics(), warm_up + jobs, kept=False)
    server.drop_database("work")
    share_before = statistics.mean(window["share"] for window in free)
    share_pinned = statistics.mean(window["share"] for window in pinned)
    return {
        "offered_per_s": jobs / answer["seconds"],
        "lost_pct": max(0.0, (1 - share_pinned / share_before) * 100),
        "claim_p99_ratio": pinned[-1]["claim_p99_ms"] / pinned[0]["claim_p99_ms"],
        "rate_windows": [window["jobs_per_s"] for window in pinned],
        "claim_p99_windows_ms": [window["claim_p99_ms"] for window in pinned],
    }


def medians(runs):
    """Numbers by their medians, the windows of the first run."""
    numbers = median_fields([{k: v for k, v in run.items() if not isinstance(v, list)} for run in runs])
    return numbers | {k: [rounded(item) for item in v] for k, v in runs[0].items() if isinstance(v, list)}


def measure(options):
    runs = []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for number in range(options.repeats):
            note(f"pinned {number + 1}/{options.repeats}: at full speed, then at {options.rate} jobs/s")
            full = at_full_speed(server, options) | floor_at_full_speed(server, options)
            full["kept_ratio"] = full["kept"] / full["floor_kept"]
            runs.append(full | at_a_rate(server, options))
        fields = {"rate": options.rate, "seconds": options.seconds} | medians(runs)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(
        arguments(
            "pinned",
            "Under a held snapshot: --full-seconds at full speed, worker and floor; then at --rate jobs a second "
            "--free-seconds without it and --seconds under it.",
            repeats=1, seconds=900, window=60, free_seconds=60, full_seconds=60, full_window=10, rate=2_000,
        )
    )
