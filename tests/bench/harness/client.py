"""bench-client: floors and load generators."""

import json
import subprocess

from harness.report import fail_unless


class Client:
    """One verb, prepared when the constructor returns; it runs from go() on."""

    def __init__(self, options, verb, **arguments):
        words = [word for name, value in arguments.items() for word in ("--" + name, str(value))]
        self._process = subprocess.Popen(
            [options.client, verb, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        fail_unless(self._process.stdout.readline() == "ready\n", f"bench-client {verb} did not start")

    def go(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self):
        """Waits for the end: seconds, cpu_seconds and jobs."""
        output, _ = self._process.communicate()
        fail_unless(self._process.returncode == 0, f"bench-client ended with {self._process.returncode}")
        return json.loads(output.splitlines()[-1])


def run_client(options, verb, **arguments):
    client = Client(options, verb, **arguments)
    client.go()
    return client.result()
