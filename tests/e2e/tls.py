#!/usr/bin/env python3
"""TLS with no set-up: the server's own key, pins, the next key; a certificate
of a file; who may send a key in the clear; keys taken away, enrolment, login,
codes; packed bodies; and clients that are not ours."""
import contextlib
import gzip
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import vil
from vil import check, must, same, until

JSON = {"Content-Type": "application/json"}


def https(server, method, path, head=None, body=None, cookie=None,
          verify=False, here=None):
    """One request over TLS: (status, head, body)."""
    ctx = ssl.create_default_context() if not verify else \
        ssl.create_default_context(cafile=verify)
    if not verify:
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    c = http.client.HTTPSConnection(
        "127.0.0.1", server.port, timeout=30, context=ctx,
        source_address=(here, 0) if here else None)
    head = dict(head or {})
    if cookie:
        head["Cookie"] = cookie
    c.request(method, path, body, head)
    r = c.getresponse()
    raw = r.read()
    c.close()
    return r.status, r.headers, raw


def bearer(key):
    return {"Authorization": "Bearer " + key}


def run(*argv, code=0):
    r = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                       stdin=subprocess.DEVNULL)
    if code is not None:
        same(r.returncode, code, " ".join(argv) + "\n" + r.stdout + r.stderr)
    return r.stdout + r.stderr


def own_key(bench):
    """What a first start makes, and who accepts it."""
    s = vil.Server(bench)
    pem = os.path.join(s.dir, "tls.pem")
    same(os.stat(pem).st_mode & 0o777, 0o600, "tls.pem is ours alone")
    pin = s.get("setting/1/")["pins"]
    check(("its key is " + pin) in vil.read(s.process.out), "the pin is said")
    url = "https://localhost:%d" % s.port
    # curl by the pin, and by the certificate; openssl.
    as_curl = "sha256//" + pin.replace("-", "+").replace("_", "/") + "="
    run("curl", "-sSk", "--pinnedpubkey", as_curl, url + "/healthz")
    run("curl", "-sSk", "--pinnedpubkey", "sha256//" + "A" * 43 + "=", url,
        code=90)
    run("curl", "-sS", "--cacert", pem, url + "/healthz")
    run("curl", "-sS", "--cacert", pem, "https://127.0.0.1:%d/healthz" %
        s.port)
    run("curl", "-sSk", "--tlsv1.3", url, code=35)
    out = run("openssl", "s_client", "-connect", "127.0.0.1:%d" % s.port,
              "-CAfile", pem, "-verify_return_error")
    check("Verification: OK" in out and "TLSv1.2" in out, "openssl", out)
    out = run("openssl", "x509", "-in", pem, "-noout", "-text")
    check("DNS:localhost" in out and "CA:TRUE" not in out and
          "IP Address:0:0:0:0:0:0:0:1" in out, "its names", out)
    out = run("openssl", "verify", "-x509_strict", "-partial_chain",
              "-trusted", pem, pem)
    check("OK" in out, "openssl verify", out)
    # vilicus by the pin; by the system's authorities it is a stranger.
    ctl = [os.path.join(vil.TOP, "vilicus"), "-i", s.keyfile, "-s"]
    run(*ctl, url + "/#" + pin, "status")
    run(*ctl, url + "/#" + "A" * 43 + "," + pin, "status")
    out = run(*ctl, url + "/#" + "A" * 43, "status", code=3)
    check("its key is not the one that is pinned, but " + pin in out,
          "a wrong pin", out)
    out = run(*ctl, url, "status", code=3)
    check("not signed by a known authority" in out, "no pin", out)
    os.environ["SSL_CERT_FILE"] = pem
    run(*ctl, url, "status")
    del os.environ["SSL_CERT_FILE"]
    # The key stays over a restart, and over another name.
    s.restart()
    same(s.get("setting/1/")["pins"], pin, "the same key")
    s.stop()
    vil.write(bench.path("c"), "public https://monitor.example.org:8454\n"
              "listen 0.0.0.0:8454\nlisten [::]:1\n")
    s.conf = bench.path("c")
    s.start()
    out = run("openssl", "x509", "-in", pem, "-noout", "-text")
    check("DNS:monitor.example.org" in out, "the public name", out)
    run("curl", "-sSk", "--pinnedpubkey", as_curl, url + "/healthz")
    # Damaged, it is named, and no other takes its place.
    s.stop()
    whole = vil.read(pem)
    vil.write(pem, whole[:200])
    out = run(os.path.join(vil.TOP, "vilicus-server"), "-d", s.dir, "-l",
              "127.0.0.1:0", code=1)
    check("tls.pem" in out and "remove it" in out, "damaged", out)
    vil.write(pem, whole)
    s.start()


def next_key(bench):
    """A change of the key without an outage; a stranger's key is refused."""
    s = vil.Server(bench)
    agent = bench.agent(s, "web1")

    def heard():
        """A check-in after now."""
        begin = vil.stamp(vil.now_ms())
        until(30, "a check-in", lambda: (s.get("agent/1/")["last_checkin"]
                                         or "") > begin)
    heard()
    conf = bench.path("web1.conf")
    both = s.ctl("key", "tls", "next").split("\n")[0]
    same(s.ctl("key", "tls", "next").split("\n")[0], both, "one next")
    one, two = both.split(",")
    vil.write(conf, vil.read(conf).replace(one, both))
    agent.end()
    bench.run_agent("web1")
    heard()
    same(s.ctl("key", "tls", "switch").split("\n")[0], two, "switched")
    heard()
    s.restart()
    heard()
    same(s.ctl("key", "tls").strip(), two, "the new one")
    same(s.api("POST", "key/tls/switch/", {})[0], 409, "no next")
    # Whoever has the first key's place now is met with silence.
    p = bench.start("old", [os.path.join(vil.TOP, "vilicus-agent"), "-1",
                            vil.read(conf).strip().replace(two, "A" * 43)])
    until(30, "its end", lambda: not p.running())
    same(p.p.returncode, 3, "refused")
    check("not the one that is pinned" in vil.read(p.err), "says why",
          vil.read(p.err))


def make_cert(bench, name, days, kind=("RSA", "rsa_keygen_bits:2048")):
    cert, key = bench.path(name + ".crt"), bench.path(name + ".key")
    run("openssl", "req", "-x509", "-newkey", kind[0], "-pkeyopt", kind[1],
        "-nodes", "-keyout", key, "-out", cert, "-days", str(days), "-subj",
        "/CN=" + name, "-addext", "subjectAltName=DNS:localhost")
    return cert, key


def from_file(bench):
    """`tls CERT KEY`: shown, reloaded, and told of before it ends."""
    cert, key = make_cert(bench, "a", 5)
    conf = "listen 127.0.0.1:%%d tls %s %s\n" % (cert, key)
    port = vil.free_port()
    path = vil.write(bench.path("conf"), conf % port)
    s = vil.Server.__new__(vil.Server)
    s.bench, s.name, s.env, s.dir = bench, "server", None, bench.path("d")
    s.process = bench.start("server", [
        os.path.join(vil.TOP, "vilicus-server"), "-d", s.dir, "-f", path])
    until(30, "the start", lambda: "admin key" in vil.read(s.process.out))
    s.port = port
    s.key = vil.read(os.path.join(s.dir, "admin.key")).strip()
    run("curl", "-sS", "--cacert", cert, "https://localhost:%d/healthz" % port)
    incident = until(30, "it ends soon", lambda: [
        i for i in s.objects("incident/") if "certificate" in i["text"]])[0]
    same((incident["severity"], incident["closed"]), ("warning", None),
         "a warning")
    # An agent goes by its name and the authorities it is told of.
    made = s.add("agent", hostname="web1")
    same(s.get("setting/1/")["pins"], None, "no pin belongs in its URL")
    agent = [os.path.join(vil.TOP, "vilicus-agent"), "-1"]
    url = "https://%s@%%s:%d/" % (s.agent_key(made), port)
    os.environ["SSL_CERT_FILE"] = cert
    run(*agent, url % "localhost")
    out = run(*agent, url % "127.0.0.1", code=3)
    check("is for another name: localhost" in out, "another name", out)
    del os.environ["SSL_CERT_FILE"]
    out = run(*agent, url % "localhost", code=3)
    check("not signed by a known authority" in out, "unknown", out)
    # A new one at a reload; of one that cannot be read, the old stays.
    other, _ = make_cert(bench, "b", 400, ("EC", "ec_paramgen_curve:P-256"))
    os.replace(other, cert)
    s.process.signal(1)
    until(30, "the key is another", lambda: "stays" in
          vil.read(s.process.err))
    run("curl", "-sSk", "https://localhost:%d/healthz" % port)
    os.replace(bench.path("b.key"), key)
    s.process.signal(1)
    until(30, "the new one", lambda: subprocess.run(
        ["curl", "-sS", "--cacert", cert, "https://localhost:%d/healthz" %
         port], capture_output=True).returncode == 0, 0.2)
    until(30, "all is well", lambda: s.get(
        "incident/%d/" % incident["id"])["closed"])
    # What -n says of files.
    out = run(os.path.join(vil.TOP, "vilicus-server"), "-n", "-f", path)
    for bad, why in ((cert + "x", "No such file"), (key, "no certificate")):
        vil.write(bench.path("bad"), "listen 1 tls %s %s\n" % (bad, key))
        out = run(os.path.join(vil.TOP, "vilicus-server"), "-n", "-f",
                  bench.path("bad"), code=1)
        check(why in out, "-n: " + why, out)


def addresses():
    """An address of this host that is not loopback's, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]
        except OSError:
            return None


def in_the_clear(bench):
    """Plain HTTP from elsewhere: a key is refused, no key is sent on."""
    here = addresses()
    if here is None or here.startswith("127."):
        print("SKIPPED: no address but loopback here")
        return
    for plain in (False, True):
        port = vil.free_port()
        conf = "listen 127.0.0.1:%d\n" % port + "listen %s:%d%s\n" % (
            here, port, " plain" if plain else "")
        name = "plain" if plain else "tls"
        path = vil.write(bench.path(name + ".conf"), conf)
        p = bench.start(name, [
            os.path.join(vil.TOP, "vilicus-server"), "-d", bench.path(name),
            "-f", path])
        until(30, "the start", lambda: "admin key" in vil.read(p.out))
        key = vil.read(os.path.join(bench.path(name), "admin.key")).strip()

        def ask(method, path, head=None, body=None):
            c = http.client.HTTPConnection(here, port, timeout=30)
            c.request(method, path, body, head or {})
            r = c.getresponse()
            r.read()
            return r.status, r.headers
        status, head = ask("GET", "/status?agent=a", {"Host": "m.example"})
        same(status, 401 if plain else 308, name + ": without a key")
        if not plain:
            same(head["Location"], "https://m.example/status?agent=a",
                 "where to")
        same(ask("GET", "/api/v1/", bearer(key))[0], 200 if plain else 403,
             name + ": with the key")
        same(ask("GET", "/api/v1/", bearer("vk_" + "a" * 32))[0],
             401 if plain else 403, name + ": with a wrong key")
        same(ask("GET", "/beat/vb_" + "a" * 32)[0], 404 if plain else 403,
             name + ": a heartbeat")
        same(ask("POST", "/api/v1/agent/", {**bearer(key), **JSON},
                 '{"hostname": "x"}')[0], 201 if plain else 403,
             name + ": a body with the key")
        run("curl", "-sSk", "-H", "Authorization: Bearer " + key,
            "https://%s:%d/api/v1/" % (here, port))
        p.end()


def keys(bench):
    """A key taken away, one that guesses, enrolment and its approval."""
    s = vil.Server(bench)
    made = s.add("key", name="stolen", role="viewer")
    same(https(s, "GET", "/api/v1/agent/", bearer(made["secret"]))[0], 200,
         "a viewer")
    # On a kept connection, too, it is over at once.
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    kept = http.client.HTTPSConnection("127.0.0.1", s.port, context=ctx)

    def again():
        kept.request("GET", "/api/v1/agent/", headers=bearer(made["secret"]))
        r = kept.getresponse()
        r.read()
        return r.status
    same(again(), 200, "on a kept connection")
    same(s.api("DELETE", "key/%d/" % made["id"])[0], 204, "taken away")
    same(again(), 401, "and then not")

    wrong = bearer("vk_" + "b" * 32)
    got = [https(s, "GET", "/api/v1/", wrong, here="127.0.0.77")[0]
           for _ in range(12)]
    same(got, [401] * 10 + [429] * 2, "wrong keys of one address")
    same(https(s, "GET", "/api/v1/", wrong, here="127.0.0.77")[1][
        "Retry-After"], "60", "and when to come back")
    same(https(s, "GET", "/api/v1/", bearer(s.key), here="127.0.0.77")[0],
         200, "who has a key goes on")
    same(https(s, "GET", "/api/v1/", wrong, here="127.0.0.78")[0], 401,
         "another address")

    url = s.ctl("enrol", "tag:web", "approve").split("\n")[0]
    agent = [os.path.join(vil.TOP, "vilicus-agent"), "-1", "-i", "word"]
    out = run(*agent, url, code=3)
    check("waits for approval" in out, "it waits", out)
    name = s.objects("key/?role=agent")[0]["name"]
    same([(a["hostname"], a["tags"]) for a in s.objects("agent/")],
         [(name, "web")], "its agent")
    s.ctl("key", "approve", name)
    run(*agent, url)
    run(*agent[:-1], "other", url, code=3)
    two = [k["name"] for k in s.objects("key/?role=agent")]
    same(len(set(two)), 2, "another host of the same name")
    s.ctl("key", "refuse", two[1])
    out = run(*agent[:-1], "other", url, code=3)
    check("was refused" in out, "refused", out)
    same(len(s.objects("key/?role=agent")), 2, "and does not come again")
    # Without approval it is in at once; the key alone can do nothing else.
    free = s.ctl("enrol").split("\n")[0]
    run(*agent[:-1], "third", free)
    secret = re.search("ve_[a-z2-7]{32}", free).group(0)
    same(https(s, "GET", "/api/v1/agent/", bearer(secret))[0], 403, "only")
    for body, want in (
            ({"key_sha256": "ab" * 32}, "hostname"),
            ({"hostname": "x"}, "key_sha256"),
            ({"hostname": "x", "key_sha256": "ab"}, "key_sha256"),
            ({"hostname": "a/b", "key_sha256": "ab" * 32}, "hostname")):
        status, _, raw = https(s, "POST", "/api/v1/agent/",
                               {**bearer(secret), **JSON}, json.dumps(body))
        same((status, json.loads(raw).get("field")), (400, want), str(body))
    log = vil.read(s.process.err)
    check("was enrolled from 127.0.0.1" in log, "it is told", log)


def login(bench):
    """A code, a session, and its end."""
    s = vil.Server(bench)
    out = s.ctl("login")
    m = re.match(r"https://127\.0\.0\.1:%d/login\?code=([a-z2-7]{8})\n"
                 % s.port, out)
    must(m, "an address with a code", out)
    status, _, page = https(s, "GET", "/login?code=" + m.group(1))
    check(status == 200 and ('value="%s"' % m.group(1)).encode() in page,
          "the form is filled in", page)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, head, _ = https(s, "POST", "/login", form, "code=" + m.group(1))
    same((status, head["Location"]), (303, "/status"), "in")
    cookie = head["Set-Cookie"]
    for word in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/"):
        check(word in cookie, "the cookie is " + word, cookie)
    cookie = cookie.split(";")[0]
    same(https(s, "GET", "/status", cookie="a=b; " + cookie)[0], 200,
         "a session")
    same(https(s, "POST", "/login", form, "code=" + m.group(1))[0], 403,
         "a code is good once")
    # Another site's page cannot use it.
    same(https(s, "POST", "/api/v1/agent/", {
        **JSON, "Origin": "https://evil.example"}, '{"hostname": "x"}',
        cookie)[0], 403, "another's page")
    same(https(s, "POST", "/api/v1/agent/", {
        **JSON, "Origin": "https://127.0.0.1:%d" % s.port},
        '{"hostname": "x"}', cookie)[0], 201, "our own page")
    mine = s.objects("session/")
    same([(m["name"], m["current"]) for m in mine], [("admin", False)],
         "it is listed")
    same(https(s, "POST", "/logout", form, "", cookie)[0], 303, "out")
    same(https(s, "GET", "/status", cookie=cookie)[0], 401, "and it is over")
    same(s.objects("session/"), [], "none is left")

    # By JSON; ended by another; ended with its key.
    made = s.add("key", name="phone", role="operator")

    def enter(key):
        code = json.loads(https(s, "POST", "/api/v1/session/", bearer(key),
                                "")[2])["code"]
        status, head, raw = https(s, "POST", "/api/v1/session/", JSON,
                                  json.dumps({"code": code.upper()}))
        same(status, 201, "a session")
        return head["Set-Cookie"].split(";")[0], json.loads(raw)["id"]
    cookie, ident = enter(made["secret"])
    same(https(s, "GET", "/api/v1/recipient/", cookie=cookie)[0], 200, "in")
    same(https(s, "GET", "/api/v1/key/", cookie=cookie)[0], 403,
         "an operator's session")
    same(s.api("DELETE", "session/%d/" % ident)[0], 204, "ended")
    same(https(s, "GET", "/api/v1/agent/", cookie=cookie)[0], 401, "out")
    cookie, ident = enter(made["secret"])
    same(s.api("DELETE", "key/%d/" % made["id"])[0], 204, "its key goes")
    same(https(s, "GET", "/api/v1/agent/", cookie=cookie)[0], 401,
         "and with it the session")
    cookie, ident = enter(s.key)
    s.restart()
    same(https(s, "GET", "/status", cookie=cookie)[0], 401, "a restart ends")

    # Ten wrong codes: five end the code, ten the guessing.
    code = json.loads(https(s, "POST", "/api/v1/session/", bearer(s.key),
                            "")[2])["code"]
    got = [https(s, "POST", "/login", form, "code=aaaa%04d" % i,
                 here="127.0.0.9")[0] for i in range(12)]
    same(got, [403] * 10 + [429] * 2, "wrong codes")
    same(https(s, "POST", "/login", form, "code=" + code)[0], 403,
         "the code is gone")
    cookie, ident = enter(s.key)
    same(https(s, "GET", "/status", cookie=cookie)[0], 200, "a new one works")
    # What has no session and no key is told how to get one.
    status, head, _ = https(s, "GET", "/")
    same((status, head["Location"]), (303, "/login"), "to the form")


def packed(bench):
    """gzip both ways."""
    s = vil.Server(bench)
    for i in range(30):
        s.add("agent", hostname="host%d" % i)
    s.add("cpu_check", agent=1)
    head = {**bearer(s.key), **JSON, "Content-Encoding": "gzip"}

    def post(raw, **more):
        return https(s, "PATCH", "/api/v1/check_history/", {**head, **more},
                     raw)
    body = json.dumps({"objects": [{"check": 1, "value": 5}]}).encode()
    status, _, raw = post(gzip.compress(body))
    same((status, json.loads(raw)["stored"]), (202, 1), "a packed body")
    same(post(gzip.compress(body)[:-3])[0], 400, "cut short")
    same(post(body)[0], 400, "not packed")
    same(post(gzip.compress(b" " * (3 << 20)))[0], 413, "a bomb")
    same(post(gzip.compress(body), **{"Content-Encoding": "br"})[0], 415,
         "another coding")
    same(https(s, "POST", "/api/v1/agent/", head, gzip.compress(
        b" " * 70000))[0], 413, "another's limit")
    for coding, want in (("gzip", True), ("gzip;q=0", False), ("br", False),
                         ("br, gzip;q=0.5", True), ("gzip;q=0.000", False),
                         ("identity", False)):
        status, got, raw = https(s, "GET", "/api/v1/agent/?limit=0", {
            **bearer(s.key), "Accept-Encoding": coding})
        same(got["Content-Encoding"], "gzip" if want else None, coding)
        whole = gzip.decompress(raw) if want else raw
        same(len(json.loads(whole)["objects"]), 30, "all of it")
        check(not want or len(raw) * 5 < len(whole), "and smaller", len(raw))


def faults(bench):
    """What is no TLS, or stops within: bounded, and nobody else waits."""
    s = vil.Server(bench)
    url = "https://127.0.0.1:%d/healthz" % s.port
    files = len(os.listdir("/proc/%d/fd" % s.process.p.pid))
    hello = bytes.fromhex("160301002f0100002b0303") + bytes(40)
    for name, raw in (("half a hello", hello[:20]), ("a hello of zeros", hello),
                      ("TLS 1.0", bytes.fromhex("16030100310100002d0301") +
                       bytes(42)), ("SSL 2", bytes.fromhex("802e010301")),
                      ("nothing", b""), ("one byte", b"\x16")):
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            c.sendall(raw)
            run("curl", "-sSk", "-m", "5", url)
            c.shutdown(socket.SHUT_WR)
            c.settimeout(20)
            try:
                while c.recv(4096):
                    pass
            except OSError:
                pass
    # 300 that begin and go no further: the others get through in time.
    idle = []
    for _ in range(300):
        c = socket.create_connection(("127.0.0.1", s.port))
        c.sendall(b"\x16\x03\x01\x02\x00\x01")
        idle.append(c)
    begin = time.monotonic()
    until(15, "the others get through", lambda: subprocess.run(
        ["curl", "-sSk", "-m", "2", url], capture_output=True).returncode
        == 0)
    check(time.monotonic() - begin < 12, "soon")
    for c in idle:
        c.settimeout(20)
        try:
            check(c.recv(100) == b"", "they are ended")
        except ConnectionError:
            pass
        c.close()
    # Renegotiation is refused, and the connection goes on.
    p = subprocess.Popen(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % s.port, "-quiet",
         "-no_ign_eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    time.sleep(0.5)
    p.stdin.write(b"R\n")
    p.stdin.flush()
    time.sleep(0.5)
    out = p.communicate(timeout=20)[0]
    check(b"no renegotiation" in out, "no renegotiation", out)
    check(s.process.running(), "the server runs")
    until(30, "no descriptor is lost", lambda: len(os.listdir(
        "/proc/%d/fd" % s.process.p.pid)) <= files)
    # A session is resumed.
    sess = bench.path("session")
    base = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % s.port]
    run(*base, "-sess_out", sess)
    check("Reused" in run(*base, "-sess_in", sess), "resumed")


def flood(bench):
    """Warnings without an end in a handshake: nobody else waits."""
    s = vil.Server(bench)
    url = "https://127.0.0.1:%d/healthz" % s.port
    junk = (bytes.fromhex("15 0303 4000") + b"\x01\x5a" * 8192) * 4
    ctx, hello, sent = ssl.create_default_context(), ssl.MemoryBIO(), []
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.suppress(ssl.SSLWantReadError):
        ctx.wrap_bio(ssl.MemoryBIO(), hello,
                     server_hostname="localhost").do_handshake()

    def warn():
        until_s = time.monotonic() + 6
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            c.sendall(hello.read())
            while time.monotonic() < until_s:
                sent.append(c.send(junk))

    t = threading.Thread(target=warn)
    t.start()
    until(vil.SLOW, "it begins", lambda: sent, 0.001)
    took = []
    while t.is_alive():
        begin = time.monotonic()
        run("curl", "-sSk", "-m", "15", url)
        took.append(time.monotonic() - begin)
    t.join()
    check(len(took) > 2 and max(took) < 4, "the others get through", took)


def slow(bench):
    """A byte at a time: the handshake ends in time, and so do requests."""
    s = vil.Server(bench)
    hello = bytes.fromhex("16030100ff010000fb0303")
    c = socket.create_connection(("127.0.0.1", s.port))
    begin = time.monotonic()
    c.settimeout(0.2)
    ended = False
    while not ended and time.monotonic() - begin < 30:
        try:
            c.sendall(hello[:1] or b"x")
            hello = hello[1:]
            ended = c.recv(100) == b""
        except socket.timeout:
            pass
        except OSError:
            ended = True
    took = time.monotonic() - begin
    check(ended and 8 < took < 16, "the hello is given up after 10 s", took)
    # A session that is there is not helped by slow bytes.
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    with ctx.wrap_socket(socket.create_connection(
            ("127.0.0.1", s.port))) as t:
        begin, got = time.monotonic(), b""
        t.settimeout(0.5)
        for byte in b"GET /healthz HTTP/1.1\r\n" + b"x" * 100:
            try:
                t.sendall(bytes([byte]))
                got = t.recv(100)
                break
            except (TimeoutError, ssl.SSLWantReadError):
                pass
            except OSError:
                break
        took = time.monotonic() - begin
        check(8 < took < 16 and (not got or b" 408 " in got),
              "a head is given up after 10 s", took, got)
    check(s.process.running(), "the server runs")


def browser(bench):
    """Chromium knows the server by its pin alone, and is let in by a code."""
    chromium = shutil.which("chromium")
    must(chromium, "chromium is here (./bootstrap need)")
    s = vil.Server(bench)
    pin = s.get("setting/1/")["pins"].replace("-", "+").replace("_", "/")
    code = s.ctl("login").split("code=")[1][:8]
    page = "https://localhost:%d/login?code=%s" % (s.port, code)

    def dump(spki):
        return subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu",
             "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync",
             "--user-data-dir=" + bench.path("profile"),
             "--ignore-certificate-errors-spki-list=" + spki + "=",
             "--dump-dom", page], capture_output=True, text=True, timeout=90,
            stdin=subprocess.DEVNULL).stdout
    out = dump(pin)
    check('value="%s"' % code in out and "<form" in out, "the form", out)
    out = dump("A" * 43)
    check("<form" not in out, "a stranger is not believed", out)


vil.run(own_key, next_key, from_file, in_the_clear, keys, login, packed,
        faults, flood, slow, browser)
