"""What the settings of the hot table are worth: each of them changed by itself, under the same work as shipped."""

import time

from harness.postgres import Connection
from harness.queue import random_args
from harness.report import arguments, fail_unless, median_fields, note, print_line, rounded
from harness.server import Server, settle_disk
from harness.worker import Worker
from measures.drain import drain_worker, no_history
from measures.pinned import Filler, warm

# A job of the ordinary kind: names and values that come again.
typical_args = """format('{"user_id": %s, "email": "user%s@example.com", "template": "order-confirmation", "locale": "en_GB"}',
    (random() * 1e6)::int, (random() * 1e6)::int)"""

vacuum_at = "autovacuum_vacuum_scale_factor = {0}, autovacuum_analyze_scale_factor = {0}, toast.autovacuum_vacuum_scale_factor = {0}"
variants = {
    "shipped": "",
    "fillfactor 100": "alter table task_queue.bundles set (fillfactor = 100)",
    "fillfactor 90": "alter table task_queue.bundles set (fillfactor = 90)",
    "args in the row up to 2 kB": "alter table task_queue.bundles reset (toast_tuple_target)",
    "args compressed by pglz": "alter table task_queue.bundles alter column args set compression pglz",
    "args not compressed": "alter table task_queue.bundles alter column args set storage external",
    "autovacuum at 0.2": f"alter table task_queue.bundles set ({vacuum_at.format(0.2)})",
    "autovacuum at 0.01": f"alter table task_queue.bundles set ({vacuum_at.format(0.01)})",
    "no index of a worker's rows": "drop index task_queue.ix_bundles_worker_id",
    "no index that plain jobs stay out of": """drop index task_queue.ix_bundles_queue_id_priority_id_suspect,
        task_queue.ix_bundles_run_at, task_queue.ix_bundles_worker_id_cancel_requested, task_queue.ix_bundles_batch_id,
        task_queue.uq_bundles_unique_key""",
    "no index of finished rows": "drop index task_queue.ix_finished_bundles_id",
}


def template_of(name):
    return "template_" + "".join(letter if letter.isalnum() else "_" for letter in name.lower())


def create_template(server, name, sql):
    with Connection(server.create_database(template_of(name), "template_queue")) as connection:
        connection.rows(sql or "select 1")


def partly_finished(server, template, rows, rounds=3):
    """Claims and partly finishes rows of 63 jobs, as the engine's statements do to the row: what a write costs, and how
    many of the updates leave the indexes alone."""
    url = server.create_database("work", template)
    with Connection(url) as connection:
        connection.rows("set enable_seqscan = off; alter table task_queue.bundles set (autovacuum_enabled = off)")
        connection.rows(
            f"select count(*) from task_queue.enqueue_many('noop', (select array_agg(({random_args})::json) "
            f"from generate_series(1, {rows * 63})), bundle => 63)"
        )
        connection.rows("vacuum analyze task_queue.bundles")
        worker = connection.number(
            "insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues) "
            "values (0, 0, 0, '', '', '{}', '{}') returning id"
        )
        connection.rows(f"update task_queue.bundles set state = 2, worker_id = {worker}, claim_number = 1, attempt = 1")
        server.checkpoint()
        before, written = server.usage()[1], connection.number("select count(*) from task_queue.bundles")
        connection.rows("select pg_stat_reset_single_table_counters('task_queue.bundles'::regclass)")
        for number in range(rounds):
            for at in range(0, rows, 500):  # a flush
                connection.rows(
                    f"update task_queue.bundles set pending = pending & ~(255::bigint << {8 * number}) where id = any "
                    f"(array(select id from task_queue.bundles order by id offset {at} limit 500))"
                )
        wal = (server.usage()[1] - before) / (written * rounds)
        hot = "select n_tup_upd > 0 and n_tup_upd >= {0}, 100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1)"
        connection.rows("select pg_stat_force_next_flush()")
        counted = connection.rows(
            hot.format(written * rounds) + " from pg_stat_user_tables where relid = 'task_queue.bundles'::regclass"
        )[0]
        fail_unless(counted[0] == "t", "the server did not count all updates")
    server.drop_database("work")
    return {"update_wal_bytes": wal, "hot_pct": float(counted[1])}


def flowing(server, options, template):
    """Singles in and out at full speed for a while: how large the table grows, and what is done meanwhile."""
    url = server.create_database("work", template)
    with Connection(url) as connection, Worker(options.worker, server.folder, url, no_history) as worker:
        warm(connection)
        settle_disk()
        filler = Filler(url, worker)
        start = time.monotonic()
        time.sleep(options.seconds)
        filler.stop()
        done = filler.done()
        seconds = time.monotonic() - start
        size = connection.number("select pg_total_relation_size('task_queue.bundles')") / 1e6
    server.drop_database("work")
    return {"flow_jobs_per_s": done / seconds, "flow_mb": size}


def measure_variant(server, options, name):
    template = template_of(name)
    bulk = drain_worker(server, options, None, "", template=template)
    typical = drain_worker(server, options, None, "", template=template, args=typical_args)
    single = drain_worker(server, options, 1, no_history, template=template, jobs=options.jobs // 5)
    return {
        "bulk_jobs_per_s": bulk["jobs_per_s"],
        "bulk_wal_bytes": bulk["wal_bytes_per_job"],
        "typical_jobs_per_s": typical["jobs_per_s"],
        "typical_wal_bytes": typical["wal_bytes_per_job"],
        "typical_table_bytes": typical["table_bytes_per_job"],
        "single_jobs_per_s": single["jobs_per_s"],
        "single_wal_bytes": single["wal_bytes_per_job"],
        **partly_finished(server, template, rows=options.jobs // 100),
        **flowing(server, options, template),
    }


def measure(options):
    wanted = options.only.split(",") if options.only else list(variants)
    unknown = [name for name in wanted if name not in variants]
    fail_unless(not unknown, f"no variant {unknown}: there are {list(variants)}")
    chosen = {name: variants[name] for name in wanted}
    runs = {name: [] for name in chosen}
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for name, sql in chosen.items():
            create_template(server, name, sql)
        for turn in range(options.repeats):
            for name, of_it in runs.items():
                of_it.append(measure_variant(server, options, name))
                note(f"settings {turn + 1}/{options.repeats}: {name}: {show(of_it[-1])}")
        print_line(
            options, server, {"jobs": options.jobs, "variants": {name: shown(of_it) for name, of_it in runs.items()}}
        )


def shown(runs):
    return {field: rounded(value) for field, value in median_fields(runs).items()}


def show(fields):
    return ", ".join(f"{name} {value:,.4g}" for name, value in fields.items())


if __name__ == "__main__":
    measure(
        arguments(
            "settings", "Changes the settings of the hot table, one at a time.", repeats=3, jobs=300_000, seconds=8,
            only=""
        )
    )
