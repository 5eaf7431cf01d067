"""The same work in turns by our worker, graphile-worker and pg-boss, on one server."""

import statistics
import time

from harness.peers import Graphile, PgBoss, await_none_live, install
from harness.postgres import Connection
from harness.process import resident_mb
from harness.report import arguments, median_fields, note, print_line
from harness.server import Server, settle_disk
from harness.usage import Usage
from measures.drain import drain_worker, no_history, warm_up
from measures.latency import offer_fields, offer_turn


def drain_peer(server, options, kind, folder):
    url = server.create_database("peer")
    peer = kind(folder, url)
    with Connection(url) as connection, peer.start("batch", warm_up + options.jobs) as process:
        peer.enqueue(connection, warm_up)
        await_none_live(connection, peer)
        server.checkpoint()
        connection.rows("begin")
        peer.enqueue(connection, options.jobs)
        settle_disk()
        usage = Usage(server, process.pid)
        connection.rows("commit")
        start = time.monotonic()
        process.await_handled()
        seconds = await_none_live(connection, peer) - start
        fields = {"jobs_per_s": options.jobs / seconds} | usage.per_job(options.jobs)
        fields["rss_mb"] = resident_mb(process.pid, "VmHWM")
    server.drop_database("peer")
    return fields


def turn(server, options, folder):
    """All of it once: a dictionary of dictionaries, by work and system."""
    runs = {"drain": {}, "singles": {}}
    runs["drain"]["ours"] = drain_worker(server, options, None, no_history)
    runs["singles"]["ours"] = drain_worker(server, options, 1, no_history)
    for kind in (Graphile, PgBoss):
        runs["drain"][kind.name] = drain_peer(server, options, kind, folder)
    for work, rate in (("latency", 20), ("offered", 500)):
        options.rate = rate
        runs[work] = offer_turn(server, options, folder)
    for work, systems in runs.items():
        for system, fields in systems.items():
            note(f"  {work} {system}: " + ", ".join(f"{name} {value:,.3g}" for name, value in fields.items()))
    return runs


def medians(turns):
    return {
        work: {system: median_fields([run[work][system] for run in turns]) for system in systems}
        for work, systems in turns[0].items()
    }


def ratio_fields(turns):
    """Of jobs a second, turn by turn, to each peer and to the better one. A peer knows no bundles: one number each."""
    fields = {}
    for work in ("drain", "singles"):
        ratios = {
            name: [run[work]["ours"]["jobs_per_s"] / run["drain"][name]["jobs_per_s"] for run in turns]
            for name in (Graphile.name, PgBoss.name)
        }
        for name, values in ratios.items():
            fields[f"{work}_ratio_{name}"] = statistics.median(values)
        fields[f"{work}_ratio"] = statistics.median(min(both) for both in zip(*ratios.values()))
    return fields


def table(result):
    rows = [("", "jobs/s", "client us/job", "server us/job", "WAL bytes/job")]
    for label, fields in (
        ("task-worker, bulk", result["drain"]["ours"]),
        ("task-worker, one by one", result["singles"]["ours"]),
        ("graphile-worker", result["drain"]["graphile"]),
        ("pg-boss", result["drain"]["pgboss"]),
    ):
        names = ("jobs_per_s", "client_us_per_job", "server_us_per_job", "wal_bytes_per_job")
        rows.append((label, *(f"{fields[name]:,.0f}" if name != names[1] else f"{fields[name]:.1f}" for name in names)))
    rows.append(("", "p50 ms", "p95 ms", "p99 ms", ""))
    for work in ("latency", "offered"):
        for system, fields in result[work].items():
            rows.append((f"{work}, {system}", *(f"{fields[name]:.2f}" for name in ("p50_ms", "p95_ms", "p99_ms")), ""))
    return "\n".join("".join([row[0].ljust(28), *(cell.rjust(16) for cell in row[1:])]) for row in rows)


def measure(options):
    with Server(options.set) as server:
        node = install(server.folder)
        server.create_queue(options.worker)
        turns = []
        for number in range(options.repeats):
            note(f"peers {number + 1}/{options.repeats}")
            turns.append(turn(server, options, node))
        result = medians(turns)
        note(table(result))
        fields = {"jobs": options.jobs}
        fields |= {"jobs_per_s": result["drain"]["ours"]["jobs_per_s"]}
        fields |= {"singles_jobs_per_s": result["singles"]["ours"]["jobs_per_s"]}
        for name in (Graphile.name, PgBoss.name):
            fields |= {f"{name}_{field}": value for field, value in result["drain"][name].items()}
        fields |= ratio_fields(turns)
        for work in ("latency", "offered"):
            fields |= {f"{work}_{name}": value for name, value in offer_fields(result[work]).items()}
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(
        arguments(
            "peers", "The same work by graphile-worker and pg-boss; --seconds: of each latency.",
            jobs=200_000, seconds=20,
        )
    )
