#!/usr/bin/env python3
"""vilicus why and replay: a recorded day, with the words for it.

The programs are the real ones; only the wall clock is the test's, so that a
day has its hours, and all times are known to the second."""
import os
import re
import struct
import subprocess

import vil
from vil import check, must, same, until

MIN = 60000
FAR = 600000                    # ms between two reports: nobody is silent


class Day:
    """A server whose wall clock stands until it is set."""

    def __init__(self, bench):
        so, self.file = bench.path("clock.so"), bench.path("clock")
        r = subprocess.run(["cc", "-shared", "-fPIC", "-o", so, os.path.join(
            vil.TOP, "tests/double/clock.c")], capture_output=True, text=True)
        if r.returncode != 0:
            raise vil.Skip("no clock can be made: " + r.stderr)
        # Tomorrow, for the certificates begin today.
        now = vil.now_ms()
        self.begin_ms = now - now % 86400000 + 86400000
        self.day = vil.stamp(self.begin_ms)[:10]
        vil.write(self.file, "12345678")
        self.set("00:00")
        self.double = vil.Double(bench, "ok")
        self.server = vil.Server(bench, self.double.conf(), env={
            "LD_PRELOAD": so, "TEST_CLOCK": self.file})
        self.key, self.checks = {}, {}

    def ms(self, text):
        h, m, s = (text + ":00").split(":")[:3]
        return self.begin_ms + (int(h) * 60 + int(m)) * MIN + int(s) * 1000

    def set(self, text):
        self.now_ms = self.ms(text)
        with open(self.file, "r+b") as f:
            f.write(struct.pack("=q", self.now_ms))

    def host(self, name, **fields):
        self.key[name] = self.server.agent_key(self.server.add(
            "agent", hostname=name, check_interval_ms=FAR, **fields))

    def watch(self, host, name, kind, **fields):
        agent = self.server.objects("agent/?hostname=" + host)[0]
        self.checks[host + "/" + name] = self.server.add(
            kind + "_check", agent=agent["resource_uri"], name=name,
            **fields)["id"]

    def report(self, time, place, value):
        """One result, made and received at that time."""
        self.set(time)
        status, got = self.server.api("PATCH", "check_history/", {"objects": [
            {"check": self.checks[place], "timestamp": vil.stamp(self.now_ms),
             "value": value}]}, self.key[place.split("/")[0]])
        must((status, got.get("stored")) == (202, 1), "reported", got)

    def told(self, n):
        until(vil.SLOW, "%d deliveries are done" % n, lambda: [
            d["state"] in ("accepted", "given up")
            for d in self.server.objects("delivery/")].count(True) == n)

    def plain(self, text):
        """What is another one each time: the day, the other side's ids."""
        text = text.replace(self.day, "DAY")
        return re.sub(r"\bid [0-9a-f-]{36}", "id ID", text)

    def says(self, words):
        """What the command says; of its words, times of the day are such."""
        return self.plain(self.server.ctl(*[
            vil.stamp(self.ms(w)) if re.fullmatch(r"\d\d:\d\d", w) else w
            for w in words.split()]))


def record(d):
    """What happened that day."""
    s = d.server
    d.set("00:20")
    d.host("gw")
    d.watch("gw", "ping", "process", process_name="ping")
    d.report("00:20", "gw/ping", 0)
    d.report("00:25", "gw/ping", 1)
    d.set("00:30")
    d.host("web1", parent="gw/ping")
    d.host("db1")
    d.host("db2", late_after_s=5)
    for name, words in (("alice", "match web1/nginx"), ("bob", "match gw"),
                        ("carol", "match web1/cpu"),
                        ("dave", "match web1 after 15m"),
                        ("erin", "match db* severity critical hours "
                                 "21:00-22:00")):
        s.ctl("recipient", "add", name, "pushover", vil.USER, *words.split())
    d.set("01:00")
    d.watch("web1", "nginx", "process", process_name="nginx")
    d.watch("web1", "cpu", "cpu", crit=["above 90"], for_s=300)
    d.watch("db1", "load", "cpu", warn=["above 50"], crit=["above 90"])
    d.watch("db2", "load", "cpu", crit=["above 90"], hits=2, of=3)
    for place, value in (("gw/ping", 1), ("web1/nginx", 1), ("web1/cpu", 5),
                         ("db1/load", 5)):
        d.report("01:01", place, value)

    # A silence, and what is still wrong when it ends.
    d.set("02:00")
    s.ctl("silence", "add", "web1/nginx", "until", vil.stamp(d.ms("03:00")),
          "comment", "new kernel")
    d.report("02:10", "web1/nginx", 0)
    d.set("03:00:01")
    d.told(1)
    d.report("03:10", "web1/nginx", 2)
    d.told(2)

    # A parent fails.
    d.report("06:00", "gw/ping", 0)
    d.told(3)
    d.report("06:01", "web1/nginx", 0)
    d.report("06:20", "gw/ping", 1)
    d.told(4)
    d.report("06:21", "web1/nginx", 2)

    # A flap.
    for i, value in enumerate((60, 5, 95, 5, 60, 5)):
        d.report("10:%02d" % (2 * i), "db1/load", value)
    d.report("10:40", "db1/load", 6)

    # A delivery that fails, and a host that is silent meanwhile.
    vil.write(d.double.scriptfile, "500\n400\nok\n")
    for minute in 0, 2, 5:
        d.report("14:%02d" % minute, "db2/load", 95 if minute == 2 else 9)
        d.report("14:%02d" % minute, "web1/cpu", 95)
    until(vil.SLOW, "it failed", lambda: [
        x for x in s.objects("delivery/") if x["code"] == 500])
    d.set("14:05:06")
    d.told(5)
    until(vil.SLOW, "db2 is silent", lambda: len(s.objects(
        "incident/?closed=null")) == 2)
    d.set("14:10")
    s.ctl("ack", "7", "on", "my", "way")
    d.report("14:20", "web1/cpu", 7)
    d.report("14:25", "web1/cpu", 7)

    # What is changed meanwhile must not be told of then.
    d.set("18:00")
    uri = "check/%d/" % d.checks["web1/cpu"]
    s.api("PATCH", uri, {"enabled": False})
    d.set("19:00")
    s.api("PATCH", uri, {"enabled": True, "crit": ["above 99"], "for_s": 0})
    s.api("PATCH", "agent/2/", {"hostname": "web2"})
    s.api("PATCH", "recipient/1/", {"match": "db1"})
    s.restart()
    d.set("20:00")


# What is said of it: a command, and its words.
SAID = """\
$ why web2/nginx 00:45
web2/nginx at DAY 00:45:00 UTC:
the check did not exist yet

agent      never

DAY 00:30:00  the agent was added by admin

$ why web2/nginx 02:15
web2/nginx at DAY 02:15:00 UTC:
critical since DAY 02:10:00 UTC
nobody was told: held back until DAY 03:00:01 UTC: silence 1 until DAY 03:00:00 UTC: new kernel
alice was told only later, at DAY 03:00:01 UTC (accepted, id ID)

measured   0 running, at least 1 expected (critical), 5 m before
held back  silence 1 until DAY 03:00:00 UTC: new kernel
alice      was told only later, at DAY 03:00:01 UTC (accepted, id ID)

DAY 02:10:00  nginx is held back: silence 1 until DAY 03:00:00 UTC: new kernel
DAY 03:00:01  nginx is held back no longer
DAY 03:00:01  incident 2 opens: nginx on web1 changed from ok to critical at DAY 02:10:00 UTC: 0 running, at least 1 expected
DAY 03:00:01  alice: queued: Vilicus alert: web1 nginx is now critical
DAY 03:00:01  alice: attempt 1
DAY 03:00:01  alice: accepted (code 200), id ID
DAY 03:10:00  incident 2: nginx on web1 changed from critical to ok at DAY 03:10:00 UTC: 2 running
DAY 03:10:00  alice: queued: Vilicus alert: web1 nginx is now ok
DAY 03:10:00  alice: attempt 1
DAY 03:10:00  alice: accepted (code 200), id ID

$ why web2/nginx 03:05
web2/nginx at DAY 03:05:00 UTC:
critical since DAY 02:10:00 UTC
alice was told at DAY 03:00:01 UTC (accepted, id ID)

measured   0 running, at least 1 expected (critical), 55 m before
incident   2, critical, open since DAY 02:10:00
alice      was told at DAY 03:00:01 UTC (accepted, id ID)
bob        is told of other places alone
carol      is told of other places alone
dave       is told of what nobody saw to for 15 m
erin       is told of other places alone

DAY 02:10:00  nginx is held back: silence 1 until DAY 03:00:00 UTC: new kernel
DAY 03:00:01  nginx is held back no longer
DAY 03:00:01  incident 2 opens: nginx on web1 changed from ok to critical at DAY 02:10:00 UTC: 0 running, at least 1 expected
DAY 03:00:01  alice: queued: Vilicus alert: web1 nginx is now critical
DAY 03:00:01  alice: attempt 1
DAY 03:00:01  alice: accepted (code 200), id ID
DAY 03:10:00  incident 2: nginx on web1 changed from critical to ok at DAY 03:10:00 UTC: 2 running
DAY 03:10:00  alice: queued: Vilicus alert: web1 nginx is now ok
DAY 03:10:00  alice: attempt 1
DAY 03:10:00  alice: accepted (code 200), id ID

$ why web2/nginx 06:05
web2/nginx at DAY 06:05:00 UTC:
critical since DAY 06:01:00 UTC
nobody was told: held back until DAY 06:21:00 UTC: parent gw/ping is critical

measured   0 running, at least 1 expected (critical), 4 m before
held back  parent gw/ping is critical

DAY 06:01:00  nginx is held back: parent gw/ping is critical

$ why web2/nginx 12:00
web2/nginx at DAY 12:00:00 UTC:
ok since DAY 06:21:00 UTC
nobody was told: nothing was wrong

measured   2 running (ok), 5 h 39 m before

$ why gw/ping 00:22
gw/ping at DAY 00:22:00 UTC:
critical since DAY 00:20:00 UTC
nobody was told: there was no recipient

measured   0 running, at least 1 expected (critical), 2 m before
incident   1, critical, open since DAY 00:20:00

DAY 00:20:00  the agent was added by admin
DAY 00:20:00  ping was added by admin
DAY 00:20:00  the agent is up
DAY 00:20:00  incident 1 opens: ping on gw changed from no result to critical at DAY 00:20:00 UTC: 0 running, at least 1 expected
DAY 00:25:00  incident 1: ping on gw changed from critical to ok at DAY 00:25:00 UTC: 1 running

$ why gw/ping 06:05
gw/ping at DAY 06:05:00 UTC:
critical since DAY 06:00:00 UTC
bob was told at DAY 06:00:00 UTC (accepted, id ID)

measured   0 running, at least 1 expected (critical), 5 m before
incident   3, critical, open since DAY 06:00:00
alice      is told of other places alone
bob        was told at DAY 06:00:00 UTC (accepted, id ID)
carol      is told of other places alone
dave       is told of other places alone
erin       is told of other places alone

DAY 06:00:00  incident 3 opens: ping on gw changed from ok to critical at DAY 06:00:00 UTC: 0 running, at least 1 expected
DAY 06:00:00  bob: queued: Vilicus alert: gw ping is now critical
DAY 06:00:00  bob: attempt 1
DAY 06:00:00  bob: accepted (code 200), id ID
DAY 06:20:00  incident 3: ping on gw changed from critical to ok at DAY 06:20:00 UTC: 1 running
DAY 06:20:00  bob: queued: Vilicus alert: gw ping is now ok
DAY 06:20:00  bob: attempt 1
DAY 06:20:00  bob: accepted (code 200), id ID

$ why db1/load 10:01
db1/load at DAY 10:01:00 UTC:
warning since DAY 10:00:00 UTC
nobody was told: each recipient has its reason

measured   60 percent, above 50 (warning), 1 m before
rule       warn above 50 crit above 90
incident   4, warning, open since DAY 10:00:00
alice      is told of other places alone
bob        is told of other places alone
carol      is told of other places alone
dave       is told of other places alone
erin       is told of worse alone

DAY 10:00:00  incident 4 opens: load on db1 changed from ok to warning at DAY 10:00:00 UTC: 60 percent, above 50
DAY 10:02:00  incident 4: load on db1 changed from warning to ok at DAY 10:02:00 UTC: 5 percent

$ why db1/load 10:30
db1/load at DAY 10:30:00 UTC:
flapping, held at critical since DAY 10:08:00 UTC
erin is to be told at DAY 21:00:00 UTC

measured   5 percent (ok), 20 m before
rule       warn above 50 crit above 90
counted    flapping, held at critical
incident   6, critical, open since DAY 10:08:00
alice      is told of other places alone
bob        is told of other places alone
carol      is told of other places alone
dave       is told of other places alone
erin       is to be told at DAY 21:00:00 UTC

DAY 10:04:00  erin: queued: Vilicus alert: db1 load is now critical
DAY 10:04:00  erin: waits until DAY 21:00:00 UTC
DAY 10:06:00  erin: now says: Vilicus alert: db1 load is now ok
DAY 10:06:00  erin: waits until DAY 21:00:00 UTC
DAY 10:08:00  incident 6 opens: load on db1 is flapping: 5 changes in 30 min, held at critical until it is calm: 60 percent, above 50
DAY 10:08:00  erin: now says: Vilicus alert: 3 changes, worst critical
DAY 10:08:00  erin: waits until DAY 21:00:00 UTC
DAY 10:40:00  incident 6: load on db1 changed from critical to ok at DAY 10:40:00 UTC: calm for 15 min: 6 percent
DAY 10:40:00  erin: now says: Vilicus alert: 4 changes, worst critical
DAY 10:40:00  erin: waits until DAY 21:00:00 UTC
DAY 14:05:06  erin: now says: Vilicus alert: 5 changes, worst critical
DAY 14:05:06  erin: waits until DAY 21:00:00 UTC

$ why db2/load 14:03
db2/load at DAY 14:03:00 UTC:
ok since DAY 14:00:00 UTC
nobody was told: it had not lasted

measured   95 percent, above 90, 2 of 3 results (critical), 1 m before
rule       crit above 90 2 of 3
counted    critical since DAY 14:02:00 UTC, 1 of the last 3, and 2 are enough

DAY 14:00:00  the agent is up

$ why db2/load 14:06
db2/load at DAY 14:06:00 UTC:
agent db2 was silent since DAY 14:05:06 UTC
erin is to be told at DAY 21:00:00 UTC

measured   9 percent (ok), 1 m before
rule       crit above 90 2 of 3
counted    critical, 1 of the last 3, and 2 are enough
agent      silent
incident   8, critical, open since DAY 14:05:06
alice      is told of other places alone
bob        is told of other places alone
carol      is told of other places alone
dave       is told of other places alone
erin       is to be told at DAY 21:00:00 UTC

DAY 14:00:00  the agent is up
DAY 14:05:06  the agent is silent
DAY 14:05:06  incident 8 opens: agent db2 changed from up to silent at DAY 14:05:06 UTC: nothing heard for 5 s
DAY 14:05:06  erin: now says: Vilicus alert: 5 changes, worst critical
DAY 14:05:06  erin: waits until DAY 21:00:00 UTC

$ why web2/cpu 14:03
web2/cpu at DAY 14:03:00 UTC:
ok since DAY 01:01:00 UTC
nobody was told: it had not lasted

measured   95 percent, above 90 for 5 m (critical), 1 m before
rule       crit above 90 for 300s
counted    critical since DAY 14:00:00 UTC, which must last 5 m

$ why web2/cpu 14:12
web2/cpu at DAY 14:12:00 UTC:
critical since DAY 14:05:00 UTC
carol was not told, given up: attempt 2: HTTP 400: the script says 400

measured   95 percent, above 90 for 5 m (critical), 7 m before
rule       crit above 90 for 300s
incident   7, critical, open since DAY 14:05:00, acknowledged by admin
           on my way
alice      is told of other places alone
bob        is told of other places alone
carol      was not told, given up: attempt 2: HTTP 400: the script says 400
dave       is told of what nobody saw to for 15 m
erin       is told of other places alone

DAY 14:05:00  incident 7 opens: cpu on web1 changed from ok to critical at DAY 14:05:00 UTC: 95 percent, above 90 for 5 m
DAY 14:05:00  carol: queued: Vilicus alert: web1 cpu is now critical
DAY 14:05:00  carol: attempt 1
DAY 14:05:00  carol: not delivered (code 500): HTTP 500; again at DAY 14:05:05 UTC
DAY 14:05:06  carol: attempt 2
DAY 14:05:06  carol: given up (code 400): HTTP 400: the script says 400
DAY 14:10:00  acknowledged by admin: on my way
DAY 14:25:00  incident 7: cpu on web1 changed from critical to ok at DAY 14:25:00 UTC: 7 percent

$ why web2/cpu 18:30
web2/cpu at DAY 18:30:00 UTC:
ok since DAY 14:25:00 UTC
nobody was told: the check was disabled

measured   7 percent (ok), 4 h 5 m before
rule       crit above 90 for 300s

DAY 18:00:00  cpu was disabled by admin

$ replay web2/nginx from 00:00 until 20:00
= nginx on web2 changed from ok to critical at DAY 02:10:00 UTC: 0 running, at least 1 expected
= nginx on web2 changed from critical to ok at DAY 03:10:00 UTC: 2 running
+ nginx on web2 changed from ok to critical at DAY 06:01:00 UTC: 0 running, at least 1 expected
+ nginx on web2 changed from critical to ok at DAY 06:21:00 UTC: 2 running
as it was (=): 2, only with these rules (+): 2, only as it was (-): 0

$ replay db1/load from 00:00 until 20:00
= load on db1 changed from ok to warning at DAY 10:00:00 UTC: 60 percent, above 50
= load on db1 changed from warning to ok at DAY 10:02:00 UTC: 5 percent
= load on db1 changed from ok to critical at DAY 10:04:00 UTC: 95 percent, above 90
= load on db1 changed from critical to ok at DAY 10:06:00 UTC: 5 percent
= load on db1 is flapping: 5 changes in 30 min, held at critical until it is calm: 60 percent, above 50
= load on db1 changed from critical to ok at DAY 10:40:00 UTC: calm for 15 min: 6 percent
as it was (=): 6, only with these rules (+): 0, only as it was (-): 0

$ replay web2/cpu from 00:00 until 20:00 crit above 90 for 5m
= cpu on web2 changed from ok to critical at DAY 14:05:00 UTC: 95 percent, above 90 for 5 m
= cpu on web2 changed from critical to ok at DAY 14:25:00 UTC: 7 percent
as it was (=): 2, only with these rules (+): 0, only as it was (-): 0
"""


def asks(d):
    """The API below it: who may ask, and what is refused."""
    s = d.server
    path = "check/%d/why/" % d.checks["web1/nginx"]
    ask = path + "?at=" + vil.stamp(d.ms("02:15"))
    got = s.get(ask)
    same((got["counted"]["status"], got["counted"]["since"], got["incident"],
          got["measured"]["result"]["value"], got["measured"]["late"],
          got["counted"]["held_by"][:9], got["agent"]["state"], got["next"],
          got["settled"], got["journal_from"]),
         ("critical", vil.stamp(d.ms("02:10")), None, 0, False, "silence 1",
          "up", None, True, None), "what there was")
    same(got["events"][0]["text"], "nginx is held back: " +
         got["counted"]["held_by"], "its first event")
    event = s.get("event/%d/" % got["events"][0]["event"])
    same((event["at"], event["new"]["held_by"]),
         (got["events"][0]["at"], got["counted"]["held_by"]), "by number")
    got = s.get(path)
    same((got["at"], got["counted"]["status"]), (vil.stamp(d.now_ms), "ok"),
         "now, unless it says otherwise")
    early = s.get(path + "?at=2026-01-01T00:00:00Z")
    check("the journal does not reach before %s 00:00:00 UTC" % d.day in
          early["answer"], "before all", early["answer"])
    same((early["measured"], early["counted"]["status"]), (None, "none"),
         "nothing was measured")
    for query in ("at=soon", "at=", "n=0", "n=x", "undo=x", "from=1",
                  "&".join(["undo=1"] * 65)):
        status, got = s.api("GET", path + "?" + query)
        same((status, got.get("field")), (400, query.split("=")[0]), query)
    same(s.api("GET", path + "?n=%d&undo=%d" % (1 << 62, 1 << 62))[0], 200,
         "numbers that are none")
    for role, want in (("viewer", 200), ("operator", 200), ("enrol", 403)):
        key = s.add("key", name=role, role=role)["secret"]
        same(s.api("GET", ask, key=key)[0], want, role)
    same(s.api("GET", ask, key=d.key["web1"])[0], 403, "an agent")
    same(s.api("GET", ask, key="")[0], 401, "nobody")
    same(s.api("POST", path, {})[0], 405, "POST")
    same([s.api("GET", p)[0] for p in ("process_" + path, "cpu_" + path,
                                       "check/99/why/", "agent/1/why/")],
         [200, 404, 404, 404], "of checks")
    for words, code in ((("web2/none",), 3), (("web2",), 2),
                        (("web2/nginx", "never"), 3), ((), 2)):
        s.ctl("why", *words, code=code)
    same(s.ctl("-j", "why", "web2/nginx", vil.stamp(d.ms("02:15"))).count(
        "\n"), 1, "-j: the page")


def day(bench):
    d = Day(bench)
    record(d)
    for part in re.split(r"^\$ ", SAID, flags=re.M)[1:]:
        words, want = part.split("\n", 1)
        same(d.says(words), want.rstrip("\n") + "\n", words)
    asks(d)


vil.run(day)
