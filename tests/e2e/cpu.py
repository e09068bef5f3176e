#!/usr/bin/env python3
"""A CPU check `above 90 for 5s` against real load; alone on the machine."""
import os
import re
import time

import vil
from vil import check, same, until


def busy(seconds):
    """Percent of all CPUs that was used in that time."""
    def look():
        with open("/proc/stat") as f:
            n = [int(w) for w in f.readline().split()[1:9]]
        return sum(n) - n[3] - n[4], sum(n)
    b0, t0 = look()
    time.sleep(seconds)
    b1, t1 = look()
    return 100 * (b1 - b0) // max(1, t1 - t0)


def load(bench, name, seconds):
    """One busy loop per CPU, which end by themselves."""
    return [bench.start("%s%d" % (name, i), ["timeout", str(seconds), "sh",
                                             "-c", "while :; do :; done"])
            for i in range(os.cpu_count())]


def lasting_load(bench):
    end = time.monotonic() + 90
    while busy(2) > 60:
        if time.monotonic() > end:
            raise vil.Skip("the machine is busy with something else")
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    bench.agent(server, "web1")
    server.ctl("check", "add", "web1", "cpu", "crit", "above", "90", "for",
               "5s", "every", "1s")
    until(vil.SLOW, "ok", lambda: vil.state(
        server, "web1", "cpu").get("status") == "ok")

    def history():
        cpu = vil.state(server, "web1", "cpu")
        return server.objects("check_history/?check=%s&limit=0" % cpu["id"])

    def values():
        return [h["value"] for h in history()]

    for p in load(bench, "burst", 2):
        p.p.wait()
    until(vil.SLOW, "the burst was seen", lambda: max(values()) > 90)
    said = until(vil.SLOW, "who did it", lambda: [
        h for h in history() if h["message"]])
    check(re.search(r"\bsh [1-9]\d* %(, |$)", said[0]["message"]) and
          said[0]["value"] > 80 and len(said) == 1, "the processes, once",
          said)
    check(vil.never(6, lambda: server.objects("incident/")),
          "a burst of 2 s opens nothing")
    same(double.requests(), [], "and tells nobody")

    until(vil.SLOW, "quiet again", lambda: max(values()[:2]) < 60)
    began = time.monotonic()
    loops = load(bench, "load", 60)
    until(40, "an alarm", double.requests)
    check(time.monotonic() - began >= 5, "not before 5 s")
    title = double.requests()[0]["fields"]["title"]
    same(title, "Vilicus alert: web1 cpu is now critical", "title")
    check(vil.never(3, lambda: len(double.requests()) > 1), "one alarm")
    same(len([h for h in history() if h["message"]]) <= 2, True,
         "not more often than once a minute")
    for p in loops:
        p.end()
    until(vil.SLOW, "a recovery", lambda: len(double.requests()) > 1)
    same(double.requests()[1]["fields"]["title"],
         "Vilicus alert: web1 cpu is now ok", "title")
    check(vil.never(3, lambda: len(double.requests()) > 2), "one recovery")
    same(len(server.objects("incident/")), 1, "one incident")


vil.run(lasting_load)
