#!/usr/bin/env python3
"""What `make run` does: the first time, the second, and on a taken port."""
import os
import re
import signal
import socket
import subprocess

import vil
from vil import check, must, same, until

TRY = os.path.join(vil.TOP, "tests", "try")


def attempt(bench, data, port):
    p = bench.start("try", [TRY, data, "127.0.0.1:%d" % port])

    def settled():
        if not p.running():
            raise vil.Fault("make run ended: " + vil.read(p.err))
        return "Ctrl-C" in vil.read(p.out)
    until(vil.SLOW, "make run has begun", settled)
    return p


def status(data, port):
    r = subprocess.run([os.path.join(vil.TOP, "vilicus"), "-s",
                        "http://127.0.0.1:%d" % port, "-i",
                        data + "/admin.key", "status"],
                       capture_output=True, text=True, timeout=30)
    return r.stdout + r.stderr


def twice(bench):
    data, port = bench.path("data"), vil.free_port()
    p = attempt(bench, data, port)
    said = vil.read(p.out)
    check("http://127.0.0.1:%d/status" % port in said, "the address", said)
    check(data + "/admin.key" in said, "the key's file", said)
    same(os.stat(data + "/agent.conf").st_mode & 0o777, 0o600, "agent.conf")
    command = re.search(r"try next:\s+(.*)", said)
    must(command, "one next command", said)
    r = subprocess.run(command.group(1), shell=True, cwd=vil.TOP,
                       capture_output=True, text=True, timeout=30)
    check(r.returncode in (0, 1) and os.uname().nodename in r.stdout,
          "the next command works", r.stdout, r.stderr)
    until(vil.SLOW, "a process check that is ok", lambda: re.search(
        r"process vilicus-server.*\bok\b|\bok\b.*process vilicus-server",
        status(data, port)))
    same(p.end(signal.SIGINT), 0, "Ctrl-C ends it")
    with socket.socket() as s:
        check(s.connect_ex(("127.0.0.1", port)) != 0, "the server is gone")

    other = vil.free_port()
    vil.write(p.out, "")
    p = attempt(bench, data, other)
    text = until(vil.SLOW, "the same checks", lambda: re.search(
        r"process vilicus-server", status(data, other)) and
        status(data, other))
    same(text.count("process vilicus-server"), 1, "nothing is added twice")
    r = subprocess.run([TRY, bench.path("third"), "127.0.0.1:%d" % other],
                       capture_output=True, text=True, timeout=60)
    check(r.returncode != 0 and "taken" in r.stderr and
          str(other) in r.stderr, "a taken port is said", r.stderr)
    same(p.end(signal.SIGTERM), 0, "SIGTERM ends it")


vil.run(twice)
