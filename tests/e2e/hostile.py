#!/usr/bin/env python3
"""Peers that mean no good: the others are served, and in order."""
import json
import os
import re
import socket
import time

import vil
from vil import check, same


def connect(server):
    s = socket.create_connection(("127.0.0.1", server.port), 20)
    s.settimeout(20)
    return s


def receive(s):
    """All there is until the peer closes."""
    data = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece
    except (ConnectionResetError, socket.timeout):
        return data


def rss_kib(server):
    text = vil.read("/proc/%d/status" % server.process.p.pid)
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def request(server, path, extra=""):
    return ("GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n"
            % (path, server.key, extra)).encode()


def slow_ones(bench):
    """Fifty connections, a byte a second each: others wait for nobody."""
    server = vil.Server(bench)
    before = rss_kib(server)
    slow = [connect(server) for _ in range(50)]
    worst, whole = 0, request(server, "/api/v1/agent/")
    for i in range(60):
        for s in slow:
            s.send(whole[i:i + 1])
        t = time.monotonic()
        same(server.api("GET", "agent/")[0], 200, "another is served")
        worst = max(worst, time.monotonic() - t)
        time.sleep(0.02)
    check(worst < 1, "within a second", worst)
    check(rss_kib(server) - before < 8192, "memory is bounded",
          before, rss_kib(server))
    # A head has 10 s: all are let go.
    end = time.monotonic() + 20
    for s in slow:
        s.settimeout(max(0.1, end - time.monotonic()))
        answer = receive(s)
        check(not answer or answer.startswith(b"HTTP/1.1 408"),
              "a slow head is 408 or closed", answer[:80])
        s.close()
    check(time.monotonic() < end, "all were let go in time")


def in_order(bench):
    """Requests that come together are answered in their order."""
    server = vil.Server(bench)
    for i in range(20):
        server.add("agent", hostname="web%d" % i)
    s = connect(server)
    s.sendall(b"".join(request(server, "/api/v1/agent/%d/" % (i + 1))
                       for i in range(20)) +
              request(server, "/healthz", "Connection: close\r\n") +
              request(server, "/api/v1/agent/1/"))
    text = receive(s).decode()
    s.close()
    same(re.findall(r'"hostname": ?"(web\d+)"', text),
         ["web%d" % i for i in range(20)], "in order")
    same(text.count("HTTP/1.1 200"), 21, "nothing runs after a close")


def garbage(bench):
    server = vil.Server(bench)
    key = "Authorization: Bearer %s\r\n" % server.key
    deep = "[" * 100000
    rows = [
        ("\0\0\0\0\r\n\r\n", 400),
        ("GET /api/v1/agent/ HTTP/1.1\r\n\r\n", 400),
        ("GET /api/v1/agent/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /api/v1/agent/ HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /" + "a" * 5000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "a" * 9000 + "\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: 1\r\n" * 100 + "\r\n", 431),
        ("POST /api/v1/agent/ HTTP/1.1\r\nHost: a\r\n" + key +
         "Content-Length: 99999999\r\n\r\n", 413),
        ("POST /api/v1/agent/ HTTP/1.1\r\nHost: a\r\n" + key +
         "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST /api/v1/agent/ HTTP/1.1\r\nHost: a\r\n" + key +
         "Content-Length: -1\r\n\r\n", 400),
        ("GET /api/v1/agent/?limit=%zz HTTP/1.1\r\nHost: a\r\n" + key +
         "\r\n", 400),
        ("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n" + key +
         "\r\n", 404),
        ("GET /api/v1/agent/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
         "k" * 4000 + "\r\n\r\n", 401),
        ("POST /api/v1/agent/ HTTP/1.1\r\nHost: a\r\n" + key +
         "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
         % (len(deep[:60000]), deep[:60000]), 400),
    ]
    for text, want in rows:
        s = connect(server)
        s.sendall(text.encode())
        s.shutdown(socket.SHUT_WR)
        answer = receive(s).decode(errors="replace")
        s.close()
        same(answer[9:12], str(want), repr(text[:60]))
        check("passwd" not in answer and "kkkk" not in answer,
              "nothing is echoed", answer)
    check(server.process.running(), "the server lives")
    same(server.api("GET", "agent/")[1]["objects"], [], "and has no agent")


def wild_strings(bench):
    """What an agent says is shown harmlessly."""
    server = vil.Server(bench)
    agent = server.add("agent", hostname="web1")
    c = server.add("check", agent=agent["resource_uri"], type="cpu")
    key = server.agent_key(agent)
    evil = '<script>alert(1)</script>" onload=x \u202e\x1b[31m\ud83d\ude00'
    evil = evil.encode("utf-16", "surrogatepass").decode("utf-16")
    status, got = server.api("PATCH", "check_history/", {"objects": [
        {"check": c["resource_uri"], "timestamp": vil.stamp(vil.now_ms()),
         "value": 1, "status": "critical", "message": evil}]}, key)
    check(status in (202, 400), "taken or refused", status, got)
    status, got = server.api("PATCH", agent["resource_uri"],
                             {"version": evil, "platform": evil}, key)
    check(status in (200, 400), "taken or refused", status, got)
    client = server.client()
    same(client.api("GET", "/status")[0], 200, "/status")
    check(b"<script" not in client.raw and b"\x1b" not in client.raw,
          "no script, no escape", client.raw[:2000])
    check("default-src" in client.head.get("Content-Security-Policy", ""),
          "CSP", str(client.head))
    same(client.head.get("X-Content-Type-Options"), "nosniff", "nosniff")
    text = server.ctl("status", code=None) + server.ctl(
        "history", "web1/cpu", code=None)
    check("\x1b" not in text, "no escape on the terminal", repr(text))
    check("\x1b" not in vil.read(server.process.err), "none in the log")


def resets(bench):
    """Connections cut at every place, and many at once."""
    server = vil.Server(bench)
    body = json.dumps({"hostname": "web1"})
    whole = ("POST /api/v1/agent/ HTTP/1.1\r\nHost: a\r\nAuthorization: "
             "Bearer %s\r\nContent-Type: application/json\r\n"
             "Content-Length: %d\r\n\r\n%s"
             % (server.key, len(body), body)).encode()
    for n in range(len(whole)):
        s = connect(server)
        s.sendall(whole[:n])
        if n % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         b"\1\0\0\0\0\0\0\0")
        s.close()
    same(server.objects("agent/"), [], "a request cut short does nothing")
    fds = len(os.listdir("/proc/%d/fd" % server.process.p.pid))
    many = []
    for _ in range(1500):
        many.append(connect(server))
    t = time.monotonic()
    same(server.api("GET", "agent/")[0], 200, "served beside 1,500 idle")
    check(time.monotonic() - t < 1, "within a second")
    print("1,500 idle connections: %d KiB" % rss_kib(server))
    for s in many:
        s.close()
    vil.until(vil.SLOW, "descriptors come back", lambda: len(os.listdir(
        "/proc/%d/fd" % server.process.p.pid)) <= fds + 2)


vil.run(in_order, garbage, wild_strings, resets, slow_ones)
