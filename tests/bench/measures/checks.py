"""Whether the checks notice what they are there for: each against a run that was right and then was spoiled."""

import copy

from harness.client import run_client
from harness.postgres import Connection
from harness.queue import Tail, check_jobs, check_payload, create_floor, enqueue
from harness.report import arguments, fail_unless, note, print_line
from harness.server import Server
from harness.worker import Worker
from measures.drain import check_floor
from measures.latency import latencies
from measures.pinned import check_offered

completed = 'task_worker_jobs_finished_total{kind="noop",outcome="completed"}'
one_job = "(select id from task_queue.finished_bundles order by id limit 1)"
# What is done to the database of a run with history before it is checked; it is rolled back.
spoiled_rows = {
    "a job that never ran": "insert into task_queue.bundles (id, members, pending, kind_id, queue_id, args) "
    "values (128, 1, 1, 1, 1, '[1]')",
    "a dead letter": "insert into task_queue.dead_jobs (id, created_at, kind_id, queue_id, priority, attempt, "
    "max_attempts, error, args) values (128, now(), 1, 1, 4, 1, 1, 'x', '{}')",
    "a job missing in the history": f"delete from task_queue.finished_bundles where id = {one_job}",
    "a job twice in the history, for another": "update task_queue.finished_bundles set id = (select max(id) from "
    f"task_queue.finished_bundles) where id = {one_job}",
    "a job once too often in the history": "insert into task_queue.finished_bundles select * from "
    f"task_queue.finished_bundles where id = {one_job}",
    "a second attempt": f"update task_queue.finished_bundles set attempt = 2 where id = {one_job}",
    "a cancelled job": f"update task_queue.finished_bundles set state = 6 where id = {one_job}",
}
# What is added to the worker's counters.
spoiled_counters = {
    "a job that the worker did not complete": {completed: -1},
    "a job that the worker completed twice": {completed: 1},
    "a job that the worker discarded": {'task_worker_jobs_finished_total{kind="noop",outcome="discarded"}': 1},
    "a job of another kind": {'task_worker_jobs_finished_total{kind="other",outcome="completed"}': 1},
    "a lost lease": {"task_worker_leases_lost_total": 1},
    "a rescue": {"task_worker_rescues_total": 1},
}


def notices(check):
    try:
        check()
    except SystemExit:
        return True
    return False


def check_spoiled(server, options):
    """Answers by what each check was tried, and whether it noticed."""
    noticed = {}
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection, Worker(options.worker, server.folder, url) as worker:
        enqueue(connection, options.jobs, bundle=1)
        Tail(connection).await_empty()
        metrics = worker.metrics()
        check_jobs(connection, metrics, options.jobs, kept=True)
        for name, sql in spoiled_rows.items():
            connection.rows("begin")
            connection.rows(sql)
            noticed[name] = notices(lambda: check_jobs(connection, metrics, options.jobs, kept=True))
            connection.rows("rollback")
        for name, more in spoiled_counters.items():
            counters = copy.copy(metrics)
            for counter, by in more.items():
                counters[counter] = counters.get(counter, 0) + by
            noticed[name] = notices(lambda: check_jobs(connection, counters, options.jobs, kept=True))
        noticed["history that was not to be kept"] = notices(
            lambda: check_jobs(connection, metrics, options.jobs, kept=False)
        )
        create_floor(connection)
        check_floor(connection, {"jobs": options.jobs}, options.jobs)
        noticed["a job that the floor did twice"] = notices(
            lambda: check_floor(connection, {"jobs": options.jobs + 1}, options.jobs)
        )
        connection.rows("insert into floor_bundles (id, jobs, args) values (1, 1, '[1]')")
        noticed["a row that the floor left"] = notices(
            lambda: check_floor(connection, {"jobs": options.jobs}, options.jobs)
        )
    server.drop_database("work")
    sent = [(1, 2), (3, 4)]
    latencies(sent, [(0, 5), (1, 6)])
    noticed["a start that was not written down"] = notices(lambda: latencies(sent, [(0, 5)]))
    noticed["a job that started twice, for another"] = notices(lambda: latencies(sent, [(0, 5), (0, 6)]))
    noticed["a job that started once too often"] = notices(lambda: latencies(sent, [(0, 5), (1, 6), (1, 7)]))
    check_offered({"seconds": 104}, seconds=101)
    noticed["a rate that was not offered"] = notices(lambda: check_offered({"seconds": 105}, seconds=101))
    return noticed


def check_payloads(server, options):
    """Of both that make args, and of args which flatter whoever compresses them."""
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection:
        enqueue(connection, options.jobs)
        check_payload(connection, options.jobs)
        connection.rows("truncate task_queue.bundles")
        run_client(options, "enqueue", url=url, jobs=options.jobs, call=options.jobs)
        check_payload(connection, options.jobs)
        connection.rows("truncate task_queue.bundles")
        enqueue(connection, options.jobs, args="format('{\"n\": \"%s\"}', lpad(random()::text, 91, '0'))")
        noticed = notices(lambda: check_payload(connection, options.jobs))
    server.drop_database("work")
    return {"args that can be compressed": noticed}


def measure(options):
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            noticed = check_spoiled(server, options) | check_payloads(server, options)
            missed = [name for name, was_noticed in noticed.items() if not was_noticed]
            note(f"checks {turn + 1}/{options.repeats}: {len(noticed)} spoiled runs, {len(missed)} not noticed")
            fail_unless(not missed, f"not noticed: {', '.join(missed)}")
        print_line(options, server, {"jobs": options.jobs, "noticed": len(noticed)})


if __name__ == "__main__":
    measure(arguments("checks", "Spoils runs and sees whether the checks notice.", repeats=1, jobs=200))
