#!/usr/bin/env python3
"""A hundred deliveries, each of an incident of its own, wait while nobody
takes them: through silence, refusals, a closed port and kill -9 twice.  Then
they come once each, in order, with the times of their events."""
import re

import vil
from vil import check, must, never, same, until

WAITING = 100                   # deliveries, two of each recipient
BEGAN_S, APART_S = 900, 7       # ago; between one incident and the next


class Queue:
    """Incidents, each told to one recipient."""

    def __init__(self, server):
        self.server = server
        self.began = vil.now_ms() // 1000 * 1000 - BEGAN_S * 1000
        agent = server.add("agent", hostname="web1")["resource_uri"]
        self.checks = [server.add(
            "process_check", agent=agent, process_name="p%d" % i,
            interval_ms=3600000)["id"] for i in range(WAITING)]
        self.users = ["u%029d" % i for i in range(WAITING // 2)]
        for i, u in enumerate(self.users):
            server.add("recipient", name="r%d" % i, channel="pushover",
                       address=u, match="*/process p%d, */process p%d"
                       % (i, i + len(self.users)))

    def at(self, i):
        """When incident i begins, in ms: some minutes ago, as of an agent
        that could not report for a while."""
        return self.began + i * APART_S * 1000 + 456

    def open(self, first, last):
        for i in range(first, last):
            status, obj = self.server.api("POST", "check_history/", {
                "check": self.checks[i], "value": 0,
                "timestamp": vil.stamp(self.at(i))})
            same(status, 201, "a result", obj) if status != 201 else None

    def deliveries(self, **is_):
        return [d for d in self.server.objects("delivery/?limit=0")
                if all(d[k] == v for k, v in is_.items())]


def told_of(request):
    """(which incident, its time) of a message."""
    f = request["fields"]
    m = re.fullmatch(r"process p(\d+) on web1 changed from no result to "
                     r"critical at (\S+ \S+) UTC: 0 running, at least 1 "
                     r"expected", f["message"])
    must(m, "of one incident", f)
    return int(m.group(1)), int(f["timestamp"])


def hundred_wait(bench):
    # What is sent and not answered may have arrived: nothing is added to
    # it, and the next of the same recipient waits behind it.
    double = vil.Double(bench, "close-before " * 10000)
    server = vil.Server(bench, double.conf())
    q = Queue(server)
    half = WAITING // 2
    q.open(0, half)
    until(vil.SLOW, "each was tried", lambda: len(
        q.deliveries(unknown=True)) == half, 0.2)
    vil.write(double.scriptfile, "503 " * 10000)
    q.open(half, half + half // 2)
    server.restart()
    double.stop()
    q.open(half + half // 2, WAITING)
    same(len(q.deliveries()), WAITING, "deliveries")
    same(len(q.deliveries(state="accepted")), 0, "none arrived")
    server.kill9()
    before = len(double.requests())
    vil.write(double.scriptfile, "")
    double.start()
    server.start()
    until(vil.SLOW, "all arrive", lambda: len(
        q.deliveries(state="accepted")) == WAITING, 0.2)
    check(never(6, lambda: len(double.requests()) > before + WAITING, 0.5),
          "and nothing else", len(double.requests()) - before)
    got = double.requests()[before:]
    same([r["faults"] for r in got if r["faults"]], [], "by the rules")
    same([(r["fields"]["user"],) + told_of(r) for r in got],
         [(q.users[i % half], i, q.at(i) // 1000) for i in range(WAITING)],
         "once each, in order, with the events' times")
    same({len(i["deliveries"]) for i in server.objects("incident/?limit=0")},
         {1}, "an incident has its delivery")
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


vil.run(hundred_wait)
