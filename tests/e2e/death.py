#!/usr/bin/env python3
"""A watched process dies: the agent, which looks once a minute, wakes."""
import os
import subprocess
import time

import vil
from vil import check, must, same, until

MINUTE = 60000
FAST = 1.0                      # s; it takes some milliseconds


class Host:
    """A server, an agent that looks once a minute, and names of our own."""

    def __init__(self, bench, env=None):
        self.bench, self.server = bench, vil.Server(bench)
        self.prefix = "vd%d" % (os.getpid() % 100000)
        bench.agent(self.server, "web1").end()
        self.server.api("PATCH", "agent/1/", {"check_interval_ms": MINUTE})
        self.env = env
        self.agent = None

    def start(self):
        self.agent = self.bench.start("agent", [
            os.path.join(vil.TOP, "vilicus-agent"), "-v", "-f",
            self.bench.path("web1.conf")], env=self.env)

    def name(self, what):
        return self.prefix + what

    def run(self, what, n=1):
        """n processes of that name."""
        self.bench.sleeper(self.name(what)).end(9)
        return [self.bench.sleeper(self.name(what)) for _ in range(n)]

    def add(self, what, **fields):
        """A check of them; its path."""
        if "pattern" not in fields:
            fields["process_name"] = self.name(what)
        return self.server.add("process_check", agent=1, **fields)[
            "resource_uri"]

    def results(self, uri):
        """The newest first."""
        return self.server.objects("check_history/?check=%s&limit=0" %
                                   uri.split("/")[-2])

    def first(self, uri, count):
        """Wait for the first result."""
        r = until(vil.SLOW, "a result", lambda: self.results(uri))[0]
        same(r["value"], count, "its first value")
        return r

    def becomes(self, uri, status, since):
        """The check gets this status soon after `since`."""
        until(5, status, lambda: self.server.get(uri)["status"] == status,
              0.005)
        took = time.monotonic() - since
        check(took < FAST, "%s after %.3f s" % (status, took))
        return self.results(uri)[0]


def kill(process):
    since = time.monotonic()
    process.end(9)
    return since


def one(bench):
    """One of one, by name and by pattern; a zombie is dead."""
    host = Host(bench)
    named, = host.run("one")
    by_pattern, = host.run("pat")
    zombie = subprocess.Popen(["bash", "-c", "exec -a %s sleep 600 & "
                               "echo $!; exec sleep 600" % host.name("zom")],
                              stdout=subprocess.PIPE, text=True)
    pid = int(zombie.stdout.readline())
    checks = [host.add("one"), host.add("pat", pattern="/%s 60+$" %
                                        host.name("pat"), name="pat"),
              host.add("zom")]
    bad = host.add("bad", pattern="a(b", name="bad")
    host.start()
    for uri in checks:
        host.first(uri, 1)
    r = until(vil.SLOW, "a result", lambda: host.results(bad))[0]
    same(r["status"], "unknown", "no regular expression")
    check("pattern: " in r["message"], "and why", r)
    r = host.becomes(checks[0], "critical", kill(named))
    same((r["value"], r["metrics"].get("restarts")), (0, 0), "the result")
    host.becomes(checks[1], "critical", kill(by_pattern))
    since = time.monotonic()
    os.kill(pid, 9)
    host.becomes(checks[2], "critical", since)
    check("Z" in vil.read("/proc/%d/stat" % pid).split(")")[1][:3],
          "it is a zombie yet")
    zombie.kill()
    zombie.wait()
    # Nothing wakes it for a new one: that is found at the next look.
    for uri in checks:
        same(len(host.results(uri)), 2, "results")


def several(bench):
    """Two of three must run; and more than are held."""
    host = Host(bench)
    three, many = host.run("few", 3), host.run("many", 70)
    few = host.add("few", min=2)
    lot = host.add("many", min=1)
    host.start()
    host.first(few, 3)
    host.first(lot, 70)
    kill(three[0])
    until(FAST + 1, "it is told of", lambda: len(host.results(few)) == 2)
    same(host.results(few)[0]["value"], 2, "two are left")
    same(host.server.get(few)["status"], "ok", "which are enough")
    # It was looked at a moment ago, but now there may be too few.
    r = host.becomes(few, "critical", kill(three[1]))
    same(r["value"], 1, "one is left")
    check("many: 64 of 70 processes are watched" in vil.read(host.agent.err),
          "it says so")
    for p in many:
        p.end(9)
    until(10, "each second", lambda: host.results(lot)[0]["value"] <= 6)
    n = len(host.results(lot))
    check(n <= 8, "not for each of them", n)


def again(bench):
    """A restart between two looks, with another process that stays."""
    host = Host(bench, {"LD_PRELOAD": preload(bench)})
    host.server.api("PATCH", "agent/1/", {"check_interval_ms": 2000})
    pair = host.run("two", 2)
    uri = host.add("two", min=2)
    host.start()
    host.first(uri, 2)
    told = until(10, "a second result", lambda: len(host.results(uri)) > 1
                 and host.results(uri))[0]
    check("polled" in told["message"], "it is polled", told)
    same(told["metrics"]["restarts"], 0, "none was restarted")
    pair[0].p.kill()
    pair[0].p.wait()
    bench.sleeper(host.name("two"))
    r = until(10, "it is counted", lambda: [
        r for r in host.results(uri) if r["metrics"]["restarts"]])[0]
    same((r["value"], r["metrics"]["restarts"]), (2, 1), "one restart")
    same(host.server.get(uri)["status"], "ok", "and two were there, always")
    same(vil.read(host.agent.err).count("no pidfds here"), 1, "said once")


def preload(bench):
    library = bench.path("nopidfd.so")
    r = subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(
        vil.TOP, "tests/preload/nopidfd.c"), "-ldl"], capture_output=True,
        text=True)
    must(r.returncode == 0, "the library", r.stderr)
    return library


vil.run(one, several, again)
