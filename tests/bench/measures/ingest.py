"""Documents a second into the schema `documents`, and the worker's memory over two passes and one that changes nothing."""

import time

from harness.postgres import Connection
from harness.process import resident_mb
from harness.report import arguments, fail_unless, median_fields, note, print_line
from harness.server import Server, settle_disk
from harness.usage import Usage
from harness.worker import Worker, run_program


class Archive:
    """A database with the schema, and a worker that may read the folder."""

    def __init__(self, options, connection, worker, url):
        self._options = options
        self._connection = connection
        self._url = url
        self.worker = worker

    def empty(self):
        self._connection.rows("truncate documents.documents, documents.files, documents.chunks")

    def count(self, table):
        return self._connection.number(f"select count(*) from {table}")

    def ingest(self):
        """Seconds from the start of the command to the end of the last job, and how many jobs there were."""
        before = self._ended()
        start = time.monotonic()
        run_program(
            self._options.worker, self._url, "documents", "ingest", self._options.folder,
            "--set", f"documents.root={self._options.folder}",
        )
        while self._connection.value("select exists (select from task_queue.bundles)") == "t":
            time.sleep(0.01)
        seconds = time.monotonic() - start
        jobs = {outcome: count - before.get(outcome, 0) for outcome, count in self._ended().items()}
        return seconds, {outcome: int(count) for outcome, count in jobs.items() if count}

    def _ended(self):
        name = 'task_worker_jobs_finished_total{kind="documents.ingest",outcome="'
        return {
            sample[len(name):-2]: value for sample, value in self.worker.metrics().items() if sample.startswith(name)
        }


def check(archive, jobs):
    """Every file was stored, or discarded."""
    fail_unless(set(jobs) <= {"completed", "discarded"}, f"the jobs ended as {jobs}")
    files = archive.count("documents.files")
    fail_unless(files == jobs["completed"], f"{jobs['completed']} jobs completed, {files} files are stored")
    lonely = archive.count("documents.documents d where d.chunks <> (select count(*) from documents.chunks c where c.document_id = d.id)")
    fail_unless(lonely == 0, f"{lonely} documents do not have all of their chunks")


def ingest(server, options):
    url = server.create_database("work", "template_queue")
    run_program(options.worker, url, "documents", "setup")
    settings = f"documents:\n  root: {options.folder}\n"
    with Connection(url) as connection, Worker(options.worker, server.folder, url, settings) as worker:
        archive = Archive(options, connection, worker, url)
        fields = {"rss_start_mb": resident_mb(worker.pid)}
        for name in ("first", "second"):
            archive.empty()
            settle_disk()
            usage = Usage(server, worker.pid)
            seconds, jobs = archive.ingest()
            fields |= usage.per_job(jobs["completed"])
            check(archive, jobs)
            fields[f"{name}_documents_per_s"] = jobs["completed"] / seconds
            fields[f"rss_{name}_mb"] = resident_mb(worker.pid, "VmHWM")  # the most it ever was
        fields["documents_per_s"] = fields.pop("first_documents_per_s")
        fields["documents"] = jobs["completed"]
        fields["discarded"] = jobs.get("discarded", 0)
        fields["chunks"] = archive.count("documents.chunks")
        fields["text_mb"] = connection.number("select sum(octet_length(text)) from documents.chunks") / 1e6
        seconds, again = archive.ingest()
        fail_unless(again == jobs, f"the jobs ended as {jobs}, and then as {again}")
        fields["unchanged_documents_per_s"] = again["completed"] / seconds
        fields["rss_end_mb"] = resident_mb(worker.pid)
    server.drop_database("work")
    return fields


def measure(options):
    runs = []
    with Server(options.set) as server:
        server.create_queue(options.worker)
        for turn in range(options.repeats):
            runs.append(ingest(server, options))
            note(f"ingest {turn + 1}/{options.repeats}: " + ", ".join(f"{k} {v:.1f}" for k, v in runs[-1].items()))
        print_line(options, server, median_fields(runs))


if __name__ == "__main__":
    measure(
        arguments("ingest", "Ingests a folder's documents twice, then once more unchanged.", repeats=3, folder="/usr/share/doc")
    )
