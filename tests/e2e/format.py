#!/usr/bin/env python3
"""doc/format, by its own reader: tests/read_store.py finds on the disk what
the store and the API say, to the last digit."""
import glob
import json
import os
import random
import re
import subprocess
import sys
from decimal import Decimal

import vil
from vil import check, must, same, until

HOUR = 3600000
STATUS = ("ok", "warning", "unknown", "critical")
BIG = 8 * 10 ** 15


def lines(*argv):
    r = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    must(r.returncode == 0, " ".join(argv[-3:]), r.stdout[-2000:],
         r.stderr[-3000:])
    return r.stdout.split("\n")[:-1]


def reader(path, *target):
    return lines(sys.executable, os.path.join(vil.TOP, "tests/read_store.py"),
                 path, *map(str, target))


def store(*argv):
    return lines(os.path.join(vil.TOP, "tests/store_test"), *argv)


def equal(got, want, text):
    """Line by line; the first that differs is shown."""
    n = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b),
             min(len(got), len(want)))
    check(got == want, "%s: %d lines, %d wanted, first differ at %d"
          % (text, len(got), len(want), n), got[n:n + 1], want[n:n + 1])


def journal_and_head(bench):
    """A snapshot, two files of each kind."""
    path = bench.path("d")
    want = store(path)
    got = reader(path)
    equal(got[4:], want, "what was written")
    same([json.loads(s).get("i", "") for s in got[:4]], ["", 0, 1, ""],
         "the snapshot before it")


def long(path, budget):
    """20 days of three checks: the jobs there were, the rows of each."""
    said, *rows = "\n".join(store(path, "20", budget)).split("check ")
    jobs = re.match(r"(\d+) seals, (\d+) merges, (\d+) thinned\n", said)
    must(jobs, "it says what it did", said)
    return ([int(n) for n in jobs.groups()],
            [part.rstrip("\n").split("\n")[1:] for part in rows])


def hourly(rows):
    """The worst code of each hour, least and greatest of each number."""
    sums = {}
    for line in rows:
        at, code, _, _, *more = line.partition(' "')[0].split(" ")
        at = int(at) // HOUR
        sums[at, ""] = max(sums.get((at, ""), 0), int(code))
        for s in more[more[0][0] == "*":]:
            name, _, numbers = s.rpartition("=")
            if s != "-":
                n = [int(x) for x in numbers.split(",")]
                n += sums.get((at, "=" + name), [])
                sums[at, "=" + name] = [min(n), max(n)]
    return sums


def thinned(bench):
    """Days with room for less: results, means of 5 minutes, of hours."""
    whole = long(bench.path("whole"), "0")[1]
    path = bench.path("d")
    jobs, rows = long(path, "400000")
    check(all(jobs), "there were all jobs", jobs)
    for i, (all_rows, want) in enumerate(zip(whole, rows), 1):
        counts = {line.split(" ")[4] for line in want}
        check({"*5", "*60"} < counts and len(want) < len(all_rows) // 2,
              "there are means of both levels", len(want))
        equal(reader(path, i), want, "check %d" % i)
        equal(sorted(hourly(want).items()), sorted(hourly(all_rows).items()),
              "the extremes of each hour of check %d" % i)


def thousandths(n):
    return "-" if n is None else str(int(Decimal(n) * 1000))


def history(server, target):
    """All results the API has, the oldest first, as read_store.py has them
    but for what the API does not tell."""
    c, rows = server.client(), []
    path = "check_history/?check=%d&limit=1000" % target
    while path:
        must(c.api("GET", path)[0] == 200, "GET " + path, c.raw)
        page = json.loads(c.raw, parse_float=Decimal)
        rows += page["objects"]
        path = page["meta"]["next"]
    c.close()
    return [" ".join([r["id"].split("-")[1], r["status"],
                      thousandths(r["value"]),
                      *sorted("%s=%s" % (k, thousandths(v))
                              for k, v in r["metrics"].items()),
                      json.dumps(r["message"], ensure_ascii=False)])
            for r in reversed(rows)]


def on_disk(path, target):
    """Likewise; and given and late of all."""
    rows, rest = [], []
    for line in reader(path, target):
        row, quote, text = line.partition(' "')
        at, code, given, late, value, *metrics = row.split(" ")
        rows.append(" ".join([at, STATUS[int(code)], value, *sorted(metrics)])
                    + quote + text)
        rest.append((int(at), given, late))
    return rows, rest


def steady(rnd, i):
    return {"value": 3 if i % 400 < 380 else 4}


def noisy(rnd, i):
    return {"value": rnd.randrange(10 ** 6) / 1000,
            "metrics": {"user": rnd.randrange(10 ** 5) / 1000,
                        "system": i * 7, "idle": 100 - i % 100}}


def told(rnd, i):
    r = {"status": STATUS[i // 9 % 4]}
    if i % 4:
        r["message"] = "%d \u20ac of \"%s\"\n\u00e9\u00df \\ %s" % (
            i // 2, rnd.choice("abc"), rnd.getrandbits(400) if i % 2 else "")
    if i % 5 == 0:
        r["metrics"] = {"m%d" % rnd.randrange(90): i
                        for _ in range(rnd.randrange(32))}
    return r


def wild(rnd, i):
    x = rnd.choice([BIG, -BIG, 0, i ** 4, -i, rnd.randrange(-BIG, BIG)])
    return {"value": x, "metrics": {"x": -x, "line": i * 1000001,
                                    "walk": 2 ** (i % 50)}}


def rare(rnd, i):
    return {"value": i} if i % 7 == 0 else {"metrics": {"r": i}}


KINDS = (steady, noisy, told, wild, rare)
SIZE = 1000


def post(client, rnd, checks, begin):
    """SIZE results of each check, over 3 hours, out of order, some twice."""
    for part in range(0, SIZE, SIZE // 4):
        made = []
        for target, kind in zip(checks, KINDS):
            for i in range(part, part + SIZE // 4):
                at = begin + i * 3 * HOUR // SIZE
                if kind in (told, rare):
                    at += rnd.randrange(-60000, 60000)
                made.append(dict(kind(rnd, i), check=target,
                                 timestamp=vil.stamp(at)))
        rnd.shuffle(made)
        made += [dict(r, value=77) for r in rnd.sample(made, 20)]
        status, obj = client.api("PATCH", "check_history/", {"objects": made})
        must(status == 202 and not obj["refused"], "stored", status, obj)


def sealed(bench):
    """A server fills its head twice: two blocks, and some more."""
    rnd = random.Random(3)
    server = vil.Server(bench, "disk 4M\n")
    agent = server.add("agent", hostname="web1")
    checks = [int(server.add("check", agent=agent["resource_uri"],
                             type="process", crit=["above 900"],
                             params={"process_name": k.__name__})["id"])
              for k in KINDS]
    client, files = server.client(), server.dir + "/blocks/*.blk"
    begin = vil.now_ms() - 9 * HOUR
    for turn in range(2):
        for _ in range(3):              # 512 KiB and more
            post(client, rnd, checks, begin + turn * HOUR)
        until(vil.SLOW, "block %d" % (turn + 1),
              lambda: len(glob.glob(files)) > turn)
    fresh = vil.now_ms()
    for target in checks:
        for i, status in enumerate(("ok", "critical")):
            client.api("POST", "check_history/", {
                "check": target, "value": 1000, "status": status,
                "timestamp": vil.stamp(fresh + i)})
    client.close()
    api = [history(server, c) for c in checks]
    same(server.stop(), 0, "ends cleanly")
    for target, kind, want in zip(checks, KINDS, api):
        check(len(want) >= 2 * SIZE, "results", kind.__name__, len(want))
        rows, rest = on_disk(server.dir, target)
        equal(rows, want, kind.__name__)
        same({(given != "-", late) for at, given, late in rest if at < fresh},
             {(kind == told, "1")}, "given and late of what is old")
        same([(given, late) for at, given, late in rest if at >= fresh],
             [("0", "0"), ("3", "0")], "and of what is new")
    kept = [json.loads(line) for line in reader(server.dir)
            if line.startswith('{"n":') and ',"snap":true,' in line]
    same({k["object"]: k["new"]["name"] for k in kept
          if k.get("object", "").startswith("check/")},
         {"check/%d" % c: "process " + k.__name__
          for c, k in zip(checks, KINDS)}, "the snapshot has the checks")


vil.run(journal_and_head, thinned, sealed)
