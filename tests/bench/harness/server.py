"""A PostgreSQL of the benchmark's own: on disk, durable, Debian's defaults."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

from harness.postgres import Connection
from harness.process import family_cpu_seconds, owned
from harness.worker import run_program


def _binaries():
    def version(folder):
        return int(folder.split("/")[4]) if folder.split("/")[4].isdigit() else 0

    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=version)
    if found:
        return found[-1]
    return subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True).stdout.strip()


def settle_disk():
    """Writes out what the loading left in the system's cache, or the first commits measured would wait for it."""
    os.sync()


class Server:
    """Started by the constructor, gone with its folder after close(), or when this process dies."""

    def __init__(self, settings=()):
        self._binaries = _binaries()
        # /var/tmp is on a disk where /tmp is in memory.
        self.folder = tempfile.mkdtemp(prefix="task-worker-bench-", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        # PostgreSQL refuses to run as root.
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self._data = os.path.join(self.folder, "data")
        os.mkdir(self._data, 0o700)
        if self._user:
            shutil.chown(self._data, "postgres", "postgres")
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
        self._settings = ["listen_addresses=", "port=5432", f"unix_socket_directories={self.folder}", *settings]
        self.log = os.path.join(self.folder, "postgres.log")
        self._log = open(self.log, "w")
        self.start()

    def start(self):
        """Returns when it accepts connections."""
        self._process = subprocess.Popen(
            owned(
                [os.path.join(self._binaries, "postgres"), "-D", self._data]
                + [word for setting in self._settings for word in ("-c", setting)],
                signal="INT",
            ),
            stdout=self._log, stderr=self._log, cwd=self.folder, **self._user,
        )
        self.control = self._connect()

    def crash(self):
        """As a machine does: nobody is told, nothing is written; the next start recovers."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()
        self.control.close()

    def _run(self, program, *words):
        done = subprocess.run(
            [os.path.join(self._binaries, program), *words], capture_output=True, text=True, cwd=self.folder,
            **self._user,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def _connect(self):
        for _ in range(600):
            if self._process.poll() is not None:
                break
            try:
                return Connection(self.url("postgres"))
            except RuntimeError:
                time.sleep(0.1)
        with open(self.log) as log:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read()}")

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def create_database(self, name, template="template0"):
        self.control.rows(f"drop database if exists {name} with (force)")
        self.control.rows(f"create database {name} template {template}")
        return self.url(name)

    def create_queue(self, program):
        """A migrated database: the template for those of create_database(name, "template_queue")."""
        run_program(program, self.create_database("template_queue"), "migrate", "up")

    def drop_database(self, name):
        self.control.rows(f"drop database {name} with (force)")

    def checkpoint(self):
        """So that a measurement does not pay for what was written before it."""
        self.control.rows("checkpoint")

    def usage(self):
        """Processor time of all server processes in seconds, and bytes of WAL written so far."""
        return (
            family_cpu_seconds(self._process.pid),
            self.control.number("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"),
        )

    def commits(self, database):
        """Complete once the database's clients are gone: each adds its own when it ends."""
        return self.control.number(
            f"select xact_commit from pg_stat_database where datname = '{database}'"
        )

    def is_durable(self):
        """Whether what was committed survives a crash."""
        return all(
            self.control.value(f"show {name}") == "on" for name in ("fsync", "synchronous_commit", "full_page_writes")
        )

    def version(self):
        return self.control.value("show server_version").split()[0]

    def close(self):
        self.control.close()
        self._process.send_signal(signal.SIGINT)  # a fast shutdown
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
