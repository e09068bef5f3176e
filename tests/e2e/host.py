#!/usr/bin/env python3
"""The checks of the host itself, each against the real thing: a program that
takes memory and one that takes CPU, file systems that are filled, fail and
hang, an interface that is taken down, namespaces.  In namespaces of its own,
for which it must be root."""
import ctypes
import os
import re
import subprocess
import sys
import time

import vil
from vil import check, must, same, until


def own_namespaces():
    """Go on in a network and a mount namespace of our own."""
    if os.environ.get("VILICUS_HOST") != "own":
        os.environ["VILICUS_HOST"] = "own"
        if subprocess.run(["unshare", "-nm", "true"],
                          stderr=subprocess.DEVNULL).returncode != 0:
            print("no namespaces here")
            sys.exit(77)
        os.execvp("unshare", ["unshare", "-nm", sys.executable, __file__])
    for line in ("ip link set lo up", "mount -t sysfs sysfs /sys"):
        if subprocess.run(line.split()).returncode != 0:
            print("not permitted here: " + line)
            sys.exit(77)


def sh(*words):
    r = subprocess.run(words, capture_output=True, text=True)
    must(r.returncode == 0, " ".join(words), r.stdout, r.stderr)
    return r.stdout


def may(*words):
    """Can it be done here?"""
    return subprocess.run(words, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


class Host:
    """A server, and an agent for which checks are added."""

    def __init__(self, bench):
        self.bench = bench
        self.server = vil.Server(bench)
        self.agent = bench.agent(self.server, "web1")

    def add(self, name, *words):
        self.server.ctl("check", "add", "web1", *words, "name", name, "every",
                        "1s")

    def now(self, name):
        return vil.state(self.server, "web1", name)

    def history(self, name):
        return self.server.objects("check_history/?check=%s&limit=0"
                                   % self.now(name)["id"])

    def status(self, name, status, seconds=vil.SLOW):
        """Wait for it; its text."""
        until(seconds, "%s is %s" % (name, status),
              lambda: self.now(name).get("status") == status and
              self.now(name)["last_result"])
        return self.now(name)["text"]

    def reads(self, name, pattern, seconds=vil.SLOW):
        """Wait for its text; the check."""
        try:
            until(seconds, "%s: %s" % (name, pattern), lambda: re.fullmatch(
                pattern, self.now(name).get("text") or ""))
        except vil.Fault:
            print("got: %s" % self.now(name))
            raise
        return self.now(name)

    def once(self, *before):
        """What an agent prints that is started by these words."""
        r = subprocess.run(
            list(before) + [os.path.join(vil.TOP, "vilicus-agent"), "-n", "-f",
                            self.bench.path("web1.conf")],
            capture_output=True, text=True, timeout=60)
        same(r.returncode, 0, "vilicus-agent -n " + r.stderr)
        return r.stdout


def meminfo():
    return {line.split()[0][:-1]: int(line.split()[1])
            for line in vil.read("/proc/meminfo").splitlines()}


def spent(bench, text):
    """A program that does so for a while."""
    return bench.start("spent%d" % len(bench.started),
                       [sys.executable, "-c", text])


def memory_and_load(bench):
    host = Host(bench)
    for name in ("memory", "swap", "uptime", "temperature"):
        host.add(name, name)
    host.add("load", "load", "1")
    share = host.reads("memory", r"[\d.]+ percent used")["value"]
    m = meminfo()
    check(abs(share - 100 + 100 * m["MemAvailable"] / m["MemTotal"]) < 2,
          "memory", share, m)
    host.reads("swap", "0 percent used: no swap" if m["SwapTotal"] == 0 else
               r"[\d.]+ percent used")
    up = host.reads("uptime", r"\d+ [dhms] .*since the boot")["value"]
    check(abs(up - float(vil.read("/proc/uptime").split()[0])) < 5, "uptime")
    if not os.path.isdir("/sys/class/hwmon"):
        host.reads("temperature", "this host has no sensor of temperature")
    # A twentieth of it, where there is so much.
    size = min(m["MemTotal"] // 20, m["MemAvailable"] // 2) * 1024
    hog = spent(bench, "import time; b = bytearray(%d); b[::4096] = "
                "b'x' * len(b[::4096]); time.sleep(60)" % size)
    grown = 80 * size / m["MemTotal"] / 1024
    until(vil.SLOW, "it was seen", lambda: host.now("memory")["value"] >
          share + grown)
    hog.end(9)
    until(vil.SLOW, "and gone", lambda: host.now("memory")["value"] <
          share + grown)
    was = host.now("load")["value"]
    loops = [spent(bench, "while True: pass") for i in range(4)]
    until(vil.SLOW, "the load grows", lambda: host.now("load")["value"] >
          was + 0.1)
    for p in loops:
        p.end(9)
    now = float(vil.read("/proc/loadavg").split()[0]) / os.cpu_count()
    until(10, "the load", lambda: abs(host.now("load")["value"] - now) < 0.5)


def other_views(bench):
    """In a time namespace it is the host's uptime; in a container whose root
    is a cgroup with a limit, that limit's share."""
    host = Host(bench)
    host.add("uptime", "uptime")
    host.add("memory", "memory")
    host.status("uptime", "ok")
    plain = host.now("uptime")["value"]
    if may("unshare", "-T", "--boottime", "1000000", "true"):
        out = host.once("unshare", "-T", "--boottime", "1000000")
        m = re.search(r"uptime +(?:(\d+) d )?(?:(\d+) h ?)?", out)
        hours = int(m.group(1) or 0) * 24 + int(m.group(2) or 0)
        check(abs(hours - plain / 3600) <= 24 and hours < plain / 3600 + 24,
              "uptime of the host", out, plain)
        check("just booted" not in out, "it did not boot", out)
    d = bench.path("cgroup")
    os.mkdir(d)
    vil.write(d + "/memory.max", "104857600\n")
    vil.write(d + "/memory.current", "83886080\n")
    vil.write(d + "/memory.stat", "anon 1\ninactive_file 31457280\n")
    out = host.once("unshare", "-m", "sh", "-c",
                    'mount --bind "$0" /sys/fs/cgroup && exec "$@"', d)
    check("50 percent used: of the container's limit  (total_bytes 104857600,"
          " available_bytes 52428800)" in out, "of the container", out)


def fill(path, share):
    """Fill it up to this share."""
    s = os.statvfs(path)
    whole = s.f_blocks - s.f_bfree + s.f_bavail
    n = int(whole * share) - (s.f_blocks - s.f_bfree)
    with open(path + "/fill", "ab") as f:
        for i in range(n * s.f_frsize >> 16):
            f.write(b"x" * 65536)


def df(path):
    s = os.statvfs(path)
    used = s.f_blocks - s.f_bfree
    return round(100 * used / (used + s.f_bavail), 3)


def disks(bench):
    host = Host(bench)
    full, quiet = bench.path("a b"), bench.path("quiet")
    os.mkdir(full)
    os.mkdir(quiet)
    host.add("all", "disk")
    host.add("root", "disk", "/")
    here = host.reads("all", r"[\d.]+ percent used: /.*")
    check(host.reads("root", r"[\d.]+ percent used")["value"] <=
          here["value"], "the fullest is not less full than /")
    sh("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", quiet)
    host.add("quiet", "disk", quiet, "crit", "above", "50")
    host.reads("quiet", r"0 percent used")
    fill(quiet, 0.9)
    host.reads("quiet", r"(89|90).*percent used, above 50")
    until(10, "as df", lambda: host.now("quiet")["value"] == df(quiet))
    last = host.history("quiet")[0]["metrics"]
    same(last["free_bytes"], os.statvfs(quiet).f_bavail * 4096, "free")
    check(0 <= last["inodes_percent"] < 1, "inodes", last)
    host.add("inside", "disk", quiet + "/.")
    host.reads("inside", r"[\d.]+ percent used: on /.*quiet")
    host.add("none", "disk", bench.path("none"))
    host.reads("none", "No such file or directory")
    host.add("proc", "disk", "/proc")
    host.reads("proc", "nothing can be stored there")
    image = bench.path("image")
    with open(image, "wb") as f:
        f.truncate(16 << 20)
    if not may("mkfs.ext4", "-q", "-F", "-m", "5", image) or not may(
            "mount", "-o", "loop,errors=remount-ro", image, full):
        print("no loop mount here")
        return
    fill(full, 0.97)
    name = full.replace(" ", ".")
    host.reads("all", r"9[67][\d.]* percent used: " + name)
    same(host.now("all")["value"], df(full), "as df")
    same(host.now("all")["status"], "ok", "which is no fault without a rule")
    sh("mount", "-o", "remount,ro", full)
    check(vil.never(3, lambda: host.now("all")["status"] != "ok"),
          "made read-only by hand: no fault")
    sh("mount", "-o", "remount,rw", full)
    device = sh("findmnt", "-no", "SOURCE", full).strip()
    trigger = "/sys/fs/ext4/%s/trigger_fs_error" % os.path.basename(device)
    if os.path.exists(trigger):
        vil.write(trigger, "vilicus tests this")
        text = host.status("all", "critical", 90)
        check(text.endswith(full + " is read-only after an error"), text)
    sh("umount", full)
    until(vil.SLOW, "without it", lambda: host.now("all")["status"] == "ok" and
          host.now("all")["value"] <= here["value"] + 1)
    sh("umount", quiet)


def hanging(bench):
    """A file system whose program does not answer delays nobody."""
    host = Host(bench)
    point = bench.path("dead")
    os.mkdir(point)
    fd = os.open("/dev/fuse", os.O_RDWR) if os.path.exists("/dev/fuse") else -1
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % fd
    libc = ctypes.CDLL(None, use_errno=True)
    if fd == -1 or libc.mount(b"dead", point.encode(), b"fuse", 0,
                              options.encode()) != 0:
        raise vil.Skip("no FUSE here")
    host.add("all", "disk")
    host.add("dead", "disk", point)
    host.add("cpu", "cpu")
    host.reads("cpu", ".* percent")
    text = host.reads("dead", "its child ended without an answer, after 1. s")
    same(text["value"], None, "no value")
    at = sorted(vil.ms_of(h["timestamp"]) for h in host.history("cpu"))
    check(max(b - a for a, b in zip(at, at[1:])) < 2500,
          "another's results kept coming", at)
    host.reads("all", r"[\d.]+ percent used: /.*")
    check(len(host.history("all")) > 8, "and those of the disks")
    same(host.agent.end(), 0, "the agent ends")
    os.close(fd)
    sh("umount", "-l", point)


def interfaces(bench):
    host = Host(bench)
    sh("ip", "link", "add", "vilh0", "type", "veth", "peer", "name", "vilh1")
    sh("ip", "link", "set", "vilh0", "up")
    sh("ip", "link", "set", "vilh1", "up")
    host.add("veth", "network", "vilh0")
    host.add("lo", "network", "lo", "warn", "above", "20000000")
    host.add("gone", "network", "ppp0")
    host.reads("gone", "there is no interface of that name")
    same(host.now("gone")["status"], "critical", "which is critical")
    host.reads("veth", r"[\d.]+ k?bit/s")
    same(host.history("veth")[0]["metrics"]["up"], 1, "it is up")
    sh("ip", "link", "set", "vilh1", "down")
    host.status("veth", "critical")
    host.reads("veth", r"0 bit/s: it is lowerlayerdown")
    same(host.history("veth")[0]["metrics"]["up"], 0, "it is not up")
    sh("ip", "link", "set", "vilh1", "up")
    host.status("veth", "ok")
    sh("ip", "link", "set", "vilh0", "down")
    host.reads("veth", r"0 bit/s: it is down")
    sh("ip", "link", "del", "vilh0")
    host.reads("veth", "there is no interface of that name")
    # Bytes that are known: each is seen twice, sent and received.
    port = vil.free_port()
    spent(bench, "import socket; s = socket.create_server(('127.0.0.1', %d))\n"
          "c, _ = s.accept()\nwhile c.recv(1 << 20): pass" % port)
    source = spent(bench, """if 1:
        import socket, time
        time.sleep(1)
        s = socket.create_connection(('127.0.0.1', %d))
        while True:
            s.sendall(b'x' * 1000000)
            time.sleep(0.1)""" % port)
    host.reads("lo", r"[\d.]+ Mbit/s, above 20000000")
    until(vil.SLOW, "ten megabytes a second", lambda: 60e6 <
          host.now("lo")["value"] < 100e6)
    source.end(9)
    host.status("lo", "ok")


def numbers(bench):
    host = Host(bench)
    path = "/run/vilicus-test-%d" % os.getpid()
    try:
        vil.write(path, "12.5\n", 0o644)
        os.chmod(path, 0o644)
        host.add("plain", "number", path, "crit", "above", "100")
        host.add("share", "number", path, "of", "50")
        host.add("kernel", "number", "/proc/sys/kernel/pid_max")
        host.add("etc", "number", "/etc/hostname")
        host.reads("plain", "12.5")
        host.reads("share", "25: percent of 50")
        host.reads("kernel", vil.read("/proc/sys/kernel/pid_max").strip())
        host.reads("etc", "/etc/hostname is not below /proc, /sys, /run or "
                   "/var")
        vil.write(path, "101\n")
        host.reads("plain", "101, above 100")
        os.unlink(path)
        host.reads("plain", path + ": No such file or directory")
        os.mkfifo(path, 0o644)
        host.reads("plain", path + ": not a file that everyone may read")
        n = len(host.history("kernel"))
        until(10, "the rest goes on", lambda: len(host.history("kernel")) >
              n + 1)
    finally:
        os.unlink(path)


own_namespaces()
vil.run(memory_and_load, other_views, disks, interfaces, numbers, hanging)
