"""What it costs to keep the status of a batch, and how far what is folded stays behind what is true."""

import statistics
import threading
import time

from harness.postgres import Connection
from harness.queue import Tail, chunks, check_jobs, enqueue, random_args
from harness.report import arguments, fail_unless, median_fields, note, print_line
from harness.server import Server, settle_disk
from harness.usage import Usage
from harness.worker import Worker
from measures.drain import warm_up

batch = "'00000000-0000-0000-0000-000000000001'"
until_folded = 2  # seconds from the end of the last job to the end of what is counted, with and without a batch


class Watch:
    """Looks at the batch 20 times a second until stop(): what is folded, and what batch_status says."""

    def __init__(self, url):
        self._url = url
        self._looks = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        with Connection(self._url) as connection:
            while not self._stop.wait(0.05):
                folded, true = connection.rows(
                    f"select b.completed, s.completed from task_queue.batches b, task_queue.batch_status(b.id) s "
                    f"where b.id = {batch}"
                )[0]
                self._looks.append((time.monotonic(), int(folded), int(true)))

    def stop(self):
        self._stop.set()
        self._thread.join()

    def lags(self):
        """For each look: since when more jobs had ended than were folded then."""
        lags, first = [], 0
        for now, folded, true in self._looks:
            while self._looks[first][2] <= folded and self._looks[first][0] < now:
                first += 1
            lags.append(now - self._looks[first][0] if true > folded else 0)
        return lags


def fill(connection, jobs, in_batch):
    if not in_batch:
        return enqueue(connection, jobs)
    connection.rows(f"select task_queue.create_batch({batch}, name => 'benchmark')")
    for count in chunks(jobs):
        connection.rows(
            f"select count(*) from task_queue.enqueue_many('noop', (select array_agg(({random_args})::json) "
            f"from generate_series(1, {count})), batch_id => {batch})"
        )
    connection.rows(f"select task_queue.seal_batch({batch})")


def check_batch(connection, jobs):
    """Answers when it finished."""
    state, total, completed, finished_at = connection.rows(
        f"select state, total, completed, extract(epoch from finished_at) from task_queue.batches where id = {batch}"
    )[0]
    fail_unless(state == "finished", f"the batch has not finished {until_folded} s after its last job")
    fail_unless((total, completed) == (str(jobs),) * 2, f"the batch counted {completed} of {total}")
    return float(finished_at)


def drain(server, options, in_batch, watched=False):
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection, Worker(options.worker, server.folder, url) as worker:
        enqueue(connection, warm_up)
        Tail(connection).await_empty()
        server.checkpoint()
        connection.rows("begin")
        fill(connection, options.jobs, in_batch)
        tail = Tail(connection)
        settle_disk()
        usage = Usage(server, worker.pid)
        connection.rows("commit")
        start = time.monotonic()
        watch = Watch(url) if watched else None
        end = tail.await_empty()
        ended_at = time.time()
        time.sleep(until_folded)  # asking meanwhile would cost the server more than a fold
        fields = usage.per_job(options.jobs) | {"jobs_per_s": options.jobs / (end - start)}
        if in_batch:
            fields["finish_s"] = check_batch(connection, options.jobs) - ended_at
        if watch:
            watch.stop()
            fields["lag_s"] = max(watch.lags())
        check_jobs(connection, worker.metrics(), options.jobs + warm_up, kept=True)
    server.drop_database("work")
    return fields


def measure(options):
    plain, batched, watched = [], [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            for in_batch in (False, True) if turn % 2 == 0 else (True, False):
                (batched if in_batch else plain).append(drain(server, options, in_batch))
            watched.append(drain(server, options, in_batch=True, watched=True))
            note(
                f"batch {turn + 1}/{options.repeats}: {plain[-1]['server_us_per_job']:.2f} us of the server a job, "
                f"in a batch {batched[-1]['server_us_per_job']:.2f}; folded {watched[-1]['lag_s']:.2f} s behind at most"
            )
        fields = {"jobs": options.jobs} | median_fields(batched)
        fields["plain_server_us_per_job"] = median_fields(plain)["server_us_per_job"]
        fields["extra_pct"] = statistics.median(
            100 * (b["server_us_per_job"] / p["server_us_per_job"] - 1) for b, p in zip(batched, plain)
        )
        fields["lag_s"] = max(run["lag_s"] for run in watched)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("batch", "Drains one large batch, and the same jobs without one.", jobs=1_000_000))
