"""graphile-worker and pg-boss from npm, on Node.js 22 from there too, each a process of its own."""

import os
import shutil
import subprocess
import sys
import time

from harness.process import owned
from harness.queue import chunks, random_args
from harness.report import fail_unless

_scripts = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "node")
_dependencies = os.path.join(_scripts, "../../../deploy/dependencies")


def install(folder):
    """Answers the folder that has them. npm comes from Debian where there is none."""
    if shutil.which("npm") is None:
        subprocess.run([_dependencies, "bench"], check=True, stdout=sys.stderr)
    target = os.path.join(folder, "node")
    shutil.copytree(_scripts, target)
    subprocess.run(
        ["npm", "install", "--no-fund", "--no-audit", "--loglevel=error"], cwd=target, check=True,
        stdout=subprocess.DEVNULL,
    )
    return target


class Peer:
    """Up and idle when the constructor returns."""

    def __init__(self, folder, script, url, mode, expected, stamps=""):
        node = os.path.join(folder, "node_modules/.bin/node")
        self._process = subprocess.Popen(
            owned([node, script, url, mode, str(expected)] + ([stamps] if stamps else [])), cwd=folder,
            stdout=subprocess.PIPE, text=True, env=os.environ | {"NODE_ENV": "production"},
        )
        self.pid = self._process.pid
        self._await_line("ready")

    def _await_line(self, text):
        for line in self._process.stdout:
            if line.strip() == text:
                return
        raise RuntimeError("the peer ended early")

    def await_handled(self):
        self._await_line("handled")

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self._process.terminate()
        code = self._process.wait(60)
        if failure[0] is None:
            fail_unless(code == 0, f"the peer ended with {code}")


class Graphile:
    name = "graphile"
    modes = ("batch", "direct")
    live = "select exists (select from graphile_worker._private_jobs)"
    offer = "select (graphile_worker.add_job('stamp', $1::json)).id"

    def __init__(self, folder, url):
        self._folder, self._url = folder, url

    def start(self, mode, expected, stamps=""):
        return Peer(self._folder, "graphile.mjs", self._url, mode, expected, stamps)

    def enqueue(self, connection, jobs):
        for count in chunks(jobs):
            connection.rows(
                "select count(*) from graphile_worker.add_jobs((select array_agg(("
                f"'stamp', ({random_args})::json, null, null, null, null, null, null"
                f")::graphile_worker.job_spec) from generate_series(1, {count})))"
            )


class PgBoss:
    name = "pgboss"
    modes = ("batch",)
    live = "select exists (select from pgboss.job where name = 'stamp' and state < 'completed')"

    def __init__(self, folder, url):
        self._folder, self._url = folder, url
        node = os.path.join(folder, "node_modules/.bin/node")
        insert = subprocess.run(
            [node, "pgboss.mjs", url, "sql"], cwd=folder, check=True, capture_output=True, text=True
        ).stdout
        self._insert = insert
        self.offer = insert.replace("$1::json", "json_build_array(json_build_object('data', $1::jsonb))")

    def start(self, mode, expected, stamps=""):
        return Peer(self._folder, "pgboss.mjs", self._url, mode, expected, stamps)

    def enqueue(self, connection, jobs):
        for count in chunks(jobs):
            args = f"json_build_object('data', ({random_args})::json)"
            array = f"(select json_agg({args}) from generate_series(1, {count}))"
            connection.rows(self._insert.replace("$1::json", array))


def await_none_live(connection, peer):
    while True:
        now = time.monotonic()
        if connection.value(peer.live) == "f":
            return now
        time.sleep(0.01)
