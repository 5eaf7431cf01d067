"""The worker's resident memory while it works off a long queue with its 10 slots."""

import threading

from harness.postgres import Connection
from harness.process import resident_mb
from harness.queue import Tail, check_jobs, enqueue
from harness.report import arguments, median_fields, note, print_line
from harness.server import Server
from harness.worker import Worker
from measures.drain import no_history


class Sampler:
    """Looks 20 times a second until stop()."""

    def __init__(self, pid):
        self.samples = []
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.05):
            self.samples.append(resident_mb(self._pid))

    def stop(self):
        self._stop.set()
        self._thread.join()


def use_memory(server, options):
    url = server.create_database("work", "template_queue")
    with Connection(url) as connection:
        enqueue(connection, options.jobs, options.bundle or None)
        with Worker(options.worker, server.folder, url, no_history) as worker:
            first = resident_mb(worker.pid)
            sampler = Sampler(worker.pid)
            try:
                Tail(connection).await_empty()
            finally:
                sampler.stop()
            middle = sampler.samples[len(sampler.samples) // 2]
            fields = {
                "rss_mb": resident_mb(worker.pid, "VmHWM"),  # the most it ever was
                "rss_start_mb": first,
                "rss_middle_mb": middle,
                "rss_end_mb": resident_mb(worker.pid),
            }
            check_jobs(connection, worker.metrics(), options.jobs, kept=False)
    server.drop_database("work")
    return fields


def measure(options):
    runs = []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            runs.append(use_memory(server, options))
            note(f"memory {turn + 1}/{options.repeats}: " + ", ".join(f"{k} {v:.1f}" for k, v in runs[-1].items()))
        print_line(options, server, {"jobs": options.jobs} | median_fields(runs))


if __name__ == "__main__":
    measure(
        arguments(
            "memory", "Resident memory with a long queue; --bundle: jobs of a row, 0: as enqueue_many chooses.",
            jobs=1_000_000, bundle=0,
        )
    )
