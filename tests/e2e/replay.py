#!/usr/bin/env python3
"""vilicus replay: a day's history under the same rules, and under others."""
import re

import vil
from vil import check, must, same

STEP = 5000                     # ms between two results
HOUR = 3600000
HOURS = 47                      # as old as a result may be and not be late
FAR = 86400000                  # ms: with this interval


def result(uri, at, value):
    """What history gets; None: unknown."""
    r = {"check": uri, "timestamp": vil.stamp(at)}
    return dict(r, status="unknown") if value is None else dict(r, value=value)


def post(server, results):
    for i in range(0, len(results), 2000):
        status, got = server.api("PATCH", "check_history/",
                                 {"objects": results[i:i + 2000]})
        must(status == 202 and not got["refused"], "stored", status, got)


def history(server, check_id, base, parts):
    """HOURS of 50, but for parts: (from and until in ms, value)."""
    n = HOURS * HOUR // STEP
    values = [50] * n
    for begin, end, value in parts:
        for i in range(begin // STEP, end // STEP):
            values[i] = value
    uri = "/api/v1/check/%d/" % check_id
    post(server, [result(uri, base + i * STEP, v)
                  for i, v in enumerate(values)])


def fixture(bench, **rule):
    server = vil.Server(bench)
    a = server.add("agent", hostname="web1", check_interval_ms=FAR)
    c = server.add("check", agent=a["resource_uri"], type="cpu", **rule)
    base = vil.now_ms() - HOURS * HOUR
    return server, c["id"], base - base % 1000


def at(hours, minutes=0):
    return hours * HOUR + minutes * 60000


# A spike, a failure that gets worse and better again, unknown for long and
# for a moment, a warning, and what no rule minds.
DAY = [(at(30), at(30, 1), 95),
       (at(32), at(32, 10), 85), (at(32, 10), at(34), 95),
       (at(34), at(34, 5), 85),
       (at(36), at(36, 10), None), (at(37), at(37, 2), None),
       (at(40), at(40, 1), 85), (at(41), at(41, 10), 75)]
TOLD = [("ok", "critical", at(30)), ("critical", "ok", at(30, 1)),
        ("ok", "warning", at(32)), ("warning", "critical", at(32, 10)),
        ("critical", "warning", at(34)), ("warning", "ok", at(34, 5)),
        ("ok", "unknown", at(36, 5)), ("unknown", "ok", at(36, 10)),
        ("ok", "warning", at(40)), ("warning", "ok", at(40, 1))]


def day(bench):
    server, n, base = fixture(bench, warn=["above 80"], crit=["above 90"])
    history(server, n, base, DAY)
    # Late by the check's interval, and out of turn: of both nobody is told.
    uri = "/api/v1/check/%d/" % n
    post(server, [result(uri, base + at(39) + 2500, 99)])
    server.api("PATCH", uri, {"interval_ms": 1000})
    post(server, [result(uri, base + at(38) + 2500, 99)])
    server.api("PATCH", uri, {"interval_ms": None})
    same(len(server.objects("incident/")), 4, "incidents")
    return server, n, base


def ask(server, n, body, key=None):
    """All pages: the changes, and the answers."""
    changes, pages = [], []
    while body is not None:
        status, got = server.api("POST", "check/%d/replay/" % n, body, key)
        must(status == 200, "replay", status, got)
        must(len(pages) < 9, "it ends", got["next"])
        changes += got["objects"]
        pages.append(got)
        body = got["next"]
    return changes, pages


def brief(changes):
    return [(c["from"], c["to"], c["at"]) for c in changes]


def stamped(rows, base):
    return [(a, b, vil.stamp(base + ms)) for a, b, ms in rows]


def lines(out):
    """[(mark, rest)] and the three counts."""
    *rows, last = out.splitlines()
    m = re.fullmatch(r"as it was \(=\): (\d+), only with these rules \(\+\): "
                     r"(\d+), only as it was \(-\): (\d+)", last)
    must(m, "the last line", out)
    rows = [(r[0], r[2:]) for r in rows]
    same([sum(r[0] == mark for r in rows) for mark in "=+-"],
         [int(x) for x in m.groups()], "the counts")
    return rows


def marks(out):
    return "".join(mark for mark, _ in lines(out))


def rules(bench):
    server, n, base = day(bench)
    before = server.get("check/%d/" % n), server.get("event/")["meta"]
    whole = {"from": vil.stamp(base)}
    changes, pages = ask(server, n, whole)
    same(brief(changes), stamped(TOLD, base), "what was, again")
    same(len(pages), 3, "over some pages")
    check(all(p["settled"] and p["thinned_until"] is None for p in pages),
          "nothing is missing", pages)
    human = vil.stamp(base + at(30)).replace("T", " ")[:19]
    same(changes[0]["text"], "cpu on web1 changed from ok to critical at "
         "%s UTC: 95 percent, above 90" % human, "as it is told")
    told = [i["text"] for i in server.objects("incident/")]
    same([c["text"] for c in changes if c["to"] == "ok"], told,
         "to the byte")
    # The last day; one that begins amidst; one that ends so.
    same(brief(ask(server, n, {})[0]), stamped(TOLD, base),
         "a day unless it is said")
    amid = {"from": vil.stamp(base + at(33))}
    same(brief(ask(server, n, amid)[0]), stamped(TOLD[4:], base), "amidst")
    amid["until"] = vil.stamp(base + at(34, 5))
    same(brief(ask(server, n, amid)[0]), stamped(TOLD[4:5], base),
         "until is not with it")
    same((server.get("check/%d/" % n), server.get("event/")["meta"]), before,
         "nothing was changed")

    ctl = ("replay", "web1/cpu", "from", vil.stamp(base))
    same(marks(server.ctl(*ctl)), "=" * 9, "the same rules")
    same(marks(server.ctl("replay", "web1/cpu", "from", "16h")), "=======",
         "so long ago: without the spike")
    same(marks(server.ctl("replay", "web1/cpu", "from", vil.stamp(
        base + at(33)), "until", vil.stamp(base + at(36, 7)))), "==",
         "from amidst, until amidst")
    # With patience the spike and the warning are not told, and the failure
    # is five minutes later.
    out = server.ctl(*ctl, "for", "5m")
    rows = lines(out)
    same(marks(out), "--" "-+=-+" "==" "--", "for 5m")
    check(rows[0][1].startswith("incident 1 (web1/cpu, critical) was opened "
                                "at %s UTC" % human), "what it was", rows[0])
    same(marks(server.ctl(*ctl, "3", "of", "5")),
         marks(server.ctl(*ctl, "hits", "3", "of", "5")), "both spellings")
    same(marks(server.ctl(*ctl, "crit", "above", "70")),
         "==" "==" "==" "+-=" "++", "a lower one")
    out = server.ctl(*ctl, "crit", "above", "99.5")
    same(marks(out), "=-=" "=-=" "==" "==", "a higher one")
    check("- incident 2 (web1/cpu) had become critical\n" in out, "it says",
          out)
    got = server.ctl("-j", *ctl)
    same(len(got.splitlines()), 3, "-j: the pages")
    for words, code in ((("web1/none",), 3), (("web1/cpu", "crit"), 2),
                        (("web1/cpu", "above", "9"), 2),
                        (("web1/cpu", "from", "never"), 3),
                        (("web1/cpu", "every", "5s"), 3)):
        server.ctl("replay", *words, code=code)


def hostile(bench):
    server, n, base = fixture(bench, crit=["above 90"])
    uri = "/api/v1/check/%d/" % n
    path = "check/%d/replay/" % n
    key = {r: server.add("key", name=r, role=r)["secret"]
           for r in ("viewer", "operator", "enrol")}
    key["agent"] = server.agent_key(server.objects("agent/")[0])
    post(server, [result(uri, base, 95)])
    for who, want in (("viewer", 200), ("operator", 200), ("agent", 403),
                      ("enrol", 403)):
        same(server.api("POST", path, {}, key[who])[0], want, who)
    same(server.api("POST", path, {}, "")[0], 401, "nobody")
    c = server.client()
    same((c.api("GET", path)[0], c.head["Allow"]), (405, "POST, OPTIONS"),
         "GET")
    same(server.api("POST", "cpu_" + path, {})[0], 200, "by its type")
    for wrong in ("process_" + path, "check/99/replay/", "check/x/replay/",
                  "agent/1/replay/"):
        same(server.api("POST", wrong, {})[0], 404, wrong)
    early, later = vil.stamp(base), vil.stamp(base + 1)
    for field, body in (
            ("from", {"from": 5}), ("from", {"from": "soon"}),
            ("from", {"from": None}), ("from", {"from": [early]}),
            ("until", {"until": {}}), ("until", {"until": ""}),
            ("from", {"from": later, "until": early}),
            ("from", {"from": early, "until": early}),
            ("from", {"from": "2200-01-01T00:00:00Z"}),
            ("state", {"state": 1}), ("state", {"state": ""}),
            ("state", {"state": "1 1 0,0,0 0,0,0 2,0,0"}),
            ("state", {"state": "9" * 300}),
            ("warn", {"warn": "above"}), ("warn", {"warn": ["above"]}),
            ("crit", {"crit": ["above 1"] * 5}), ("crit", {"crit": 7}),
            ("clear", {"clear": [5]}), ("for_s", {"for_s": -1}),
            ("for_s", {"for_s": 2592001}), ("for_s", {"for_s": "1"}),
            ("hits", {"hits": 0}), ("hits", {"hits": 65, "of": 65}),
            ("hits", {"hits": 3, "of": 2}), ("of", {"of": 65}),
            ("of", {"of": 1.5}), ("interval_ms", {"interval_ms": 1000}),
            ("name", {"name": "x"}), ("params", {"params": {}}),
            ("id", {"id": n}), ("", {"": 1}), ("objects", {"objects": []})):
        status, got = server.api("POST", path, body)
        same((status, got.get("field")), (400, field), "%r" % body)
        rule = set(body) <= {"warn", "crit", "clear", "for_s", "hits", "of"}
        check(not rule or (status, got) == server.api("PATCH", uri, body),
              "as of a PATCH", body, got)
    for body in ("", "[]", "{", "5", '{"from":"%s","from":1}' % early):
        same(server.api("POST", path, body)[0], 400, body)
    same(ask(server, n, {"from": early, "hits": 1})[0][0]["from"], "none",
         "the first result")
    same(ask(server, n, {"from": later})[0], [], "of nothing")
    same(ask(server, n, {"from": later, "crit": []})[0], [], "without rules")
    same(server.get(uri)["crit"], ["above 90"], "the check has its own yet")


def hysteresis(bench):
    """Bad for as long as it stays above 60: what made it so is far back."""
    server, n, base = fixture(bench, crit=["above 90"], clear=["above 60"])
    history(server, n, base, [(at(1), at(1, 1), 95), (at(1, 1), at(46), 75)])
    changes, pages = ask(server, n, {"from": vil.stamp(base)})
    same(brief(changes), stamped([("ok", "critical", at(1)),
                                  ("critical", "ok", at(46))], base), "whole")
    late = {"from": vil.stamp(base + at(45))}
    changes, pages = ask(server, n, late)
    same([p["settled"] for p in pages], [False], "it cannot be known")
    out = server.ctl("replay", "web1/cpu", "from", late["from"])
    check("\nHow it stood at " in out, "and that is said", out)
    changes, pages = ask(server, n, dict(late, clear=[]))
    same((changes, pages[0]["settled"]), ([], True), "without clear it can")


def heartbeat(bench):
    server = vil.Server(bench)
    a = server.add("agent", hostname="db1")
    c = server.add("check", agent=a["resource_uri"], type="heartbeat",
                   name="backup", params={"period_s": 1, "grace_s": 0})
    for state in ("critical", "critical"):
        same(server.api("GET", c["beat"], key="")[0], 200, "a beat")
        vil.until(vil.SLOW, "it is missed", lambda: vil.state(
            server, "db1", "backup")["status"] == state)
    same(server.api("GET", c["beat"], key="")[0], 200, "a beat")
    out = server.ctl("replay", "db1/backup")
    same(marks(out)[:4], "====", "opened, closed, opened, closed")
    check("critical" in out and "no beat for " in out, "its words", out)
    check(marks(server.ctl("replay", "db1/backup", "9", "of", "9"))[:4] ==
          "----", "with patience")


vil.run(rules, hostile, hysteresis, heartbeat)
