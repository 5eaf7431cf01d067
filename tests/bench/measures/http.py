"""What calling a URL costs: the worker's http handler, and a bare client that keeps its connections, in turns."""

from harness.api import Api
from harness.client import run_client
from harness.handlers import work_off
from harness.report import arguments, median_fields, median_ratio, note, print_line
from harness.server import Server


def measure(options):
    ours, floors = [], []
    with Server(options.set) as server, Api() as api:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            ours.append(work_off(server, options, f"http: 'http://127.0.0.1:{api.port}/job'", options.jobs))
            answer = run_client(
                options, "http-floor", port=api.port, jobs=options.jobs, concurrency=options.concurrency
            )
            floors.append({"jobs_per_s": options.jobs / answer["seconds"]})
            note(
                f"http {turn + 1}/{options.repeats}: worker {ours[-1]['jobs_per_s']:,.0f} jobs/s, "
                f"bare client {floors[-1]['jobs_per_s']:,.0f}"
            )
        fields = {"jobs": options.jobs, "concurrency": options.concurrency} | median_fields(ours)
        fields["floor_jobs_per_s"] = median_fields(floors)["jobs_per_s"]
        fields["ratio"] = median_ratio(ours, floors)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("http", "Calls an API in Python for each job.", jobs=50_000, concurrency=10))
