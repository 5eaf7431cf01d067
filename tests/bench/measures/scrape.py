"""What a look at /metrics takes while the worker has its hands full, and what it costs."""

import http.client
import statistics
import threading
import time

from harness.postgres import Connection
from harness.process import cpu_seconds
from harness.queue import Tail, check_jobs, enqueue
from harness.report import arguments, fail_unless, median_fields, note, percentile, print_line
from harness.server import Server, settle_disk
from harness.worker import Worker
from measures.drain import warm_up

# As many series as a large installation has: 20 kinds, 10 queues besides the default one.
settings = (
    "".join(f"  queue-{n}: {{}}\n" for n in range(10))
    + "handlers:\n"
    + "".join(f"  kind-{n}:\n    exec: [\"true\"]\n" for n in range(20))
)
idle_scrapes = 1_000


class Scraper:
    """Reads /metrics over one kept connection, as Prometheus does."""

    def __init__(self, address):
        self._connection = http.client.HTTPConnection(address, timeout=10)
        self.times = []
        self.text = ""

    def scrape(self):
        start = time.monotonic()
        self._connection.request("GET", "/metrics")
        answer = self._connection.getresponse()
        self.text = answer.read().decode()
        self.times.append(time.monotonic() - start)
        fail_unless(answer.status == 200, f"/metrics answered {answer.status}")


class Beat:
    """Scrapes so many times a second until stop()."""

    def __init__(self, address, per_second):
        self.scraper = Scraper(address)
        self._pause = 1 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(self._pause):
            self.scraper.scrape()

    def stop(self):
        self._stop.set()
        self._thread.join()


def drain(server, options, scraped):
    url = server.create_database("work", "template_queue")
    fields = {}
    with Connection(url) as connection, Worker(options.worker, server.folder, url, settings) as worker:
        enqueue(connection, warm_up)
        Tail(connection).await_empty()
        server.checkpoint()
        connection.rows("begin")
        enqueue(connection, options.jobs)
        tail = Tail(connection)
        settle_disk()
        connection.rows("commit")
        start = time.monotonic()
        beat = Beat(worker.address, options.per_second) if scraped else None
        try:
            fields["jobs_per_s"] = options.jobs / (tail.await_empty() - start)
        finally:
            if beat:
                beat.stop()
        if beat:
            fields["times"] = beat.scraper.times
            fields |= idle(worker)
        check_jobs(connection, worker.metrics(), options.jobs + warm_up, kept=True)
    server.drop_database("work")
    return fields


def idle(worker):
    """The processor time of a scrape: of a worker that does nothing else."""
    scraper = Scraper(worker.address)
    before = cpu_seconds(worker.pid)
    for _ in range(idle_scrapes):
        scraper.scrape()
    return {
        "cpu_us": (cpu_seconds(worker.pid) - before) / idle_scrapes * 1e6,
        "idle_p50_ms": percentile(scraper.times, 50) * 1e3,
        "series": sum(not line.startswith("#") for line in scraper.text.splitlines()),
        "bytes": len(scraper.text),
    }


def measure(options):
    plain, scraped, times = [], [], []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            for with_scrapes in (False, True) if turn % 2 == 0 else (True, False):
                (scraped if with_scrapes else plain).append(drain(server, options, with_scrapes))
            times += scraped[-1].pop("times")
            note(
                f"scrape {turn + 1}/{options.repeats}: {plain[-1]['jobs_per_s']:,.0f} jobs/s, scraped "
                f"{scraped[-1]['jobs_per_s']:,.0f}; {scraped[-1]['cpu_us']:.0f} us of the processor a scrape"
            )
        fail_unless(times, "no scrape fell into a drain: more --jobs, or more --per-second")
        fields = {"jobs": options.jobs, "per_second": options.per_second, "scrapes": len(times)}
        fields |= {f"p{percent}_ms": percentile(times, percent) * 1e3 for percent in (50, 99)}
        fields["longest_ms"] = max(times) * 1e3
        fields |= median_fields(scraped)
        fields["lost_pct"] = statistics.median(
            100 * (1 - s["jobs_per_s"] / p["jobs_per_s"]) for s, p in zip(scraped, plain)
        )
        fields["cpu_pct_of_a_core"] = fields["cpu_us"] / 1e6 * 100  # at one scrape a second
        print_line(options, server, fields)


if __name__ == "__main__":
    measure(arguments("scrape", "Scrapes a busy worker, and drains without scrapes.", jobs=3_000_000, per_second=10))
