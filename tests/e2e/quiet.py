#!/usr/bin/env python3
"""Silences, parents, whom it is for and when: what holds news back, and that
nothing is swallowed."""
import signal
import time

import vil
from vil import check, same, until

BOSS, NIGHT = "b" * 30, "n" * 30


def told(double):
    return [(r["fields"]["user"], r["fields"]["title"])
            for r in double.requests()]


class Host:
    """An agent, and what it reports."""

    def __init__(self, server, name, **fields):
        self.server, self.name = server, name
        self.key = server.agent_key(server.add("agent", hostname=name,
                                               **fields))
        self.checks = {}

    def watch(self, name):
        self.checks[name] = self.server.add(
            "process_check", agent="/api/v1/agent/%d/" % self.server.objects(
                "agent/?hostname=" + self.name)[0]["id"],
            name=name, process_name=name)["id"]

    def report(self, **values):
        time.sleep(0.005)               # two results have two times
        status, got = self.server.api("PATCH", "check_history/", {"objects": [
            {"check": self.checks[c], "timestamp": vil.stamp(vil.now_ms()),
             "value": v} for c, v in values.items()]}, key=self.key)
        same((status, got.get("stored")), (202, len(values)), "reported")

    def held_by(self, name):
        return self.server.get("check/%d/" % self.checks[name])["held_by"]


def silences(bench):
    double = vil.Double(bench, "ok")
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    web1 = Host(server, "web1", tags="web")
    for name in "nginx", "cron":
        web1.watch(name)
    web1.report(nginx=1, cron=1)
    out = server.ctl("silence", "add", "WEB1/ngin?", "for", "1h", "comment",
                     "new kernel")
    check(out.startswith("silence 1 holds until 20"), "it says so", out)
    web1.report(nginx=0, cron=0)
    until(vil.SLOW, "cron is told of", lambda: told(double))
    same(told(double), [(vil.USER, "Vilicus alert: web1 cron is now critical")],
         "and alone")
    held = web1.held_by("nginx")
    check(held.startswith("silence 1 until 20") and
          held.endswith(": new kernel"), "what holds it back is seen", held)
    check("new kernel" in server.ctl("status", code=1), "in status, too")
    row = server.ctl("silences").split("\n")[1]
    check("WEB1/ngin?" in row and "new kernel" in row and " admin " in row,
          "and listed", row)
    same(len(server.objects("incident/")), 1, "nothing is opened")
    # What was told before is told to have ended, silence or not.
    server.ctl("silence", "add", "tag:web", "comment", "all of it")
    web1.report(cron=1)
    until(vil.SLOW, "the end", lambda: len(told(double)) == 2)
    same(told(double)[1][1], "Vilicus alert: web1 cron is now ok", "is told")
    server.kill9()                      # both still hold after that
    server.start()
    web1.report(cron=0)
    check(vil.never(6, lambda: len(told(double)) > 2), "nobody is told",
          told(double))
    # The last of them goes: what is still bad is told, once.
    server.ctl("silence", "rm", "2")
    until(vil.SLOW, "cron again", lambda: len(told(double)) == 3)
    same(told(double)[2][1], "Vilicus alert: web1 cron is now critical",
         "what is bad is told")
    server.ctl("silence", "rm", "1")
    web1.report(nginx=0)
    until(vil.SLOW, "nginx", lambda: len(told(double)) == 4)
    same(told(double)[3][1], "Vilicus alert: web1 nginx is now critical",
         "of each when its own ends")
    same([c["held_by"] for c in server.objects("check/")], [None, None],
         "nothing is held back")
    check(vil.never(6, lambda: len(told(double)) > 4), "and once",
          told(double))
    for fields, what in (
            ({"match": "web1/a/b"}, "match"), ({"match": ""}, "match"),
            ({}, "match"), ({"match": "web1", "weekly": "someday"}, "weekly"),
            ({"match": "web1", "weekly": "mon Nowhere/Land"}, "weekly"),
            ({"match": "web1", "from": "2026-01-02T00:00:00Z",
              "until": "2026-01-01T00:00:00Z"}, "until"),
            ({"match": "web1", "created_by": "x"}, "created_by")):
        status, got = server.api("POST", "silence/", fields)
        same((status, got.get("field")), (400, what), "refused: %s" % fields)
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


def recipients(bench):
    double = vil.Double(bench, "ok")
    server = vil.Server(bench, double.conf())
    day = "mon tue wed thu fri sat sun".split()
    other = day[(time.gmtime().tm_wday + 3) % 7]
    server.ctl("recipient", "add", "alice", "pushover", vil.USER, "match",
               "gw, web1/n*", "hours", ",".join(day))
    server.ctl("recipient", "add", "boss", "pushover", BOSS, "match",
               "tag:db")
    server.ctl("recipient", "add", "night", "pushover", NIGHT, "hours",
               other + " 10:00-12:00 Europe/Berlin")
    web1, db1 = Host(server, "web1"), Host(server, "db1", tags="x db")
    for host in web1, db1:
        host.watch("nginx")
        host.watch("cron")
        host.report(nginx=1, cron=1)
    web1.report(nginx=0, cron=0)
    db1.report(cron=0)
    until(vil.SLOW, "two are told", lambda: len(told(double)) == 2)
    same(sorted(told(double)), sorted([
        (vil.USER, "Vilicus alert: web1 nginx is now critical"),
        (BOSS, "Vilicus alert: db1 cron is now critical")]), "each of their own")
    waits = [d for d in server.objects("delivery/")
             if d["name"] == "night"]
    same((len(waits), waits[0]["state"], waits[0]["attempts"]),
         (1, "queued", 0), "night's waits")
    check(vil.now_ms() + 86400000 < vil.ms_of(waits[0]["next"]) <
          vil.now_ms() + 5 * 86400000, "until its day", waits[0]["next"])
    # All over before its hour: one message, of both ends of it.
    web1.report(nginx=1, cron=1)
    db1.report(cron=1)
    until(vil.SLOW, "and of the end", lambda: len(told(double)) == 4)
    waits = [d for d in server.objects("delivery/") if d["name"] == "night"]
    same((len(waits), waits[0]["state"], len(waits[0]["message"].split("\n"))),
         (1, "queued", 6), "it grew")
    for fields, what in (({"match": "tag:"}, "match"),
                         ({"hours": "25:00-26:00"}, "hours"),
                         ({"emergency": "yes"}, "emergency")):
        status, got = server.api("PATCH", "recipient/1/", fields)
        same((status, got.get("field")), (400, what), "refused: %s" % fields)
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


def zones(bench):
    """Hours that name no zone are those of the file, and follow it."""
    double = vil.Double(bench, "ok")
    server = vil.Server(bench, double.conf() + "zone XXX-12\n")
    same(server.objects("setting/")[0]["zone"], "XXX-12", "it is known")
    there = (time.gmtime().tm_hour + 12) % 24
    hours = "%02d:00-%02d:00" % ((there - 1) % 24, (there + 2) % 24)
    server.ctl("recipient", "add", "alice", "pushover", vil.USER, "hours",
               hours)
    server.ctl("recipient", "add", "boss", "pushover", BOSS, "hours",
               hours + " UTC")
    web1 = Host(server, "web1")
    web1.watch("nginx")
    web1.report(nginx=0)
    until(vil.SLOW, "alice is told", lambda: told(double))
    same([u for u, _ in told(double)], [vil.USER], "and alone")
    vil.write(server.conf, double.conf())
    server.process.signal(signal.SIGHUP)
    until(vil.SLOW, "no zone is set", lambda: server.objects(
        "setting/")[0]["zone"] == "")
    web1.report(nginx=1)
    check(vil.never(6, lambda: len(told(double)) > 1), "it is night there",
          told(double))
    vil.write(server.conf, double.conf() + "zone Nowhere/Land\n")
    server.process.signal(signal.SIGHUP)
    until(vil.SLOW, "it says so", lambda: "zone Nowhere/Land" in
          vil.read(server.process.err) or "Nowhere/Land" in
          vil.read(server.process.err))
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


def parents(bench):
    double = vil.Double(bench, "ok")
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    gw = Host(server, "gw", late_after_s=30)
    gw.watch("ping")
    server.ctl("agent", "add", "web1", "parent", "gw/ping")
    server.ctl("agent", "add", "web2", "parent", "web1")
    web2 = Host.__new__(Host)
    web2.server, web2.name, web2.checks = server, "web2", {}
    web2.key = server.agent_key(server.objects("agent/?hostname=web2")[0])
    # (its second key: a host may have several)
    web2.watch("nginx")
    gw.report(ping=1)
    web2.report(nginx=1)
    gw.report(ping=0)
    until(vil.SLOW, "gw is told of", lambda: told(double))
    web2.report(nginx=0)
    until(vil.SLOW, "held by a parent's parent",
          lambda: web2.held_by("nginx") == "parent gw/ping is critical")
    same(len(told(double)), 1, "and told to nobody")
    gw.report(ping=1)
    until(vil.SLOW, "gw is well", lambda: len(told(double)) == 2)
    check(vil.never(3, lambda: len(told(double)) > 2),
          "what was seen by way of it is seen anew first", told(double))
    web2.report(nginx=0)
    until(vil.SLOW, "web2 is told of", lambda: len(told(double)) == 3)
    same(told(double)[2][1], "Vilicus alert: web2 nginx is now critical",
         "what is still bad")
    for host, parent in ("web1", "web2"), ("gw", "gw"), ("gw", "none"):
        status, got = server.api("PATCH", "agent/%d/" % server.objects(
            "agent/?hostname=" + host)[0]["id"], {"parent": parent})
        same((status, got.get("field")), (400, "parent"),
             "%s above %s" % (parent, host))
    # What a parent names may go; that is no reason to refuse other changes.
    server.ctl("check", "rm", "gw/ping")
    web1 = "agent/%d/" % server.objects("agent/?hostname=web1")[0]["id"]
    same([server.api("PATCH", web1, {"description": "x"})[0],
          server.api("PATCH", web1, {"parent": "gw/pong"})[0],
          server.api("PATCH", web1, {"parent": None})[0]], [200, 400, 200],
         "without its parent")
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


vil.run(silences, recipients, zones, parents)
