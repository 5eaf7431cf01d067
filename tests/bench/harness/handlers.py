"""Jobs of a kind that has a handler, worked off by a worker that is up and warm."""

import time

from harness.postgres import Connection
from harness.queue import Tail, check_jobs, random_args
from harness.server import settle_disk
from harness.usage import Usage
from harness.worker import Worker

no_history = "retention:\n  completed: 0\n"


def _enqueue(connection, jobs):
    connection.rows(
        f"select count(*) from task_queue.enqueue_many('work', "
        f"(select array_agg(({random_args})::json) from generate_series(1, {jobs})))"
    )


def work_off(server, options, handler, jobs):
    """`handler` is what config.yml says of the kind, in one line. Answers the fields of a run."""
    settings = f"worker:\n  concurrency: {options.concurrency}\n{no_history}handlers:\n  work: {{{handler}}}\n"
    warm_up = 10 * options.concurrency
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection, Worker(options.worker, server.folder, url, settings) as worker:
        _enqueue(connection, warm_up)
        Tail(connection).await_empty()
        connection.rows("begin")
        _enqueue(connection, jobs)
        tail = Tail(connection)
        settle_disk()
        usage = Usage(server, worker.pid)
        connection.rows("commit")
        start = time.monotonic()
        seconds = tail.await_empty() - start
        fields = {"jobs_per_s": jobs / seconds} | usage.per_job(jobs)
        check_jobs(connection, worker.metrics(), jobs + warm_up, kept=False, kind="work")
    server.drop_database("work")
    return fields
