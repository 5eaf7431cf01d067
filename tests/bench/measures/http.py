"""What calling a URL costs: the worker's http handler, and a bare client that keeps its connections, in turns; against
an API on Node's HTTP server, and against one that does nothing but answer."""

from harness.api import Api, bare, node
from harness.client import run_client
from harness.handlers import work_off
from harness.report import arguments, median_fields, median_ratio, note, print_line
from harness.server import Server


def run_against(api, server, options):
    ours = work_off(server, options, f"http: 'http://127.0.0.1:{api.port}/job'", options.jobs)
    answer = run_client(options, "http-floor", port=api.port, jobs=options.jobs, concurrency=options.concurrency)
    return ours, {"jobs_per_s": options.jobs / answer["seconds"]}


def measure(options):
    runs = {"node": [], "bare": []}
    with Server(options.set) as server, Api(node) as on_node, Api(bare) as on_bare:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            for name, api in (("node", on_node), ("bare", on_bare)):
                runs[name].append(run_against(api, server, options))
                ours, floor = (run["jobs_per_s"] for run in runs[name][-1])
                note(f"http {turn + 1}/{options.repeats}, {name}: worker {ours:,.0f} jobs/s, bare client {floor:,.0f}")
        ours, floors = zip(*runs["node"])
        bare_ours, bare_floors = zip(*runs["bare"])
        fields = {"jobs": options.jobs, "concurrency": options.concurrency} | median_fields(ours)
        fields["floor_jobs_per_s"] = median_fields(floors)["jobs_per_s"]
        fields["ratio"] = median_ratio(ours, floors)
        fields["bare_jobs_per_s"] = median_fields(bare_ours)["jobs_per_s"]
        fields["bare_floor_jobs_per_s"] = median_fields(bare_floors)["jobs_per_s"]
        fields["bare_ratio"] = median_ratio(bare_ours, bare_floors)
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("http", "Calls an API for each job.", jobs=100_000, concurrency=64))
