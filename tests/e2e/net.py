#!/usr/bin/env python3
"""Checks of others: tcp, http and ping against servers good and hostile."""
import ctypes
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import vil
from vil import check, must, same

libc = ctypes.CDLL(None)
AGENT = os.path.join(vil.TOP, "vilicus-agent")


class Peer:
    """Listens; each connection is a call of fn(connection) in a thread."""

    def __init__(self, fn, tls=None, host="127.0.0.1"):
        self.fn, self.tls = fn, tls
        self.s = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.s.bind((host, 0))
        self.s.listen(64)
        self.port = self.s.getsockname()[1]
        self.asked = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c, _ = self.s.accept()
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        try:
            c.settimeout(30)
            if self.tls:
                c = self.tls.wrap_socket(c, server_side=True)
            self.fn(c)
            if self.tls:
                c.unwrap()
        except (OSError, ValueError):
            pass            # ValueError: TLS was ended by fn
        finally:
            c.close()


def head(c):
    """A request's head."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = c.recv(4096)
        if not more:
            return ""
        got += more
    return got.decode()


def answers(raw):
    """A server that answers this."""
    def fn(c):
        head(c)
        c.sendall(raw)
    return fn


def with_length(body, status="200 OK", more=""):
    return ("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (
        status, more, len(body))).encode() + body


def endless(first, piece, pause=0):
    def fn(c):
        head(c)
        c.sendall(first)
        while True:
            c.sendall(piece)
            time.sleep(pause)
    return fn


class Checks:
    """Checks of one agent, which runs each once; their results."""

    def __init__(self, bench, name="server"):
        self.bench = bench
        self.server = vil.Server(bench, name=name)
        said = self.server.ctl("agent", "add", "web1", "interval", "1h")
        self.url = re.search(r"https://va_\S+", said).group(0)
        self.n = 0
        self.wanted = []

    def add(self, kind, want, value=None, metrics=None, **params):
        """want: "STATUS" or "STATUS PATTERN" of the whole message."""
        self.n += 1
        status, _, text = want.partition(" ")
        obj = self.server.add("check", agent="/api/v1/agent/1/", type=kind,
                              name="c%d" % self.n, params=params)
        self.wanted.append((obj["id"], kind, params, status, text, value,
                            metrics or {}))

    def run(self, lines="", argv=(), code=0, **more):
        conf = vil.write(self.bench.path("a.conf"), self.url + "\n" + lines,
                         0o644)
        r = subprocess.run([AGENT, "-1", "-f", conf, *argv],
                           capture_output=True, text=True, timeout=90, **more)
        same(r.returncode, code, "the agent ends: " + r.stderr)
        return r.stderr

    def hold(self, lines="", **more):
        """Run them, and compare."""
        self.run(lines, **more)
        self.compare()

    def compare(self):
        for ident, kind, params, status, text, value, metrics in self.wanted:
            got = self.server.objects("check_history/?check=%s&limit=1"
                                      % ident)
            what = "%s %s" % (kind, params)
            if not check(got, what + ": no result"):
                continue
            got = got[0]
            check(re.fullmatch(status, got["status"]), what, status, got)
            check(re.fullmatch(text, got["message"] or "", re.S), what,
                  got["message"], text)
            if value is not None:
                v = got["value"]
                check(v is not None and value[0] <= v <= value[1], what,
                      "value", got)
            for name, (least, most) in metrics.items():
                v = got["metrics"].get(name)
                check(v is not None and least <= v <= most, what, name, got)
        self.wanted = []


def tcp(bench):
    c = Checks(bench)
    smtp = Peer(lambda s: s.sendall(b"220 mail.example.org ESMTP\r\n")).port
    slow = Peer(lambda s: [s.sendall(bytes([b])) or time.sleep(.05)
                           for b in b"220 slow\r\n"]).port
    bad = Peer(lambda s: s.sendall(b"554 \x1b[31mgo \xffaway\r\nmore")).port
    silent = Peer(lambda s: s.recv(1)).port
    closes = Peer(lambda s: None).port
    flood = Peer(lambda s: [s.sendall(b"x" * 65536)
                            for _ in range(10000)]).port
    six = Peer(lambda s: s.sendall(b"220 six\r\n"), host="::1").port
    ms = (0.001, 1000)
    c.add("tcp", "ok ", ms, host="127.0.0.1", port=smtp)
    c.add("tcp", "ok ", ms, host="localhost", port=smtp, expect="220")
    c.add("tcp", "ok ", ms, host="::1", port=six, expect="220 six")
    c.add("tcp", "ok ", ms, host="127.0.0.1", port=slow, expect="220 slow")
    c.add("tcp", r'critical it says "554 \?\[31mgo \?away"', ms,
          host="127.0.0.1", port=bad, expect="220")
    c.add("tcp", "critical it says nothing: time-out", ms, host="127.0.0.1",
          port=silent, expect="220", timeout_ms=300)
    c.add("tcp", "ok ", ms, host="127.0.0.1", port=silent)
    c.add("tcp", "critical it says nothing: connection closed", ms,
          host="127.0.0.1", port=closes, expect="220")
    c.add("tcp", 'critical it says "x{127}"', ms, host="127.0.0.1",
          port=flood, expect="220")
    c.add("tcp", "critical Connection refused", host="127.0.0.1",
          port=vil.free_port())
    # One that takes no more connections: its queue is full.
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    held = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(full.getsockname())
        held.append(s)
    c.add("tcp", "critical Connection timed out", host="127.0.0.1",
          port=full.getsockname()[1], timeout_ms=500)
    c.hold()


def http(bench):
    c = Checks(bench)

    def at(raw, path="/"):
        fn = raw if callable(raw) else answers(raw)
        return "http://127.0.0.1:%d%s" % (Peer(fn).port, path)

    ms = (0.001, 5000)
    ok = with_length(b"hello, world")
    c.add("http", "ok ", ms, {"status": (200, 200), "bytes": (12, 12)},
          url=at(ok))
    c.add("http", "ok ", ms, url=at(ok), expect_status=200,
          expect_body="lo, wo")
    c.add("http", 'critical its 12 bytes hold no "Hello"', ms, url=at(ok),
          expect_body="Hello")
    c.add("http", "critical answered 200, 204 expected", ms, url=at(ok),
          expect_status=204)
    c.add("http", "ok ", ms, url=at(b"HTTP/1.1 204 No\r\n\r\n"))
    c.add("http", "critical answered 503, 2xx expected", ms,
          {"status": (503, 503)}, url=at(with_length(b"", "503 Busy")))
    c.add("http", "critical answered 503, 2xx expected", url=at(
        with_length(b"", "503 Busy").replace(b"h: 0", b"h: 9")))
    c.add("http", "ok ", ms, url=at(with_length(b"", "503 Busy")),
          expect_status=503)
    c.add("http", "ok ", ms, {"bytes": (3, 3)},
          url=at(b"HTTP/1.0 200 OK\r\n\r\nold"), expect_body="old")
    c.add("http", "ok ", ms, {"bytes": (10, 10)}, expect_body="0123456789",
          url=at(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"5\r\n01234\r\n5;x=y\r\n56789\r\n0\r\n\r\n"))
    c.add("http", "ok ", ms, url=at(b"HTTP/1.1 100 Go\r\n\r\n" + ok))
    # A megabyte is looked at, and a match may be anywhere in it.
    big = b"." * 1000003 + b"needle" + b"." * 40000
    c.add("http", "ok ", ms, {"bytes": (1040009, 1040009)},
          url=at(with_length(big)), expect_body="needle")
    c.add("http", "ok ", ms, {"bytes": (1048576, 1070000)},
          url=at(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)))
    c.add("http", 'critical its 10[0-9]* bytes hold no "y"',
          url=at(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)),
          expect_body="y")
    # Who, by whom, and how.
    seen = []

    def keep(s):
        seen.append(head(s))
        s.sendall(ok)
    c.add("http", "ok ", url=at(keep, "/a?b=c").replace(
        "//", "//al%40ice:pa%20ss@"))
    # Hostile.
    for want, raw in (
            ("no answer: connection closed", b""),
            ("in the answer's head: connection closed", b"HTTP/1.1 200 OK\r\n"),
            ("no HTTP version where one is due", b"SSH-2.0-x\r\n"),
            ("control byte in the head", b"\0\xff\r\n\r\n"),
            ("control byte in the head", b"HTTP/1.1 200 \x01\r\n"),
            ("head too long|too many fields.*|control.*",
             endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
            ("head too long", endless(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 256)),
            ("request line too long|head too long", endless(b"", b"y" * 256)),
            ("answered 100 unasked", endless(b"", b"HTTP/1.1 100 x\r\n\r\n")),
            ("answered 101 unasked", b"HTTP/1.1 101 x\r\n\r\n"),
            ("in the answer's head: time-out",
             endless(b"HTTP", b"/", 1)),
            ("after [0-9]+ bytes of the body: time-out",
             endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x", .2)),
            ("no answer: time-out", lambda s: s.recv(9999) and s.recv(1)
             and s.recv(1)),
            ("after 5 bytes of the body: connection closed",
             with_length(b"01234").replace(b"h: 5", b"h: 6")),
            ("chunked body: .*", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             b"chunked\r\n\r\n8000000000000000\r\nx"),
            ("chunked body: .*", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             b"chunked\r\n\r\n-1\r\nx"),
            ("after 1 bytes of the body: connection closed",
             b"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             b"chunked\r\n\r\n7fffffffffffff\r\nx"),
            ("Content-Length: not one number",
             b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"),
            ("Transfer-Encoding: only chunked, once",
             b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")):
        c.add("http", "critical " + want, url=at(raw), timeout_ms=6000)
    c.add("http", 'critical its 4 bytes hold no "x"', expect_body="x", url=at(
        with_length(b"\x1f\x8b\x08\0", more="Content-Encoding: gzip\r\n")))
    c.add("http", "critical Connection refused",
          url="http://127.0.0.1:%d/" % vil.free_port())
    c.add("http", "unknown URL: .*", url="ftp://127.0.0.1/")
    c.add("http", "unknown URL: .*", url="http://127.0.0.1:99999/")
    six = Peer(answers(ok), host="::1")
    c.add("http", "ok ", ms, url="http://[::1]:%d/" % six.port)
    c.hold()
    must(seen, "the server was asked")
    same(seen[0].split("\r\n")[0], "GET /a?b=c HTTP/1.1", "request line")
    check("\r\nAuthorization: Basic YWxAaWNlOnBhIHNz\r\n" in seen[0] and
          "\r\nConnection: close\r\n" in seen[0], "fields", seen[0])


def redirects(bench):
    c = Checks(bench)
    seen, seen_there = {}, {}

    def fn(s, seen=seen):
        """/3 leads to /2 and so on; /to?URL there."""
        text = head(s)
        path = text.split(" ")[1]
        seen[path] = text
        n = path[1:]
        to = {"/bare": "", "/rel/x?y": "z", "/net": "//127.0.0.1:%d/0"
              % peer.port, "/frag": "/0#part"}.get(path)
        if path.startswith("/to?"):
            to = path[4:]
        elif n.isdigit():
            to = "/%d" % (int(n) - 1) if n != "0" else None
        s.sendall(with_length(b"there") if to is None else with_length(
            b"", "302 Found", "Location: %s\r\n" % to if to else ""))
    peer = Peer(fn)
    other = Peer(lambda s: fn(s, seen_there))

    def add(want, path, n=3, **more):
        c.add("http", want, url="http://u:p@127.0.0.1:%d%s" % (peer.port,
                                                                path),
              redirects=n, timeout_ms=3000, **more)
    away = "http://127.0.0.1:%d/0" % other.port
    add("ok ", "/0")
    add("critical answered 302 to /0, 2xx expected", "/1", 0)
    add("ok ", "/1", 0, expect_status=302)
    add("ok ", "/1", 1, expect_status=302)
    add("ok ", "/3", 3, expect_body="there")
    add("critical answered 302 to /0, 2xx expected", "/4", 3)
    add("ok ", "/10", 10)
    add("ok ", "/rel/x?y", metrics={"bytes": (5, 5)})
    add("ok ", "/net", metrics={"bytes": (5, 5)})
    add("ok ", "/frag", metrics={"bytes": (5, 5)})
    add("ok ", "/to?" + away)
    add("critical redirect: status 302 without a Location", "/bare")
    add("critical redirect: URL: .*", "/to?gopher://x/")
    add("critical redirect: URL: .*", "/to?http://x:0/")
    add("critical Connection refused", "/to?http://127.0.0.1:%d/"
        % vil.free_port())
    c.hold()
    check("/rel/z" in seen, "relative", sorted(seen))
    check("Authorization" in seen["/2"], "the password, on the same host")
    check("Authorization" not in seen_there["/0"], "and on no other",
          seen_there)
    # Where it is led must be allowed, too.
    add("unknown redirect: agent.conf does not allow http 127.0.0.1",
        "/to?" + away)
    add("ok ", "/1")
    c.hold("allow http http://127.0.0.1:%d/\n" % peer.port)


def certificate(ca, name, names, days=365, sign=True):
    """A certificate of that authority, or of its own."""
    key = os.path.join(ca, name + ".key")
    crt = os.path.join(ca, name + ".crt")

    def openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True,
                       timeout=60)
    ext = vil.write(os.path.join(ca, name + ".ext"),
                    "subjectAltName=%s\n" % names)
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
            crt + ".csr", "-subj", "/CN=" + name)
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(
        time.time() + days * 86400))
    vil.write(os.path.join(ca, "index.txt"), "")
    conf = vil.write(os.path.join(ca, "ca.conf"), (
        "[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\nnew_certs_dir=%s\n"
        "rand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\n"
        "commonName=supplied\n") % (ca, ca))
    openssl("ca", "-batch", "-config", conf, "-notext", "-startdate",
            "20200101000000Z", "-enddate", end, "-extfile", ext,
            "-in", crt + ".csr", "-out", crt, *(
                ("-cert", os.path.join(ca, "ca.crt"), "-keyfile",
                 os.path.join(ca, "ca.key")) if sign else
                ("-selfsign", "-keyfile", key)))
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(crt, key)
    return ctx


def tls(bench):
    c = Checks(bench)
    ca = bench.path("ca")
    subprocess.run([os.path.join(vil.TOP, "tests/double/ca.sh"), ca],
                   check=True, capture_output=True, timeout=60)
    names = "DNS:localhost,IP:127.0.0.1"
    good = certificate(ca, "good", names, 20)
    old = certificate(ca, "old", names, -3)
    else_ = certificate(ca, "else", "DNS:www.example.org")
    own = certificate(ca, "own", names, 30, sign=False)
    new = certificate(ca, "new", names)
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    weak = certificate(ca, "weak", names)
    weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    hello = answers(with_length(b"hello"))

    def url(ctx, fn=hello, host="localhost"):
        return "https://%s:%d/" % (host, Peer(fn, ctx).port)

    ms = (0.1, 5000)
    c.add("http", "ok ", ms, {"cert_days": (19.9, 20), "status": (200, 200)},
          url=url(good), expect_body="hello")
    c.add("http", "ok ", ms, {"cert_days": (19.9, 20)},
          url=url(good, host="127.0.0.1"))
    c.add("http", r"critical certificate has expired on .*; the clock .*",
          None, {"cert_days": (-3.1, -3)}, url=url(old))
    c.add("http", "critical certificate is for another name: www.*", None,
          {"cert_days": (364, 365)}, url=url(else_))
    c.add("http", "critical certificate is not signed by a known authority",
          None, {"cert_days": (29, 30)}, url=url(own))
    pin = subprocess.run(
        "openssl x509 -in %s/own.crt -pubkey -noout | openssl pkey -pubin "
        "-outform DER | openssl dgst -sha256 -binary | basenc --base64url"
        % ca, shell=True, capture_output=True, text=True).stdout.strip("=\n")
    c.add("http", "ok ", ms, {"cert_days": (29, 30)}, url=url(own) + "#" + pin)
    c.add("http", "critical its key is not the one that is pinned, but " + pin,
          url=url(own) + "#" + "A" * 43)
    c.add("http", "unknown a pin is 43 characters.*", url=url(own) + "#top")
    c.add("http", "unknown the other side speaks no TLS 1.2", url=url(new))
    c.add("http", "unknown no TLS 1.2 cipher in common", url=url(weak))
    # Redirects: the first to expire counts; never from https to http.
    plain = Peer(hello).port
    there = url(certificate(ca, "soon", names, 2))
    c.add("http", "ok ", ms, {"cert_days": (1.9, 2)}, redirects=1, url=url(
        good, answers(with_length(b"", "301 x", "Location: " + there +
                                  "\r\n"))))
    c.add("http", "ok ", ms, {"cert_days": (1.9, 2)}, redirects=1,
          url="http://127.0.0.1:%d/" % Peer(answers(with_length(
              b"", "307 x", "Location: %s\r\n" % there))).port)
    c.add("http", "critical redirect: from https to http, .*", redirects=3,
          url=url(good, answers(with_length(
              b"", "301 x", "Location: http://localhost:%d/\r\n" % plain))))
    # No TLS at all, junk in its place, and silence.
    c.add("http", "critical the other side speaks no TLS 1.2", url=url(
        None, lambda s: s.recv(999) and s.sendall(
            with_length(b"", "400 Bad Request"))))
    for junk in (b"\x16\x03\x03\xff\xff", os.urandom(4096), b"\0" * 999,
                 b"\x15\x03\x03\0\x02\x02\x28x", b"\x16\x03\x03\0\0" * 9999):
        c.add("http", "(critical|unknown) .+", timeout_ms=2000,
              url=url(None, lambda s, j=junk: s.recv(999) and s.sendall(j)))
    c.add("http", "critical TLS handshake: time-out", timeout_ms=700,
          url=url(None, lambda s: s.recv(999) and s.recv(999)))
    # Cut without a goodbye: what has a length is whole, the rest is not.
    def cut(raw):
        def fn(s):
            head(s)
            s.sendall(raw)
            s.shutdown(socket.SHUT_RDWR)
        return fn
    c.add("http", "ok ", ms, url=url(good, cut(with_length(b"x"))))
    c.add("http", "critical after 1 bytes of the body: closed without a .*",
          url=url(good, cut(b"HTTP/1.0 200 OK\r\n\r\nx")))
    # As a person adds it; a rule about the certificate, too.
    c.server.ctl("check", "add", "web1", "http", url(good), "redirects", "2",
                 "timeout_ms", "5000", "warn", "cert_days", "below", "30",
                 "name", "site")
    c.hold("# what follows narrows\nca-file %s/ca.crt\n" % ca)
    out = c.server.ctl("status", "web1/site", code=1)
    check("WARNING - web1/site" in out, "days below", out)
    c.add("http", "unknown /nowhere: No such file or directory",
          url=url(good))
    c.hold("ca-file /nowhere\n")


def allowed(bench):
    """What agent.conf allows, and faults in it."""
    c = Checks(bench)
    c.add("file", "unknown agent.conf does not allow file /etc/passwd",
          path="/etc/passwd")
    c.add("log", "unknown agent.conf does not allow log /var/log/../lib/x",
          path="/var/log/../lib/x", pattern="x")
    c.hold()
    port = Peer(lambda s: None).port
    c.add("tcp", "ok ", host="127.0.0.1", port=port)
    c.add("tcp", "unknown agent.conf does not allow tcp 127.0.0.1:1",
          host="127.0.0.1", port=1)
    c.add("http", "unknown agent.conf does not allow http 127.0.0.1",
          url="http://u:secret@127.0.0.1:%d/" % port)
    c.add("cpu", "unknown agent.conf does not allow cpu")
    c.hold("# only this\n\nallow tcp 127.0.0.*:%d\n" % port)
    for line, want in (("alow tcp", "a.conf:2: not allow TYPE"),
                       ("\nallow", "a.conf:3: allow : no such type"),
                       ("allow tpc", "allow tpc: no such type"),
                       ("allow http ftp://x/", "allow http: URL"),
                       ("ca-file x", "a.conf:2: not allow")):
        said = c.run(line + "\n", code=2)
        check(want in said, line, said)
    check("not a path from / on" in c.run(argv=["-P", "bin"], code=2), "-P")
    c.run(argv=["-P", "/usr/lib/nagios/plugins"])


def without_raw():
    """For the agent: no CAP_NET_RAW, whoever it is."""
    libc.prctl(24, 13, 0, 0, 0)         # PR_CAPBSET_DROP


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


def ping(bench):
    """In a network of our own, of which we may change what we like."""
    if libc.unshare(0x40000000) != 0:   # CLONE_NEWNET
        raise vil.Skip("no network of our own")
    for line in ("link set lo up", "link add d0 type veth peer name d1",
                 "addr add 192.0.2.1/24 dev d0", "link set d0 up", "link set d1 up",
                 "route add unreachable 198.51.100.0/24"):
        subprocess.run(["ip"] + line.split(), check=True, timeout=20)
    c = Checks(bench)
    ms, range_ = (0.001, 500), "/proc/sys/net/ipv4/ping_group_range"

    def both():
        none = {"loss_percent": (0, 0)}
        c.add("ping", "ok ", ms, none, host="127.0.0.1")
        c.add("ping", "ok ", ms, none, host="localhost", count=1)
        c.add("ping", "ok ", ms, none, host="::1", count=20)
        c.add("ping", "critical no answer from 192.0.2.9.*", None,
              {"loss_percent": (100, 100)}, host="192.0.2.9", timeout_ms=900)
        c.add("ping", "critical .*198.51.100.1.*: No route to host",
              host="198.51.100.1", timeout_ms=900)
        c.add("ping", "critical .*203.0.113.1: Network is unreachable",
              host="203.0.113.1")
    # Raw, then by the sockets for just this, then neither.
    put(range_, "1 0")
    both()
    c.hold()
    put(range_, "0 2147483647")
    both()
    c.hold(preexec_fn=without_raw)
    put(range_, "1 0")
    c.add("ping", "unknown no ICMP socket is allowed here: .*CAP_NET_RAW",
          host="127.0.0.1")
    c.hold(preexec_fn=without_raw)
    # Some are lost.
    ignore = "/proc/sys/net/ipv4/icmp_echo_ignore_all"
    put(ignore, "1")
    c.add("ping", r"ok ([1-9]|1\d) of 20 answered", ms,
          {"loss_percent": (5, 95)}, host="127.0.0.1", count=20)
    later = threading.Timer(1.2, put, (ignore, "0"))
    later.start()
    c.hold()
    later.join()
    # Nobody to ask for a name.
    c.add("ping", "unknown the name was not resolved: .*",
          host="nosuch.invalid", timeout_ms=3000)
    c.hold()


# The last one is left in a network of its own.
if __name__ == "__main__":
    vil.run(tcp, http, redirects, tls, allowed, ping)
