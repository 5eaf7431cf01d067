"""A queue of single rows, the worst case, in which every kind of maintenance has fallen behind."""

from string import Template

from harness.queue import random_args
from harness.report import note

lanes_queues = 10  # each with all ten priorities
chunk = 500_000

args = "json_build_array(json_build_object('data', repeat('0123456789', 9)))"

# What a row is like, by its number modulo 1000.
rows = f"""
    insert into task_queue.bundles (
        id, members, pending, kind_id, queue_id, priority, state, run_at, worker_id, claim_number, attempt, batch_id, args
    )
    select 128 * n, 1, 1, 1, 2 + n / 1000 % {lanes_queues}, n / 10000 % 10, state, case
            when state = 0 then now() + interval '1 day' + n % 100000 * interval '1 second'
            when state = 3 then now() - n % 100000 * interval '1 second'
            else now()
        end,
        case when state = 2 then 1 + n / 1000 % 100 end, case when state = 2 then n else 0 end, case when state > 1 then 1 else 0 end,
        case when part between 950 and 999 then md5('cancelled ' || n / 1000 % 20)::uuid end, {args}
    from (
        select n, n % 1000 as part,
            (case when n % 1000 < 600 then 1 when n % 1000 < 750 then 0 when n % 1000 < 850 then 3 when n % 1000 < 950 then 2 else 1 end)
                ::smallint as state
        from generate_series($first, $last) n
    ) numbered
"""

# Full bundles whose second worker has died: each of their jobs goes back alone.
suspects = f"""
    insert into task_queue.bundles (id, members, pending, kind_id, queue_id, state, worker_id, claim_number, attempt, rescues, args)
    select nextval('task_queue.base_ids'), 9223372036854775807, 9223372036854775807, 1, 2, 2, 1 + n % 100, n, 1, 1,
        (select json_agg(({random_args})::json) from generate_series(0, 62) where n > 0)
    from generate_series(1, $jobs / 1000) n
"""

rest = f"""
    insert into task_queue.batches (id, state, sealed_at, total)
    select md5('cancelled ' || n)::uuid, 'cancelled', now(), $jobs * 50 / 1000 / 20 from generate_series(0, 19) n;
    insert into task_queue.batches (id, total) select md5('small ' || n)::uuid, 100 from generate_series(1, $jobs / 200) n;
    insert into task_queue.batches (id, total) values (md5('large')::uuid, $jobs);
    insert into task_queue.batches (id, state, seal_after, total)
    select md5('due ' || n)::uuid, 'open', now() - interval '1 hour', 1 from generate_series(1, 10000) n;
    insert into task_queue.batch_changes (batch_id, completed)
    select case when n % 2 = 0 then md5('large')::uuid else md5('small ' || n / 20)::uuid end, 1
    from generate_series(1, $jobs / 10) n;
    insert into task_queue.batches (id, state, sealed_at, finished_at)
    select md5('old ' || n)::uuid, 'finished', now() - interval '9 days', now() - interval '8 days' - n * interval '1 second'
    from generate_series(1, $jobs / 100) n;
    insert into task_queue.batches (id, state, sealed_at, finished_at, total, discarded)
    select md5('failed ' || n)::uuid, 'finished', now() - interval '41 days',
        now() - interval '40 days' + n * interval '1 second', 1, 1
    from generate_series(1, $jobs / 100) n;
    insert into task_queue.dead_jobs (
        id, created_at, died_at, batch_id, kind_id, queue_id, priority, attempt, max_attempts, error, args
    )
    select -n, now(), now() - interval '40 days' + n * interval '1 second',
        case when n <= $jobs / 100 then md5('failed ' || n)::uuid end, 1, 1, 4, 20, 20, 'it failed', {args} -> 0
    from generate_series(1, $jobs / 10) n;
    insert into task_queue.enqueue_keys (key, job_ids, created_at)
    select 'key ' || n, int8multirange(int8range(128 * n, 128 * n + 1)), now() - interval '2 days' + n * interval '1 ms'
    from generate_series(1, $jobs / 10) n;
    insert into task_queue.task_progress (job_id, done, updated_at)
    select -128 * n, 1, now() - interval '1 hour' from generate_series(1, $jobs / 100) n;
"""

# 1 MiB of args each, not compressed; the first to be pruned.
large = """
    alter table task_queue.dead_jobs alter args set storage external;
    insert into task_queue.dead_jobs (id, created_at, died_at, kind_id, queue_id, priority, attempt, max_attempts, error, args)
    select -1000000000 - n, now(), now() - interval '50 days', 1, 1, 4, 20, 20, 'it failed', to_json(repeat('x', 1048570))
    from generate_series(1, 1100) n;
"""

workers = """
    insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues)
    select 0, 10, 1, 'gone', '0', '{noop}', '{}' from generate_series(1, 100);
    insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues, dead_at)
    select 0, 10, 1, 'long gone', '0', '{noop}', '{}', now() - interval '1 day' from generate_series(1, 10000);
"""

partition = f"""
    create table task_queue.$name (like task_queue.finished_bundles including all);
    alter table task_queue.finished_bundles attach partition task_queue.$name
        for values from ('$day 00:00:00+00') to ('$day'::timestamptz + interval '1 day');
    insert into task_queue.finished_bundles (
        id, members, finished_at, created_at, kind_id, queue_id, priority, state, attempt, max_attempts, args
    )
    select n, 1, '$day 12:00:00+00', now(), 1, 1, 4, 5, 1, 20, {args} from generate_series(1, $rows) n;
"""


def _run(connection, sql, **values):
    connection.rows(Template(sql).substitute(values))


def _fill_history(connection, jobs):
    """Thirty days too many, one of them large."""
    for age in range(5, 35):
        day = connection.value(f"select ((now() - interval '{age} days') at time zone 'UTC')::date")
        name = "finished_bundles_" + day.replace("-", "_")
        rows = jobs // 10 if age == 20 else 1000
        _run(connection, "set timezone = 'UTC';" + partition, name=name, day=day, rows=rows)


def fill(connection, jobs):
    connection.rows("select task_queue.intern_kind('noop')")
    # Nobody claims: what is measured is maintenance.
    connection.rows(
        f"insert into task_queue.queues (name, paused) select 'lane ' || n, true from generate_series(1, {lanes_queues}) n"
    )
    connection.rows("update task_queue.queues set paused = true")
    connection.rows(workers)
    for first in range(1, jobs + 1, chunk):
        last = min(jobs, first + chunk - 1)
        _run(connection, rows, first=first, last=last)
        note(f"maintenance: {last:,} rows")
    connection.rows(f"select setval('task_queue.base_ids', 128 * {jobs + 1})")
    _run(connection, suspects, jobs=jobs)
    _run(connection, rest, jobs=jobs)
    connection.rows(large)
    _fill_history(connection, jobs)
    connection.rows("analyze")


def left(connection):
    """What the leader has not come to yet, by name; counted in full, so seldom."""
    counts = {
        "due": "select count(*) from task_queue.bundles where state in (0, 3) and run_at <= now()",
        "changes": "select count(*) from task_queue.batch_changes",
        "held": "select count(*) from task_queue.bundles where state = 2",
        "cancelled": "select count(*) from task_queue.bundles where batch_id is not null",
    }
    numbers = {name: connection.number(sql) for name, sql in counts.items()}
    return {name: number for name, number in numbers.items() if number}
