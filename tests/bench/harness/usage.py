"""What a stretch of work cost."""

from harness.process import cpu_seconds


class Usage:
    """From the constructor on."""

    def __init__(self, server, client_pid=None):
        self._server = server
        self._pid = client_pid
        self._before = self._now()

    def _now(self):
        return (*self._server.usage(), cpu_seconds(self._pid) if self._pid else 0)

    def per_job(self, jobs):
        server, wal, client = (after - before for after, before in zip(self._now(), self._before))
        fields = {"client_us_per_job": client / jobs * 1e6} if self._pid else {}
        return fields | {"server_us_per_job": server / jobs * 1e6, "wal_bytes_per_job": wal / jobs}
