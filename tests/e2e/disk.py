#!/usr/bin/env python3
"""A disk that is full, and a file that may grow no more: results are refused,
settings and alerts are not, people are told, and it goes on by itself.

The full disk is a tmpfs, which takes root; without it only the other is done.
"""
import os
import shutil
import subprocess
import threading

import vil
from vil import check, must, same, until

PATIENCE = 150                  # s: a failing disk is tried once a minute


class Stream:
    """Results of one check, one request after the other."""

    def __init__(self, server):
        self.server = server
        self.agent = server.add("agent", hostname="web1")
        self.target = server.add("check", agent=self.agent["resource_uri"],
                                 type="cpu")["resource_uri"]
        self.client = server.client(server.agent_key(self.agent))
        self.acked, self.n = {}, 0
        self.base = vil.now_ms() - 7200000

    def send(self, count=20):
        """The status; what was acknowledged is remembered."""
        made = {}
        for _ in range(count):
            self.n += 1
            made[vil.stamp(self.base + self.n)] = self.n
        status, obj = self.client.api("PATCH", "check_history/", {"objects": [
            {"check": self.target, "timestamp": t, "value": v,
             "message": "%040d" % v} for t, v in made.items()]})
        if status == 202:
            same(obj["stored"], count, "all are stored")
            self.acked.update(made)
        return status

    def history(self):
        found, before = {}, ""
        number = self.target.rstrip("/").rpartition("/")[2]
        while True:
            page = self.server.objects(
                "check_history/?check=%s&limit=1000%s" % (number, before))
            found.update((h["timestamp"], h["value"]) for h in page)
            if len(page) < 1000:
                return found
            before = "&before=" + page[-1]["timestamp"]

    def compare(self):
        found = self.history()
        lost = [t for t, v in self.acked.items() if found.get(t) != v]
        same(lost, [], "acknowledged and lost")
        check(len(found) <= self.n, "invented", len(found), self.n)


def refused(stream):
    """Send until it is refused; how that looks."""
    server = stream.server
    until(vil.SLOW, "a refusal", lambda: stream.send() == 503, 0)
    check("Retry-After" in stream.client.head, "when to come again",
          stream.client.head)
    status, _ = server.api("GET", "/healthz")
    same(status, 503, "/healthz says so")


def settings_are_taken(server, agent, seconds):
    """They are, for so long; the checks made."""
    made = []

    def one_more():
        status, obj = server.api("POST", "check/", {
            "agent": agent["resource_uri"], "type": "process",
            "name": "p%d" % len(made), "params": {"process_name": "p"}})
        made.append(obj["name"] if status == 201 else None)
        return status != 201
    check(vil.never(seconds, one_more, 0.5), "settings are taken", made)
    return made


def settings_are_there(server, made):
    names = {c["name"] for c in server.objects("check/?limit=0")}
    same([n for n in made if n not in names], [], "settings kept")


def incident_of(server, closed):
    found = [i for i in server.objects("incident/")
             if "disk" in str(i) and "vilicus-server" in str(i) and
             (i["closed"] is not None) == closed]
    return found[0] if found else None


def goes_on(stream):
    """Nobody does anything: results are taken again."""
    server = stream.server
    until(PATIENCE, "results are taken again",
          lambda: stream.send(1) == 202, 1)
    until(vil.SLOW, "/healthz is well",
          lambda: server.api("GET", "/healthz")[0] == 200)
    until(vil.SLOW, "the incident is closed",
          lambda: incident_of(server, True))


def full(bench):
    """A tmpfs of 3 MiB."""
    data = bench.path("full.data")
    os.mkdir(data, 0o700)
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700",
                        "tmpfs", data], capture_output=True, text=True)
    if r.returncode != 0:
        print("a full disk was not tried: mount:", r.stderr.strip())
        return
    try:
        on_tmpfs(bench, data)
    finally:
        for p in reversed(bench.started):
            if any(data in str(a) for a in p.p.args):
                p.end(9)
        subprocess.run(["umount", data], check=True)


def on_tmpfs(bench, data):
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf() + "disk 1G\n", name="full")
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    stream = Stream(server)
    same(stream.send(), 202, "there is room")
    ballast = os.path.join(data, "ballast")
    with open(ballast, "wb", buffering=0) as f:
        left = shutil.disk_usage(data).free - (64 << 10)
        f.write(bytes(left))
    refused(stream)
    until(vil.SLOW, "the push is delivered", lambda: [
        r for r in double.requests() if r["fields"]["title"] ==
        "Vilicus alert: vilicus-server disk is now critical"])
    until(vil.SLOW, "the delivery is known", lambda: [
        d for d in (incident_of(server, False) or {"deliveries": []})
        ["deliveries"] if d["state"] == "accepted"])
    made = settings_are_taken(server, stream.agent, 8)
    same(stream.send(), 503, "results are refused yet")
    check(not os.path.exists(os.path.join(data, "reserve")),
          "the reserve is in use")
    check(shutil.disk_usage(data).free < 300 << 10, "the disk is full")
    server.restart()
    stream.client = server.client(server.agent_key(stream.agent))
    settings_are_there(server, made)
    stream.compare()
    until(vil.SLOW, "a refusal", lambda: stream.send() == 503, 0)
    os.unlink(ballast)
    goes_on(stream)
    until(PATIENCE, "there is a reserve again", lambda: os.path.exists(
        os.path.join(data, "reserve")) or stream.send(1) != 202, 1)
    same(server.stop(), 0, "ends cleanly")
    server.start()
    stream.client = server.client(server.agent_key(stream.agent))
    settings_are_there(server, made)
    stream.compare()
    same(server.stop(), 0, "ends cleanly")


def limited(bench):
    """RLIMIT_FSIZE, whose signal would end the server."""
    if shutil.which("prlimit") is None:
        print("no prlimit here")
        return
    server = vil.Server(bench, name="limited")
    stream = Stream(server)
    same(stream.send(), 202, "no limit")
    subprocess.run(["prlimit", "--pid", str(server.process.p.pid),
                    "--fsize=%d" % (96 << 10)], check=True)
    refused(stream)
    made = settings_are_taken(server, stream.agent, 3)
    check(incident_of(server, False), "there is an incident")
    must(server.process.running(), "the server runs")
    goes_on(stream)
    server.restart()
    stream.client = server.client(server.agent_key(stream.agent))
    settings_are_there(server, made)
    stream.compare()


def both(bench):
    """Side by side, since each waits a minute."""
    wrong = []

    def case(f):
        try:
            f(bench)
        except Exception as e:
            wrong.append("%s: %r" % (f.__name__, e))
    threads = [threading.Thread(target=case, args=(f,))
               for f in (full, limited)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same(wrong, [], "both to their end")


vil.run(both)
