#!/usr/bin/env python3
"""kill -9 of the server before and during a delivery: it still arrives."""
import os
import random
import time

import vil
from vil import check, same, until


def watched(bench, double, n=0):
    """A server that watches a process: both, and the process' name."""
    server = vil.Server(bench, double.conf(), name="server%d" % n)
    name = "vilc%d-%d" % (n, os.getpid())
    host = "web%d" % n
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    process = bench.sleeper(name)
    bench.agent(server, host)
    server.ctl("check", "add", host, "process", name, "every", "1s")
    until(vil.SLOW, "the check is ok", lambda: vil.state(
        server, host, "process " + name).get("status") == "ok")
    return server, process, name


def delivery(server):
    incidents = server.objects("incident/")
    return incidents[0]["deliveries"][0] if incidents and \
        incidents[0]["deliveries"] else {}


def arrived(server, double, name, n):
    """The alarm is accepted; n requests were made for it."""
    until(vil.SLOW, "accepted",
          lambda: delivery(server).get("state") == "accepted")
    asked = [r["fields"] for r in double.requests()
             if name in r["fields"]["title"]]
    check(len(asked) in n, "as often as it should be", len(asked), n)
    same({f["title"] for f in asked}, {
        "Vilicus alert: web%s process %s is now critical"
        % (name[4], name)}, "title")
    same(len({f["message"] for f in asked}), 1, "the same message")
    same(len(server.objects("incident/")), 1, "one incident")


def before_delivery(bench):
    """Decided, and nobody to deliver to."""
    double = vil.Double(bench)
    double.stop()
    server, process, name = watched(bench, double)
    process.end(9)
    until(vil.SLOW, "an attempt that failed",
          lambda: delivery(server).get("attempts", 0) >= 1)
    server.restart()
    check(delivery(server).get("state") not in ("accepted", None),
          "the decision survived", delivery(server))
    double.start()
    arrived(server, double, name, [1])
    check(vil.never(3, lambda: len(double.requests()) != 1), "no more")


def at_once(bench):
    """Killed at a moment from the process' death to the answer's record."""
    double = vil.Double(bench)
    sets = [watched(bench, double, n) for n in range(8)]
    for n, (server, process, name) in enumerate(sets):
        process.end(9)
        time.sleep(random.uniform(0, 0.3) if n % 2 else 0.005 * n)
        server.restart()
    for server, process, name in sets:
        arrived(server, double, name, [1, 2])


def hanging_delivery(bench):
    """The other side has the message and does not answer."""
    double = vil.Double(bench, "hang ok")
    server, process, name = watched(bench, double)
    process.end(9)
    until(vil.SLOW, "a delivery that hangs", double.requests)
    server.kill9()
    server.start(seconds=5)     # its child, if any, holds no lock
    arrived(server, double, name, [2])
    same(delivery(server)["attempts"], 2, "both attempts are shown")
    check(vil.never(3, lambda: len(double.requests()) != 2), "no more")


vil.run(before_delivery, at_once, hanging_delivery)
