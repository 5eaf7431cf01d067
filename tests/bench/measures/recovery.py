"""How long a fleet of two workers as shipped takes until all is well again after a death or an outage."""

import os
import tempfile
import time

from harness.postgres import Connection
from harness.report import arguments, fail_unless, median_fields, note, print_line
from harness.server import Server
from harness.worker import Worker

# A job lasts until its folder lets it go, which opens the pipe: so whoever dies does so in the middle of some.
script = ": <{folder}/go\n"
handlers = "handlers:\n  work:\n    exec: [sh, {folder}/work.sh]\n"
jobs = 20  # as many as both have slots for
outages = (1, 10, 45)  # seconds: shorter than a beat, and longer than a lease


class Fleet:
    """Two workers with default settings on a database of their own; the first leads."""

    def __init__(self, server, options):
        self._folder = tempfile.mkdtemp(dir=server.folder)
        with open(os.path.join(self._folder, "work.sh"), "w") as file:
            file.write(script.format(folder=self._folder))
        os.mkfifo(os.path.join(self._folder, "go"))
        self._go = None
        self.url = server.create_database("work", "template_queue")
        self.workers = []
        for place in range(2):
            folder = os.path.join(self._folder, str(place))
            os.mkdir(folder)
            settings = handlers.format(folder=self._folder)
            self.workers.append(Worker(options.worker, folder, self.url, settings))
            if place == 0:
                self.await_value("select count(*) from task_queue.leaders", "1")

    def let_go(self):
        self._go = os.open(os.path.join(self._folder, "go"), os.O_RDWR)  # stays open for the jobs to come

    def enqueue(self, count):
        with Connection(self.url) as connection:
            connection.rows(
                f"select count(*) from task_queue.enqueue_many('work', array_fill('{{}}'::json, array[{count}]), bundle => 1)"
            )

    def value(self, sql):
        with Connection(self.url) as connection:
            return connection.value(sql)

    def await_value(self, sql, wanted, seconds=120):
        """Answers when it came true."""
        limit = time.monotonic() + seconds
        with Connection(self.url) as connection:
            while (found := connection.value(sql)) != wanted:
                fail_unless(time.monotonic() < limit, f"never came true: {sql} is {found}, not {wanted}")
                time.sleep(0.01)
        return time.monotonic()

    def await_ended(self, count):
        return self.await_value("select count(*) from task_queue.jobs where state = 'completed'", str(count))

    def kill(self, place):
        self.workers.pop(place).kill()
        return time.monotonic()

    def stop(self):
        for worker in self.workers:
            worker.stop()
        os.close(self._go)


def kill_worker(server, options, place):
    """From the kill until what it ran has run elsewhere, and until another leads (which one does if the dead one did not)."""
    fleet = Fleet(server, options)
    fleet.enqueue(jobs)
    dead = place + 1  # its id
    fleet.await_value(f"select count(*) > 0 from task_queue.bundles where state = 2 and worker_id = {dead}", "t")
    killed = fleet.kill(place)
    fleet.let_go()
    leads = fleet.await_value(f"select count(*) from task_queue.leaders where worker_id <> {dead}", "1") - killed
    seconds = fleet.await_ended(jobs) - killed
    fleet.stop()
    return seconds, leads


def stop_server(server, options, outage):
    """From the server's return until jobs enqueued then have run, and until those have that ran when it crashed."""
    fleet = Fleet(server, options)
    fleet.enqueue(jobs)
    fleet.await_value("select count(*) from task_queue.jobs where state = 'running'", str(jobs))
    last = fleet.value("select max(id) from task_queue.jobs")
    server.crash()
    time.sleep(outage)  # the outage itself
    fleet.let_go()
    server.start()
    back = time.monotonic()
    fleet.enqueue(jobs)
    new = f"select count(*) from task_queue.jobs where state = 'completed' and id > {last}"
    seconds = fleet.await_value(new, str(jobs)) - back
    in_all = fleet.await_ended(2 * jobs) - back
    fleet.stop()
    return seconds, in_all


def measure(options):
    runs = []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            run = {}
            run["killed_worker_s"], _ = kill_worker(server, options, 1)
            run["killed_leader_s"], run["new_leader_s"] = kill_worker(server, options, 0)
            for outage in outages:
                run[f"outage_{outage}_s"], run[f"outage_{outage}_all_s"] = stop_server(server, options, outage)
            runs.append(run)
            note(f"recovery {turn + 1}/{options.repeats}: " + ", ".join(f"{k} {v:.2f}" for k, v in run.items()))
        most = {f"{name}_most": max(run[name] for run in runs) for name in runs[0]}
        print_line(options, server, median_fields(runs) | most)


if __name__ == "__main__":
    measure(arguments("recovery", "Seconds until all is well again after a death or an outage.", repeats=3))
