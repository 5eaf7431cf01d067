"""The worker as shipped: `task-worker run` in a process of its own, configured by a config.yml."""

import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request

from harness.process import owned

_peak_memory = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support/peak_memory.py")

def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _environment():
    """Without whatever of the caller's would change a setting."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TASK_WORKER_", "DB_", "DATABASE_", "PG")) and name != "ENVIRONMENT"
    }


class Worker:
    """Ready to claim when the constructor returns. `settings` are further lines of config.yml, `database` of that
    section."""

    def __init__(self, program, folder, url, settings="", environment=None, database=""):
        self.address = f"127.0.0.1:{_free_port()}"
        config = os.path.join(folder, "config.yml")
        with open(config, "w") as file:
            file.write(f'database:\n  url: "{url}"\n{database}http:\n  listen: "{self.address}"\nqueues:\n  default: {{}}\n')
            file.write(settings)
        self._log = open(os.path.join(folder, "worker.log"), "w+")
        self.started_at = time.time()
        self._process = subprocess.Popen(
            owned([program, "run", "--config", config]), stdout=self._log, stderr=self._log,
            env=_environment() | (environment or {}),
        )
        self.pid = self._process.pid
        self._await_ready()

    def _await_ready(self):
        for _ in range(600):
            if self._process.poll() is not None:
                break
            try:
                self._get("/readyz")
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the worker did not start:\n{self.log()}")

    def _get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metrics(self):
        """Every sample by its name and labels as /metrics writes them."""
        return {
            sample: float(value)
            for sample, value in re.findall(r"^([^#\s]\S*(?:\{[^}]*\})?) (\S+)$", self._get("/metrics"), re.MULTILINE)
        }

    def threads(self):
        return os.listdir(f"/proc/{self.pid}/task")

    def log(self):
        self._log.flush()
        with open(self._log.name) as file:
            return file.read()[-4000:]

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._log.close()

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        code = self._process.wait(60)
        if code != 0:
            raise RuntimeError(f"the worker ended with {code}:\n{self.log()}")
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if failure[0] is not None:
            self.kill()
        else:
            self.stop()


def run_program(program, url, *words):
    """One of the worker's other commands, to its end. Answers the resident memory that it had at most, in MB."""
    with tempfile.NamedTemporaryFile("r") as peak:
        code = subprocess.run(
            [_peak_memory, peak.name, program, *words], stdout=subprocess.DEVNULL, cwd="/",
            env=_environment() | {"DATABASE_URL": url},
        ).returncode
        if code != 0:
            raise RuntimeError(f"{' '.join(words)} ended with {code}")
        return int(peak.read()) / 1024
