#!/usr/bin/env python3
"""Certificates as the world has them, made with openssl, and what our client
says of each: verdict and words.  Then servers that break the protocol."""
import os
import socket
import ssl
import subprocess
import threading
import time
import warnings

import vil

TRY = os.path.join(vil.TOP, "tests", "tls_try")
DAY_MS = 86400 * 1000
LEAF = "basicConstraints=CA:FALSE"
CA = "basicConstraints=critical,CA:TRUE"
HERE = "subjectAltName=DNS:host.example.org,IP:127.0.0.1"


def openssl(*args):
    r = subprocess.run(("openssl",) + args, capture_output=True, text=True)
    vil.must(r.returncode == 0, "openssl " + " ".join(args), r.stderr)


class Maker:
    """Keys and certificates, in files of one directory."""

    def __init__(self, top):
        self.top = top

    def path(self, name):
        return os.path.join(self.top, name)

    def key(self, name, kind):
        if kind == "8192":      # of four primes, or it takes ten seconds
            what = ("RSA", "-pkeyopt", "rsa_keygen_bits:8192", "-pkeyopt",
                    "rsa_keygen_primes:4")
        elif kind.isdigit():
            what = ("RSA", "-pkeyopt", "rsa_keygen_bits:" + kind)
        elif kind.startswith("pss"):
            what = ("RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
        elif kind.startswith("ed"):
            what = (kind.upper(),)
        else:
            what = ("EC", "-pkeyopt", "ec_paramgen_curve:" + kind)
        openssl("genpkey", "-algorithm", *what, "-out",
                self.path(name + ".key"))

    def cert(self, name, by=None, subject=None, ext=(LEAF, HERE), days=100,
             sign=()):
        """A certificate for the key of that name, signed by another's."""
        conf = self.path(name + ".ext")
        with open(conf, "w") as f:
            f.write("\n".join(ext) + "\n")
        openssl("req", "-new", "-key", self.path(name + ".key"), "-subj",
                "/CN=" + (subject or name), "-out", self.path(name + ".csr"))
        who = ("-signkey", self.path(name + ".key")) if by is None else (
            "-CA", self.path(by + ".crt"), "-CAkey", self.path(by + ".key"),
            "-CAcreateserial")
        openssl("x509", "-req", "-in", self.path(name + ".csr"), *who,
                "-days", str(days), "-extfile", conf, *sign, "-out",
                self.path(name + ".crt"))

    def both(self, name, kind, *args, **more):
        self.key(name, kind)
        self.cert(name, *args, **more)

    def chain(self, *names):
        out = self.path("chain-" + "-".join(names))
        with open(out, "w") as f:
            for n in names:
                f.write(open(self.path(n + ".crt")).read())
        return out


def make_all(m):
    """The authorities, and leaves of every kind."""
    m.both("root", "P-256", ext=(CA,))
    m.both("wrong", "P-256", ext=(CA,))
    m.both("rsaroot", "2048", ext=(CA,))
    m.both("edroot", "ed25519", ext=(CA,))
    m.both("mid", "P-256", "root", ext=(CA,))
    m.both("midold", "P-256", "root", ext=(CA,), days=-1)
    m.both("notca", "P-256", "root", ext=(LEAF,))
    m.both("midwide", "P-256", "root", ext=(
        CA, "nameConstraints=permitted;DNS:example.com"))
    m.both("midhard", "P-256", "root", ext=(
        CA, "nameConstraints=critical,permitted;DNS:example.com"))
    m.both("midlen", "P-256", "root", ext=(
        "basicConstraints=critical,CA:TRUE,pathlen:0",))
    m.both("midlow", "P-256", "midlen", ext=(CA,))
    m.both("rootold", "P-256", ext=(CA,), days=-1)
    for kind in ("P-256", "P-384", "P-521", "2048", "3072", "4096",
                 "8192"):
        m.both("leaf" + kind, kind, "root")
    m.both("leaf1024", "1024", "root", sign=("-sha256",))
    m.both("leafed", "ed25519", "root")
    m.both("leafed448", "ed448", "root")
    m.both("leafpss", "pss", "root")
    m.both("byrsa", "P-256", "rsaroot")
    m.both("bypss", "P-256", "rsaroot", sign=(
        "-sigopt", "rsa_padding_mode:pss"))
    m.both("byed", "P-256", "edroot")
    m.both("sha1", "P-256", "root", sign=("-sha1",))
    m.both("sha384", "P-256", "root", sign=("-sha384",))
    m.both("sha512", "P-256", "rsaroot", sign=("-sha512",))
    m.both("old", "P-256", "root", days=-1)
    m.both("self", "P-256")
    m.both("other", "P-256", "root", ext=(
        LEAF, "subjectAltName=DNS:other.example.org,DNS:b.example.org"))
    m.both("wild", "P-256", "root", ext=(
        LEAF, "subjectAltName=DNS:*.example.org"))
    m.both("wildtop", "P-256", "root", ext=(LEAF, "subjectAltName=DNS:*"))
    m.both("onlyip", "P-256", "root", ext=(
        LEAF, "subjectAltName=IP:127.0.0.1,IP:fe80::1"))
    m.both("iptext", "P-256", "root", ext=(
        LEAF, "subjectAltName=DNS:127.0.0.1"))
    m.both("noalt", "P-256", "root", subject="host.example.org", ext=(LEAF,))
    m.both("mailalt", "P-256", "root", ext=(
        LEAF, "subjectAltName=email:a@host.example.org"))
    m.both("client", "P-256", "root", ext=(
        LEAF, HERE, "extendedKeyUsage=clientAuth"))
    m.both("crlsign", "P-256", "root", ext=(
        LEAF, HERE, "keyUsage=critical,cRLSign"))
    m.both("strange", "P-256", "root", ext=(
        LEAF, HERE, "1.2.3.4.5=critical,ASN1:UTF8String:x"))
    m.both("strange2", "P-256", "root", ext=(
        LEAF, HERE, "1.2.3.4.5=ASN1:UTF8String:x"))
    m.both("many", "P-256", "root", ext=(
        LEAF, "subjectAltName=" + ",".join(
            "DNS:n%d.example.org" % i for i in range(300)) +
        ",DNS:host.example.org"))
    m.both("huge", "P-256", "root", ext=(
        LEAF, "subjectAltName=" + ",".join(
            "DNS:number-%d.example.org" % i for i in range(900)) +
        ",DNS:host.example.org"))
    m.both("asca", "P-256", "root", ext=(CA, HERE))
    for by in ("mid", "midold", "notca", "midwide", "midhard", "midlow"):
        m.both("by" + by, "P-256", by)
    m.both("byrootold", "P-256", "rootold")


NAME = "certificate is for another name: "
HOST_NAMES = NAME + "host.example.org, 127.0.0.1"
UNKNOWN = "certificate is not signed by a known authority"
KIND = "certificate of a kind not supported"
OK = "ok 200"

# What the server shows (the first's key is its own), who is believed, as
# whom it is met, and what is said.  days: the clock is so many behind.
ROWS = [
    # keys
    ("leafP-256", "root", "host.example.org", OK),
    ("leafP-384", "root", "host.example.org", OK),
    ("leafP-521", "root", "host.example.org", OK),
    ("leaf2048", "root", "host.example.org", OK),
    ("leaf3072", "root", "host.example.org", OK),
    ("leaf4096", "root", "host.example.org", OK),
    ("leaf8192", "root", "host.example.org", "certificate key is too long"),
    ("leaf1024", "root", "host.example.org", "certificate key is too short"),
    ("leafed", "root", "host.example.org", "no TLS 1.2 cipher in common"),
    ("leafed448", "root", "host.example.org", "no TLS 1.2 cipher in common"),
    ("leafpss", "root", "host.example.org", "no TLS 1.2 cipher in common"),
    # signatures
    ("byrsa", "rsaroot", "host.example.org", OK),
    ("bypss", "rsaroot", "host.example.org", KIND),
    ("byed", "edroot", "host.example.org",
     "edroot.crt: no certificate that can be used"),
    ("sha1", "root", "host.example.org", KIND),
    ("sha384", "root", "host.example.org", OK),
    ("sha512", "rsaroot", "host.example.org", OK),
    # dates
    ("old", "root", "host.example.org", "certificate has expired on "),
    ("leafP-256", "root", "host.example.org",
     "certificate is not valid before ", 300),
    ("bymidold midold", "root", "host.example.org",
     "certificate of an authority has expired"),
    ("byrootold", "rootold", "host.example.org", OK),
    # authorities
    ("leafP-256", "wrong", "host.example.org", UNKNOWN),
    ("leafP-256", "rsaroot", "host.example.org", UNKNOWN),
    ("self", "root", "host.example.org", UNKNOWN),
    ("self", "self", "host.example.org", OK),
    ("leafP-256", "leafP-256", "host.example.org", OK),
    ("bymid mid", "root", "host.example.org", OK),
    ("bymid mid root", "root", "host.example.org", OK),
    ("bymid", "root", "host.example.org", UNKNOWN),
    ("bymid", "mid", "host.example.org", OK),
    ("bymid root mid", "root", "host.example.org",
     "certificate chain is out of order"),
    ("bymid bymid mid", "root", "host.example.org",
     "certificate chain is out of order"),
    ("bymid mid wrong", "root", "host.example.org", OK),
    ("bynotca notca", "root", "host.example.org",
     "certificate was issued by none that may"),
    ("bymidlow midlow midlen", "root", "host.example.org",
     "certificate was issued by none that may"),
    # BearSSL knows no name constraints: those marked critical are refused,
    # others are not seen (README says so).
    ("bymidhard midhard", "root", "host.example.org",
     "certificate has an unknown critical extension"),
    ("bymidwide midwide", "root", "host.example.org", OK),
    # names
    ("leafP-256", "root", "HOST.Example.ORG", OK),
    ("leafP-256", "root", "host.example.org.", HOST_NAMES),
    ("leafP-256", "root", "example.org", HOST_NAMES),
    ("other", "root", "host.example.org",
     NAME + "other.example.org, b.example.org"),
    ("wild", "root", "a.example.org", OK),
    ("wild", "root", "a.b.example.org", NAME + "*.example.org"),
    ("wild", "root", "example.org", NAME + "*.example.org"),
    ("wildtop", "root", "localhost", NAME + "*"),
    ("leafP-256", "root", "127.0.0.1", OK),
    ("leafP-256", "root", "127.0.0.2", HOST_NAMES),
    ("onlyip", "root", "fe80::1", OK),
    ("onlyip", "root", "host.example.org", NAME + "127.0.0.1, fe80::1"),
    ("iptext", "root", "127.0.0.1", NAME + "127.0.0.1"),
    ("noalt", "root", "host.example.org",
     "certificate has no subjectAltName"),
    ("mailalt", "root", "host.example.org", NAME),
    ("many", "root", "host.example.org", OK),
    ("many", "root", "x.example.org", NAME + "n0.example.org, "),
    ("huge", "root", "host.example.org", "certificate of over 16384 bytes"),
    # use
    ("crlsign", "root", "host.example.org", "no TLS 1.2 cipher in common"),
    ("strange", "root", "host.example.org",
     "certificate has an unknown critical extension"),
    ("strange2", "root", "host.example.org", OK),
    ("asca", "root", "host.example.org", OK),
]


class Server:
    """An HTTPS server of Python's, that shows one chain, for one request."""

    def __init__(self, chain, key, relay=None, answer=b"2\r\n\r\nok", **ctx):
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ctx.set_ciphers(ctx.pop("ciphers", "ALL:@SECLEVEL=0"))
        self.ctx.load_cert_chain(chain, key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")     # TLS 1.0 is deprecated
            for k, v in ctx.items():
                setattr(self.ctx, k, v)
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: " + answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        if relay:
            self.port = relay(self.port)

    def serve(self):
        try:
            conn = self.listener.accept()[0]
            with self.ctx.wrap_socket(conn, server_side=True,
                                      suppress_ragged_eofs=True) as s:
                s.recv(4096)
                s.sendall(self.answer)
                os.close(s.detach())            # without a goodbye
        except OSError:
            pass
        self.listener.close()


def dribble(port):
    """A relay whose bytes towards the client come one at a time."""
    listener = socket.create_server(("127.0.0.1", 0))

    def down(one, two):
        try:
            while byte := one.recv(1):
                two.sendall(byte)
                time.sleep(0.1)
        except OSError:
            pass

    def up(one, two):
        try:
            while data := one.recv(4096):
                two.sendall(data)
        except OSError:
            pass

    def serve():
        here = listener.accept()[0]
        there = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=up, args=(here, there), daemon=True).start()
        down(there, here)
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def try_it(port, host, trust, *more):
    r = subprocess.run([TRY, str(port), host, trust, *more],
                       capture_output=True, text=True, timeout=vil.SLOW)
    return r.stdout.strip()


def chains(bench):
    m = Maker(bench.dir)
    make_all(m)
    for row in ROWS:
        names, root, host, want = row[:4]
        names = names.split()
        server = Server(m.chain(*names), m.path(names[0] + ".key"))
        more = () if len(row) < 5 else (
            str(int(time.time() * 1000) - row[4] * DAY_MS),)
        got = try_it(server.port, host, m.path(root + ".crt"), *more)
        got = got.replace(bench.dir + "/", "")
        vil.check(got.startswith(want), "%s by %s as %s" % (
            " ".join(names), root, host), "\n  got  %s\n  want %s" % (
            got, want))
    print("%d chains" % len(ROWS))


def faults(bench):
    """Servers that speak something else, stop, or are slow."""
    m = Maker(bench.dir)
    m.both("root", "P-256", ext=(CA,))
    m.both("leaf", "P-256", "root")
    rows = [
        ("only TLS 1.3", "the other side speaks no TLS 1.2",
         dict(minimum_version=ssl.TLSVersion.TLSv1_3)),
        ("only TLS 1.0", "no TLS 1.2 cipher in common",
         dict(minimum_version=ssl.TLSVersion.TLSv1,
              maximum_version=ssl.TLSVersion.TLSv1)),
        ("only TLS 1.1", "no TLS 1.2 cipher in common",
         dict(minimum_version=ssl.TLSVersion.TLSv1_1,
              maximum_version=ssl.TLSVersion.TLSv1_1)),
        ("no suite in common", "no TLS 1.2 cipher in common",
         dict(ciphers="ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0",
              maximum_version=ssl.TLSVersion.TLSv1_2)),
        ("a body cut short", "closed without a goodbye: cut short, in the "
         "body after 2 of 10 bytes", dict(answer=b"10\r\n\r\nok")),
        ("a whole body, and no goodbye", OK, {}),
        ("ten bytes a second", "time-out", dict(relay=dribble)),
    ]
    for name, want, more in rows:
        server = Server(m.path("leaf.crt"), m.path("leaf.key"), **more)
        begin = time.monotonic()
        got = try_it(server.port, "host.example.org", m.path("root.crt"))
        vil.check(got.startswith(want), name, "\n  got  %s\n  want %s" % (
            got, want))
        vil.check(time.monotonic() - begin < 8, name + ": in time")


def s_server(bench):
    """openssl's own server, and what it sees of us."""
    m = Maker(bench.dir)
    m.both("root", "P-256", ext=(CA,))
    m.both("leaf", "2048", "root")
    port = vil.free_port()
    p = bench.start("s_server", [
        "openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-www",
        "-cert", m.path("leaf.crt"), "-key", m.path("leaf.key")])
    got = vil.until(20, "an answer", lambda: (try_it(
        port, "host.example.org", m.path("root.crt")) or "").startswith(
            "ok") and "ok" or None)
    vil.same(got, "ok", "s_server")
    p.end(9)


vil.run(chains, faults, s_server)
