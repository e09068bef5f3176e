#!/usr/bin/env python3
"""Heartbeats: a job calls, fails, stays away, comes back; and who may not."""
import http.client
import re
import shlex
import signal
import subprocess
import time

import vil
from vil import check, must, same, until


def run(*argv, code=0):
    r = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    same(r.returncode, code, " ".join(argv) + " " + r.stderr)
    return r.stdout


def rows(server, n):
    """Its history, the newest first, as (status, value, message)."""
    return [(h["status"], h["value"], h["message"]) for h in
            server.objects("check_history/?check=%d&limit=%d" % (n, n and 50))]


def told(double, n):
    """n requests arrived: the newest's fields."""
    return until(vil.SLOW, "request %d" % n,
                 lambda: double.requests()[n - 1:])[0]["fields"]


def fixture(bench, *words):
    """(server, double, URL of db1/backup, the command that was printed)"""
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    server.ctl("agent", "add", "db1")
    said = server.ctl("check", "add", "db1", "heartbeat", *words,
                      "name", "backup")
    m = re.search(r"^    (curl .* 'https://127\.0\.0\.1:\d+"
                  r"(/beat/vb_[a-z2-7]{32})')$", said, re.M)
    must(m, "check add prints what to call", said)
    return server, double, server.url + m.group(2), m.group(1)


def state(server):
    return vil.state(server, "db1", "backup")


def comes_and_stays_away(bench):
    server, double, url, command = fixture(bench, "1s", "grace", "2s")
    same(state(server)["params"], {"period_s": 1, "grace_s": 2}, "parameters")
    check(vil.never(5, lambda: rows(server, 1)), "none yet: none is missing")
    same(state(server)["status"], "none", "and it says so")
    server.ctl("status", "db1/backup", code=3)

    same(run(*shlex.split(command)), "ok\n", "the command that was printed")
    same(rows(server, 1)[-1], ("ok", 0, ""), "a beat")
    server.ctl("status", "db1/backup", code=0)
    agent = server.objects("agent/")[0]
    same((agent["state"], agent["last_checkin"], agent["status"]),
         ("never", None, "ok"), "it is no check-in")

    alarm = told(double, 1)
    same(alarm["title"], "Vilicus alert: db1 backup is now critical", "title")
    check(re.fullmatch(r"backup on db1 changed from ok to critical at \S+ \S+ "
                       r"UTC: no beat for [345] s", alarm["message"]), "text",
          alarm["message"])
    server.ctl("status", "db1/backup", code=2)
    until(30, "again with each period", lambda: len(rows(server, 1)) >= 4)
    got = rows(server, 1)
    check(all(r[0] == "critical" for r in got[:-1]) and 3 < got[-2][1] < 6 and
          all(a[1] > b[1] for a, b in zip(got, got[1:])), "history", got)
    must(len(double.requests()) == 1, "one alarm", double.requests())

    # kill -9: what is missing stays so, and nobody is told again.
    server.restart()
    same(rows(server, 1)[-len(got):], got, "history after kill -9")
    same(state(server)["status"], "critical", "status after kill -9")
    check(vil.never(6, lambda: len(double.requests()) != 1),
          "a restart tells nobody", double.requests())
    check(len(rows(server, 1)) > len(got), "and it goes on to be missing")
    same(run("curl", "-fsS", url), "ok\n", "a beat")
    recovery = told(double, 2)
    same(recovery["title"], "Vilicus alert: db1 backup is now ok", "title")
    same([i["closed"] is not None for i in server.objects("incident/")],
         [True], "one incident, closed")

    server.restart()
    same((state(server)["status"], rows(server, 1)[0]), ("ok", ("ok", 0, "")),
         "after kill -9")
    told(double, 3)
    same(len(server.objects("incident/")), 2, "missing after a restart, too")


def words(bench):
    """What a call may be, and what becomes of it."""
    server, double, url, _ = fixture(bench, "period", "1h")
    run("curl", "-fsS", url)
    out = run("curl", "-fsSI", url)
    check("200 OK" in out and "Content-Length: 3" in out, "HEAD", out)
    for data, message in (
            ("3 GB in 12 s", "3 GB in 12 s"), ("", ""), ("a\n", "a"),
            ("a\nb\tc\n\n", "a?b?c"), ("\u00e4 \u20ac", "\u00e4 \u20ac"),
            ("x" * 256, "x" * 256), ("x" * 257, "x" * 256),
            ("x" * 255 + "\u00e4", "x" * 255)):
        same(run("curl", "-fsS", "--data-binary", data, url), "ok\n", "POST")
        same(rows(server, 1)[0], ("ok", 0, message), "POST %r" % data)
    same(run("curl", "-fsS", "-X", "POST", url), "ok\n", "POST of nothing")
    same(state(server)["text"], "0 s since the last beat", "how it reads")
    same(len(rows(server, 1)), 11, "each is in the history")
    run("curl", "-fsS", url + "?a=b")
    same(double.requests(), [], "all is well")

    began = time.monotonic()
    same(run("curl", "-fsS", "-d", "disk full", url + "/fail"), "ok\n", "fail")
    check("disk full" in told(double, 1)["message"] and
          time.monotonic() - began < 10, "told at once", double.requests())
    same(rows(server, 1)[0], ("critical", 0, "disk full"), "history")
    run("curl", "-fsS", url + "/fail")
    same(rows(server, 1)[0], ("critical", 0, "it says that it failed"), "fail")
    run("curl", "-fsS", url)
    check("now ok" in told(double, 2)["title"], "recovery")
    for method in ("PUT", "DELETE", "PATCH"):
        out = run("curl", "-sS", "-i", "-X", method, "-d", "", url)
        check(" 401 " in out, method + " without a key", out)
        c = server.client()
        same((c.api(method, url[len(server.url):], "")[0], c.head["Allow"]),
             (405, "GET, HEAD, POST, OPTIONS"), method)
    same(len(rows(server, 1)), 15, "of which nothing became")
    page = server.client().api("GET", "/status")
    check(page[0] == 200 and "disk full" in str(page[1]), "/status", page)
    got = server.get("check/1/series/?points=1")
    same((got["max"], got["status"]), ([0], ["critical"]), "series")
    check("heartbeat" in server.ctl("checks", "db1"), "vilicus checks")
    same(server.api("DELETE", "check/1/")[0], 204, "removed")
    run("curl", "-fsS", url, code=22)


def secrets(bench):
    """Who is shown the path, and what guesses it."""
    server, _, url, _ = fixture(bench, "period", "30s", "grace", "5m")
    path = url[len(server.url):]
    must(server.get("check/1/")["beat"] == path, "an admin sees it")
    agent = server.objects("agent/")[0]
    server.add("check", agent=agent["resource_uri"], type="cpu")
    keys = {r: server.add("key", name=r, role=r)["secret"]
            for r in ("viewer", "operator")}
    keys["agent"] = server.agent_key(agent)

    def ask(role, path, method="GET", body=None):
        return server.api(method, path, body, keys[role])
    same(ask("operator", "check/1/")[1].get("beat"), path, "so an operator")
    status, seen = ask("viewer", "check/1/")
    check(status == 200 and "beat" not in seen, "a viewer does not", seen)
    same(ask("viewer", "check/?beat__startswith=/beat/vb_")[0], 400,
         "nor may ask")
    same(ask("operator", "check/?beat=" + path)[1]["meta"]["total_count"], 1,
         "an operator may")
    check("beat" not in server.get("check/2/"), "cpu has none")
    same([c["type"] for c in ask("agent", "check/?limit=0")[1]["objects"]],
         ["cpu"], "no agent is given it")
    same([ask("agent", "check/1/")[0], ask("agent", "check_history/", "PATCH",
          {"objects": [{"check": 1, "value": 0}]})[0],
          ask("agent", "check_history/?check=1")[0]], [403] * 3, "nor has it")
    c = server.client(keys["agent"])
    c.api("GET", "check/?limit=0")
    etag = c.head["ETag"]
    out = run("curl", "-sSi", "-H", "Authorization: Bearer " + keys["agent"],
              "-H", "If-None-Match: " + etag, server.url +
              "/api/v1/check/?limit=0")
    check(" 304 " in out, "unchanged", etag, out)
    # It is given back as it was, and nothing else.
    whole = server.get("check/1/")
    same(server.api("PUT", "check/1/", whole)[0], 200, "PUT of a GET")
    whole["beat"] = path[:-1] + ("a" if path[-1] != "a" else "b")
    status, obj = server.api("PUT", "check/1/", whole)
    same((status, obj.get("field")), (400, "beat"), "another path")
    same(server.api("PATCH", "heartbeat_check/1/", {"period_s": 60})[1],
         {**server.get("heartbeat_check/1/"), "period_s": 60}, "its resource")
    same(server.get("check/1/")["params"], {"period_s": 60, "grace_s": 300},
         "the other parameter stays")
    same(server.get("check/1/")["beat"], path, "and so does the path")
    for fields in ({"period_s": 0}, {"period_s": 2592001}, {}, {"period_s": 60,
                   "grace_s": -1}):
        status, obj = server.api("POST", "heartbeat_check/", {
            "agent": agent["resource_uri"], "name": "x", **fields})
        check(status == 400 and obj["field"].endswith("_s"), "refused", obj)

    def guess(method, path, here, body=None):
        c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30,
                                       source_address=(here, 0))
        c.request(method, path, body)
        r = c.getresponse()
        r.read()
        c.close()
        return r.status
    wrong = ("/beat/vb_" + "a" * 32, "/beat/", "/beat/x/fail", path + "/",
             path + "/no", path[:-1])
    same([guess("GET", w, "127.0.0.88") for w in wrong], [404] * 6, "guesses")
    same([guess("HEAD", wrong[0], "127.0.0.88"),
          guess("POST", wrong[0], "127.0.0.88", "text")] +
         [guess("GET", wrong[0], "127.0.0.88") for _ in range(4)],
         [404] * 4 + [429] * 2, "ten of one address")
    same([guess("GET", path, "127.0.0.88"), guess("GET", "/beat/x",
         "127.0.0.89")], [200, 404], "who knows it goes on")
    same(len(rows(server, 1)), 1, "one beat")
    server.restart()
    same(server.get("check/1/")["beat"], path, "the path after kill -9")
    same(guess("GET", path, "127.0.0.1"), 200, "is good")


def server_s_own(bench):
    """One server watches another, which is well, then not."""
    server, double, url, _ = fixture(bench, "10s", "grace", "5s")
    url = url.replace("https:", "http:")
    other = vil.Server(bench, double.conf() +
                       "heartbeat %s every 10s\n" % url, name="other")
    until(vil.SLOW, "two beats", lambda: len(rows(server, 1)) == 2)
    check(url not in str(other.get("setting/1/")), "its URL is nobody's")
    # A loop that stood still for so long may be late again.
    other.process.signal(signal.SIGSTOP)
    time.sleep(6)
    other.process.signal(signal.SIGCONT)
    until(vil.SLOW, "it is not well", lambda: other.client().api(
        "GET", "/healthz")[0] == 503)
    n = len(rows(server, 1))
    told(double, 1)
    check(all(r[0] == "ok" for r in rows(server, 1)[-n:]), "beats till then")
    check(len(rows(server, 1)) <= n + 1, "none since", rows(server, 1))
    same(other.stop(), 0, "SIGTERM ends it cleanly")


vil.run(words, secrets, comes_and_stays_away, server_s_own)
