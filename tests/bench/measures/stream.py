"""What a program that stays is worth: one handler in Python, as stream and as plain exec, in turns."""

import os
import sys

from harness.handlers import work_off
from harness.report import arguments, median_fields, median_ratio, note, print_line
from harness.server import Server

handler = """import json
import sys

for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps({"id": job["id"], "result": len(job["args"]["data"])}), flush=True)
"""


def measure(options):
    streams, plain = [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        file = os.path.join(server.folder, "handler.py")
        with open(file, "w") as text:
            text.write(handler)
        # The interpreter itself, not what a version manager puts before it.
        command = f"exec: ['{os.path.realpath(sys.executable)}', '{file}']"
        for turn in range(options.repeats):
            streams.append(work_off(server, options, command + ", mode: stream", options.jobs))
            plain.append(work_off(server, options, command, max(1, options.jobs // 50)))
            note(
                f"stream {turn + 1}/{options.repeats}: {streams[-1]['jobs_per_s']:,.0f} jobs/s, "
                f"exec {plain[-1]['jobs_per_s']:,.0f}"
            )
        fields = {"jobs": options.jobs, "concurrency": options.concurrency} | median_fields(streams)
        fields["exec_jobs_per_s"] = median_fields(plain)["jobs_per_s"]
        fields["ratio"] = median_ratio(streams, plain)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("stream", "A Python handler as stream and as plain exec.", jobs=50_000, concurrency=10))
