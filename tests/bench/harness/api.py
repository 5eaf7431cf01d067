"""An API that answers every POST at once, in a process of its own: on Node's HTTP server, or as fast as Python can."""

import asyncio
import os
import subprocess
import sys

from harness.process import owned
from harness.report import fail_unless


node = ["node", os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "node", "api.mjs")]
bare = [sys.executable, "-m", "harness.api"]


class Api:
    def __init__(self, program):
        self._process = subprocess.Popen(owned(program), stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        fail_unless(line.strip().isdigit(), "the API did not start")
        self.port = int(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


class Answer(asyncio.Protocol):
    """As fast as Python answers: no more of the request is read than where it ends."""

    body = b'{"ok": true}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def connection_made(self, transport):
        self._transport = transport
        self._given = b""

    def data_received(self, data):
        self._given += data
        while (end := self._given.find(b"\r\n\r\n")) >= 0:
            headers = self._given[:end]
            at = headers.find(b"Content-Length: ") + len(b"Content-Length: ")
            whole = end + 4 + int(headers[at:].partition(b"\r\n")[0])
            if len(self._given) < whole:
                return
            self._given = self._given[whole:]
            self._transport.write(self.answer)


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
