#!/usr/bin/env python3
"""Many rounds of the agent (ROUNDS of them; a million in check-long) in which
one call in a hundred fails: no descriptor, child or byte is left over, and it
reports as ever when the calls do not fail any more."""
import os

import vil
from outage import Hurry, library
from vil import check, same, until

ROUNDS = int(os.environ.get("ROUNDS", "10000"))


def left(pid):
    """(descriptors, children, KiB of memory)"""
    status = vil.read("/proc/%d/status" % pid)
    kids = vil.read("/proc/%d/task/%d/children" % (pid, pid)).split()
    return (len(os.listdir("/proc/%d/fd" % pid)), len(kids), int(
        status.partition("VmRSS:")[2].split()[0]))


def rounds(bench):
    server = vil.Server(bench)
    agent = server.add("agent", hostname="web1", check_interval_ms=1000,
                       late_after_s=86400)
    uri = agent["resource_uri"]
    name = "rounds-%d" % os.getpid()
    bench.sleeper(name)
    server.add("process_check", agent=uri, process_name=name)
    server.add("check", agent=uri, type="cpu")
    server.add("check", agent=uri, type="file", params={
        "path": "/var/log/such", "exists": 0})
    faults = library(bench, "faults")
    a = Hurry(bench, "http://%s@127.0.0.1:%d/" % (
        server.agent_key(agent), server.port), "-b", "4096", preload=faults,
        TEST_FAULTS="100")
    pid = a.process.p.pid
    a.to(1000 * 1000)
    until(60, "no child at work", lambda: left(pid)[1] == 0)
    first = left(pid)
    a.to(ROUNDS * 1000)
    until(60, "no child at work", lambda: left(pid)[1] == 0)
    last = left(pid)
    check(last[0] <= first[0] + 2, "descriptors", first, last)
    check(last[2] <= first[2] + 96, "memory", first, last)
    check(a.process.running(), "it runs")
    print("%d rounds: descriptors, children, KiB: %s, then %s" % (
        ROUNDS, first, last))
    same(a.process.end(), 0, "SIGTERM ends it cleanly")


if __name__ == "__main__":
    vil.run(rounds)
