"""A PgBouncer in transaction mode before the benchmark's server."""

import os
import subprocess
import tempfile
import time

from harness.postgres import Connection
from harness.process import owned

_program = "/usr/sbin/pgbouncer"  # not in the PATH of ordinary users

_configuration = """[databases]
* = host={server} port=5432 user=postgres
[pgbouncer]
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 1000
"""


class Pooler:
    """Started by the constructor with so many connections to the server, gone with its folder after close(), or when
    this process dies."""

    def __init__(self, server, connections):
        self._folder = tempfile.TemporaryDirectory(prefix="pooler-", dir=server.folder)
        folder = self._folder.name
        os.chmod(folder, 0o777)
        with open(os.path.join(folder, "pgbouncer.ini"), "w") as file:
            file.write(_configuration.format(server=server.folder, folder=folder, connections=connections))
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self._log = open(os.path.join(folder, "pgbouncer.log"), "w+")
        self._process = subprocess.Popen(
            owned([_program, os.path.join(folder, "pgbouncer.ini")]), stdout=self._log, stderr=self._log, cwd=folder,
            **user,
        )
        self.pid = self._process.pid
        self._await(self.url("postgres"))

    def _await(self, url):
        for _ in range(200):
            if self._process.poll() is not None:
                break
            try:
                Connection(url).close()
                return
            except RuntimeError:
                time.sleep(0.05)
        with open(self._log.name) as log:
            raise RuntimeError(f"PgBouncer did not start:\n{log.read()}")

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self._folder.name}&port=6432"

    def close(self):
        self._process.terminate()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
