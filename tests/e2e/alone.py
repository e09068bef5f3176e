#!/usr/bin/env python3
"""alone ARCH [QEMU ...]: a static agent with nothing but a kernel.

Its directory has the program, resolv.conf and /proc.  There it finds the
server by name, from a resolver of ours on port 53, and delivers.  Run by
tests/static in namespaces of its own (unshare -mn), as root.
"""
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

import vil
from vil import check, must, read, write

NAME = "monitor.example.test"


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))


def resolver(asked):
    """Knows one name, and has one address for it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))

    def serve():
        while True:
            q, peer = sock.recvfrom(512)
            at, labels = 12, []
            while q[at]:
                labels.append(q[at + 1:at + 1 + q[at]].decode())
                at += 1 + q[at]
            end, kind = at + 5, q[at + 2]
            name = ".".join(labels)
            asked.append((name, kind))
            found = name == NAME and kind == 1
            head = q[:2] + struct.pack(
                ">HHHHH", 0x8180 if name == NAME else 0x8183, 1, found, 0, 0)
            more = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + \
                bytes([127, 0, 0, 1]) if found else b""
            sock.sendto(head + q[12:end] + more, peer)

    threading.Thread(target=serve, daemon=True).start()


def furnish(root, arch, qemu):
    """The directory; the words that run the agent in it."""
    os.makedirs(os.path.join(root, "etc"))
    os.mkdir(os.path.join(root, "proc"))
    shutil.copy(os.path.join(vil.TOP, "build", arch, "vilicus-agent"), root)
    write(os.path.join(root, "etc/resolv.conf"), "nameserver 127.0.0.1\n")
    subprocess.run(["mount", "-t", "proc", "proc",
                    os.path.join(root, "proc")], check=True, timeout=60)
    argv = ["chroot", root]
    if qemu:
        shutil.copy(shutil.which(qemu[0]), os.path.join(root, "qemu"))
        argv += ["/qemu"] + qemu[1:]
    return argv + ["/vilicus-agent"]


def alone(bench):
    arch, qemu, asked = sys.argv[1], sys.argv[2:], []
    loopback_up()
    resolver(asked)
    server = vil.Server(bench)
    url = re.search(r"https://\S+", server.ctl("agent", "add", "gw")).group(0)
    server.ctl("check", "add", "gw", "process", "vilicus-server")
    agent = furnish(bench.path("root"), arch, qemu)

    def run(*words):
        r = subprocess.run(agent + list(words), capture_output=True,
                           text=True, timeout=vil.SLOW)
        return r.returncode, r.stdout + r.stderr

    there = url.replace("127.0.0.1", NAME)
    code, said = run("-V")
    must(code == 0, "it runs", said)
    code, said = run("-n", there)
    check(code == 0 and "process vilicus-server" in said, "-n", code, said)
    check((NAME, 1) in asked, "the name was asked for", asked)
    code, said = run("-1", there)
    check(code == 0, "-1", code, said)
    state = vil.state(server, "gw", "process vilicus-server")
    check(state.get("status") == "ok", "what it found is there", state)
    code, said = run("-1", url.replace("127.0.0.1", "no." + NAME))
    check(code == 3 and "no." + NAME in said, "a name that is none", code,
          said)
    server.stop()
    check(read(server.process.err).count("\n") < 20, "the server is calm")
    subprocess.run(["umount", bench.path("root/proc")], check=True,
                   timeout=60)


if len(sys.argv) < 2 or os.geteuid() != 0:
    print("needs root, and is run by tests/static")
    sys.exit(77)
vil.run(alone)
