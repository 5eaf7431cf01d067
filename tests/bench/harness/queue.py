"""Filling the queue and the floor's table, and checking that every job ran exactly once."""

import time
import zlib

from harness.report import fail_unless

# 100 bytes of JSON around 64 random ones, so that compression gains nothing.
random_args = """format('{"data": "%s"}', translate(encode(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
    || uuid_send(gen_random_uuid()), 'base64'), e'\\n', ''))"""

chunk = 20_000  # jobs of one call: enqueue_many makes full bundles of them


def chunks(jobs):
    while jobs > 0:
        yield min(jobs, chunk)
        jobs -= chunk


def enqueue(connection, jobs, bundle=None, args=random_args):
    """In the connection's transaction; bundle=None lets enqueue_many choose."""
    size = "" if bundle is None else f", bundle => {bundle}"
    for count in chunks(jobs):
        connection.rows(
            f"select count(*) from task_queue.enqueue_many('noop', "
            f"(select array_agg(({args})::json) from generate_series(1, {count})){size})"
        )


def check_payload(connection, jobs):
    """Of all jobs in the queue: 100 bytes, no two alike, and nothing to be gained by compressing them."""
    args = [text for text, in connection.rows("select e::text from task_queue.bundles, json_array_elements(args) e")]
    fail_unless(len(set(args)) == jobs and {len(text) for text in args} == {100}, "args are not of 100 bytes, or alike")
    share = len(zlib.compress("".join(args).encode())) / (100 * jobs)
    fail_unless(share > 0.6, f"args shrink to {share:.2f} of their size")  # digits of 6 bits in 8 alone: 0.75


class Tail:
    """Tells cheaply when a drain is over: looks at the end of the line, where a live row is found at once. Before the
    last 40,000 rows none can be left then: the worker holds fewer."""

    def __init__(self, connection):
        self._connection = connection
        connection.rows("set enable_seqscan = off; set enable_bitmapscan = off")
        self._from = connection.number("select last_value - 128 * 40000 from task_queue.base_ids")

    def await_empty(self):
        """Answers the time of the look that found nothing left. In one transaction, since commits are counted; between
        two looks it holds no snapshot."""
        self._connection.rows("begin isolation level read committed")
        sql = f"select exists (select from task_queue.bundles where id > {self._from} order by id desc)"
        while True:
            now = time.monotonic()
            if self._connection.value(sql) == "f":
                self._connection.rows("commit")
                return now
            time.sleep(0.01)


def check_jobs(connection, metrics, jobs, kept, kind="noop"):
    """`jobs` jobs ran, each once: by the worker's counters, by the live tables, by the history where it is kept."""
    finished = "task_worker_jobs_finished_total"
    ends = {name: value for name, value in metrics.items() if name.startswith(finished) and value}
    completed = f'task_worker_jobs_finished_total{{kind="{kind}",outcome="completed"}}'
    fail_unless(ends == {completed: jobs}, f"{jobs} jobs should have completed, the worker counted {ends}")
    lost = metrics["task_worker_leases_lost_total"] + metrics["task_worker_rescues_total"]
    fail_unless(lost == 0, f"{lost} leases were lost or rescued")
    for table in ("bundles", "dead_jobs"):
        left = connection.number(f"select count(*) from task_queue.{table}")
        fail_unless(left == 0, f"{left} rows are left in {table}")
    history = connection.rows(
        "select count(job), count(distinct job), count(*) filter (where state <> 5 or attempt <> 1) "
        "from (select (id & ~127::bigint) + n as job, state, attempt from task_queue.finished_bundles, "
        "generate_series(0, 62) n where (members >> n) & 1 = 1) jobs"
    )[0]
    expected = str(jobs if kept else 0)
    fail_unless(history == (expected, expected, "0"), f"history has (jobs, distinct, odd) {history}, not {expected}")


def create_floor(connection):
    """The least that holds a queue's rows: an id, how many jobs, their args, whether they are taken."""
    connection.rows(
        "create table floor_bundles (id bigint not null, jobs bigint not null, state smallint not null default 1, "
        "args json not null, constraint pk_floor_bundles primary key (id)) "
        "with (toast_tuple_target = 128, fillfactor = 70)"
    )
    connection.rows("create index ix_floor_bundles_line on floor_bundles (id) where state = 1")
    connection.rows("create sequence floor_ids")
    connection.rows("alter table floor_bundles alter column args set compression lz4")


def fill_floor(connection, jobs, bundle):
    for count in chunks(jobs):
        connection.rows(
            f"insert into floor_bundles (id, jobs, args) select nextval('floor_ids'), count(*), json_agg(args) from "
            f"(select n, ({random_args})::json as args from generate_series(0, {count} - 1) n) job "
            f"group by n / {bundle} order by n / {bundle}"
        )
