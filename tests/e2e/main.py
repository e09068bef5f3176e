#!/usr/bin/env python3
"""The main job: a watched process is killed, and the phone is told."""
import calendar
import os
import re
import time

import vil
from vil import check, must, same, until

WHEN = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC"


def fields(request, title, message, priority, began):
    """Every field of one message; message is a pattern."""
    f = request["fields"]
    same(request["faults"], [], "held to Pushover's rules")
    m = re.fullmatch(message, f.get("message", ""))
    same(f.get("title"), title, "title")
    check(m, "message", f.get("message"))
    same(f.get("token"), vil.TOKEN, "token")
    same(f.get("user"), vil.USER, "user")
    same(f.get("priority"), priority, "priority")
    same(set(f) - {"url", "url_title"},
         {"token", "user", "title", "message", "priority", "timestamp"},
         "fields")
    check(f.get("url", "").startswith("https://monitor.example.org"),
          "link to the public address", f)
    if m:
        at = calendar.timegm(time.strptime(m.group(1), "%Y-%m-%d %H:%M:%S"))
        same(int(f["timestamp"]), at, "timestamp is the time in the text")
        check(began - 2 <= at <= time.time() + 1, "timestamp is now", at)


def told(double, n):
    """n requests arrived: the newest."""
    return until(vil.SLOW, "request %d" % n,
                 lambda: double.requests()[n - 1:])[0]


def killed_and_back(bench):
    double = vil.Double(bench, "500 ok")
    server = vil.Server(bench, "public https://monitor.example.org\n" +
                        double.conf())
    name = "vilm%d" % os.getpid()
    check_name = "process " + name
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    process = bench.sleeper(name)
    # Its URL says the public address, where there is no server: mended.
    said = server.ctl("agent", "add", "web1", "interval", "1s")
    m = re.search(r"https://(va_[a-z2-7]{32})@monitor\.example\.org\S*", said)
    must(m, "agent add prints the URL by the public address", said)
    vil.write(bench.path("web1.conf"), "http://%s@127.0.0.1:%d/\n"
              % (m.group(1), server.port))
    server.ctl("check", "add", "web1", "process", name, "every", "1s")
    bench.run_agent("web1")
    until(vil.SLOW, "the check is ok", lambda: vil.state(
        server, "web1", check_name).get("status") == "ok")
    out = server.ctl("status", "web1/" + check_name, code=0)
    check("1 running" in out, "status of one check", out)

    began = time.time()
    process.end(9)
    failed_once = told(double, 1)
    same(failed_once["status"], 500, "the double answered 500")
    alarm = told(double, 2)
    title = "Vilicus alert: web1 process %s is now " % name
    text = "process %s on web1 changed from " % name
    fields(alarm, title + "critical", re.escape(text) + "ok to critical at "
           + WHEN + ": 0 running, at least 1 expected",
           "1", began)
    same(alarm["fields"], failed_once["fields"], "the second try is the same")
    check(alarm["at"] - failed_once["at"] >= 5, "5 s between tries",
          alarm["at"] - failed_once["at"])
    incident = until(vil.SLOW, "delivery accepted", lambda: [
        i for i in server.objects("incident/")
        if [d["state"] for d in i["deliveries"]] == ["accepted"]])[0]
    same(incident["closed"], None, "incident is open")
    same(incident["severity"], "critical", "severity")
    same(incident["deliveries"][0]["attempts"], 2, "two attempts")
    check("CRITICAL" in server.ctl("status", "web1/" + check_name, code=2),
          "status exits 2 as a plugin does")
    check(name in server.ctl("incidents", code=None), "incidents lists it")

    began = time.time()
    bench.sleeper(name)
    recovery = told(double, 3)
    fields(recovery, title + "ok", re.escape(text) + "critical to ok at "
           + WHEN + ": 1 running", "0", began)
    until(vil.SLOW, "incident closed", lambda: server.get(
        "incident/%s/" % incident["id"])["closed"])
    check(vil.never(4, lambda: len(double.requests()) != 3),
          "one alarm and one recovery, no more", double.requests())
    same(len(server.objects("incident/")), 1, "one incident")
    page = server.client().api("GET", "/status")
    check(page[0] == 200 and name in str(page[1]), "/status shows it", page)
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


vil.run(killed_and_back)
