"""Arguments, notes and the one line of JSON."""

import argparse
import json
import os
import signal
import statistics
import sys


def arguments(measure, text, repeats=5, **defaults):
    """The options that every measure has, and whole numbers named in `defaults`."""
    parser = argparse.ArgumentParser(prog=f"tests/bench/run {measure}", description=text)
    parser.add_argument("--repeats", type=int, default=repeats, help=f"default {repeats}")
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value, help=f"default {value}")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server; may come again"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # cleans up on its way out
    options.measure = measure
    options.programs = os.environ["TASK_WORKER_BENCH_PROGRAMS"]
    options.worker = os.path.join(options.programs, "task-worker")
    options.stamp_worker = os.path.join(options.programs, "tests/bench/stamp-worker")
    options.client = os.path.join(options.programs, "tests/bench/bench-client")
    return options


def note(text):
    print(text, file=sys.stderr, flush=True)


def fail_unless(condition, text):
    """A benchmark whose work was not done right has failed, however fast it was."""
    if not condition:
        raise SystemExit(f"benchmark failed: {text}")


def median_fields(runs):
    """Field by field over dictionaries with the same numbers in them."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def median_ratio(runs, others, field="jobs_per_s"):
    """The median over the turns: what slowed both of one turn cancels out."""
    return statistics.median(run[field] / other[field] for run, other in zip(runs, others))


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def rounded(value):
    """Four digits say all that such a measurement knows."""
    return int(value) if value >= 1000 else float(f"{value:.4g}")


def print_line(options, server, fields):
    """Of a measure without a server: None."""
    line = {"measure": options.measure, "repeats": options.repeats, "cores": os.cpu_count()}
    if server:
        line |= {"postgresql": server.version(), "durable": server.is_durable()}
    if options.set:
        line["set"] = options.set
    line |= {name: rounded(value) if isinstance(value, float) else value for name, value in fields.items()}
    print(json.dumps(line))
