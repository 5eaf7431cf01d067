"""An API that takes orders, and whose worker's jobs come back to it as calls: what a service needs to use the queue.

    curl -X POST http://127.0.0.1:8000/orders -d '{"email": "ada@example.com"}'     {"order": 1, "job": 128}
    curl http://127.0.0.1:8000/orders/1                     {"email": "ada@example.com", "receipt_sent": true}
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import time

import psycopg


def connect():
    # Through PgBouncer in transaction mode: no session keeps a prepared statement there, and a connection is cheap.
    return psycopg.connect(os.environ["DATABASE_URL"], prepare_threshold=None, connect_timeout=5)


def place_order(email):
    """The order and the job of its receipt are committed together, or neither is."""
    with connect() as connection:
        (order,) = connection.execute("insert into orders (email) values (%s) returning id", (email,)).fetchone()
        (job,) = connection.execute(
            "select task_queue.enqueue('send-receipt', %s)", (json.dumps({"order": order}),)
        ).fetchone()
    return {"order": order, "job": job}


def find_order(order):
    with connect() as connection:
        row = connection.execute(
            "select email, receipt_sent_at is not null from orders where id = %s", (order,)
        ).fetchone()
    return row and {"email": row[0], "receipt_sent": row[1]}


def send_receipt(order):
    """Called again for the same order, when an answer was lost, it changes nothing. Answers whether it was sent now."""
    with connect() as connection:
        sent = connection.execute(
            "update orders set receipt_sent_at = now() where id = %s and receipt_sent_at is null", (order,)
        )
        return {"sent": sent.rowcount == 1}


def is_signed(headers, body):
    """As Standard Webhooks say: whoever can reach this port is not the worker yet."""
    with open(os.environ["SECRET_FILE"], encoding="ascii") as file:
        key = base64.b64decode(file.read().strip().removeprefix("whsec_"))
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > 300:
        return False
    content = f"{headers['webhook-id']}.{stamp}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(wanted, given) for given in headers.get("webhook-signature", "").split())


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept

    def do_GET(self):
        number = self.path.removeprefix("/orders/")
        order = find_order(int(number)) if number.isdigit() else None
        self.answer(200 if order else 404, order or {"error": "no such order"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/orders":
            self.answer(201, place_order(json.loads(body)["email"]))
        elif self.path != "/jobs/send-receipt":
            self.answer(404, {"error": "no such page"})
        elif not is_signed(self.headers, body):
            self.answer(401, {"error": "the signature is wrong"})
        else:
            self.answer(200, send_receipt(json.loads(body)["args"]["order"]))

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


host, _, port = os.environ.get("LISTEN", "127.0.0.1:8000").rpartition(":")
with http.server.ThreadingHTTPServer((host, int(port)), Api) as server:
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()
