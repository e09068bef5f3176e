#!/usr/bin/env python3
"""kill -9 at random moments under a stream of results: none is lost.

KILLS (50) says how often.  What was answered 2xx must be there; what was
sent without an answer may be; anything else would be invented.

The server's wall clock runs faster (tests/preload/clock.c), so that an hour,
and with it a snapshot and a block, comes every second or two, and a day, with
its merging, every minute: the child that makes them is killed as well, with
the server or alone.
"""
import http.client
import os
import random
import subprocess
import threading
import time

import vil
from vil import check, same

ROUNDS = int(os.environ.get("KILLS", "50"))
BUDGET = (32 << 20) * max(1, ROUNDS // 200)  # all of it stays whole
FASTER = 2000                   # times as fast
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


def wait_job(server, seconds):
    """The child that is at a job, if one comes in that time."""
    end = time.monotonic() + seconds
    child = None
    while child is None and time.monotonic() < end:
        child = job_of(server)
        time.sleep(random.uniform(0, 0.003))
    return child


def kill_child(pid):
    try:
        os.kill(pid, 9)
        return 1
    except ProcessLookupError:
        return 0


def nothing_is_lost(bench):
    so = bench.path("clock.so")
    cc = os.environ.get("CC", "cc").split()
    r = subprocess.run(cc + [
        "-O1", "-shared", "-fPIC", "-o", so,
        os.path.join(vil.TOP, "tests/preload/clock.c"), "-ldl"],
        capture_output=True, text=True)
    vil.must(r.returncode == 0, "clock.so compiles", r.stderr)
    server = vil.Server(bench, "disk %d\n" % BUDGET, env={
        "LD_PRELOAD": so, "CLOCK_FROM": str(int(time.time())),
        "CLOCK_TIMES": str(FASTER)})
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
        child = None
        if n % 5 > 2:           # long enough for a tick, when jobs begin
            child = wait_job(server, 2)
        if n % 5 == 4 and child:
            alone += kill_child(child)
        if n % 5 != 3:
            time.sleep(random.uniform(0.01, 0.3))
        jobs += n % 5 == 3 and child is not None
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
