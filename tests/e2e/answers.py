#!/usr/bin/env python3
"""What the other side may answer, over TLS, and what is made of it: by a
delivery's child, for Pushover and for a webhook, each by itself and over a
kept connection; and by the outbox, which is done, gives up or asks again."""
import concurrent.futures
import gzip
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

import vil
from vil import check, must, same, until

TRY = os.path.join(vil.TOP, "tests", "mail_try")
CHANNELS = ("pushover", "webhook")
ACCEPTED, RETRY, UNKNOWN, REFUSED = range(4)
LONGEST_S = 45                  # of one try, whose answer is due in 20 s
AGAIN_S = 5                     # the least between a request and the next


# ---- answers: bytes, and what is done with the connection ----

GOOD = b'{"status":1,"request":"r-1","id":"r-1"}'
BAD = b'{"status":0,"errors":["not you"],"error":"not you"}'
HTML = b"<html>Bad</html>"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


def answer(status, body=GOOD, *fields):
    lines = ["HTTP/1.1 %d Said" % status, "Content-Length: %d" % len(body)]
    return "\r\n".join(lines + list(fields) + ["", ""]).encode() + body


def sized(length, body=GOOD, begin=OK):
    """A good one of another length than it has."""
    return begin + b"Content-Length: %d\r\n\r\n%s" % (length, body)


def elsewhere(status):
    return answer(status, b"", "Location: https://localhost/elsewhere")


def used_up(in_s, *fields):
    """429, the quota beginning anew then."""
    return lambda c: c.sendall(answer(
        429, BAD, "X-Limit-App-Reset: %d" % (time.time() + in_s), *fields))


def chunks(data, each, more=b""):
    pieces = [data[i:i + each] for i in range(0, len(data), each)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(p), more, p) for p in pieces)


def slowly(data, every_s):
    def each(c):
        for i in range(len(data)):
            c.sendall(data[i:i + 1])
            time.sleep(every_s)
    return each


def forever(data, every_s=0):
    """As long as the peer takes it, but no longer than it may."""
    def on_and_on(c):
        end = time.monotonic() + LONGEST_S
        while time.monotonic() < end:
            c.sendall(data)
            time.sleep(every_s)
    return on_and_on


def raw(data):
    """Beside the TLS that there is."""
    return lambda c: socket.socket.sendall(c, data)


def pause(seconds):
    return lambda c: time.sleep(seconds)


def hang(c):
    c.settimeout(LONGEST_S)
    while c.recv(4096):
        pass


def bye(c):
    """The goodbye of TLS, and the end."""
    c.settimeout(2)
    c.unwrap().close()


def cut(c):
    c.shutdown(socket.SHUT_RDWR)
    c.close()


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(c.detach())
    raise ConnectionResetError  # its TLS would read on: of another's socket


# ---- outcomes: end, code, after_s, a part of the reason ----

def yes(code=200):
    return ACCEPTED, code, 0, ""


def no(code, why):
    return REFUSED, code, 0, "HTTP %d%s" % (code, why)


def later(code, after_s=5, why=""):
    return RETRY, code, after_s, "HTTP %d%s" % (code, why)


def maybe(code, why):
    return UNKNOWN, code, 0, why


def never(why):
    """It was surely not taken: nothing was sent."""
    return RETRY, 0, 0, why


REDIRECT = ", a redirect, which is not followed"
UNREAD = "HTTP 200, but no answer that can be read"
TOO_LONG = "the answer takes 16384 bytes or more"

# A name; what is answered to a request, in steps; what that is for Pushover,
# and for a webhook, unless it is the same.
ROWS = [
    ("200", [answer(200)], yes()),
    ("200 without a reason", [answer(200).replace(b" Said", b"")], yes()),
    ("200 of HTTP/1.0, to the end",
     [b"HTTP/1.0 200 OK\r\n\r\n" + GOOD, bye], yes()),
    ("200 to the end", [OK + b"\r\n" + GOOD, bye], yes()),
    ("200 to an end that is cut", [OK + b"\r\n" + GOOD, cut],
     maybe(200, "cut short, in the body"), yes()),
    ("200 chunked", [CHUNKED, chunks(GOOD, 7), b"0\r\n\r\n"], yes()),
    ("200 chunked, with all there is",
     [CHUNKED, chunks(GOOD, 1, b';a="b"'), b"0;x\r\nT: 1\r\n\r\n"], yes()),
    ("200 chunked, cut", [CHUNKED, chunks(GOOD, 7), cut],
     maybe(200, "cut short, in the body"), yes()),
    ("200 after 100 and 103",
     [GO_ON, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", answer(200)],
     yes()),
    ("200 byte by byte", [slowly(answer(200), 0.002)], yes()),
    ("200, nested without an end", [answer(200, b"[" * 9000)],
     maybe(200, UNREAD), yes()),
    ("two answers at once", [answer(200) + answer(500)], yes()),
    ("201", [answer(201)], maybe(201, "HTTP 201"), yes(201)),
    ("204", [b"HTTP/1.1 204 No Content\r\n\r\n"], maybe(204, "HTTP 204"),
     yes(204)),
    ("200 status 0", [answer(200, BAD)],
     no(200, ", but not taken: not you"), yes()),
    ("200 status \"1\"", [answer(200, GOOD.replace(b"1", b'"1"', 1))],
     maybe(200, "HTTP 200, but an answer without a status"), yes()),
    ("200 not JSON", [answer(200, HTML)], maybe(200, UNREAD), yes()),
    ("200 empty", [answer(200, b"")], maybe(200, UNREAD), yes()),
    ("200 cut JSON", [answer(200, GOOD[:-5])], maybe(200, UNREAD), yes()),
    ("200 cut in the body", [sized(99), cut],
     maybe(200, "cut short, in the body after 39 of 99 bytes"), yes()),
    ("200, a goodbye in the body", [sized(99), bye], maybe(
        200, "connection closed in the body after 39 of 99 bytes"), yes()),
    ("200 with 10 MB", [answer(200, GOOD[:-1] + b" " * 10000000 + b"}")],
     maybe(200, TOO_LONG), yes()),
    ("200, a gzip bomb", [answer(200, gzip.compress(b" " * 10000000),
                                 "Content-Encoding: gzip")],
     maybe(200, UNREAD), yes()),
    ("301", [elsewhere(301)], no(301, REDIRECT)),
    ("302", [elsewhere(302)], no(302, REDIRECT)),
    ("307", [elsewhere(307)], no(307, REDIRECT)),
    ("400 with errors", [answer(400, BAD)], no(400, ": not you")),
    ("400 with colours", [answer(400, BAD.replace(
        b"not", rb"\u001b[31m\u202e\n"))], no(400, ": ?[31m?? you")),
    ("400 with too much to say", [answer(400, BAD.replace(
        b"not you", "\u20ac".encode() * 2000))],
     no(400, ""), no(400, ': {"status":0,"errors":["\u20ac\u20ac')),
    ("400 in many words", [answer(400, BAD.replace(
        b'["', b'["' + b'\xc3\xa4","' * 1000))],
     no(400, ": \u00e4; \u00e4; "), no(400, ": not you")),
    ("400 in Latin-1", [answer(400, BAD.replace(b"not", b"n\xf6t"))],
     no(400, "")),
    ("400 cut in the body", [sized(99, BAD, b"HTTP/1.1 400 No\r\n"), cut],
     no(400, "")),
    ("400 that tells the token", [answer(400, BAD.replace(
        b"not you", vil.TOKEN.encode() + b" " + vil.TOKEN[:9].encode()))],
     no(400, ": %s " % ("*" * 30)), no(400, ": " + vil.TOKEN)),
    ("401", [answer(401, BAD)], no(401, ": not you")),
    ("404 empty", [answer(404, b"")], no(404, "")),
    ("404 HTML", [answer(404, HTML)], no(404, ""), no(404, ": <html>Bad")),
    ("408", [answer(408, b"")], no(408, "")),
    ("413", [answer(413, BAD, "Connection: close"), bye],
     no(413, ": not you")),
    ("429", [answer(429, BAD)], later(429, 5, ": not you")),
    ("429, reset in 90 s", [used_up(90)], later(429, 90), later(429)),
    ("429, reset in 90 s, some left",
     [used_up(90, "X-Limit-App-Remaining: 9")], later(429)),
    ("429, none left, reset in 90 s",
     [used_up(90, "X-Limit-App-Remaining: 0")], later(429, 90), later(429)),
    ("429, reset in the past", [used_up(-30)], later(429)),
    ("429, Retry-After before the reset", [used_up(90, "Retry-After: 7")],
     later(429, 7)),
    ("429, Retry-After 0", [answer(429, BAD, "Retry-After: 0")], later(429)),
    ("429, Retry-After -1", [answer(429, BAD, "Retry-After: -1")],
     later(429)),
    ("429, Retry-After in words",
     [answer(429, BAD, "Retry-After: Fri, 31 Dec 2027 23:59:59 GMT")],
     later(429)),
    ("429, Retry-After of years",
     [answer(429, BAD, "Retry-After: 18446744073709551615")],
     later(429, 86400)),
    ("500", [answer(500, BAD)], later(500, 5, ": not you")),
    ("500 cut in the body", [sized(99, BAD, b"HTTP/1.1 500 No\r\n"), cut],
     later(500)),
    ("502 HTML", [answer(502, HTML)], later(502),
     later(502, 5, ": <html>Bad</html>")),
    ("503 Retry-After", [answer(503, BAD, "Retry-After: 30")],
     later(503, 30)),
    ("599", [answer(599, b"")], later(599)),
    ("600", [answer(600)], maybe(0, "status is not 100 to 599")),
    ("close before the head", [cut], maybe(0, "before any answer")),
    ("goodbye before the head", [bye],
     maybe(0, "connection closed before any answer")),
    ("reset before the head", [reset], maybe(0, "before any answer")),
    ("close in the head", [answer(200)[:30], cut],
     maybe(0, "in the answer's head after 30 bytes")),
    ("close after the head", [sized(39, b""), cut],
     maybe(200, "cut short, in the body after 0 of 39 bytes"), yes()),
    ("close after", [answer(200), cut], yes()),

    # Of those who mean harm, or know no better.
    ("endless fields", [OK, forever(b"X: y\r\n" * 99)],
     maybe(0, "too many fields in the head")),
    ("an endless field", [OK + b"X: ", forever(b"y" * 1000)],
     maybe(0, "head too long")),
    ("100 Continue forever", [forever(GO_ON)],
     maybe(0, "too many 1xx answers")),
    ("101", [b"HTTP/1.1 101 Switching\r\n\r\n"],
     maybe(0, "switched protocols unasked")),
    ("endless chunks", [CHUNKED, forever(b"1\r\nx\r\n" * 99)],
     maybe(200, TOO_LONG), yes()),
    ("an endless chunk's extension", [CHUNKED + b"1;", forever(b"x" * 999)],
     maybe(200, "a line is too long"), yes()),
    ("endless trailers", [CHUNKED + b"0\r\n", forever(b"X: y\r\n" * 99)],
     maybe(200, "a line is too long"), yes()),
    ("a chunk of 2^63", [CHUNKED + b"8000000000000000\r\n" + GOOD],
     maybe(200, "chunked body"), yes()),
    ("a chunk of 2^60 - 1", [CHUNKED + b"f" * 15 + b"\r\n" + GOOD],
     maybe(200, TOO_LONG), yes()),
    ("a length of 2^63", [sized(1 << 63)],
     maybe(0, "Content-Length: not one number")),
    ("a length of 2^63 - 1", [sized((1 << 63) - 1)], maybe(200, TOO_LONG),
     yes()),
    ("a length below 0", [sized(-1)],
     maybe(0, "Content-Length: not one number")),
    ("two lengths", [answer(200, GOOD, "Content-Length: 1")],
     maybe(0, "Content-Length: not one number")),
    ("a length, and chunked",
     [answer(200, GOOD, "Transfer-Encoding: chunked")],
     maybe(0, "Transfer-Encoding with Content-Length")),
    ("gzip as a transfer", [OK + b"Transfer-Encoding: gzip\r\n\r\n"],
     maybe(0, "Transfer-Encoding: only chunked")),
    ("NUL in the head", [answer(200, GOOD, "X: a\0b")],
     maybe(0, "control byte in the head")),
    ("lines that end in LF", [answer(200).replace(b"\r\n", b"\n")],
     maybe(0, "control byte in the head")),
    ("a folded field", [answer(200, GOOD, "X: a", " b")],
     maybe(0, "a field must be NAME: VALUE")),
    ("HTTP/2 200", [answer(200).replace(b"/1.1", b"/2")],
     maybe(0, "no HTTP version where one is due")),
    ("HTTP/2.0 200", [answer(200).replace(b"/1.1", b"/2.0")],
     maybe(0, "only HTTP/1 is spoken here")),
    ("HTTP/0.9", [GOOD, bye],
     maybe(0, "connection closed in the answer's head after 39 bytes")),
    ("another protocol", [b"220 mail.example.org ESMTP\r\n"],
     maybe(0, "no HTTP version where one is due")),
    ("a TLS record of 64 KB", [raw(b"\x17\3\3\xff\xff" + b"x" * 70000)],
     maybe(0, "TLS record of an impossible length, before any answer")),
    ("a TLS record of noise", [raw(b"\x17\3\3\0\x40" + b"x" * 64)],
     maybe(0, "TLS record was altered on the way, before any answer")),
    ("not in TLS", [raw(answer(200))], maybe(0, "before any answer")),
]

SLOW = [
    ("1 byte/s, the head", [slowly(answer(200), 1)],
     maybe(0, "time-out in the answer's head")),
    ("1 byte/s, the body", [sized(39, b""), slowly(GOOD, 1)],
     maybe(200, "time-out in the body"), yes()),
    ("1 byte/s, why not", [sized(39, b"", b"HTTP/1.1 400 No\r\n"),
                           slowly(GOOD, 1)], no(400, "")),
    ("no answer", [hang], maybe(0, "time-out before any answer")),
    ("100 Continue, no answer", [GO_ON, hang],
     maybe(0, "time-out in the answer's head")),
]

# Before anything is read: as soon as there is a connection, or TLS.
PLAIN, TLS = False, True
EARLY = [
    ("413 before it is read", TLS, [answer(413, BAD), pause(0.5), reset],
     no(413, ": not you")),
    ("413 before it is read, goodbye", TLS,
     [answer(413, BAD, "Connection: close"), bye], no(413, ": not you")),
    ("200 before it is read", TLS, [answer(200), pause(0.5)], yes()),
    ("close before TLS", PLAIN, [cut],
     never("closed during the TLS handshake, before the request was sent")),
    ("reset before TLS", PLAIN, [reset], never("")),
    ("HTTP for TLS", PLAIN, [answer(400), cut],
     never("the other side speaks no TLS 1.2")),
    ("a fatal alert", PLAIN, [b"\x15\3\3\0\2\2\x28", cut],
     never("no TLS 1.2 cipher in common")),
    ("endless TLS warnings", PLAIN, [forever(
        (b"\x15\3\3\1\0" + b"\1\x5a" * 128) * 9, 0.1)],
     never("time-out before the request was sent")),
    ("endless empty TLS records", PLAIN,
     [forever(b"\x16\3\3\0\0" * 100, 0.1)],
     never("time-out before the request was sent")),
    ("no TLS", PLAIN, [hang], never("time-out before the request was sent")),
    ("1 byte/s, TLS", PLAIN, [slowly(
        b"\x16\3\3\0\x3c\2\0\0\x38\3\3" + bytes(54), 1)],
     never("time-out before the request was sent")),
]


# ---- the other side ----

class Side:
    """A server over TLS; a thread a connection.  Which row is asked stands in
    the request.  early: it answers by that row before it reads.  once: each
    row answers once, and is good from then on."""

    def __init__(self, ca, rows, early=None, once=False):
        self.rows, self.early, self.once = rows, early, once
        self.asked = []     # row, channel, when, connection, body
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ctx.load_cert_chain(ca + "/leaf.crt", ca + "/leaf.key")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        number = 0
        while True:
            conn = self.listener.accept()[0]
            number += 1
            threading.Thread(target=self.talk, args=(conn, number),
                             daemon=True).start()

    def talk(self, c, number):
        try:
            if self.early is None or self.rows[self.early][1] is TLS:
                c = self.ctx.wrap_socket(c, server_side=True,
                                         suppress_ragged_eofs=True)
            if self.early is not None:
                play(c, self.rows[self.early][2])
            while self.early is None and (got := self.request(c, number)):
                play(c, got)
        except (OSError, ValueError):
            pass                    # the peer has left, or we did
        finally:
            c.close()

    def request(self, c, number):
        """Read one: what it is answered; None: there is none."""
        text = b""
        while b"\r\n\r\n" not in text:
            more = c.recv(65536)
            if not more:
                return None
            text += more
        head, _, body = text.partition(b"\r\n\r\n")
        n = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(body) < n:
            body += c.recv(65536)
        form = re.search(rb"&user=u0*(\d+)&", body)
        at = int((form or re.match(rb"POST /(\d+) ", head)).group(1))
        channel = CHANNELS[form is None]
        first = not any(a[:2] == (at, channel) for a in self.asked)
        self.asked.append((at, channel, time.monotonic(), number, body))
        return self.rows[at][1] if first or not self.once else [answer(200)]

    def of(self, at, channel):
        return [a for a in self.asked if a[:2] == (at, channel)]


def play(c, steps):
    for step in steps:
        if callable(step):
            step(c)
        else:
            c.sendall(step)


def user(at):
    return "u%029d" % at


def job(channel, base, at, **more):
    j = {"channel": channel, "title": "T", "message": "m", "timestamp": 7}
    if channel == "pushover":
        j.update(url=base + "/1/messages.json", token=vil.TOKEN,
                 user=user(at), priority=1)
    else:
        j.update(address=base + "/%d" % at, severity="critical", id=7,
                 local=True)
    j.update(more)
    return json.dumps(j) + "\n"


def outcome(lines):
    """(end, code, after_s, reason), its id"""
    must(len(lines) >= 5, "an outcome", lines)
    return tuple(map(int, lines[0].split()[:3])) + (lines[4],), lines[1]


def try_one(j, ca, env=None):
    r = subprocess.run([TRY, ca], input=j, capture_output=True, text=True,
                       timeout=90, env=dict(os.environ, **(env or {})))
    return outcome(r.stdout.split("\n"))


def judge(what, got, want):
    """One outcome; what is asked to wait counts from when it was asked."""
    out, name = got
    ok = out[:2] == want[:2] and want[2] - 3 * (want[2] > 30) <= out[2] <= \
        want[2] and want[3] in out[3] and (want[0] == ACCEPTED) == (not out[3])
    check(ok, what, "\n  got  %r\n  want %r" % (out, want))
    if want[:2] == (ACCEPTED, 200):
        check(name in ("r-1", ""), what + ": its id", name)


def authority(bench, name="ca"):
    path = bench.path(name)
    subprocess.run([os.path.join(vil.TOP, "tests/double/ca.sh"), path,
                    "localhost", "127.0.0.1", "two.example"], check=True,
                   capture_output=True, timeout=60)
    return path


# ---- by the child ----

def begin(pool, side, first, ca, at=None):
    """Rows (or one) for both channels: what is to be judged."""
    base = "https://localhost:%d" % side.port
    for n, row in enumerate(side.rows):
        for channel in CHANNELS if at in (None, n) else ():
            yield ("%s, %s" % (channel, row[0]), pool.submit(
                try_one, job(channel, base, n), ca + "/ca.crt"),
                outcome_of(row, first, channel))


def outcome_of(row, first, channel):
    """What a row says of a channel, from its item `first` on."""
    wants = row[first:]
    return wants[CHANNELS.index(channel) % len(wants)]


def asked_once(side):
    for n, row in enumerate(side.rows):
        same([len(side.of(n, c)) for c in CHANNELS], [1, 1],
             row[0] + ": asked once each")


def child(bench):
    """What lasts, side by side, and meanwhile all the rest."""
    ca = authority(bench)
    slow, side = Side(ca, SLOW), Side(ca, ROWS)
    with concurrent.futures.ThreadPoolExecutor(2 * len(SLOW + EARLY)) as p, \
            concurrent.futures.ThreadPoolExecutor(10) as pool:
        tries = list(begin(p, slow, 2, ca))
        for n in range(len(EARLY)):
            tries += begin(p, Side(ca, EARLY, n), 3, ca, n)
        for what, done, want in list(begin(pool, side, 2, ca)):
            judge(what, done.result(), want)
        asked_once(side)
        kept(bench)
        ways(bench)
        written(bench)
        for what, done, want in tries:
            judge(what, done.result(), want)
    asked_once(slow)


# ---- over a kept connection ----

# What is done after the first of two answers and, as the second request comes,
# instead of the answer; what becomes of the second; and over which connection
# it comes, each one once.
KEPT = [
    ("kept", [answer(200)], None, yes(), 1),
    ("kept, chunked", [CHUNKED, chunks(GOOD, 7), b"0\r\n\r\n"], None,
     yes(), 1),
    ("kept after a refusal", [answer(413, BAD)], None, yes(), 1),
    ("said to be the last", [answer(200, GOOD, "Connection: close")], None,
     yes(), 2),
    ("HTTP/1.0", [b"HTTP/1.0" + answer(200)[8:]], None, yes(), 2),
    ("a goodbye after it", [answer(200), bye], None, yes(), 2),
    ("closed after it", [answer(200), cut], None, yes(), 2),
    ("reset after it", [answer(200), reset], None, yes(), 2),
    ("one too many", [answer(200) + answer(500)], None, yes(), 2),
    ("one too many, later", [answer(200), pause(0.1), answer(500)], None,
     yes(), 2),
    ("tired of waiting", [answer(200), pause(0.1), answer(408, BAD), bye],
     None, yes(), 2),
    ("noise later", [answer(200), pause(0.1), raw(b"noise")], None, yes(), 2),
    ("closed as the next comes", [answer(200)], [cut],
     maybe(0, "before any answer"), 1),
    ("a goodbye as the next comes", [answer(200)], [bye],
     maybe(0, "connection closed before any answer"), 1),
    ("reset as the next comes", [answer(200)], [reset],
     maybe(0, "before any answer"), 1),
]


class Pair:
    """The steps of a row of KEPT: of the first request, then the second."""

    def __init__(self, row):
        self.row, self.n = row, 0

    def __call__(self, c):
        self.n += 1
        play(c, self.row[1] if self.n == 1 else self.row[2] or [answer(200)])


def two(channel, base, at, ca):
    """Two jobs to one child: what becomes of the second."""
    with subprocess.Popen([TRY, ca], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE) as p:
        for _ in range(2):
            p.stdin.write(job(channel, base, at))
            p.stdin.flush()
            lines = [p.stdout.readline().rstrip("\n") for _ in range(5)]
            time.sleep(0.3)
        p.stdin.close()
    return outcome(lines)


def kept(bench):
    ca = authority(bench)
    sides = {c: Side(ca, [(k[0], [Pair(k)]) for k in KEPT]) for c in CHANNELS}
    with concurrent.futures.ThreadPoolExecutor(len(KEPT)) as pool:
        tries = [(n, row, c, pool.submit(
            two, c, "https://localhost:%d" % sides[c].port, n, ca + "/ca.crt"))
            for n, row in enumerate(KEPT) for c in CHANNELS]
        for n, row, channel, done in tries:
            what = "%s, %s" % (channel, row[0])
            judge(what, done.result(), row[3])
            same(len({a[3] for a in sides[channel].of(n, channel)}), row[4],
                 what + ": connections")
            same(len(sides[channel].of(n, channel)), 2, what + ": once each")


# ---- on the way there ----

def no_answer_at_v6(port):
    """::1 there, whose queue is full, so that it never answers."""
    full = socket.create_server(("::1", port), family=socket.AF_INET6,
                                backlog=0)
    more = []
    for _ in range(3):
        c = socket.socket(socket.AF_INET6)
        c.setblocking(False)
        c.connect_ex(("::1", port))
        more.append(c)
    return full, more


def names_library(bench):
    so = bench.path("names.so")
    r = subprocess.run(os.environ.get("CC", "cc").split() + [
        "-O1", "-shared", "-fPIC", "-o", so, os.path.join(
            vil.TOP, "tests/preload/names.c"), "-ldl"], capture_output=True,
        text=True)
    must(r.returncode == 0, "names.so compiles", r.stderr)
    return {"LD_PRELOAD": so}


def ways(bench):
    """Names, addresses and certificates."""
    ca, other = authority(bench), authority(bench, "other")
    good, mute = [Side(ca, [("200", [answer(200)])]) for _ in range(2)]
    two_names = names_library(bench)
    port = ":%d" % good.port
    rows = [
        ("localhost" + port, ca, yes()),
        ("127.0.0.1" + port, ca, yes()),
        ("localhost" + port, other, never(
            "certificate is not signed by a known authority")),
        ("localhost" + port, bench.path("none"), never("ca-file: ")),
        ("[::ffff:127.0.0.1]" + port, ca, never(
            "certificate is for another name: localhost, 127.0.0.1")),
        ("a..b" + port, ca, never("a..b port ")),
        ("localhost:%d" % vil.free_port(), ca, never("Connection refused")),
    ]
    try:
        held = no_answer_at_v6(mute.port)
    except OSError as e:
        print("no IPv6 here: %s" % e)
    else:
        # One side of the name's refuses, or does not answer.
        rows += [("two.example" + port, ca, yes()),
                 ("two.example:%d" % mute.port, ca, yes())]
    with concurrent.futures.ThreadPoolExecutor(len(rows) * 2) as pool:
        tries = [(host, c, want, pool.submit(try_one, job(
            c, "https://" + host, 0), trust + "/ca.crt", two_names if
            "two" in host else None)) for host, trust, want in rows
            for c in CHANNELS]
        for host, channel, want, done in tries:
            judge("%s, %s" % (channel, host), done.result(), want)
    wanted = sum(r[2][0] == ACCEPTED for r in rows)
    same([len(good.of(0, c) + mute.of(0, c)) for c in CHANNELS],
         [wanted, wanted], "asked once each")


# ---- texts ----

def texts():
    """A message and a title, and what Pushover is given for each."""
    rows = [("", "(no text)", "", None), (" \t\n", "(no text)", " ", None)]
    for c in "x", "\u00e4", "\u20ac", "\U0001f525":
        for n in -1, 0, 1:
            m, t = 1024 + n, 250 + n
            rows.append((c * m, c * m if n < 1 else c * 1023 + "\u2026",
                         c * t, c * t if n < 1 else c * 249 + "\u2026"))
    every = "".join(map(chr, range(1, 256)))
    rows.append((every, every, "a&b=c+d %25;?#\r\n\"", "a&b=c+d %25;?#\r\n\""))
    return rows


def written(bench):
    """Texts at their limits, and every byte, as they arrive."""
    ca = authority(bench)
    side = Side(ca, [("200", [answer(200)])])
    base = "https://localhost:%d" % side.port
    rows = texts()
    for message, _, title, _ in rows:
        for c in CHANNELS:
            judge(c, try_one(job(c, base, 0, message=message, title=title),
                             ca + "/ca.crt"), yes())
    for (message, want, title, want_title), asked in zip(
            rows, side.of(0, "pushover")):
        form = urllib.parse.parse_qs(asked[4].decode("ascii"),
                                     keep_blank_values=True, errors="strict",
                                     strict_parsing=True)
        same((form["message"], form.get("title")),
             ([want], want_title and [want_title]), "%.20r" % message)
    for (message, _, title, _), asked in zip(rows, side.of(0, "webhook")):
        got = json.loads(asked[4].decode())
        same((got["message"], got["title"]), (message, title),
             "%.20r, webhook" % message)


# ---- by the outbox ----

STATES = ("accepted", "queued", "queued", "given up")
LINE = re.compile(r"(\S+) +(pushover|webhook) +(queued|accepted|given up) +"
                  r"(\d+) +(.*)")


def watched(server, incident, count):
    """The lines of `vilicus incidents ID` for each recipient: the first, and
    the last, when none is waiting that is due soon."""
    first, last, soon = {}, {}, vil.now_ms() + 20000

    def over():
        for line in server.ctl("incidents", incident, code=None).split("\n"):
            m = LINE.fullmatch(line.strip())
            if m and int(m.group(4)) > 0:
                last[m.group(1)] = first.setdefault(m.group(1), m.groups())
                last[m.group(1)] = m.groups()
        return len(first) == count and not [
            d for d in server.objects("delivery/?limit=0")
            if d["state"] == "sending" or (
                d["state"] == "queued" and vil.ms_of(d["next"]) < soon)]
    until(vil.SLOW, "each is done, or waits", over, 0.2)
    return first, last


def again(side, at, channel, want, what):
    """Was it asked again, and when?"""
    got = side.of(at, channel)
    apart = [b[2] - a[2] for a, b in zip(got, got[1:])]
    if want[0] in (RETRY, UNKNOWN) and want[2] <= AGAIN_S * 2:
        check(len(apart) == 1 and apart[0] >= max(AGAIN_S, want[2]),
              what + ": asked again, no sooner than 5 s after", apart)
    else:
        same(apart, [], what + ": asked once")


def outbox(bench):
    ca = authority(bench)
    side = Side(ca, ROWS + [("200", [answer(200)])], once=True)
    base = "https://localhost:%d" % side.port
    server = vil.Server(bench, "webhook-local\nca-file %s/ca.crt\npushover "
                        "token %s url %s/1/messages.json\n" % (
                            ca, vil.TOKEN, base))
    for n in range(len(ROWS)):
        server.add("recipient", name="p%d" % n, channel="pushover",
                   address=user(n), match="*/cpu")
        server.add("recipient", name="w%d" % n, channel="webhook",
                   address=base + "/%d" % n, match="*/cpu")
    agent = server.add("agent", hostname="web1")
    target = server.add("check", agent=agent["resource_uri"], type="cpu",
                        crit=["above 90"])["resource_uri"]
    status, _ = server.api("POST", "check_history/", {
        "check": target, "value": 99, "timestamp": vil.stamp(vil.now_ms())})
    same(status, 201, "a result")
    first, last = watched(server, "1", 2 * len(ROWS))
    found = {d["name"]: d for d in server.objects("delivery/?limit=0")}
    for n, row in enumerate(ROWS):
        for channel in CHANNELS:
            want = outcome_of(row, 2, channel)
            what, name = "%s, %s" % (channel, row[0]), "%s%d" % (channel[0], n)
            _, _, state, attempts, more = first[name]
            same((state, attempts), (STATES[want[0]], "1"), what + ": at first")
            check(want[3] in more, what + ": says why", more)
            d = found[name]
            same(d["unknown"], want[0] == UNKNOWN, what + ": unknown")
            again(side, n, channel, want, what)
            if want[0] == RETRY and want[2] > AGAIN_S * 2:
                check(vil.ms_of(d["next"]) - vil.now_ms() > (want[2] - 20)
                      * 1000, what + ": waits as long as is asked", d["next"])
            else:
                same((last[name][2], d["last_error"] == ""),
                     ("given up", False) if want[0] == REFUSED else
                     ("accepted", True), what + ": in the end")
    strange(server, agent, side)
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


def strange(server, agent, side):
    """Bytes that are no text, on their way through the server."""
    server.add("recipient", name="other", channel="pushover",
               address=user(len(ROWS)), match="*/backup")
    beat = server.add("check", agent=agent["resource_uri"], name="backup",
                      type="heartbeat", params={"period_s": 3600})["beat"]
    c = server.client("")
    same(c.api("POST", beat + "/fail", b"a\xff\xc3(\x01\xf0\x9f\x94\xa5&%=+")[0],
         200, "a beat")
    got = until(vil.SLOW, "it is told", lambda: side.of(
        len(ROWS), "pushover"))[0][4]
    form = urllib.parse.parse_qs(got.decode("ascii"), errors="strict")
    check(form["message"][0].endswith(": a??(?\U0001f525&%=+"),
          "what is no text is replaced", form["message"])


vil.run(child, outbox)
