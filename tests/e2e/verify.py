#!/usr/bin/env python3
"""What is kept can be proved whole, and taken out: verify, CSV, sync."""
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import zlib

import vil
from vil import check, must, same, until

ROUNDS, EACH = 1200, 50


def vilicus(*words):
    r = subprocess.run([os.path.join(vil.TOP, "vilicus")] + list(words),
                       capture_output=True, text=True, timeout=60)
    return r.returncode, r.stdout, r.stderr


def fill(server, agent, key):
    """Enough for a block; what was sent, by time."""
    target = server.add("check", agent=agent["resource_uri"],
                        type="cpu")["resource_uri"]
    base, sent, c = vil.now_ms() - 10 ** 9, {}, server.client(key)
    for n in range(ROUNDS):
        made = []
        for i in range(EACH):
            k = n * EACH + i
            at = vil.stamp(base + 10000 * k)
            sent[at] = (k * 7919 % 1001 / 10, k % 97)
            made.append({"check": target, "timestamp": at,
                         "value": sent[at][0], "metrics": {"user": k % 97},
                         "message": 'so, "%d"' % n if i == 0 else ""})
        status, obj = c.api("PATCH", "check_history/", {"objects": made})
        must(status == 202 and obj["stored"] == EACH, "stored", status, obj)
    c.close()
    return sent


def blocks(server):
    return [n for n in os.listdir(server.dir + "/blocks")
            if n.endswith(".blk")]


def whole_and_damaged(bench):
    server = vil.Server(bench, "disk 4M\nsync 5s\n")
    agent = server.add("agent", hostname="web1")
    sent = fill(server, agent, server.agent_key(agent))
    until(vil.SLOW, "a block", lambda: blocks(server), 0.2)
    code, out, err = vilicus("verify", server.dir)
    same((code, err), (0, ""), "nothing is damaged beside a running server")
    check(re.search(r"\d+ rows in blocks: 0 damaged\n$", out), "sum", out)

    # By sync 5s nothing is lost to kill -9, either.
    server.restart()
    text = server.ctl("history", "-o", "csv", "web1/cpu")
    rows = list(csv.reader(io.StringIO(text)))
    same(rows[0], ["timestamp", "status", "metric", "value", "message"],
         "head line")
    got = {}
    for at, status, metric, value, message in rows[1:]:
        same(status, "ok", "status")
        got.setdefault(at, {})[metric] = float(value)
        if message:
            got[at]["message"] = message
    same(len(got), len(sent), "every result")
    same([at for at, (v, u) in sent.items() if got[at]["value"] != v or
          got[at]["user"] != u], [], "every number")
    same(sum("message" in r for r in got.values()), ROUNDS, "messages")
    check(any(r.get("message") == 'so, "7"' for r in got.values()), "quotes")

    # One bit, anywhere in each kind of file.
    same(server.stop(), 0, "ends")
    for name in sorted(os.listdir(server.dir + "/journal")) + blocks(server):
        kind = "blocks" if name.endswith(".blk") else "journal"
        path = os.path.join(server.dir, kind, name)
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            byte = f.read(1)[0]
            f.seek(-1, 1)
            f.write(bytes([byte ^ 4]))
        code, out, err = vilicus("verify", server.dir)
        same((code, err), (1, ""), "damage is told")
        check(re.search("^%s/%s: byte \\d+: " % (kind, re.escape(name)),
                        out, re.M), "and where", name, out)
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            f.write(bytes([byte]))
    same(vilicus("verify", server.dir)[0], 0, "whole again")
    code, out, err = vilicus("verify", server.dir + "/nowhere")
    same((code, out), (3, ""), "no directory")
    check("nowhere" in err, "says which", err)


def rechain(lines, prev="0" * 64):
    """Journal lines as whoever may write the file would make them good."""
    made = []
    for line in lines:
        body = line.split(',"prev":"')[0] + ',"prev":"%s"' % prev
        made.append('%s,"crc":"%08x"}' % (body, zlib.crc32(body.encode())))
        prev = hashlib.sha256(made[-1].encode()).hexdigest()
    return made


def mark(lines, i):
    return "%d:%s" % (int(re.match(r'{"n":(\d+)', lines[i]).group(1)),
                      hashlib.sha256(lines[i].encode()).hexdigest())


def marks(bench):
    """What was kept of the journal, N:HASH, is held against it."""
    server = vil.Server(bench)
    for n in range(9):
        server.add("agent", hostname="web%d" % n)
    path = server.dir + "/journal/1.log"
    lines = vil.read(path).split("\n")[:-1]
    must(len(lines) > 9, "lines", lines)
    same(rechain(lines), lines, "the chain is what doc/format says")
    last = mark(lines, -1)

    def said(code, what, *words):
        got = vilicus("verify", *words)
        same((got[0], got[2]), (code, ""), " ".join(words))
        check(what in got[1].split("\n")[-2], what, got)

    for i in range(len(lines)):
        said(0, "the journal holds line %d as it was" % (i + 1), server.dir,
             mark(lines, i))
    said(0, "as it was", server.dir, last.upper())
    said(0, "as it was", last, server.dir)
    said(1, "line 3 of the journal is not as it was", server.dir,
         mark(lines, 2)[:-2] + "xy".translate({120: 48, 121: 48}))
    same(server.stop(), 0, "ends")
    copy = bench.path("copy")
    shutil.copytree(server.dir, copy)

    def forged(new, code, what, kept=last):
        vil.write(copy + "/journal/1.log", "\n".join(new) + "\n")
        said(code, what, copy, kept)

    lines = vil.read(path).split("\n")[:-1]
    forged(lines, 0, "as it was")
    other = rechain([line.replace("web3", "web9") for line in lines])
    forged(other, 1, "it, or one before it, was changed")
    same(vilicus("verify", copy)[0], 0, "which nothing else shows")
    at = next(i for i in range(len(lines)) if lines[i] != other[i])
    forged(other, 0, "as it was", mark(lines, at - 1))
    forged(lines[:-1], 1, "the journal was cut: it had a line %d, and ends "
           "with %d" % (len(lines), len(lines) - 1), mark(lines, -1))
    forged(lines[:2] + [lines[2].replace(":", ";")] + lines[3:], 1,
           "line 3 of the journal is damaged or missing", mark(lines, 2))
    later = rechain([re.sub(r'"n":(\d+)', lambda m: '"n":%d' %
                            (int(m.group(1)) + 50), line, count=1)
                     for line in lines])
    forged(later, 1, "line 3 is not kept any more, so nothing can be said of "
           "it: the oldest is 51", mark(lines, 2))
    same(vilicus("verify", copy, last, last)[0], 2, "one")


vil.run(whole_and_damaged, marks)
