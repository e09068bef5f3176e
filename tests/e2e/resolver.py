#!/usr/bin/env python3
"""dns checks against name servers good, lying, broken and silent."""
import os
import socket
import struct
import subprocess
import threading
import time

import vil
from net import AGENT, Checks
from vil import check, same

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28}


def name(text):
    return b"".join(bytes([len(p)]) + p.encode()
                    for p in text.split(".") if p) + b"\0"


def rr(kind, data, owner=b"\xc0\x0c"):
    return owner + struct.pack("!HHIH", TYPES[kind], 1, 60, len(data)) + data


def v4(text):
    return socket.inet_aton(text)


ZONE = {
    "two": [rr("A", v4("192.0.2.1")), rr("A", v4("192.0.2.2"))],
    "six": [rr("AAAA", socket.inet_pton(socket.AF_INET6, "2001:db8::1"))],
    "alias": [rr("CNAME", name("real.example")),
              rr("A", v4("192.0.2.3"), name("REAL.example"))],
    "mx": [rr("MX", b"\0\x0a" + name("mail.example"))],
    "ns": [rr("NS", name("ns1.example"))],
    "txt": [rr("TXT", b"\x05v=spf\x061 -all"), rr("TXT", b"\x03\x1b[m")],
    "soa": [rr("SOA", name("ns1.example") + name("root.example") +
               struct.pack("!5I", 2026112501, 1, 2, 3, 4))],
    "1": [rr("PTR", name("host.example"))],
    "other": [rr("A", v4("192.0.2.9"), name("elsewhere.example"))],
    "loop": [rr("CNAME", b"\xc0\x0c")],
    "pointer": [rr("A", v4("192.0.2.1"), b"\xc0\x23")],
    "cut": [rr("A", v4("192.0.2.1"))[:-2]],
    "many": [rr("A", v4("192.0.%d.%d" % (i, j)))
             for i in range(8) for j in range(32)],
}


class NameServer:
    """UDP and TCP on one port; what it does is the first label asked for."""

    def __init__(self, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.tcp = socket.socket(family)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((host, port))
        self.port = self.tcp.getsockname()[1]
        self.udp.bind((host, self.port))
        self.tcp.listen(16)
        self.else_ = socket.socket(family, socket.SOCK_DGRAM)
        self.else_.bind((host, 0))
        self.seen, self.asked = {}, []
        for fn in self.by_udp, self.by_tcp:
            threading.Thread(target=fn, daemon=True).start()

    @staticmethod
    def answer(q, label, flags=0x8180, ident=None, records=None):
        rrs = ZONE.get(label, []) if records is None else records
        return (q[:2] if ident is None else ident) + struct.pack(
            "!5H", flags, 1, len(rrs), 0, 0) + q[12:] + b"".join(rrs)

    def by_udp(self):
        while True:
            q, peer = self.udp.recvfrom(4096)
            label = q[13:13 + q[12]].decode().lower()
            n = self.seen[label] = self.seen.get(label, 0) + 1
            self.asked.append((q[:2], peer[1]))
            good = self.answer(q, "two")
            wrong = bytes([q[0] ^ 1, q[1]])
            code = {"nx": 3, "servfail": 2, "refused": 5, "odd": 11}
            if label in code:
                out = [self.answer(q, label, 0x8180 | code[label])]
            elif label in ("trunc", "trunchup", "truncslow", "trunclie"):
                out = [self.answer(q, label, 0x8380)]
            elif label == "ident":
                out = [self.answer(q, "two", ident=wrong)] * 50
            elif label == "question":
                out = [good.replace(b"\x08question", b"\x08questiom")] * 50
            elif label == "flood":
                out = [self.answer(q, "two", ident=wrong), b"", b"x", q,
                       good[:11]] * 40 + [good]
            elif label == "elsewhere":
                self.else_.sendto(good, peer)
                out = []
            elif label == "lost":
                out = [good] if n > 1 else []
            elif label == "silent":
                out = []
            elif label == "garbage":
                out = [good[:20] + os.urandom(400)]
            elif label == "lies":
                out = [good[:6] + b"\xff\xff" + good[8:]]
            else:
                out = [self.answer(q, label)]
            for o in out:
                self.udp.sendto(o, peer)

    def by_tcp(self):
        while True:
            c, _ = self.tcp.accept()
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with c:
            q = c.recv(4096)[2:]
            label = q[13:13 + q[12]].decode()
            if label == "trunchup":
                return
            a = self.answer(q, "", records=ZONE["many"])
            a = struct.pack("!H", len(a)) + a
            if label == "trunclie":
                a = b"\xff\xff" + a[2:]
            try:
                for i in range(0, len(a), 700):
                    c.sendall(a[i:i + 700] if label != "truncslow" else
                              a[i:i + 1])
                    time.sleep(.3 if label == "truncslow" else .02)
            except OSError:
                pass


def answers(bench):
    c = Checks(bench)
    server = NameServer()
    at = "127.0.0.1:%d" % server.port
    ms = (0, 2000)

    def add(want, label, record=None, value=None, **more):
        if record:
            more["record"] = record
        more.setdefault("server", at)
        c.add("dns", want, value, name=label, **more)

    two = "192.0.2.1, 192.0.2.2"
    add("ok " + two, "two.example", value=ms)
    add("ok " + two, "Two.example.", expect="192.0.2.2")
    add("critical 192.0.2.3 expected, not " + two, "two.example",
        expect="192.0.2.3", value=ms)
    add("ok 2001:db8::1", "six.example", "AAAA", expect="2001:DB8:0:0::1")
    add("ok 192.0.2.3", "alias.example")
    add("ok real.example", "alias.example", "CNAME", expect="REAL.example.")
    add("ok 10 mail.example", "mx.example", "MX")
    add("ok ns1.example", "ns.example", "NS", expect="ns1.example")
    add(r"ok \?\[m, v=spf1 -all", "txt.example", "TXT", expect="v=spf1 -all")
    add("ok ns1.example root.example 2026112501 1 2 3 4", "soa.example",
        "SOA")
    add("ok host.example", "192.0.2.1", "PTR", expect="host.example")
    add("critical %s has no MX record" % at, "two.example", "MX")
    add("critical %s answers NXDOMAIN, no such name" % at, "nx.example")
    add("critical %s answers SERVFAIL" % at, "servfail.example")
    add("critical %s answers REFUSED" % at, "refused.example")
    add("critical %s answers code 11" % at, "odd.example")
    add("critical %s has no A record" % at, "other.example")
    add("critical %s has no A record" % at, "loop.example")
    unread = "critical %s answers what cannot be read" % at
    add(unread, "pointer.example")
    add(unread, "cut.example")
    add(unread, "lies.example")
    add("critical .*", "garbage.example", timeout_ms=500)
    add("ok 192.0.0.0, 192.0.0.1, .*", "many.example", expect="192.0.7.31")
    # By TCP.
    add("ok 192.0.0.0, 192.0.0.1, .*", "trunc.example", value=ms,
        expect="192.0.7.31")
    add("critical %s ends without an answer by TCP" % at, "trunchup.example")
    add("critical %s ends without an answer by TCP" % at, "trunclie.example")
    add("critical %s does not answer within 900 ms" % at,
        "truncslow.example", timeout_ms=900)
    # Not from whom it was asked, or not to what.
    other = "critical %s answers other questions only" % at
    add(other, "ident.example", timeout_ms=500)
    add(other, "question.example", timeout_ms=500)
    add("critical %s does not answer within 500 ms" % at,
        "elsewhere.example", timeout_ms=500)
    add("ok " + two, "flood.example", value=ms)
    # Lost once; for good; nobody there.
    add("ok " + two, "lost.example", timeout_ms=2000, value=(990, 1900))
    add("critical %s does not answer within 500 ms" % at, "silent.example",
        timeout_ms=500)
    nobody = "127.0.0.1:%d" % vil.free_port()
    add("critical %s does not answer: Connection refused" % nobody,
        "two.example", server=nobody)
    # What cannot be asked.
    add("unknown record ANY: not A, .*", "two.example", "ANY")
    add(r"unknown a\.\.b is no name", "a..b")
    add("unknown server localhost: not ADDRESS, .*", "two.example",
        server="localhost")
    add("unknown server 127.0.0.1:99999: .*", "two.example",
        server="127.0.0.1:99999")
    c.hold()
    same(server.seen["lost"], 2, "asked twice")
    same(server.seen["silent"], 2, "twice, and no more")
    same(server.seen["two"], 4, "and once where it answers")
    idents = [a[0] for a in server.asked]
    ports = [a[1] for a in server.asked]
    check(len(set(idents)) > 20 and len(set(ports)) > 20,
          "ids and ports are of chance", server.asked)


def addresses(bench):
    """By IPv6; and who is asked unless it is said: in a view of the files
    where resolv.conf is another."""
    c = Checks(bench)
    six = NameServer("::1")
    c.add("dns", "ok 192.0.2.3", name="alias.example",
          server="[::1]:%d" % six.port)
    c.hold()
    try:
        NameServer("127.0.0.77", 53)
    except PermissionError:
        raise vil.Skip("not root: nobody can listen on port 53")
    conf = vil.write(bench.path("resolv.conf"),
                     "# \nsearch x\nnameserver 127.0.0.77\n"
                     "nameserver 127.0.0.78\n", 0o644)
    url = vil.write(bench.path("b.conf"), c.url + "\n")
    for text, want in (vil.read(conf), ("ok", "192.0.2.3")), \
            ("search x\n", ("unknown", "no nameserver in /etc/resolv.conf")):
        vil.write(conf, text)
        c.add("dns", "%s %s" % want, name="alias.example")
        r = subprocess.run(
            ["unshare", "-m", "sh", "-c", "mount --bind \"$0\" "
             "/etc/resolv.conf && exec \"$@\"", conf, AGENT, "-1", "-f", url],
            capture_output=True, text=True, timeout=60)
        if "unshare" in r.stderr or "mount" in r.stderr:
            raise vil.Skip("no other view of the files: " + r.stderr)
        c.compare()


vil.run(answers, addresses)
