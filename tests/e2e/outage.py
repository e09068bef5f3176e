#!/usr/bin/env python3
"""The agent without its server: HOURS of them (a day in check-long) at a fast
interval, a network that swallows what is sent, a host whose clock begins in
1970."""
import os
import socket
import struct
import subprocess
import threading
import time

import vil
from vil import check, must, never, same, until

EVERY_MS = 6000
HOUR = 3600000
RING = 8192                     # -b: of some of the last hour
HOURS = int(os.environ.get("HOURS", "3"))


def library(bench, name):
    so = bench.path(name + ".so")
    r = subprocess.run(["cc", "-shared", "-fPIC", "-o", so, os.path.join(
        vil.TOP, "tests/double", name + ".c")], capture_output=True, text=True)
    if r.returncode != 0:
        raise vil.Skip("no library can be made: " + r.stderr)
    return so


class Hurry:
    """An agent whose time can be made to pass."""

    def __init__(self, bench, url, *argv, preload="", **env):
        self.file = bench.path("hurry")
        with open(self.file, "wb") as f:
            f.write(struct.pack("=qq", 0, 0))
        self.process = bench.start("agent", [
            os.path.join(vil.TOP, "vilicus-agent"), *argv, url], env={
                "LD_PRELOAD": library(bench, "hurry") + " " + preload,
                "TEST_HURRY": self.file, **env})

    def to(self, ms):
        with open(self.file, "r+b") as f:
            f.write(struct.pack("=q", ms))
        until(120, "time passes", lambda: self.at() >= ms, 0.01)

    def at(self):
        with open(self.file, "rb") as f:
            return struct.unpack("=qq", f.read())[1]

    def rss(self):
        for line in vil.read("/proc/%d/status" %
                             self.process.p.pid).split("\n"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise vil.Fault("the agent is gone")


def rows(server):
    """Its history: (at in ms, status), the oldest first."""
    got, before = [], ""
    while True:
        page = server.objects("check_history/?check=1&limit=0" + before)
        got += [(vil.ms_of(h["timestamp"]), h["status"]) for h in page]
        if len(page) < 1000:
            return got[::-1]
        before = "&before=" + page[-1]["timestamp"]


def long_outage(bench):
    clock = vil.write(bench.path("clock"), "")
    begin = vil.now_ms()

    def set_clock(ms):
        with open(clock, "r+b") as f:
            f.write(struct.pack("=q", ms))
    set_clock(begin)
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf(), env={
        "LD_PRELOAD": library(bench, "clock"), "TEST_CLOCK": clock})
    server.add("recipient", name="alice", channel="pushover",
               address=vil.USER)
    agent = server.add("agent", hostname="web1", check_interval_ms=EVERY_MS,
                       late_after_s=86400)
    name = "outage-%d" % os.getpid()
    server.add("process_check", agent=agent["resource_uri"],
               process_name=name)
    watched = bench.sleeper(name)
    a = Hurry(bench, "http://%s@127.0.0.1:%d/" % (
        server.agent_key(agent), server.port), "-b", str(RING))
    until(vil.SLOW, "a result", lambda: rows(server))
    same(server.stop(), 0, "the server is away")

    a.to(HOUR)
    small = a.rss()
    a.to(HOURS * HOUR - HOUR // 2)
    watched.end(9)
    a.to(HOURS * HOUR - HOUR // 4)
    bench.sleeper(name)
    a.to(HOURS * HOUR)
    check(a.rss() <= small + 16, "its memory is as it was", small, a.rss())

    set_clock(begin + a.at() + vil.now_ms() - begin)
    server.start()
    until(vil.SLOW, "it is heard again", lambda: rows(server)[-1][0] >=
          begin + HOURS * HOUR)
    until(vil.SLOW, "what waited has come", lambda: server.get(
        "agent/1/")["dropped"] > 0)
    got = rows(server)
    times = [t for t, _ in got]
    apart = [b - a for a, b in zip(times, times[1:])]
    gap = apart.index(max(apart))
    missing = max(apart) // EVERY_MS
    check(len(got) > 300, "as much as there is room for", len(got))
    # The first intervals find their phase.
    odd = [d for d in apart[3:gap] + apart[gap + 1:]
           if abs(d - EVERY_MS) > 100]
    check(len(odd) <= 2, "in order, each at its time but for that of the "
          "death", odd[:10], len(odd))
    dropped = server.get("agent/1/")["dropped"]
    check(abs(dropped - missing) <= 2, "what was dropped is counted", dropped,
          missing)
    bad = [t for t, s in got if s == "critical"]
    check(abs(len(bad) * EVERY_MS - HOUR // 4) < 60000, "what was bad is "
          "history", len(bad))
    same(server.objects("incident/"), [], "and no alarm: it was late")
    same(double.requests(), [], "nobody was told")


class Net:
    """A way to the server; its first so many connections swallow all."""

    def __init__(self, port):
        self.to, self.silent, self.begun = port, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c = self.listener.accept()[0]
            self.begun.append(time.monotonic())
            s = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((c, s), (s, c)):
                threading.Thread(target=self.copy, daemon=True,
                                 args=(a, b, len(self.begun))).start()

    def copy(self, a, b, number):
        try:
            while got := a.recv(65536):
                if number > self.silent:
                    b.sendall(got)
        except OSError:
            pass


def swallowed(bench):
    server = vil.Server(bench)
    net = Net(server.port)
    agent = server.add("agent", hostname="web1", check_interval_ms=1000)
    server.add("process_check", agent=agent["resource_uri"],
               process_name="no-such-process")
    bench.start("agent", [os.path.join(vil.TOP, "vilicus-agent"),
                          "http://%s@127.0.0.1:%d/" % (
                              server.agent_key(agent), net.port)])
    until(vil.SLOW, "results", lambda: len(rows(server)) >= 2)
    same(len(net.begun), 1, "one connection")
    net.silent, fell = 1, time.monotonic()
    until(20, "it connects anew", lambda: len(net.begun) > 1)
    took = net.begun[1] - fell
    check(took < 14, "10 s after its next report, and a moment", took)
    n = len(rows(server))
    until(60, "and goes on", lambda: len(rows(server)) > n + 10)
    times = [t for t, _ in rows(server)]
    apart = [b - a for a, b in zip(times, times[1:])]
    check(max(apart[2:]) < 1500, "with what it measured meanwhile", apart)


def no_clock(bench):
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf())
    server.add("recipient", name="alice", channel="pushover",
               address=vil.USER)
    agent = server.add("agent", hostname="web1", check_interval_ms=1000)
    server.add("process_check", agent=agent["resource_uri"],
               process_name="no-such-process")
    a = Hurry(bench, "http://%s@127.0.0.1:%d/" % (
        server.agent_key(agent), server.port), TEST_1970="1")
    until(vil.SLOW, "it alarms", double.requests)
    at = rows(server)[-1][0]
    check(abs(at - vil.now_ms()) < 5000, "by the server's clock", at)
    must(a.process.running(), "and goes on")
    skew = until(vil.SLOW, "its clock is known to be wrong", lambda:
                 server.get("agent/1/")["clock_skew_ms"])
    check(abs(skew) > 10 ** 12, "by decades", skew)
    check(never(2, lambda: len(double.requests()) > 1), "one alarm")


if __name__ == "__main__":
    vil.run(long_outage, swallowed, no_clock)
