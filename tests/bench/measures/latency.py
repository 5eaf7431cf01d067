"""From the commit of an enqueue to the start of the job's handler, one job at a time on an idle worker."""

import os

from harness.client import run_client
from harness.peers import Graphile, PgBoss, await_none_live, install
from harness.postgres import Connection
from harness.queue import Tail, check_jobs
from harness.report import arguments, fail_unless, median_fields, note, percentile, print_line
from harness.server import Server
from harness.worker import Worker


producers = 8  # connections that enqueue, so that a slow commit does not lower the rate


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


def times_of(server):
    return os.path.join(server.folder, "times")


def offer(server, options, url, sql):
    answer = run_client(
        options, "offer", url=url, sql=sql, rate=options.rate, seconds=options.seconds, times=times_of(server),
        producers=producers,
    )
    offered = answer["jobs"] / answer["seconds"]
    if offered < 0.9 * options.rate:
        note(f"  the producers reached only {offered:,.0f} jobs/s: commits are too slow here for {options.rate}")
    return {"offered_per_s": offered}


def offer_worker(server, options):
    url = server.create_database("work", "template_queue")
    stamps = os.path.join(server.folder, "stamps")
    environment = {"TASK_WORKER_BENCH_STAMPS": stamps}
    with Connection(url) as connection:
        with Worker(options.stamp_worker, server.folder, url, environment=environment) as worker:
            offered = offer(server, options, url, "select task_queue.enqueue('stamp', $1::json)")
            Tail(connection).await_empty()
            jobs = options.rate * options.seconds
            check_jobs(connection, worker.metrics(), jobs, kept=True, kind="stamp")
    server.drop_database("work")
    return offered | percentiles(read_numbers(times_of(server)), read_numbers(stamps))


def offer_peer(server, options, kind, mode, node):
    url = server.create_database("peer")
    peer = kind(node, url)
    stamps = os.path.join(server.folder, "peer_stamps")
    jobs = options.rate * options.seconds
    with Connection(url) as connection, peer.start(mode, jobs, stamps) as process:
        offered = offer(server, options, url, peer.offer)
        process.await_handled()
        await_none_live(connection, peer)
    server.drop_database("peer")
    return offered | percentiles(read_numbers(times_of(server)), read_numbers(stamps))


def offer_turn(server, options, node):
    """Our worker, then each peer in each of its modes when `node` is the folder that has them."""
    turn = {"ours": offer_worker(server, options)}
    for kind in (Graphile, PgBoss) if node else ():
        for mode in kind.modes:
            turn[f"{kind.name}_{mode}"] = offer_peer(server, options, kind, mode, node)
    return turn


def offer_fields(medians):
    """Of the medians by system: ours, each peer's best mode, and the best of all peers."""
    fields = dict(medians["ours"])
    peers = {system: values for system, values in medians.items() if system != "ours"}
    for percent in ("p50_ms", "p99_ms") if peers else ():
        for name in (Graphile.name, PgBoss.name):
            fields[f"{name}_{percent}"] = min(v[percent] for system, v in peers.items() if system.startswith(name))
        fields[f"peer_{percent}"] = min(values[percent] for values in peers.values())
    return fields


def measure(options):
    turns = []
    with Server(options.set) as server:
        node = install(server.folder) if options.peers else None
        server.create_queue(options.worker)
        for number in range(options.repeats):
            turns.append(offer_turn(server, options, node))
            for system, fields in turns[-1].items():
                note(
                    f"{options.measure} {number + 1}/{options.repeats}, {system}: p50 {fields['p50_ms']:.3f} ms, "
                    f"p95 {fields['p95_ms']:.3f}, p99 {fields['p99_ms']:.3f}"
                )
        medians = {system: median_fields([turn[system] for turn in turns]) for system in turns[0]}
        fields = {"rate": options.rate, "seconds": options.seconds} | offer_fields(medians)
        print_line(options, server, fields)


if __name__ == "__main__":
    # Few enough a second that the worker is idle when the next one comes.
    measure(
        arguments(
            "latency", "Latency on an idle worker; --peers 1: beside graphile-worker and pg-boss.",
            rate=20, seconds=20, peers=0,
        )
    )
