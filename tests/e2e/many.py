#!/usr/bin/env python3
"""Five hundred agents whose processes fail within two seconds, and which then
fall silent themselves: a recipient gets two messages at most, their numbers
are all that happened, and kill -9 loses none of it."""
import re
import threading
import time

import vil
from vil import check, must, never, same, until

AGENTS, SENDERS = 500, 8
USERS = (vil.USER, "b" * 30, "c" * 30)


class Fleet:
    """Agents with a process check each, as the server sees them."""

    def __init__(self, server):
        self.server = server
        self.agents = [None] * AGENTS       # (key, its check's number)
        self.each(self.make)

    def each(self, fn):
        """fn(client, number) for every agent, some at a time; seconds."""
        odd = []

        def work(first):
            client = self.server.client()
            try:
                for n in range(first, AGENTS, SENDERS):
                    fn(client, n)
            except Exception as e:
                odd.append(e)
            client.close()
        threads = [threading.Thread(target=work, args=(i,))
                   for i in range(SENDERS)]
        begin = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        must(not odd, "all were answered", odd)
        return time.monotonic() - begin

    def make(self, client, n):
        def add(kind, **fields):
            status, obj = client.api("POST", kind + "/", fields)
            if status != 201:
                raise vil.Fault("POST %s: %s %s" % (kind, status, obj))
            return obj
        client.key = self.server.key
        a = add("agent", hostname="host%d" % n)["resource_uri"]
        c = add("process_check", agent=a, process_name="nginx")["id"]
        self.agents[n] = (add("key", name="host%d" % n, role="agent",
                              agent=a)["secret"], c)

    def report(self, value):
        """Each agent's next report; how long all of them took."""
        def send(client, n):
            client.key, number = self.agents[n]
            status, obj = client.api("PATCH", "check_history/", {
                "objects": [{"check": number, "value": value,
                             "timestamp": vil.stamp(vil.now_ms())}],
                "dropped": 0, "now_ms": vil.now_ms()})
            if status != 202 or obj["stored"] != 1:
                raise vil.Fault("a report: %s %s" % (status, obj))
        return self.each(send)


def changes(request):
    """How many of them a message tells of."""
    m = re.search(r"(\d+) (changes|are well)", request["fields"]["title"])
    return int(m.group(1)) if m else 1


def settled(double):
    """Its requests, when for more than a group_wait there was none."""
    while True:
        got = double.requests()
        if never(6, lambda: len(double.requests()) > len(got), 0.5):
            return got


def few(double, before, what, worst):
    """Beyond the first requests each recipient was told of all, in one
    message or two; how many requests there are now."""
    until(120, "%s: told" % what, lambda: sum(map(
        changes, double.requests()[before:])) >= len(USERS) * AGENTS, 0.2)
    got = settled(double)
    for user in USERS:
        rs = [r for r in got[before:] if r["fields"]["user"] == user]
        numbers = list(map(changes, rs))
        print("%s: a recipient's messages: %d, of %s" % (
            what, len(rs), numbers), flush=True)
        check(len(rs) <= 2, "%s: two messages at most" % what, numbers)
        same(sum(numbers), AGENTS, "%s: their numbers are all" % what)
        same([r["faults"] for r in rs if r["faults"]], [], "by the rules")
        for r in rs:
            check(changes(r) == 1 or r["fields"]["title"].endswith(
                worst), what, r["fields"]["title"])
    return len(got)


def open_incidents(server):
    return server.get("incident/?closed=null&limit=1")["meta"]["total_count"]


def five_hundred(bench):
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf())
    for i, user in enumerate(USERS):
        server.add("recipient", name="r%d" % i, channel="pushover",
                   address=user)
    fleet = Fleet(server)
    fleet.report(1)
    took = fleet.report(0)
    check(took < 4, "failing together is well within group_wait", took)
    n = few(double, 0, "processes fail", "worst critical")
    took = fleet.report(1)
    check(took < 4, "and so is coming back", took)
    n = few(double, n, "processes are back", "well again")
    # After a start they all have the same deadline: one step sees them.
    server.restart()
    n = few(double, n, "agents are silent", "worst critical")
    same(open_incidents(server), AGENTS, "as many incidents")
    server.restart()
    same(open_incidents(server), AGENTS, "and after kill -9")
    same(len(settled(double)), n, "which tells nobody")
    fleet.report(1)
    few(double, n, "agents are back", "well again")
    same(open_incidents(server), 0, "none is open")


vil.run(five_hundred)
