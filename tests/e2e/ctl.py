#!/usr/bin/env python3
"""Every command of man/vilicus.1: its text, its JSON and its exit code."""
import json
import os
import re
import subprocess

import vil
from vil import check, must, same, until

FINE, BAD_NEWS, USAGE, REFUSED = range(4)


class Ctl:
    """The command, with its three outcomes."""

    def __init__(self, server):
        self.server = server
        self.base = ["-s", server.url, "-i", server.keyfile]

    def __call__(self, *words, code=FINE, options=(), env=None, base=None):
        argv = [os.path.join(vil.TOP, "vilicus")]
        argv += self.base if base is None else base
        r = subprocess.run(argv + list(options) + list(words),
                           capture_output=True, text=True, timeout=90,
                           env=dict(os.environ, **(env or {})))
        same(r.returncode, code, "vilicus %s\n  %s" % (
            " ".join(words), r.stdout + r.stderr))
        self.err = r.stderr
        check(code < USAGE or r.stdout or r.stderr, "it says why", words)
        return r.stdout

    def json(self, *words, code=FINE):
        """The answers under -j, a line each."""
        out = self(*words, code=code, options=["-j"])
        return [json.loads(line) for line in out.splitlines()]

    def faults(self, code, rows):
        """Command lines that fail, and what is said of each."""
        for line, why in rows:
            out = self(*line.split(), code=code)
            check(re.search(why, self.err), line, self.err)
            same(out, "", "nothing but the reason: " + line)


def table(text):
    """The rows of a table, by its titles."""
    head = text.splitlines()[0]
    at = [m.start() for m in re.finditer(r"\S+", head)]
    names = head.split()
    return [dict(zip(names, [line[a:b].strip() for a, b in
                             zip(at, at[1:] + [None])]))
            for line in text.splitlines()[1:]]


def fixture(bench):
    server = vil.Server(bench)
    return server, Ctl(server)


def result(server, check_uri, ago_s, **fields):
    status, got = server.api("PATCH", "check_history/", {"objects": [dict(
        check=check_uri, timestamp=vil.stamp(vil.now_ms() - ago_s * 1000),
        **fields)]})
    must(status == 202 and got["stored"] == 1, "stored", status, got)


def configure(bench):
    """agent, check, recipient and key: add, the list, rm."""
    server, ctl = fixture(bench)
    out = ctl("agent", "add", "web1", "interval", "30s", "late", "5m")
    m = re.match(r"https://va_[a-z2-7]{32}@127\.0\.0\.1:%d/#[\w-]{43}\n" %
                 server.port, out)
    must(m, "the URL stands first", out)
    check("vilicus-agent '%s'" % m.group(0).strip() in out and
          "public" in out, "how to start it", out)
    agent = server.objects("agent/")[0]
    same((agent["hostname"], agent["check_interval_ms"],
          agent["late_after_s"]), ("web1", 30000, 300), "its fields")
    key = m.group(0)[8:].split("@")[0]
    same(server.api("GET", "check/", key=key)[0], 200, "its key is good")
    answers = ctl.json("agent", "add", "web2")
    same([a.get("role", a.get("hostname")) for a in answers],
         ["web2", "agent"], "-j: the agent and the key")

    same(ctl("check", "add", "web1", "process", "nginx", "min", "2", "max",
             "9", "every", "10s"), "web1/process nginx was added\n", "text")
    ctl("check", "add", "web1", "cpu", "warn", "above", "80", "or", "iowait",
        "above", "50", "crit", "above", "90", "for", "5m", "clear", "75",
        "3", "of", "5", "name", "busy")
    ctl("check", "add", "web2", "cpu", "below", "1")
    ctl("check", "add", "web2", "process", "process_name", "7")
    ctl("check", "add", "web2", "number", "/run/a", "of", "/run/b", "3", "of",
        "5", "above", "90", "name", "share")
    c = {c["name"]: c for c in server.objects("check/?limit=0")}
    same(c["process nginx"]["params"],
         {"process_name": "nginx", "min": 2, "max": 9}, "params")
    same(c["process nginx"]["interval_ms"], 10000, "every")
    same([c["busy"][f] for f in ("warn", "crit", "clear", "for_s", "hits",
                                 "of")],
         [["above 80", "iowait above 50"], ["above 90"], ["above 75"], 300,
          3, 5], "the rule")
    same(c["cpu"]["crit"], ["below 1"], "a bound alone is critical")
    same(c["process 7"]["params"], {"process_name": "7"}, "a text param")
    same(c["share"]["params"], {"path": "/run/a", "of": "/run/b"}, "its of")
    same((c["share"]["hits"], c["share"]["of"]), (3, 5), "and the rule's")
    client = server.client()
    client.api("GET", "number_check/")
    same(re.findall(rb'"of":[^,]*', client.raw), [b'"of":"/run/b"'],
         "a parameter takes the place of the field of its name")
    client.api("GET", "number_check/schema/")
    same(client.raw.count(b'"of":'), 1, "in the schema, too")
    client.close()
    same(server.add("number_check", agent="/api/v1/agent/2/", path="/run/c",
                    of="7", hits=2)["hits"], 2, "hits in a row")
    ctl("check", "add", "web2", "tcp", "::1", "25", "expect", "220")
    ctl("check", "add", "web2", "log", "pattern", "a b", "/var/log/x")
    same([server.objects("check/?type=" + t)[0]["params"]
          for t in ("tcp", "log")],
         [{"host": "::1", "port": 25, "expect": "220"},
          {"path": "/var/log/x", "pattern": "a b"}], "what is needed is first")
    ctl("check", "rm", "web2/tcp ::1")
    ctl("check", "rm", "web2/log :var:log:x")
    ctl("check", "rm", "web2/share")
    ctl("check", "rm", "web2/number :run:c")

    ctl("recipient", "add", "alice", "pushover", vil.USER, "severity",
        "critical")
    ctl("key", "add", "laptop", "admin")
    secret = ctl("key", "add", "spare", "agent", "agent", "web2").strip()
    check(re.fullmatch(r"va_[a-z2-7]{32}", secret), "its secret", secret)

    rows = table(ctl("agents"))
    same([(r["HOST"], r["STATE"], r["LAST"]) for r in rows],
         [("web1", "never", "-"), ("web2", "never", "-")], "agents")
    rows = table(ctl("checks"))
    same([(r["HOST"], r["CHECK"], r["TYPE"]) for r in rows],
         [("web1", "process nginx", "process"), ("web1", "busy", "cpu"),
          ("web2", "cpu", "cpu"), ("web2", "process 7", "process")],
         "checks, by host")
    same([rows[1][t] for t in ("WARN", "CRIT", "CLEAR", "FOR_S", "HITS",
                               "OF")],
         ["above 80,iowait above 50", "above 90", "above 75", "300", "3",
          "5"], "the rule shown")
    same(len(table(ctl("checks", "web2"))), 2, "of one host")
    same(table(ctl("recipients")),
         [{"NAME": "alice", "CHANNEL": "pushover", "SEVERITY": "critical",
           "MATCH": "-", "HOURS": "-", "AFTER_S": "0", "ENABLED": "true",
           "PROVEN": "-", "DRILLED": "-", "DRILL_ERROR": "-",
           "ADDRESS": vil.USER}],
         "recipients")
    rows = table(ctl("keys"))
    same([(r["NAME"], r["ROLE"], r["HOST"]) for r in rows[1:]],
         [("web1", "agent", "web1"), ("web2", "agent", "web2"),
          ("laptop", "admin", "-"), ("spare", "agent", "web2")], "keys")
    rows = table(ctl("events", "-n", "2"))
    same([r["OBJECT"].split("/")[0] for r in rows], ["key", "key"],
         "events, the newest first")
    check(int(rows[0]["N"]) == int(rows[1]["N"]) + 1 and
          "name:spare" in rows[0]["NEW"], "what they are", rows)
    for words in (["agents"], ["checks"], ["checks", "web1"], ["keys"],
                  ["recipients"], ["events"], ["status"]):
        check("objects" in ctl.json(*words)[0], "-j is the list", words)

    same(ctl("key", "rm", rows[0]["OBJECT"].split("/")[1]),
         "key %s was removed\n" % rows[0]["OBJECT"].split("/")[1], "by id")
    same(ctl("key", "rm", "laptop"), "key laptop was removed\n", "by name")
    same(ctl("recipient", "rm", "alice"), "recipient alice was removed\n",
         "recipient rm")
    same(ctl("check", "rm", "web1/busy"), "check web1/busy was removed\n",
         "check rm")
    same(ctl("agent", "rm", "web2"), "agent web2 was removed\n", "agent rm")
    same([c["name"] for c in server.objects("check/")], ["process nginx"],
         "what is left")
    same(ctl("recipients"), "", "an empty list has no titles")


def look(bench):
    """status, history and incidents over results."""
    server, ctl = fixture(bench)
    same(ctl("status"), "agents: 0, silent: 0; checks: 0 ok\n", "of nothing")
    same(ctl("incidents"), "no incident is open\n", "none")
    a = server.add("agent", hostname="web1")
    cpu = server.add("check", agent=a["resource_uri"], type="cpu",
                     crit=["above 90"])["resource_uri"]
    nginx = server.add("check", agent=a["resource_uri"], type="process",
                       params={"process_name": "nginx"})["resource_uri"]
    out = ctl("status", "web1/cpu", code=REFUSED)
    check(out.startswith("UNKNOWN - web1/cpu: "), "no result is unknown", out)
    key = server.agent_key(a)
    same(server.api("PATCH", "check_history/", {"objects": []}, key)[0], 202,
         "the agent checks in")
    check("no result yet" in ctl("status", "web1/cpu", code=REFUSED), "yet")
    result(server, cpu, 3, value=12.5, metrics={"user": 10, "system": 2.5},
           message="[a\u202eb]")
    result(server, nginx, 3, value=1)
    out = ctl("status")
    same([(r["HOST"], r["CHECK"], r["STATUS"]) for r in
          table(out[:out.rindex("agents: 1")])],
         [("web1", "cpu", "ok"), ("web1", "process nginx", "ok")], "ok")
    check(out.endswith("agents: 1, silent: 0; checks: 2 ok\n"), "sum", out)
    out = ctl("status", "web1/cpu")
    check(out.startswith("OK - web1/cpu: 12.5 percent"), "a plugin", out)
    check("\u202e" not in out and "[a?b]" in out, "fit for a terminal", out)
    result(server, nginx, 1, value=0)
    out = ctl("status", code=BAD_NEWS)
    same(table(out)[0]["CHECK"], "process nginx", "the worst first")
    check(out.endswith("checks: 1 critical 1 ok\n"), "sum", out)
    ctl("status", "web1", code=BAD_NEWS)
    same(ctl("status", "web1/process nginx", code=2),
         "CRITICAL - web1/process nginx: 0 running, at least 1 expected\n",
         "2 is critical here")
    same(ctl.json("status", "web1/cpu")[0]["name"], "cpu", "-j: the object")
    server.api("PATCH", cpu, {"enabled": False})
    out = ctl("status", code=BAD_NEWS)
    check(out.endswith("checks: 1 critical 0 ok 1 off\n"), "off", out)

    rows = table(ctl("history", "web1/cpu"))
    same([(r["STATUS"], r["VALUE"], r["MESSAGE"], r["METRICS"])
          for r in rows],
         [("ok", "12.5", "[a?b]", "user:10,system:2.5")], "history")
    rows = table(ctl("history", "web1/process nginx", "-n", "1"))
    same([r["VALUE"] for r in rows], ["0"], "the newest one")
    for i in range(0, 1100, 100):
        status, got = server.api("PATCH", "check_history/", {"objects": [
            {"check": cpu, "value": i + k, "timestamp":
             vil.stamp(vil.now_ms() - 3600000 + (i + k) * 1000)}
            for k in range(100)]})
        must(status == 202 and got["stored"] == 100, "stored", got)
    same(len(table(ctl("history", "web1/cpu"))), 20, "20 unless told")
    rows = table(ctl("history", "web1/cpu", "-n", "1050"))
    same(len({r["TIME"] for r in rows}), 1050, "over two pages")
    same(sorted(rows, key=lambda r: r["TIME"], reverse=True), rows, "order")

    rows = table(ctl("incidents", code=BAD_NEWS))
    same([(r["WHAT"], r["SEVERITY"], r["CLOSED"]) for r in rows],
         [("web1 process nginx", "critical", "-")], "incidents")
    same(ctl("ack", rows[0]["ID"], "for", "2h", "on", "my", "way").split(
        " until ")[0], "incident %s (web1 process nginx) is acknowledged by "
         "admin" % rows[0]["ID"], "acknowledged")
    got = ctl.json("incidents", rows[0]["ID"], code=BAD_NEWS)[0]
    same((got["acknowledged_by"], got["comment"], bool(got["acknowledged"])),
         ("admin", "on my way", True), "and so it is")
    check("admin" in ctl("incidents", code=BAD_NEWS), "seen in the list")
    path = "incident/%s/" % rows[0]["ID"]
    for body, field in (
            ({"acknowledged": 1}, "acknowledged"),
            ({"acknowledged": True, "closed": None}, "closed"),
            ({"acknowledged": True, "comment": "x" * 257}, "comment"),
            ({"acknowledged": True, "king": 1}, "king"),
            ({"acknowledged_until": "2020-01-01T00:00:00Z"},
             "acknowledged_until"),
            ({"acknowledged": False, "acknowledged_until":
              "2100-01-01T00:00:00Z"}, "acknowledged_until")):
        status, said = server.api("PATCH", path, body)
        same((status, said.get("field")), (400, field), "refused: %s" % body)
    same(server.api("GET", path)[1], got, "and nothing of it was taken")
    status, said = server.api("PATCH", path, {"acknowledged": True})
    same((status, said["acknowledged_until"], said["comment"]),
         (200, None, "on my way"), "anew, without an end")
    same(server.api("PATCH", path, {"acknowledged": False})[1]
         ["acknowledged_by"], None, "taken back")
    out = ctl("incidents", rows[0]["ID"], code=BAD_NEWS)
    check("0 running, at least 1 expected" in out, "one of them", out)
    same(ctl.json("incidents", rows[0]["ID"], code=BAD_NEWS)[0]["closed"],
         None, "-j: it")
    result(server, nginx, 0, value=1)
    same(ctl("incidents"), "no incident is open\n", "closed")
    same(server.api("PATCH", path, {"acknowledged": True})[0], 409, "over")
    check(table(ctl("incidents", rows[0]["ID"]))[0]["CLOSED"] != "-",
          "it is closed")


def tested(bench):
    """recipient test: a failure, and then it is accepted."""
    double = vil.Double(bench, "500 ok")
    server = vil.Server(bench, double.conf())
    ctl = Ctl(server)
    ctl("recipient", "add", "alice", "pushover", vil.USER)
    out = ctl("recipient", "test", "alice")
    check(re.search(r"attempts: 1 .*500.*\n(?:.*\n)*"
                    r"accepted, attempts: 2 \S+\n$", out),
          "how it fared", out)
    same(len(double.requests()), 2, "two attempts")
    double.stop()


def refused(bench):
    """What is not understood is 2; what cannot be done, 3."""
    server, ctl = fixture(bench)
    ctl("agent", "add", "web1")
    ctl.faults(USAGE, [
        ("", "usage: vilicus .*\n(\t.*\n){30}$"),
        ("sing", "usage: "),
        ("agent", "usage: "),
        ("agent dance x", "usage: "),
        ("agents x", "usage: "),
        ("history", "usage: "),
        ("history web1", "web1: not HOST/CHECK"),
        ("events -n 0", "not -n 1 to"),
        ("events -n 1000001", "not -n 1 to"),
        ("events -m 1", "not -n 1 to"),
        ("incidents x", "x: not an incident's number"),
        ("ack x", "x: not an incident's number"),
        ("ack 1 for ever", 'no duration .* follows "for"'),
        ("ack 1 for", 'no duration .* follows "for"'),
        ("check rm web1", "web1: not HOST/CHECK"),
        ("silence add web1 for", 'nothing follows "for"'),
        ("silence add web1 for ever", "not a duration"),
        ("silence rm web1", "web1: not a silence's number"),
        ("agent add web9 interval", 'nothing follows "interval"'),
        ("agent add web9 interval 5", "not a duration"),
        ("agent add web9 late 500ms", "not a duration"),
        ("agent add web9 size 5", '"size" is not understood here'),
        ("check add web1 dance", "dance: no such type"),
        ("check add web1 cpu nginx", '"nginx" is not understood'),
        ("check add web1 cpu crit above", 'nothing follows "above"'),
        ("check add web1 cpu for 1500ms", "not a duration"),
        ("check add web1 process a b", '"b" is not understood')])
    ctl.faults(REFUSED, [
        ("agent add web1", "hostname"),
        ("agent add web1/x", "hostname: "),
        ("agent add web9 parent nobody", "parent: no agent"),
        ("silence add web1/a/b", "match: "),
        ("silence add web1 weekly someday", "weekly: "),
        ("silence add web1 until 2000-01-01T00:00:00Z", "until: "),
        ("recipient add bob email b@example.org emergency", "emergency: "),
        ("agent add web9 severity ok", "severity"),
        ("agent add web9 late 1m late 2m", "the same key again"),
        ("agent rm web9", 'no agent is "web9"'),
        ("status web9", 'no agent is "web9"'),
        ("status web1/cpu", 'no check is "web1/cpu"'),
        ("check add web9 cpu", 'no agent is "web9"'),
        ("check add web1 process", "process_name"),
        ("check add web1 process a min x", "min: "),
        ("check add web1 cpu crit above x", "crit: "),
        ("check add web1 cpu 6 of 5 crit above 1", "hits|of"),
        ("recipient add bob owl x", "channel: "),
        ("recipient add bob pushover %s after 8d" % ("a" * 30), "after_s"),
        ("recipient test bob", 'no recipient is "bob"'),
        ("key add x king", "role: "),
        ("key add x agent", "agent"),
        ("key rm 99", "."),
        ("incidents 99", "."), ("ack 99", ".")])
    same([c for c in server.objects("check/")], [], "nothing was added")
    same(len(server.objects("agent/")), 1, "nor an agent")
    free = "http://127.0.0.1:%d" % vil.free_port()
    ctl("status", code=REFUSED, base=["-s", free, "-i", server.keyfile])
    ctl("status", code=USAGE, base=["-x"])
    ctl("status", code=USAGE, base=["-s", "web1"])
    ctl("status", code=USAGE, base=["-s", server.url + "/x"])
    ctl("status", code=REFUSED, base=["-s", server.url, "-i", "/nowhere"])
    bad = vil.write(bench.path("bad.key"), "vk_" + "a" * 32 + "\n")
    ctl("status", code=REFUSED, base=["-s", server.url, "-i", bad])
    check("valid key" in ctl.err, "the server's own words", ctl.err)
    ctl("agents", base=[], env={"VILICUS_URL": server.url,
                                "VILICUS_KEY_FILE": server.keyfile})
    ctl("agents", base=["-s", server.url.replace("//", "//%s@" % server.key),
                        "-i", "/nowhere"])
    full = open("/dev/full", "w")
    r = subprocess.run([os.path.join(vil.TOP, "vilicus")] + ctl.base +
                       ["agents"], stdout=full, stderr=subprocess.PIPE)
    full.close()
    same(r.returncode, REFUSED, "what cannot be written is said")
    server.stop()
    until(vil.SLOW, "the end", lambda: not server.process.running())


vil.run(configure, look, tested, refused)
