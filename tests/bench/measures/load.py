"""`enqueue --file` of NDJSON, and psql's COPY of the same lines into one text column, in turns. No worker runs."""

import subprocess
import time

from harness.postgres import Connection
from harness.report import arguments, fail_unless, median_fields, median_ratio, note, print_line
from harness.server import Server, settle_disk
from measures.enqueue import enqueue_file, write_file


def copy_file(server, options, file):
    """The whole command, its start included; one transaction."""
    url = server.create_database("copied")
    with Connection(url) as connection:
        connection.rows("create table lines (line text)")
    server.checkpoint()
    settle_disk()
    start = time.monotonic()
    subprocess.run(["psql", "-Xqc", f"\\copy lines from '{file}'", url], check=True)
    fields = {"jobs_per_s": options.jobs / (time.monotonic() - start)}
    with Connection(url) as connection:
        there = connection.number("select count(*) from lines")
    fail_unless(there == options.jobs, f"{there} of {options.jobs} lines are in the table")
    server.drop_database("copied")
    return fields


def measure(options):
    ours, copies = [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        file = write_file(server, options.jobs)
        for turn in range(options.repeats):
            ours.append(enqueue_file(server, options, file))
            copies.append(copy_file(server, options, file))
            note(
                f"load {turn + 1}/{options.repeats}: enqueue --file {ours[-1]['jobs_per_s']:,.0f} lines/s "
                f"in {ours[-1]['rss_mb']:.0f} MB, psql's COPY {copies[-1]['jobs_per_s']:,.0f}"
            )
        fields = {"jobs": options.jobs} | median_fields(ours)
        fields["copy_jobs_per_s"] = median_fields(copies)["jobs_per_s"]
        fields["ratio"] = median_ratio(ours, copies)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("load", "Enqueues a file of NDJSON.", jobs=1_000_000))
