#!/usr/bin/env python3
"""E-mail: what a real SMTP server takes, read back; then a server that
misbehaves at each step, and what is made of it."""
import concurrent.futures
import email
import email.policy
import json
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings

import vil
from vil import check, must, same

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult
except ImportError:             # Debian's own python has it
    if sys.executable == "/usr/bin/python3":
        print("no aiosmtpd here: apt-get install python3-aiosmtpd")
        sys.exit(77)
    os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
TRY = os.path.join(vil.TOP, "tests", "mail_try")
ACCEPTED, RETRY, UNKNOWN, REFUSED = range(4)
USER, PASSWORD = "vilicus", "pass word \u00e4=,"
SLOW = 90


def authority(bench, name, *names):
    path = bench.path(name)
    subprocess.run([os.path.join(vil.TOP, "tests/double/ca.sh"), path]
                   + list(names), check=True, capture_output=True, timeout=60)
    return path


def context(path):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(path + "/leaf.crt", path + "/leaf.key")
    return c


def job(port, **more):
    j = {"channel": "email", "smtp_host": "localhost", "smtp_port": str(port),
         "smtp_user": USER, "smtp_password": PASSWORD, "smtp_mark": "aZ",
         "smtp_from": "vilicus@example.org", "address": "noc@example.net",
         "title": "T", "message": "m", "severity": "critical",
         "timestamp": 1700000000, "id": 7}
    j.update(more)
    return {k: v for k, v in j.items() if v is not None}


def deliver(j, ca):
    """What the child makes of a job: end, code, id, reason."""
    r = subprocess.run([TRY] + ([ca] if ca else []), input=json.dumps(j),
                       capture_output=True, text=True, timeout=SLOW)
    lines = r.stdout.split("\n")
    if r.returncode != 0 or len(lines) < 5:
        return -1, r.returncode, "", r.stdout + r.stderr
    end, code = map(int, lines[0].split()[:2])
    return end, code, lines[1], lines[4]


# ---- a real server ----

class Handler:
    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):
        self.got.append((session, envelope))
        return "250 2.0.0 Ok: queued as %d" % len(self.got)


def login(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


TEXTS = [
    ("Vilicus alert: web1 process nginx is now critical",
     "process nginx on web1 changed from ok to critical"),
    ("\u00e4\u20ac\U0001f525 " * 20, "\u00e4\u20ac\U0001f525" * 300),
    ("a b" * 60, ".\n..\n.a\n\n. \n\t.\n.\n"),
    (" lead and trail ", " a \n b\t\n\n" + "x" * 3000 + "."),
    ("=?utf-8?q?no?= word", "=41 =\nFrom me\nMAIL FROM:<x>\n.\nQUIT"),
    ("one\r\nBcc: x@example.org", "two\x1b[1m \u202e"),
    ("x" * 250, "y" * 10000),
]


def real(bench):
    ca = authority(bench, "ca")
    for mode, mechanism, kwargs in (
            ("starttls", "PLAIN", {"tls_context": context(ca),
                                   "require_starttls": True}),
            ("starttls", "LOGIN", {"tls_context": context(ca),
                                   "require_starttls": True}),
            ("tls", "PLAIN", {"ssl_context": context(ca)}),
            ("plain", "PLAIN", {"auth_require_tls": False})):
        handler = Handler()
        skip = {"PLAIN": "LOGIN", "LOGIN": "PLAIN"}[mechanism]
        if "ssl_context" in kwargs:
            kwargs["auth_require_tls"] = False
        server = Controller(handler, hostname="127.0.0.1",
                            port=vil.free_port(), authenticator=login,
                            auth_required=True, auth_exclude_mechanism=[skip],
                            **kwargs)
        server.start()
        try:
            for n, (title, message) in enumerate(TEXTS):
                both = {"title": title, "message": message, "id": n + 1,
                        "link": "https://m.example.org/seen/abc",
                        "journal": "12:" + "ab" * 32, "thread": 1}
                out = deliver(job(server.port, smtp_tls=mode, **both),
                              ca + "/ca.crt")
                same(out, (ACCEPTED, 250, "2.0.0 Ok: queued as %d" % (n + 1),
                           ""), "%s %s, text %d" % (mode, mechanism, n))
                must(len(handler.got) == n + 1, "one message each")
                arrived(handler.got[n], n, **both)
            out = deliver(job(server.port, smtp_tls=mode, smtp_password="x"),
                          ca + "/ca.crt")
            same(out[:2], (REFUSED, 535), "a wrong password: " + out[3])
        finally:
            server.stop()


def arrived(got, n, title, message, link, journal, id, thread):
    session, envelope = got
    same((envelope.mail_from, envelope.rcpt_tos),
         ("vilicus@example.org", ["noc@example.net"]), "the envelope")
    check(session.host_name == "[127.0.0.1]", "EHLO", session.host_name)
    raw = envelope.original_content
    check(max(map(len, raw.split(b"\r\n"))) <= 76, "lines of 76 columns")
    m = email.message_from_bytes(raw, policy=email.policy.default)
    same(m.defects, [], "no defects")
    same(sorted(m.keys()), sorted(
        ["Date", "From", "To", "Subject", "Message-ID", "Importance",
         "X-Priority", "X-Vilicus-Journal", "Auto-Submitted", "MIME-Version",
         "Content-Type",
         "Content-Transfer-Encoding"] +
        (["In-Reply-To", "References"] if n > 0 else [])), "the fields")
    same(str(m["Subject"]), title.replace("\r", "?").replace("\n", "?"),
         "subject %d" % n)
    got = m.get_content().replace("\r\n", "\n")
    check(got == message + "\n\nSeen: %s\nJournal: %s\n" %
          (link, journal), "body %d" % n, got[:200])
    same(str(m["X-Vilicus-Journal"]).strip(), journal, "the journal's mark")
    same(m["Message-ID"], "<vilicus-%d.aZ@example.org>" % id, "Message-ID")
    if n > 0:
        same(m["References"], "<vilicus-%d.aZ@example.org>" % thread,
             "References")
    same(m["From"].addresses[0].addr_spec, "vilicus@example.org", "From")
    check(abs(m["Date"].datetime.timestamp() - time.time()) < 60, "Date")


# ---- the whole of it ----

def parsed(envelope):
    m = email.message_from_bytes(envelope.original_content,
                                 policy=email.policy.default)
    return m, m.get_content().replace("\r\n", "\n")


def whole(bench):
    """An incident begins and ends, by the real server; its password, its
    faults; a reload."""
    ca, handler = authority(bench, "ca"), Handler()
    smtp = Controller(handler, hostname="127.0.0.1", port=vil.free_port(),
                      authenticator=login, auth_required=True,
                      tls_context=context(ca), require_starttls=True)
    smtp.start()
    secret = vil.write(bench.path("smtp"), PASSWORD + "\r\nmore\n")
    conf = ("public https://monitor.example.org\nca-file %s/ca.crt\n" % ca)
    line = ("smtp localhost:%d user %s password-file %s from "
            "vilicus@example.org\n" % (smtp.port, USER, secret))
    server = vil.Server(bench, conf)
    same(server.get("setting/1/")["smtp"], None, "none is set")
    for address in ("", "noc", "noc@", "a b@c", "a@b\r\nBcc: c@d"):
        status, _ = server.api("POST", "recipient/", {
            "name": "bad", "channel": "email", "address": address})
        same(status, 400, "no address: " + address)
    server.ctl("recipient", "add", "noc", "email", "noc@example.net")
    same(server.api("POST", "recipient/1/test/", "")[0], 202, "a test")
    vil.until(30, "the reason is seen", lambda: [
        d for d in server.objects("delivery/")
        if d["last_error"].startswith("no smtp is set: add ")])

    vil.write(server.conf, conf + line)
    server.process.signal(1)
    vil.until(60, "after a reload it goes", lambda: handler.got)
    m, body = parsed(handler.got[0][1])
    same(m["Subject"], "Vilicus test", "the test's subject")
    mark = m["X-Vilicus-Journal"].strip()
    check(re.fullmatch("[0-9]+:[0-9a-f]{64}", mark), "a mark", mark)
    check(re.search(r"\n\nSeen: https://monitor\.example\.org/seen/1-vl_"
                    r"[a-z2-7]{32}\nJournal: %s\n$" % mark, body),
          "its body", body)
    r = subprocess.run([os.path.join(vil.TOP, "vilicus"), "verify",
                        server.dir, mark], capture_output=True, text=True)
    same((r.returncode, r.stdout.split("\n")[-2]),
         (0, "the journal holds line %s as it was" % mark.split(":")[0]),
         "the mark holds")
    check(m["In-Reply-To"] is None and m["Importance"] is None, "alone", m)
    seen = json.dumps(server.get("setting/1/"))
    same(json.loads(seen)["smtp"], "localhost:%d" % smtp.port, "it is shown")
    check(PASSWORD not in json.loads(seen).values() and USER not in seen,
          "but not who logs in", seen)

    server.ctl("agent", "add", "db1")
    server.ctl("check", "add", "db1", "heartbeat", "1h", "name", "backup")
    beat = server.get("check/1/")["beat"]
    for n, path in enumerate(("", "/fail", "")):
        same(server.api("POST", beat + path, "")[0], 200, "a beat" + path)
        if n > 0:
            vil.until(30, "message %d" % n, lambda: handler.got[n:])
    alarm, body = parsed(handler.got[1][1])
    same(alarm["Subject"], "Vilicus alert: db1 backup is now critical",
         "subject")
    check(body.startswith("backup on db1 changed from ok to critical at "),
          "text", body)
    same(alarm["Importance"], "high", "of importance")
    over, _ = parsed(handler.got[2][1])
    same(over["Subject"], "Vilicus alert: db1 backup is now ok", "subject")
    same((over["In-Reply-To"], over["References"]),
         (alarm["Message-ID"],) * 2, "the end answers its beginning")
    check(re.fullmatch(r"<vilicus-2\.[\w-]{8}@example\.org>",
                       alarm["Message-ID"]), "Message-ID",
          alarm["Message-ID"])
    d = vil.until(30, "all accepted", lambda: [
        d for d in [server.objects("delivery/")]
        if {x["state"] for x in d} == {"accepted"}])[0]
    same(sorted(x["request"] for x in d),
         ["2.0.0 Ok: queued as %d" % n for n in (1, 2, 3)], "their names")
    for path in (server.dir, server.process.err):
        r = subprocess.run(["grep", "-rlF", PASSWORD[:9], path],
                           capture_output=True, text=True)
        same(r.stdout, "", "the password is written nowhere")

    for text, said in ((None, "No such file"), ("", "1 to 255 bytes"),
                       ("\nx", "1 to 255 bytes"), ("x" * 256, "1 to 255"),
                       ("x" * 5000, "over 4095")):
        os.unlink(secret) if text is None else vil.write(secret, text)
        r = subprocess.run([os.path.join(vil.TOP, "vilicus-server"), "-n",
                            "-f", server.conf], capture_output=True,
                           text=True, timeout=30)
        check(r.returncode == 1 and "password-file %s: " % secret in r.stderr
              and said in r.stderr, "a fault of its file", r.stderr)
    smtp.stop()


# ---- one that misbehaves ----

GOOD = {
    "greeting": "220 mx ESMTP", "MAIL": "250 ok", "RCPT": "250 ok",
    "DATA": "354 go on", "message": "250 taken as 1", "AUTH": "235 in",
    "STARTTLS": "220 go", "HELO": "250 mx",
    "EHLO": "250-mx\r\n250-STARTTLS\r\n250-auth LOGIN Plain\r\n250 HELP",
    "again": "250-mx\r\n250 AUTH PLAIN", "QUIT": "221 bye",
}


class Bad:
    """A server for one connection that does at one step what it should not:
    what is a reply; or a word (see odd)."""

    def __init__(self, tls, step, what, mode):
        self.tls, self.step, self.what = tls, step, what
        self.log, self.secure = [], False
        self.listen = socket.create_server(("127.0.0.1", 0))
        self.port = self.listen.getsockname()[1]
        self.thread = threading.Thread(target=self.run, args=(mode,))
        self.thread.start()

    def run(self, mode):
        self.listen.settimeout(SLOW)
        try:
            self.s, _ = self.listen.accept()
            self.s.settimeout(SLOW)
            self.nodelay()
            if mode == "tls":
                self.wrap()
            self.serve()
        except (OSError, EOFError):
            pass
        finally:
            self.listen.close()
            if hasattr(self, "s"):
                self.s.close()

    def nodelay(self):
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def wrap(self):
        self.s = self.tls.wrap_socket(self.s, server_side=True)
        self.secure = True

    def line(self):
        got = b""
        while not got.endswith(b"\n"):
            c = self.s.recv(1)
            if not c:
                raise EOFError
            got += c
        return got

    def odd(self, good):
        """Answer, at the step, in the odd way; how it began."""
        if self.what == "close":
            raise EOFError
        if self.what == "silent":
            self.line()             # until it leaves
        elif self.what == "drip":
            for c in (good[:3] + "-" + "x" * 200).encode():
                self.s.sendall(bytes([c]))
                time.sleep(1)
        elif self.what == "bytes":  # of a good answer, one by one
            for c in good.encode() + b"\r\n":
                self.s.sendall(bytes([c]))
        elif self.what == "lines":
            code = good[:3]
            self.send("%s-a\r\n%s-\r\n%s" % (code, code, good))
        else:
            self.send(self.what.replace("GOOD", good))
            return self.what.replace("GOOD", good)
        return good

    def send(self, text):
        self.s.sendall(text.encode("latin-1") + b"\r\n")

    def answer(self, step):
        good = GOOD["again" if step == "EHLO" and self.secure else step]
        if self.step == (step + "+" if self.secure else step):
            return self.odd(good)
        self.send(good)
        return good

    def serve(self):
        self.answer("greeting")
        while True:
            text = self.line().decode("latin-1").strip()
            self.log.append(text)
            word = re.split("[ :]", text)[0]
            if word not in GOOD:
                raise EOFError
            said = self.answer(word)
            if word == "STARTTLS" and said[:1] == "2":
                self.wrap()
                self.nodelay()
            if word == "DATA" and said[:1] == "3":
                while self.line() != b".\r\n":
                    pass
                self.log.append("message")
                self.answer("message")
            if word == "QUIT":
                return


STEPS = ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "message")
LONG = "x" * 994                # with code, blank and CRLF: 1000

# mode, step ("+": within TLS), what, end, code, what the reason begins with
# after "localhost: "; more of the job
ROWS = [("plain", None, "", ACCEPTED, 250, ""),
        ("tls", None, "", ACCEPTED, 250, ""),
        ("starttls", None, "", ACCEPTED, 250, "")]
for _mode, _plus in (("plain", ""), ("starttls", "+")):
    for _step in STEPS:
        if _plus and _step == "greeting":
            continue
        _s, _last = _step + _plus, _step == "message"
        _no = UNKNOWN if _last else RETRY
        ROWS += [
            (_mode, _s, "close", _no, 0, "at " + _step + ": "),
            (_mode, _s, "hello", _no, 0, "no SMTP at %s: hello" % _step),
            (_mode, _s, "", _no, 0, "no SMTP at "),
            (_mode, _s, "25", _no, 0, "no SMTP at "),
            (_mode, _s, "250_x", _no, 0, "no SMTP at "),
            (_mode, _s, "150 x", _no, 0, "no SMTP at "),
            (_mode, _s, "650 x", _no, 0, "no SMTP at "),
            (_mode, _s, "\xff\0\x1b[1m", _no, 0, "no SMTP at "),
            (_mode, _s, "x" * 1001, _no, 0, "at %s: a line" % _step),
            (_mode, _s, "451 later", RETRY, 451, "451 at %s: later" % _step),
            (_mode, _s, "421-a\r\n421 b", RETRY, 421, "421 at %s: a b"
             % _step),
            (_mode, _s, "lines", ACCEPTED, 250, ""),
            (_mode, _s, "bytes", ACCEPTED, 250, ""),
        ]
        if _step != "EHLO":
            ROWS += [
                (_mode, _s, "550 5.1 never\x1b", REFUSED, 550,
                 "550 at %s: 5.1 never?" % _step),
                (_mode, _s, "554-a\r\n" * 63 + "554", REFUSED, 554,
                 "554 at"),
                (_mode, _s, "554-a\r\n" * 64 + "554", _no, 0, "over 64"),
            ]
        if _step not in ("EHLO", "DATA"):
            _code = GOOD[_step][:3]
            ROWS += [
                (_mode, _s, _code, ACCEPTED, 250 if not _last else
                 int(_code), ""),
                (_mode, _s, "%s %s" % (_code, LONG), ACCEPTED, 250, ""),
                (_mode, _s, "%s %sx" % (_code, LONG), _no, 0,
                 "at %s: a line" % _step),
                (_mode, _s, "354 x", _no, 354, "354 at"),
            ]
ROWS += [
    ("plain", "DATA", "250 x", RETRY, 250, "250 at DATA"),
    # What is not said within TLS is no last word, and is forgotten.
    ("starttls", "greeting", "554 no", RETRY, 554, "554 at greeting: no"),
    ("starttls", "STARTTLS", "502 no", RETRY, 502, "502 at STARTTLS: no"),
    ("starttls", "STARTTLS", "454 no", RETRY, 454, "454 at STARTTLS: no"),
    ("starttls", "STARTTLS", "close", RETRY, 0, "at STARTTLS: "),
    ("starttls", "STARTTLS", "hello", RETRY, 0, "no SMTP at STARTTLS"),
    ("starttls", "STARTTLS", "GOOD\r\n250 x", RETRY, 0,
     "more than an answer to STARTTLS"),
    ("starttls", "STARTTLS", "GOOD\r\n", RETRY, 0,
     "more than an answer to STARTTLS"),
    ("starttls", "STARTTLS", "220-a\r\nGOOD", ACCEPTED, 250, ""),
    ("starttls", "EHLO", "250 mx", RETRY, 0, "STARTTLS is demanded and not"),
    ("starttls", "EHLO", "250-STARTTLS\r\n250 XSTARTTLS", RETRY, 0,
     "STARTTLS is demanded and not"),
    ("starttls", "EHLO", "250-mx\r\n250 starttls", ACCEPTED, 250, ""),
    ("starttls", "EHLO", "502 no", RETRY, 0, "STARTTLS is demanded and not"),
    ("starttls", "EHLO+", "250 mx", RETRY, 0, "neither AUTH PLAIN nor LOGIN"),
    ("starttls", "EHLO+", "250-mx\r\n250 AUTH CRAM-MD5", RETRY, 0,
     "neither AUTH PLAIN nor LOGIN"),
    ("starttls", "EHLO+", "502 no", RETRY, 0, "neither AUTH PLAIN nor LOGIN"),
    ("starttls", "EHLO+", "502 no", ACCEPTED, 250, "", {"smtp_user": None}),
    ("plain", "EHLO", "502 no", ACCEPTED, 250, "", {"smtp_user": None}),
    ("plain", "EHLO", "502 no", RETRY, 0, "neither AUTH PLAIN nor LOGIN"),
    ("tls", "greeting+", "554 no", REFUSED, 554, "554 at greeting: no"),
    ("tls", "AUTH+", "535 not by open-sesame", REFUSED, 535,
     "535 at AUTH: not by ***********", {"smtp_password": "open-sesame"}),
    # Time.
    ("plain", "greeting", "silent", RETRY, 0, "at greeting: time-out"),
    ("plain", "EHLO", "drip", RETRY, 0, "at EHLO: time-out"),
    ("starttls", "RCPT+", "drip", RETRY, 0, "at RCPT: time-out"),
    ("plain", "message", "silent", UNKNOWN, 0, "at message: time-out"),
    ("starttls", "message+", "drip", UNKNOWN, 0, "at message: time-out"),
]

# Certificates: whose, how, the reason.
CERTS = [
    ("other", "starttls", "certificate is not signed by a known"),
    ("other", "tls", "at greeting: certificate is not signed by a known"),
    ("named", "starttls", "certificate is for another name: a."),
    ("named", "tls", "at greeting: certificate is for another name: a."),
]


def row(ca, tls, mode, step, what, end, code, reason, more=None):
    server = Bad(tls, step, what, mode)
    began = time.monotonic()
    out = deliver(job(server.port, smtp_tls=mode, **(more or {})),
                  ca + "/ca.crt")
    took = time.monotonic() - began
    server.thread.join(SLOW)
    return server, out, took


def judge(r, server, out, took):
    mode, step, what, end, code, reason = r[:6]
    name = "%s %s %r" % (mode, step, what[:30])
    same(out[:2], (end, code), name + ": " + out[3])
    check((out[3] == "") == (end == ACCEPTED) and
          out[3].startswith("localhost: " + reason if reason else ""),
          name + ": reason", out[3])
    check(not re.search("[\0-\x1f\x7f-\x9f]", out[3]), name + ": one line")
    check(took < 58, name + ": within its time", took)
    # Nothing is told before TLS.
    words = [text.split(" ")[0] for text in server.log]
    if mode == "starttls":
        n = words.index("STARTTLS") if "STARTTLS" in words else len(words)
        check(set(words[:n]) <= {"EHLO", "HELO", "QUIT"},
              name + ": nothing before TLS", words)
    check(words.count("message") <= 1, name + ": sent once", words)
    if out[1] and (step or "") not in ("AUTH", "AUTH+"):
        check(what.startswith(("421", "drip")) or "QUIT" in words or
              not words, name + ": a goodbye", words)


def misbehaving(bench):
    ca = authority(bench, "ca")
    tls = context(ca)
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        first = sorted(ROWS, key=lambda r: r[2] not in ("drip", "silent"))
        jobs = [(r, pool.submit(row, ca, tls, *r)) for r in first]
        for r, f in jobs:
            judge(r, *f.result())


def certificates(bench):
    ca = authority(bench, "ca")
    for name, mode, reason in CERTS:
        if name == "other":
            tls = context(authority(bench, "other"))
        else:
            path = authority(bench, "named")
            for f in ("leaf.crt", "leaf.key", "ca.crt", "ca.key"):
                must(os.path.exists(path + "/" + f), f)
                if f.startswith("ca"):
                    vil.write(path + "/" + f, vil.read(ca + "/" + f))
                else:
                    os.unlink(path + "/" + f)
            tls = context(authority(bench, "named", "a.example.org"))
        r = (mode, None, "", RETRY, 0, reason)
        server, out, took = row(ca, tls, *r)
        judge(r, server, out, took)
        check("AUTH" not in " ".join(server.log), "no password", server.log)


def nobody(bench):
    ca = authority(bench, "ca")
    port = vil.free_port()
    for more, end, reason in (
            ({}, RETRY, "localhost: Connection refused"),
            ({"smtp_host": "a..b"}, RETRY, "a..b: "),
            ({"smtp_tls": "maybe"}, REFUSED, "smtp_tls is starttls, tls or"),
            ({"smtp_host": None}, REFUSED, "smtp_host that cannot be read"),
            ({"smtp_host": "x" * 300}, REFUSED, "smtp_host that cannot"),
            ({"smtp_port": 25}, REFUSED, "smtp_port that cannot be read"),
            ({"smtp_user": "x" * 256}, REFUSED, "smtp_user that cannot"),
            ({"address": "a@b>"}, REFUSED, "address is no address"),
            ({"address": "a@b\r\nRCPT TO:<c@d>"}, REFUSED, "address is no"),
            ({"smtp_from": None}, REFUSED, "smtp_from is no address"),
            ({"message": None}, REFUSED, "job with a text that cannot")):
        out = deliver(job(port, **more), ca + "/ca.crt")
        check(out[0] == end and out[3].startswith(reason), more, out)
    for path, reason in ((None, "ca-file: none is set"),
                         (ca + "/none", "ca-file: ")):
        out = deliver(job(port), path)
        check(out[0] == RETRY and out[3].startswith(reason), path, out)


vil.run(real, whole, misbehaving, certificates, nobody)
