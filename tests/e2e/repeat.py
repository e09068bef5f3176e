#!/usr/bin/env python3
"""What nobody sees to is told again, and to whoever comes next."""
import os
import time

import vil
from vil import check, same, until

BOSS = "b" * 30


def told(double):
    """Who was told what, in order."""
    return [(r["fields"]["user"], r["fields"]["title"], r["fields"]["message"])
            for r in double.requests()]


def seen_to(bench):
    double = vil.Double(bench, "ok")
    server = vil.Server(bench, double.conf())
    name = "vilr%d" % os.getpid()
    what = "web1 process %s" % name
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    server.ctl("recipient", "add", "boss", "pushover", BOSS, "after", "20s")
    agent = server.add("agent", hostname="web1", check_interval_ms=1000)
    vil.write(bench.path("web1.conf"), "http://%s@127.0.0.1:%d/\n"
              % (server.agent_key(agent), server.port))
    server.ctl("check", "add", "web1", "process", name, "renotify", "1m")
    bench.run_agent("web1")
    began = time.monotonic()
    until(vil.SLOW, "alice is told", lambda: told(double))
    until(vil.SLOW, "and the boss", lambda: len(told(double)) == 2)
    check(time.monotonic() - began >= 20, "not before its time",
          time.monotonic() - began)
    same([(u, t) for u, t, _ in told(double)],
         [(vil.USER, "Vilicus alert: %s is now critical" % what),
          (BOSS, "Vilicus alert: %s is still critical" % what)], "in order")
    until(90, "alice is told again", lambda: len(told(double)) >= 3)
    check(time.monotonic() - began >= 60, "after a minute",
          time.monotonic() - began)
    user, title, message = told(double)[2]
    same((user, title), (vil.USER, "Vilicus alert: %s is still critical"
                         % what), "the repeat")
    check(message.startswith("%s is still critical after 1 m: process %s on "
                             "web1 changed from" % (what, name)), "says so",
          message)
    server.ctl("ack", "1", "on", "my", "way")
    server.kill9()                  # what is acknowledged stays so
    server.start()
    same(server.get("incident/1/")["comment"], "on my way", "acknowledged")
    bench.sleeper(name)
    until(vil.SLOW, "both hear of its end", lambda: {
        (u, t) for u, t, _ in told(double)} >= {
        (u, "Vilicus alert: %s is now ok" % what)
        for u in (vil.USER, BOSS)})
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


vil.run(seen_to)
