#!/usr/bin/env python3
"""A check that flaps: its recipient is told so once, nothing of its changes
while it does, over a kill -9 too, and the end when it is calm.  The results
are of a client that is taken at its word: stamped in the last hour, and posted
at once."""
import re

import vil
from vil import check, same, until

FLAPS = (" is flapping: 5 changes in 30 min, held at critical until it is "
         "calm: 0 running, at least 1 expected")


class Nginx:
    """process nginx on web1, a result a minute from some time ago on."""

    def __init__(self, server):
        self.server = server
        agent = server.add("agent", hostname="web1")
        self.uri = server.add(
            "check", agent=agent["resource_uri"], type="process",
            params={"process_name": "nginx"}, interval_ms=3600000)[
            "resource_uri"]
        self.key = server.agent_key(agent)
        self.at_ms = vil.now_ms() - 45 * 60000

    def runs(self, counts):
        """Results, each a digit."""
        made = []
        for c in counts:
            self.at_ms += 60000
            made.append({"check": self.uri, "value": int(c),
                         "timestamp": vil.stamp(self.at_ms)})
        status, got = self.server.api("PATCH", "check_history/",
                                      {"objects": made}, self.key)
        same((status, got["stored"]), (202, len(made)), "results")

    def shown(self):
        """In `vilicus status`, and whether it says that it flaps."""
        line = re.search("web1 +process nginx +.*", self.server.ctl(
            "status", code=None)).group(0)
        return line.split()[3], line.endswith(" (flapping)")


def told(double):
    return [(r["fields"]["title"], r["fields"]["message"])
            for r in double.requests()]


def flaps(bench):
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    nginx = Nginx(server)
    nginx.runs("110")
    until(vil.SLOW, "the alarm", lambda: told(double))
    nginx.runs("101")
    same(nginx.shown(), ("ok", False), "not after four changes")
    nginx.runs("0")
    same(nginx.shown(), ("critical", True), "after the fifth")
    out = server.ctl("incidents", code=1)
    check("process nginx on web1" + FLAPS in out, "in vilicus incidents", out)
    until(vil.SLOW, "it is told", lambda: len(told(double)) == 2)
    title, message = told(double)[1]
    check(message.split("\n")[-1] == "process nginx on web1" + FLAPS,
          "that it flaps", title, message)

    nginx.runs("10100111")
    same(nginx.shown(), ("critical", True), "held at the worst")
    incident = server.objects("incident/?closed=null")
    same(len(incident), 1, "one incident")
    server.restart()
    nginx.runs("1011" + "1" * 13)       # 14 minutes without a change
    same(nginx.shown(), ("critical", True), "not calm yet")
    same(len(told(double)), 2, "and nothing was told")
    nginx.runs("1")
    same(nginx.shown(), ("ok", False), "calm")
    until(vil.SLOW, "the end is told", lambda: len(told(double)) == 3)
    title, message = told(double)[2]
    same(title, "Vilicus alert: web1 process nginx is now ok", "the end")
    check(re.fullmatch(r"process nginx on web1 changed from critical to ok at "
                       r"\S+ \S+ UTC: calm for 15 min: 1 running", message),
          "and of the end alone", message)
    same(server.ctl("incidents", code=0), "no incident is open\n", "over")
    check("calm for 15 min" in server.ctl("incidents", str(
        incident[0]["id"])), "in vilicus incidents ID")
    same(sum(m.count("is flapping") for _, m in told(double)), 1, "once")
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


vil.run(flaps)
