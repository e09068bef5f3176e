#!/usr/bin/env python3
"""command checks: Debian's own plugins, and such as fork, hang and flood;
service checks of this machine."""
import glob
import os
import re
import signal
import subprocess
import time

import vil
from net import Checks
from vil import check, same, until

DIRS = ["/usr/lib/nagios/plugins", "/usr/lib/monitoring-plugins",
        "/usr/lib64/nagios/plugins"]


def monitoring_plugins(bench):
    d = [d for d in DIRS if os.path.exists(d + "/check_dummy")]
    if not d:
        raise vil.Skip("monitoring-plugins-basic is not installed")
    c = Checks(bench)
    for code, word in enumerate("ok warning critical unknown".split()):
        c.add("command", "%s %s: it's a test" % (word, word.upper()),
              program="check_dummy", args="%d \"it's a test\"" % code)
    c.add("command", "ok (LOAD )?OK - .*load average: .*", (0, 1000),
          program="check_load", args="-w 1000,1000,1000 -c 2000,2000,2000")
    c.add("command", "critical (LOAD )?CRITICAL - .*", (0, 1000),
          program="check_load", args="-w 0,0,0 -c 0,0,0")
    # In a chroot / is no mount point, and the plugin knows no other.
    if re.search(r"^\S+ \S+ \S+ \S+ / ", vil.read("/proc/self/mountinfo"),
                 re.M):
        c.add("command", "ok DISK OK.* free space: / .*", (1, 1e15),
              program="check_disk", args="-w 0% -c 0% -p /")
        c.add("command", "critical DISK CRITICAL - .*",
              program="check_disk", args="-w 100% -c 100% -p /")
    c.add("command", "ok TCP OK - .* second response time on 127.0.0.1.*",
          (0, 5), program="check_tcp", args="-H 127.0.0.1 -p %d"
          % c.server.port)
    c.add("command", "critical .*[Cc]onnection refused.*",
          program="check_tcp", args="-H 127.0.0.1 -p %d" % vil.free_port())
    c.add("command", "ok HTTP OK: HTTP/1.1 200 OK - .*", (0, 5),
          program="check_http", args="-I 127.0.0.1 -p %d -u /healthz"
          % c.server.port)
    c.add("command", "ok PROCS OK: [0-9]+ process.*", (0, 1e6),
          program="check_procs", args="-w 1: -c 0:")
    c.add("command", "unknown .*", program="check_disk", args="--nonsense")
    c.hold(argv=("-P", d[0]))
    c.add("command", "unknown the agent has no directory of programs: -P",
          program="check_dummy")
    c.hold()


def script(d, name, text):
    return vil.write(os.path.join(d, name), "#!/bin/sh\n" + text + "\n",
                     0o700)


def alive(pid):
    return " Z " not in (vil.read("/proc/%d/stat" % pid) or " Z ")


def bad_ones(bench):
    """They cost their own result, and no time of others'."""
    d = bench.path("plugins")
    os.mkdir(d)
    pids = bench.path("pids")
    keep = "echo $! >>%s; echo $$ >>%s\n" % (pids, pids)
    script(d, "hang", "sleep 300 & " + keep + "wait")
    script(d, "deaf", "trap '' TERM INT HUP; sleep 300 & " + keep +
           "while :; do sleep 300; done")
    script(d, "mute", "exec >&- 2>&-; sleep 300 & " + keep + "wait")
    script(d, "flood", keep.replace("$!", "$$") + "exec yes")
    script(d, "leaves", "sleep 300 & " + keep + "echo 'fine|a=3'")
    script(d, "daemon", "setsid sleep 8 >/dev/null 2>&1 &\necho daemon")
    script(d, "holds", "setsid sleep 8 &\necho held")
    script(d, "reads", "read x && echo got || echo nothing to read")
    script(d, "grows", ": | awk '{}' ; head -c 50000000 /dev/zero")
    script(d, "where", "echo $PWD; echo; ls /proc/self/fd | wc -l")
    c = Checks(bench)
    for name in "hang", "deaf", "mute", "flood":
        c.add("command", "unknown killed after 1500 ms", program=name,
              timeout_ms=1500)
    c.add("command", "ok fine", (3, 3), program="leaves")
    c.add("command", "ok daemon", program="daemon")
    c.add("command", "ok held", program="holds")
    c.add("command", "ok nothing to read", program="reads")
    c.add("command", "ok ", program="grows")
    c.add("command", "unknown program: not the name of a file",
          program="../a.conf")
    c.add("command", "unknown .*/plugins/absent: No such file .*",
          program="absent")
    began = time.monotonic()
    c.hold(argv=("-P", d))
    check(time.monotonic() - began < 6, "together, not one after the other",
          time.monotonic() - began)
    left = [int(p) for p in vil.read(pids).split()]
    same(len(left), 10, "all of them ran")
    until(5, "nothing of them is left",
          lambda: not [p for p in left if alive(p)])


def agent_ends(bench):
    """What an agent runs ends with it, killed or not."""
    d, pids = bench.path("plugins"), bench.path("pids")
    os.mkdir(d)
    script(d, "hang", "sleep 300 & echo $! >>%s; echo $$ >>%s\nwait"
           % (pids, pids))
    server = vil.Server(bench)
    said = server.ctl("agent", "add", "web1", "interval", "1s")
    url = re.search(r"https://va_\S+", said).group(0)
    server.ctl("check", "add", "web1", "command", "hang", "timeout_ms",
               "3000", "name", "hang")
    vil.write(bench.path("web1.conf"), url + "\n")
    for sig in signal.SIGTERM, signal.SIGKILL:
        vil.write(pids, "")
        agent = bench.start("agent", [
            os.path.join(vil.TOP, "vilicus-agent"), "-f",
            bench.path("web1.conf"), "-P", d])
        ran = until(vil.SLOW, "it runs", lambda: [
            int(p) for p in vil.read(pids).split()][:2][1:]
            and [int(p) for p in vil.read(pids).split()])
        check(all(alive(p) for p in ran), "and is there", ran)
        agent.end(sig)
        until(3 if sig == signal.SIGTERM else 12,
              "nothing is left after signal %d" % sig,
              lambda: not [p for p in ran if alive(p)])
    # And when it is taken from the agent.
    vil.write(pids, "")
    server.api("PATCH", "check/1/", {"params": {
        "program": "hang", "timeout_ms": 60000}})
    bench.start("agent", [
        os.path.join(vil.TOP, "vilicus-agent"), "-f",
        bench.path("web1.conf"), "-P", d])
    ran = until(vil.SLOW, "it runs", lambda: [
        int(p) for p in vil.read(pids).split()][:2][1:]
        and [int(p) for p in vil.read(pids).split()])
    server.api("DELETE", "check/1/")
    until(10, "nothing is left of a check that is no more",
          lambda: not [p for p in ran if alive(p)])


def services(bench):
    """Of this machine: whatever manages them."""
    c = Checks(bench)
    if os.path.isdir("/run/systemd/system"):
        c.add("service", r"ok active \(.*\)", (1, 1), service_name="dbus")
        c.add("service", "critical no such service", (0, 0),
              service_name="vilicus-none")
    elif os.path.isdir("/etc/init.d") and glob.glob("/etc/init.d/*"):
        c.add("service", "critical no such service", (0, 0),
              service_name="vilicus-none")
        for name in "dbus", "nginx":
            if not os.path.exists("/etc/init.d/" + name):
                continue
            r = subprocess.run(["/etc/init.d/" + name, "status"],
                               capture_output=True)
            c.add("service", {0: "ok ", 3: "critical stopped"}.get(
                r.returncode, ".*"), service_name=name)
            c.add("service", {0: "critical ", 3: "ok stopped"}.get(
                r.returncode, ".*"), service_name=name,
                expected_status="stopped")
    else:
        c.add("service", "unknown no manager of services that is known",
              service_name="cron")
    c.add("service", "unknown service_name: no name of a service",
          service_name="../../bin/true")
    c.hold()


vil.run(bad_ones, agent_ends, services, monitoring_plugins)
