"""Bulk enqueues: enqueue_many and the CLI, and the floor, in turns. No worker runs."""

import os
import time

from harness.client import run_client
from harness.postgres import Connection
from harness.queue import create_floor
from harness.report import arguments, fail_unless, median_fields, median_ratio, note, print_line
from harness.server import Server, settle_disk
from harness.usage import Usage
from harness.worker import run_program

bundle = 63
# The args of the producer's jobs are numbered in the order in which it enqueues them.
wrong_args = """select count(*) from (
    select (e.args ->> 'n')::bigint as n, row_number() over (order by b.id, e.place) - 1 as expected
    from task_queue.bundles b, json_array_elements(b.args) with ordinality e (args, place)
) job where n <> expected"""
jobs_of_all = "select coalesce(sum(task_queue.count_jobs(pending)), 0) from task_queue.bundles"


def enqueue_many(server, options):
    url = server.create_database("work", "template_queue")
    server.checkpoint()
    settle_disk()
    usage = Usage(server)
    answer = run_client(options, "enqueue", url=url, jobs=options.jobs, call=options.call)
    fields = usage.per_job(options.jobs) | {
        "jobs_per_s": options.jobs / answer["seconds"],
        "client_us_per_job": answer["cpu_seconds"] / options.jobs * 1e6,
        "commits_per_1000_jobs": 1000 / options.call,
    }
    with Connection(url) as connection:
        wrong = connection.number(wrong_args)
    fail_unless(wrong == 0, f"{wrong} jobs have the args of others")
    return check(server, url, "work", jobs_of_all, options.jobs, fields)


def enqueue_file(server, options, file):
    """The whole command, its start included; one transaction."""
    url = server.create_database("work", "template_queue")
    server.checkpoint()
    settle_disk()
    start = time.monotonic()
    peak_mb = run_program(options.worker, url, "enqueue", "noop", "--file", file, "--quiet")
    fields = {"jobs_per_s": options.jobs / (time.monotonic() - start), "rss_mb": peak_mb}
    return check(server, url, "work", jobs_of_all, options.jobs, fields)


def enqueue_floor(server, options, how):
    url = server.create_database("floor")
    with Connection(url) as connection:
        create_floor(connection)
    server.checkpoint()
    settle_disk()
    usage = Usage(server)
    answer = run_client(options, "enqueue-floor", url=url, jobs=options.jobs, call=options.call, bundle=bundle, how=how)
    fields = usage.per_job(options.jobs) | {"jobs_per_s": options.jobs / answer["seconds"]}
    return check(server, url, "floor", "select coalesce(sum(jobs), 0) from floor_bundles", options.jobs, fields)


def check(server, url, database, sql, jobs, fields):
    with Connection(url) as connection:
        there = connection.number(sql)
    fail_unless(there == jobs, f"{there} of {jobs} jobs are in the table")
    server.drop_database(database)
    return fields


def write_file(server, jobs):
    path = os.path.join(server.folder, "jobs.ndjson")
    with open(path, "w") as file:
        for n in range(jobs):
            file.write(f'{{"n": {n}, "data": "{os.urandom(40).hex()}"}}\n')
    return path


def measure(options):
    ours, files, floors, copies = [], [], [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        file = write_file(server, options.jobs)
        for turn in range(options.repeats):
            ours.append(enqueue_many(server, options))
            floors.append(enqueue_floor(server, options, "insert"))
            copies.append(enqueue_floor(server, options, "copy"))
            files.append(enqueue_file(server, options, file))
            note(
                f"enqueue {turn + 1}/{options.repeats}: enqueue_many {ours[-1]['jobs_per_s']:,.0f} jobs/s, "
                f"floor {floors[-1]['jobs_per_s']:,.0f}, by COPY {copies[-1]['jobs_per_s']:,.0f}, enqueue --file {files[-1]['jobs_per_s']:,.0f}"
            )
        fields = {"jobs": options.jobs, "call": options.call} | median_fields(ours)
        fields |= {"floor_" + name: value for name, value in median_fields(floors).items()}
        fields |= {"ratio": median_ratio(ours, floors)}
        fields |= {"copy_jobs_per_s": median_fields(copies)["jobs_per_s"], "copy_ratio": median_ratio(ours, copies)}
        fields |= {"file_jobs_per_s": median_fields(files)["jobs_per_s"], "file_ratio": median_ratio(files, copies)}
        fields |= {"file_rss_mb": median_fields(files)["rss_mb"]}
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("enqueue", "Enqueues in bulk; --call: jobs of one call.", jobs=500_000, call=10_000))
