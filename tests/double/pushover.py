#!/usr/bin/env python3
"""pushover.py: stands in for Pushover's message API in the tests.

    pushover.py --log FILE [--cert F --key F | --plain] [--port N]
                [--script FILE] [--any]

Listens on 127.0.0.1 and prints its port.  Every POST /1/messages.json is
held to Pushover's rules and written to the log as one line of JSON: at,
connection, request, fields, faults, word (of the script), status.  The
line is there before the answer is.  With --any it is no Pushover, but takes
whatever is asked of it and writes that down: method, path, head, body.
Of an emergency it gives a receipt, which may be asked for and ended.

The script is a file of words, one a request; when they are used up, or there
is no file, `ok`.  A file that was written anew begins at its first word.

    ok              200, status 1; 400 with the faults if there are any
    chunked         the same, chunked, in pieces
    slow[:MS]       the same, a byte every MS (1000)
    NNN[:SECONDS]   that status; Retry-After or, for 429, the quota's reset
    status0         200, status 0
    badjson empty big cut          200, with such a body
    close-before close-in          the connection ends before, in the head
    close-after     ok, then the connection ends unannounced
    hang            no answer until the peer leaves
"""
import argparse
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
import uuid

KEY = re.compile(r"[A-Za-z0-9]{30}")
LIMITS = {"message": 1024, "title": 250, "url": 512, "url_title": 100}
KNOWN = set(LIMITS) | set("""token user device priority timestamp retry expire
    html monospace sound ttl tags callback""".split())
lock = threading.Lock()
counts = {"connection": 0, "request": 0}


def count(what):
    with lock:
        counts[what] += 1
        return counts[what]


class Script:
    """The words still to come."""

    def __init__(self, path):
        self.path, self.seen, self.next = path, None, 0

    def word(self):
        with lock:
            try:
                st = os.stat(self.path)
                with open(self.path, encoding="utf-8") as f:
                    words = f.read().split()
            except (OSError, TypeError):
                return "ok"
            now = (st.st_ino, st.st_mtime_ns, st.st_size)
            if now != self.seen:
                self.seen, self.next = now, 0
            self.next += 1
            return words[self.next - 1] if self.next <= len(words) else "ok"


def integer(fields, name, low, high, faults):
    """Is an optional field a number in that range?"""
    v = fields.get(name)
    if v is not None and not (re.fullmatch(r"-?[0-9]{1,12}", v) and
                              low <= int(v) <= high):
        faults.append("%s is invalid" % name)


def read_form(body, faults):
    fields = {}
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode("ascii"), keep_blank_values=True,
            strict_parsing=True, errors="strict")
    except ValueError:
        faults.append("the form cannot be read")
        pairs = []
    for name, value in pairs:
        if name in fields:
            faults.append("%s is given twice" % name)
        if name not in KNOWN:
            faults.append("%s is unknown" % name)
        fields[name] = value
    return fields


def check(fields, faults):
    """Pushover's rules for a message."""
    if not KEY.fullmatch(fields.get("token", "")):
        faults.append("application token is invalid")
    if not KEY.fullmatch(fields.get("user", "")):
        faults.append("user identifier is invalid")
    if not fields.get("message", "").strip():
        faults.append("message cannot be blank")
    for name, most in LIMITS.items():
        if len(fields.get(name, "")) > most:
            faults.append("%s is too long" % name)
    if not re.fullmatch(r"[A-Za-z0-9_,-]*", fields.get("device", "")):
        faults.append("device is invalid")
    integer(fields, "priority", -2, 2, faults)
    integer(fields, "timestamp", 1, 1 << 33, faults)
    if fields.get("priority") == "2":
        for name in "retry", "expire":
            if name not in fields:
                faults.append("%s must be supplied" % name)
        integer(fields, "retry", 30, 10800, faults)
        integer(fields, "expire", 1, 10800, faults)


RECEIPT = re.compile(r"/1/receipts/([A-Za-z0-9]{30})"
                     r"(?:(/cancel)\.json|\.json\?(.*))")


class Receipts:
    """Emergencies.  The file LOG.seen says which were: "RECEIPT DEVICE"."""

    def __init__(self, log):
        self.log = log
        self.asked = {}         # when, of each; None: never

    def new(self):
        r = uuid.uuid4().hex[:30]
        self.asked[r] = 0
        return r

    def ask(self, receipt, cancel, faults):
        was = self.asked.get(receipt)
        if was is None:
            faults.append("receipt not found")
        elif not cancel:
            if time.time() - was < 5:
                faults.append("asked within 5 s")
            self.asked[receipt] = time.time()

    def state(self, receipt):
        v = {"acknowledged": 0, "acknowledged_at": 0, "expired": 0,
             "acknowledged_by_device": "", "last_delivered_at": 0}
        try:
            with open(self.log + ".seen", encoding="utf-8") as f:
                seen = dict(line.split() for line in f)
        except OSError:
            seen = {}
        device = seen.get(receipt)
        if device == "expired":
            v["expired"] = 1
        elif device:
            v.update(acknowledged=1, acknowledged_at=int(time.time()),
                     acknowledged_by_device=device)
        return v


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        self.number = count("connection")
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(
                self.request, server_side=True)
        super().setup()

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        faults = []
        n = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(n)
        if len(body) < n:
            self.close_connection = True
            return
        fields = {"method": self.command, "path": self.path,
                  "head": dict(self.headers), "body": body.decode()}
        receipt = None if self.server.any else RECEIPT.fullmatch(self.path)
        if receipt:
            fields = dict(urllib.parse.parse_qsl(
                body.decode() if receipt[2] else receipt[3] or ""))
            if self.command != ("POST" if receipt[2] else "GET"):
                faults.append("not that method")
            if not KEY.fullmatch(fields.get("token", "")):
                faults.append("application token is invalid")
            self.server.receipts.ask(receipt[1], bool(receipt[2]), faults)
        elif not self.server.any:
            if self.headers.get("Content-Type") != \
                    "application/x-www-form-urlencoded":
                faults.append("Content-Type is not of a form")
            fields = read_form(body, faults)
            check(fields, faults)
            if self.path != "/1/messages.json":
                faults.append("no such path")
        word = self.server.script.word()
        what, _, arg = word.partition(":")
        status = (int(what) if what.isdigit() else
                  400 if faults and what in ("ok", "chunked", "slow") else
                  200)
        self.server.tell({
            "at": time.time(), "connection": self.number,
            "request": count("request"), "path": self.path,
            "fields": fields, "faults": faults, "word": word,
            "status": status})
        if receipt and status == 200:
            fields = {"receipt": receipt[1]}
        self.answer(what, arg, status, faults, fields)

    def answer(self, what, arg, status, faults, fields):
        """One of the words at the top of this file."""
        good = json.dumps(self.verdict(what, status, faults, fields))
        if what == "big":
            good = good[:-1] + ", \"x\": \"" + "x" * 10000000 + "\"}"
        body = {"badjson": "{\"status\":1,", "empty": ""}.get(what, good)
        if status >= 500:
            body = "<html><body>Bad Gateway</body></html>"
        body = body.encode()
        head = self.head(status, arg, len(body), what == "chunked")
        if what == "hang":
            self.connection.settimeout(None)
            self.connection.recv(1)
            self.drop()
        elif what == "close-before":
            self.drop()
        elif what == "close-in":
            self.put(head[:len(head) // 2])
            self.drop()
        elif what == "cut":
            self.put(head + body[:-5])
            self.drop()
        elif what == "chunked":
            pieces = [body[i:i + 7] for i in range(0, len(body), 7)] + [b""]
            for p in [head] + [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces]:
                self.put(p)
        elif what == "slow":
            for i in range(len(head + body)):
                self.put((head + body)[i:i + 1])
                time.sleep(int(arg or "1000") / 1000)
        else:
            self.put(head + (b"" if status == 204 else body))
            if what == "close-after":
                self.drop()

    def verdict(self, what, status, faults, fields):
        v = {"request": str(uuid.uuid4()),
             "status": int(status == 200 and what != "status0")}
        if self.server.any:
            v.update(ok=status == 200, id="id-%d" % self.number)
        if not v["status"]:
            v["errors"] = faults or ["the script says %s" % what]
        elif fields.get("priority") == "2":
            v["receipt"] = self.server.receipts.new()
        elif "receipt" in fields:
            v.update(self.server.receipts.state(fields["receipt"]))
        return v

    @staticmethod
    def head(status, arg, n, chunked):
        lines = ["HTTP/1.1 %d Said" % status, "Content-Type: application/json"]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        elif status != 204:
            lines.append("Content-Length: %d" % n)
        if 300 <= status < 400:
            lines.append("Location: https://localhost/elsewhere")
        if arg and status == 429:
            lines += ["X-Limit-App-Limit: 10000", "X-Limit-App-Remaining: 0",
                      "X-Limit-App-Reset: %d" % (time.time() + int(arg))]
        elif arg:
            lines.append("Retry-After: " + arg)
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def put(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def drop(self):
        """End the connection without a word."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, args):
        super().__init__(("127.0.0.1", args.port), Handler)
        self.script, self.any = Script(args.script), args.any
        self.receipts = Receipts(args.log)
        self.out = open(args.log, "a", encoding="utf-8")
        self.tls = None
        if not args.plain:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(args.cert, args.key)

    def tell(self, record):
        with lock:
            self.out.write(json.dumps(record) + "\n")
            self.out.flush()

    def handle_error(self, request, client_address):
        """A peer that leaves, or whose TLS fails, is a test's business."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--cert")
    p.add_argument("--key")
    p.add_argument("--plain", action="store_true")
    p.add_argument("--log", required=True)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--script")
    p.add_argument("--any", action="store_true")
    args = p.parse_args()
    if not args.plain and not (args.cert and args.key):
        p.error("--cert and --key, or --plain")
    with Server(args) as server:
        # In one write: who reads it may be gone for a second.
        sys.stdout.write("%d\n" % server.server_address[1])
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


main()
