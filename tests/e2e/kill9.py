#!/usr/bin/env python3
"""kill -9 at random moments under a stream of results: none is lost.

KILLS (50) says how often.  What was answered 2xx must be there; what was
sent without an answer may be; anything else would be invented.

The budget is the smallest, so that snapshots and blocks are made often: the
server's child, which makes them, is killed with it, or alone.
"""
import http.client
import os
import random
import threading
import time

import vil
from vil import check, same

ROUNDS = int(os.environ.get("KILLS", "50"))
BUDGET = 4 << 20
SENDERS = 3


class Sender(threading.Thread):
    """Sends results for one check until the server is gone: those of now
    one by one, or a history, in batches too."""

    def __init__(self, server, key, target, at_ms):
        super().__init__()
        self.server, self.key, self.target = server, key, target
        self.at_ms, self.live = at_ms, at_ms is None
        self.acked, self.maybe, self.odd, self.value = {}, {}, [], 0

    def again(self):
        """Another thread that goes on where this one ended."""
        s = Sender(self.server, self.key, self.target, self.at_ms)
        s.live, s.value = self.live, self.value
        s.acked, s.maybe = self.acked, self.maybe
        return s

    def batch(self, n):
        """n results no one had before."""
        made = {}
        for _ in range(n):
            self.at_ms = max(self.at_ms or 0, vil.now_ms() - 1) + 1 \
                if self.live else self.at_ms + 1 + random.randrange(3)
            self.value += 1
            made[vil.stamp(self.at_ms)] = self.value / 1000
        return made

    def send(self, client, made):
        objects = [{"check": self.target, "timestamp": t, "value": v,
                    "message": "n%d" % (v * 1000)} for t, v in made.items()]
        if len(objects) == 1:
            status, obj = client.api("POST", "check_history/", objects[0])
            good = status == 201
        else:
            status, obj = client.api("PATCH", "check_history/",
                                     {"objects": objects})
            good = status == 202 and obj["stored"] == len(made) and \
                obj["refused"] == []
        if good:
            self.acked.update(made)
        else:
            self.odd.append((status, obj))

    def run(self):
        client = self.server.client(self.key)
        while not self.odd:
            made = self.batch(1 if self.live else
                              random.choice((1, 1, 5, 20)))
            self.maybe.update(made)
            try:
                self.send(client, made)
            except (OSError, http.client.HTTPException):
                break
        client.close()


def history(server, uri):
    """All results of a check, by pages of `before`."""
    found, before = {}, ""
    number = uri.rstrip("/").rpartition("/")[2]
    while True:
        page = server.objects("check_history/?check=%s&limit=1000%s"
                              % (number, before))
        for h in page:
            if h["timestamp"] in found:
                raise vil.Fault("twice: %s" % h)
            found[h["timestamp"]] = h["value"]
        if len(page) < 1000:
            return found
        before = "&before=" + page[-1]["timestamp"]


def compare(sender, found):
    lost = {t: v for t, v in sender.acked.items() if found.get(t) != v}
    made_up = {t: v for t, v in found.items() if sender.maybe.get(t) != v}
    same(lost, {}, "acknowledged and lost")
    same(made_up, {}, "invented")


def job_of(server):
    """The server's child that is at a job of the store, if there is one."""
    pid = server.process.p.pid
    for child in vil.read("/proc/%d/task/%d/children" % (pid, pid)).split():
        names = []
        try:
            names = [os.readlink("/proc/%s/fd/%s" % (child, fd))
                     for fd in os.listdir("/proc/%s/fd" % child)]
        except OSError:
            pass
        if any(n.startswith(server.dir) for n in names):
            return int(child)
    return None


def look_at(server):
    """What a start must leave: no file half made, and the budget kept."""
    total, half = 0, []
    for where, _, files in os.walk(server.dir):
        for f in files:
            try:
                total += os.stat(os.path.join(where, f)).st_blocks * 512
            except FileNotFoundError:
                continue
            half += [f] if f.endswith(".tmp") else []
    check(total <= BUDGET, "within the budget", total)
    return half


def kill_job(server, seconds):
    """Kill the child that is at a job alone, if one comes in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        child = job_of(server)
        if child is not None:
            try:
                os.kill(child, 9)
            except ProcessLookupError:
                continue
            return 1
        time.sleep(0.002)
    return 0


def nothing_is_lost(bench):
    server = vil.Server(bench, "disk %d\n" % BUDGET)
    agent = server.add("agent", hostname="web1")
    key = server.agent_key(agent)
    uris = [server.add("check", agent=agent["resource_uri"], type="cpu",
                       name="cpu %d" % i)["resource_uri"]
            for i in range(SENDERS)]
    begin = [None, vil.now_ms() - 7200000, vil.now_ms() - 86400000]
    senders = [Sender(server, key, u, b) for u, b in zip(uris, begin)]
    worst = jobs = alone = 0
    for n in range(ROUNDS):
        for s in senders:
            s.start()
        if n % 5 == 4:          # long enough for a tick, when jobs begin
            alone += kill_job(server, 2)
        time.sleep(random.uniform(0.01, 0.3) if n % 3 else
                   random.uniform(0.9, 1.3))
        jobs += job_of(server) is not None
        server.kill9()
        for s in senders:
            s.join()
            same(s.odd, [], "an answer out of place")
        t = time.monotonic()
        server.start()
        worst = max(worst, time.monotonic() - t)
        same(look_at(server), [], "files half made")
        senders = [s.again() for s in senders]
        if (n + 1) % max(10, ROUNDS // 5) == 0:
            for s in senders:
                compare(s, history(server, s.target))
    total = sum(len(s.acked) for s in senders)
    check(total > ROUNDS, "there was a stream", total)
    same(server.stop(), 0, "ends cleanly")
    server.start()
    for s in senders:
        compare(s, history(server, s.target))
    blocks = [int(f[:-4]) for f in os.listdir(server.dir + "/blocks")
              if f.endswith(".blk")]
    check(blocks and look_at(server) == [], "blocks were made", blocks)
    print("%d kills, %d of them in a job, %d of a job's child alone, %d blocks,"
          " %d results acknowledged, slowest start %.0f ms"
          % (ROUNDS, jobs, alone, max(blocks or [0]), total, worst * 1000))


vil.run(nothing_is_lost)
