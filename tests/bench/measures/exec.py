"""What running a program costs: the worker's exec handler, and a bare posix_spawn loop, in turns."""

from harness.client import run_client
from harness.handlers import work_off
from harness.report import arguments, median_fields, median_ratio, note, print_line
from harness.server import Server

program = "/bin/true"


def measure(options):
    ours, floors = [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            ours.append(work_off(server, options, f"exec: [{program}]", options.jobs))
            answer = run_client(
                options, "spawn-floor", program=program, jobs=options.jobs, concurrency=options.concurrency
            )
            floors.append({"jobs_per_s": options.jobs / answer["seconds"]})
            note(
                f"exec {turn + 1}/{options.repeats}: worker {ours[-1]['jobs_per_s']:,.0f} jobs/s, "
                f"posix_spawn {floors[-1]['jobs_per_s']:,.0f}"
            )
        fields = {"jobs": options.jobs, "concurrency": options.concurrency} | median_fields(ours)
        fields["floor_jobs_per_s"] = median_fields(floors)["jobs_per_s"]
        fields["ratio"] = median_ratio(ours, floors)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("exec", f"Runs {program} for each job.", jobs=10_000, concurrency=10))
