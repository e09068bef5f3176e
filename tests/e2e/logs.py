#!/usr/bin/env python3
"""file and log checks: files as they come and go, logs as they are rotated
and truncated while somebody writes to them."""
import os
import re
import threading
import time

import vil
from net import Checks
from vil import check, must, same, until


def files(bench):
    c = Checks(bench)
    d = bench.path("d")
    os.mkdir(d)

    def put(name, text, age=0):
        path = vil.write(os.path.join(d, name), text)
        t = time.time() - age
        os.utime(path, (t, t))
        return path

    new, old = put("new", "12345"), put("old", "1", 3600)
    ahead = put("ahead", "1", -7200)
    os.symlink("new", d + "/link")
    os.symlink("/etc/passwd", d + "/out")
    size = {"bytes": (5, 5)}
    c.add("file", "ok ", (0, 60), size, path=new, max_age_s=60, min_bytes=5,
          max_bytes=5)
    c.add("file", "ok ", (0, 60), size, path=d + "/link")
    c.add("file", "critical at most 3000 expected", (3600, 3660), path=old,
          max_age_s=3000)
    c.add("file", "critical 5 bytes, at least 6 expected", (0, 60), path=new,
          min_bytes=6)
    c.add("file", "ok changed in the future", (0, 0), path=ahead,
          max_age_s=1)
    c.add("file", "critical it does not exist", path=d + "/none")
    c.add("file", "ok ", path=d + "/none", exists=0)
    c.add("file", "critical it exists", (3600, 3660), path=old, exists=0)
    c.add("file", "ok ", (0, 60), path=d)
    # What the server may not ask, whatever way it tries.
    c.add("file", "unknown agent.conf does not allow file /etc/passwd",
          path="/etc/passwd")
    c.add("file", "unknown agent.conf does not allow .*",
          path=d + "/../../../../etc/passwd")
    c.add("file", "unknown agent.conf does not allow .*", path="new")
    # Out of the path's first two directories: this test is below both of
    # them, the target is not.
    c.add("file", "unknown .*/out: a symbolic link leads out of .*",
          path=d + "/out")
    c.hold("allow file %s\n" % d)
    c.add("file", "unknown agent.conf does not allow file .*", path=new)
    c.add("log", "unknown agent.conf does not allow log .*", path=new,
          pattern="x")
    c.add("log", "unknown /var/log/vilicus-none does not exist",
          path="/var/log/vilicus-none", pattern="x")
    c.hold()


class Writer:
    """Writes a line in some ms, every third with "error" in it; keeps what
    it has open for a while when its log was renamed, as daemons do."""

    def __init__(self, path):
        self.path, self.n, self.errors = path, 0, 0
        self.f, self.stop, self.reopen = None, False, None
        self.t = threading.Thread(target=self.run)

    def run(self):
        self.f = open(self.path, "a", buffering=1)
        while not self.stop:
            if self.reopen is not None and time.monotonic() > self.reopen:
                self.f.close()
                self.f, self.reopen = open(self.path, "a", buffering=1), None
            self.n += 1
            bad = self.n % 3 == 0
            self.errors += bad
            # In two pieces: a look may come between them.
            self.f.write("line %d " % self.n + ("err" if bad else ""))
            self.f.flush()
            self.f.write("or\n" if bad else "fine\n")
            time.sleep(.004)
        self.f.close()


def rotated(bench):
    server = vil.Server(bench)
    said = server.ctl("agent", "add", "web1", "interval", "1s")
    url = re.search(r"https://va_\S+", said).group(0)
    log = bench.path("app.txt")
    vil.write(log, "error before\n" * 100)
    server.ctl("check", "add", "web1", "log", log, "pattern", "error$",
               "name", "app")
    vil.write(bench.path("web1.conf"), "%s\nallow log %s\n"
              % (url, bench.dir))
    agent = bench.run_agent("web1")

    def results():
        return server.objects("check_history/?check=1&limit=0")

    def total():
        rows = results()
        return sum(r["value"] or 0 for r in rows)

    until(vil.SLOW, "a first look", results)
    same(total(), 0, "what was there before is not new")
    w = Writer(log)
    w.t.start()
    for i in range(6):
        time.sleep(1.3)
        if os.path.exists(log + ".1"):
            os.replace(log + ".1", log + ".2")
        os.rename(log, log + ".1")
        if i % 2:               # "create"; else its writer makes it
            vil.write(log, "")
        w.reopen = time.monotonic() + .3
    time.sleep(1)
    w.stop = True
    w.t.join()
    check(w.errors > 200, "enough was written", w.errors)
    until(20, "every line is counted: %d of %d" % (total(), w.errors),
          lambda: total() == w.errors)
    # copytruncate, while nothing is written.
    vil.write(log, "")
    time.sleep(1.5)
    vil.write(log, "error\n" * 7)
    until(20, "and those behind a truncation",
          lambda: total() == w.errors + 7)
    vil.write(log, "an error\n" * 400)
    until(20, "and when it has grown past where it was",
          lambda: total() == w.errors + 407)
    check(vil.never(3, lambda: total() != w.errors + 407), "each once")
    told = {r["message"] for r in results() if r["message"]}
    # Where its writer makes the new one, there was none for a while.
    same(told - {log + " does not exist"}, set(), "and without a word")
    # No line of it leaves the host.
    check("error" not in str([r for r in results()]), "the count, no line")
    must(agent.running(), "the agent runs")
    same(agent.end(), 0, "and ends well")


def much(bench):
    """20 MiB at once: 4 at a look, and all of it in the end."""
    server = vil.Server(bench)
    said = server.ctl("agent", "add", "web1", "interval", "1s")
    url = re.search(r"https://va_\S+", said).group(0)
    log = vil.write(bench.path("app.txt"), "")
    server.ctl("check", "add", "web1", "log", log, "pattern", "^x", "name",
               "app")
    vil.write(bench.path("web1.conf"), "%s\nallow log %s\n"
              % (url, bench.dir))
    bench.run_agent("web1")

    def results():
        return server.objects("check_history/?check=1&limit=0")

    until(vil.SLOW, "a first look", results)
    with open(log, "a") as f:
        f.write(("x" * 49 + "\n") * 400000)
    until(30, "all lines", lambda: sum(r["value"] or 0 for r in results())
          == 400000)
    same({r["message"] for r in results() if r["message"]},
         {"more is new than is read at once; the rest comes the next time"},
         "it says so")
    most = max(r["value"] for r in results())
    check(50000 < most <= 4194304 // 50 + 65536 // 50 + 1, "4 MiB at once",
          most)


vil.run(files, rotated, much)
