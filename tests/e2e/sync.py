#!/usr/bin/env python3
"""Never an answer before the disk: the preload library watches for it."""
import os
import re
import subprocess
import threading

import vil
from vil import check, must, same

SENDERS, ROUNDS = 4, 60


def stream(server, key, target, base_ms, bad):
    """Results, one and many at a time, and settings between them."""
    c = server.client(key)
    for n in range(ROUNDS):
        made = [{"check": target, "timestamp": vil.stamp(base_ms + 10 * n + i),
                 "value": i} for i in range(n % 5 + 1)]
        status, obj = c.api("PATCH", "check_history/", {"objects": made})
        if status != 202:
            bad.append((status, obj))
        status, obj = server.api(
            "PATCH", target, {"for_s": n % 7, "crit": ["above %d" % n]})
        if status not in (200, 202):
            bad.append((status, obj))
    c.close()


def watched(bench, name="server"):
    """A server under the library, an agent of its, its key; the log."""
    so = bench.path("sync.so")
    source = os.path.join(vil.TOP, "tests/preload/sync.c")
    cc = os.environ.get("CC", "cc").split()
    r = subprocess.run(cc + ["-O1", "-shared", "-fPIC", "-o", so, source,
                             "-ldl"], capture_output=True, text=True)
    must(r.returncode == 0, "sync.so compiles", r.stderr)
    log = vil.write(bench.path(name + ".log"), "")
    data = bench.path(name + ".data")
    os.mkdir(data, 0o700)
    server = vil.Server(bench, name=name, env={
        "LD_PRELOAD": so, "SYNC_DIR": data, "SYNC_LOG": log})
    agent = server.add("agent", hostname="web1")
    return server, agent, server.agent_key(agent), log


def counted(server, log):
    """End the server: answers and syncs, none of them in the wrong order."""
    same(server.stop(), 0, "ends cleanly")
    said = vil.read(log)
    check("BAD" not in said, "no answer before its sync", said[-2000:])
    m = re.search(r"answers (\d+) syncs (\d+) bad 0\n", said)
    must(m, "the library counted", said[-500:])
    return int(m.group(1)), int(m.group(2))


def one_by_one(bench):
    """Nothing to share a sync with: each result has one of its own."""
    syncs = {}
    for rounds in (1, ROUNDS + 1):
        server, agent, key, log = watched(bench, "server%d" % rounds)
        target = server.add("check", agent=agent["resource_uri"],
                            type="cpu")["resource_uri"]
        c, bad = server.client(key), []
        for n in range(rounds):
            status, obj = c.api("POST", "check_history/", {
                "check": target, "timestamp": vil.stamp(vil.now_ms() - n),
                "value": n})
            if status != 201:
                bad.append((status, obj))
        c.close()
        same(bad, [], "every result was taken")
        syncs[rounds] = counted(server, log)[1]
    check(syncs[ROUNDS + 1] - syncs[1] >= ROUNDS, "a sync for every answer",
          syncs)


def together(bench):
    """Many at a time: they share."""
    server, agent, key, log = watched(bench)
    bad, threads = [], []
    for i in range(SENDERS):
        target = server.add("check", agent=agent["resource_uri"],
                            type="cpu", name="cpu %d" % i)["resource_uri"]
        threads.append(threading.Thread(target=stream, args=(
            server, key, target, vil.now_ms() - 100000, bad)))
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same(bad, [], "every write was taken")
    answers, syncs = counted(server, log)
    check(answers >= 2 * SENDERS * ROUNDS, "answers", answers)
    check(syncs >= 2 * ROUNDS, "syncs", syncs)
    print("%d answers, %d syncs" % (answers, syncs))


vil.run(one_by_one, together)
