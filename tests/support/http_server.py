#!/usr/bin/env python3
"""An API as http handlers meet them, and worse ones: what it does stands in the path.

  http_server.py [CERTIFICATE KEY]    PEM files, for https

Prints "listening on PORT" and each request, as "request {JSON}", to standard error. Keeps connections alive.
"""

import http.server
import json
import socket
import ssl
import sys
import threading
import urllib.parse

lock = threading.Lock()
connections = 0


def say(text):
    with lock:
        print(text, file=sys.stderr, flush=True)


def pass_on(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        global connections
        super().setup()
        with lock:
            connections += 1
            self.number = connections

    def log_message(self, *_):
        pass

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/hasty":  # before it has read the body, which it still waits for
            self.answer(413, "too much")
            self.rfile.read(int(self.headers["Content-Length"]))
            return
        if url.path == "/refuse":  # before it has read the body, and closes
            self.close_connection = True
            return self.answer(413, "too much")
        self.given = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        say("request " + json.dumps(
            {"path": self.path, "headers": headers, "body": self.given, "connection": self.number}))
        getattr(self, "answer_" + url.path.strip("/").replace("-", "_"))()

    # As a proxy does: what comes after is for the server at the other end.
    def do_CONNECT(self):
        say("tunnel to " + self.path)
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as server:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            back = threading.Thread(target=pass_on, args=(server, self.connection))
            back.start()
            pass_on(self.connection, server)
            back.join()
        self.close_connection = True

    def answer(self, status, body="", headers=(), reason=None):
        self.send_response(status, reason)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode("latin-1"))

    def answer_status(self):
        headers = [(name, self.query[name]) for name in ("Retry-After", "Location") if name in self.query]
        self.answer(int(self.query["status"]), self.query.get("body", ""), headers, self.query.get("reason"))

    def answer_args(self):
        self.answer(200, json.dumps(json.loads(self.given)["args"]))

    def answer_big(self):
        self.answer(int(self.query.get("status", 200)), '"' + "x" * (int(self.query["bytes"]) - 2) + '"')

    def answer_connection(self):
        self.answer(200, str(self.number))

    # Says that the connection stays, and closes it.
    def answer_close_behind(self):
        self.answer(200, str(self.number))
        self.close_connection = True

    # Holds the answer back until the given number of requests wait here.
    def answer_together(self):
        with gate:
            waiting.add(self.number)
            gate.notify_all()
            gate.wait_for(lambda: len(waiting) >= int(self.query["wanted"]), timeout=20)
        self.answer(200, str(self.number))

    def answer_hang(self):
        self.connection.recv(1)  # nothing comes before the other side closes
        say("hung up")
        self.close_connection = True

    def answer_hang_in_body(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.answer_hang()

    def answer_break_off(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def answer_endless(self):
        self.send_response(int(self.query.get("status", 200)))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.pour(b"%x\r\n%s\r\n" % (4096, b"x" * 4096))

    def answer_endless_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self.pour(b"X-More: " + b"x" * 4000 + b"\r\n")

    def pour(self, piece):
        try:
            while True:
                self.wfile.write(piece)
        except OSError:
            say("cut off")
        self.close_connection = True

    def answer_garbage(self):
        self.wfile.write(b"\x00\xff no answer at all\r\n\r\n")
        self.close_connection = True

    def answer_nothing(self):
        self.close_connection = True

    # As OpenAI or Ollama do: the length of each text, and as many halves as it takes. `busy`: the request of that number
    # comes too early.
    def answer_embeddings(self):
        global embedded
        embedded += 1
        if embedded == int(self.query.get("busy", 0)):
            return self.answer(429, "slowly", [("Retry-After", "0")])
        texts = json.loads(self.given)["input"]
        rest = [0.5] * (int(self.query.get("dimensions", 3)) - 1)
        vectors = [[len(text)] + rest for text in texts]
        data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
        is_ollama = self.query["shape"] == "ollama"
        self.answer(200, json.dumps({"embeddings": vectors} if is_ollama else {"data": data[::-1]}))

    def answer_announced(self):
        self.wfile.write(b"HTTP/1.1 102 Processing\r\nRetry-After: 5\r\n\r\n")
        self.answer(200, '"done"')


embedded = 0
gate = threading.Condition()
waiting = set()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        say("failed: " + repr(sys.exc_info()[1]))


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) == 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
say(f"listening on {server.server_address[1]}")
server.serve_forever()
