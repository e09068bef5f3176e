#!/usr/bin/env python3
"""Drills: a marked alert through the real path, by hand and each week; what is
known of the alarm path, and where that is seen."""
import http.server
import json
import os
import re
import signal
import subprocess
import threading

import vil
from vil import check, must, never, same, until

OTHER = "u" * 30
MARK = re.compile(r"\nJournal: ([0-9]+:[0-9a-f]{64})$")


def vilicus(*words):
    r = subprocess.run([os.path.join(vil.TOP, "vilicus")] + list(words),
                       capture_output=True, text=True, timeout=60)
    return r.returncode, r.stdout, r.stderr


def page(server):
    status, text = server.api("GET", "/status")
    same(status, 200, "the page")
    return re.search(r"<p>(Alarm path: .*)</p>", text).group(1)


def by_hand(bench):
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    server.ctl("recipient", "add", "bob", "pushover", OTHER, "emergency")
    check(server.ctl("status").endswith(
        "\nalarm path: alice never proven; bob never proven\n"), "at first")
    same(page(server), "Alarm path: alice proven never; bob proven never.",
         "the page at first")

    said = server.ctl("drill", "alice").split("\n")
    same(said[0], "queued as delivery 1", "queued")
    check(re.fullmatch(r"accepted after \d+\.\d\d s \(HTTP 200, id [\w-]+\)",
                       said[-2]), "accepted", said)
    got = double.requests()[0]
    same(got["faults"], [], "by the rules")
    f = got["fields"]
    same((f["title"], f["priority"]), ("Vilicus drill: nothing is wrong", "1"),
         "as a critical alert, and clearly a drill")
    mark = MARK.search(f["message"]).group(1)
    same(vilicus("verify", server.dir, mark)[:2], (0, vilicus(
        "verify", server.dir)[1] + "the journal holds line %s as it was\n"
        % mark.split(":")[0]), "its mark holds")
    d = server.get("delivery/1/")
    same((d["test"], d["drill"], d["severity"], d["items"]),
         (True, True, "critical", []), "the delivery")
    r = server.get("recipient/1/")
    same((r["proven"], r["drilled"], r["drill_error"]),
         (d["sent"], d["sent"], None), "it is proven")

    # An emergency rings until it is seen, or for five minutes; the command
    # waits for that, and may be left.
    p = bench.start("drill", [os.path.join(vil.TOP, "vilicus"), "-s",
                              server.url, "-i", server.keyfile, "drill",
                              "bob"])
    until(vil.SLOW, "accepted", lambda: "accepted after" in vil.read(p.out))
    f = double.requests()[1]["fields"]
    same((f["priority"], f["retry"], f["expire"]), ("2", "60", "300"),
         "an emergency")
    check(server.get("delivery/2/")["receipt"], "with a receipt")
    same(never(1, lambda: not p.running(), 0.1), True, "it waits")
    p.end(signal.SIGINT)

    # One that fails.
    vil.write(double.scriptfile, "400 500 ok")
    said = server.ctl("drill", "bob", code=1)
    check("given up, attempts: 1 HTTP 400" in said, "given up", said)
    check(re.search(r"alarm path: alice proven \d+ \w+ ago; bob proven \d+ \w+ "
                    r"ago, drill failed \d+ \w+ ago: HTTP 400", server.ctl(
                        "status")), "status")
    out = server.ctl("recipients").split("\n")[2]
    check("HTTP 400" in out, "recipients", out)
    text = page(server)
    check(re.fullmatch(r"Alarm path: alice proven \S+ \S+ UTC \(.* ago\); bob "
                       r"proven \S+ \S+ UTC \(.* ago\), <strong>drill failed"
                       r"</strong> \S+ \S+ UTC \(.* ago\): HTTP 400.*\.",
                       text), "the page", text)
    said = server.ctl("drill", "alice")
    check(re.search(r"queued, attempts: 1 .*500.*\n(.*\n)*accepted after "
                    r"(\d{2}|[5-9])\.\d\d s", said), "again, and how long",
          said)
    before = [server.get("recipient/%d/" % n) for n in (1, 2)]
    server.restart()
    same([server.get("recipient/%d/" % n) for n in (1, 2)], before,
         "a restart forgets nothing")
    same(server.api("PATCH", "recipient/1/", {"proven": None})[0], 400,
         "nobody writes it")
    status, r = server.api("PATCH", "recipient/1/", {"address": OTHER[1:] +
                                                     "v"})
    same((status, r["proven"], r["drilled"]), (200, None, None),
         "another address is not proven")
    key = server.add("key", name="v", role="viewer")["secret"]
    path = vil.write(bench.path("viewer"), key + "\n")
    code, out, err = vilicus("-s", server.url, "-i", path, "status")
    same((code, out.count("alarm path"), err), (0, 0, ""), "a viewer's status")
    same(vilicus("-s", server.url, "-i", path, "drill", "alice")[0], 3,
         "but no drill")
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


def weekly(bench):
    double = vil.Double(bench, "ok 400")
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    server.ctl("recipient", "add", "bob", "pushover", OTHER)
    server.add("recipient", name="carol", channel="pushover", address=OTHER,
               hours="mon 00:00-00:01, tue 00:00-00:01", enabled=False)
    check(never(2, double.requests, 0.1), "none unless it is asked for")
    vil.write(server.conf, double.conf() + "drill every 1w\n")
    server.process.signal(signal.SIGHUP)
    until(vil.SLOW, "two drills", lambda: [
        r for r in server.objects("recipient/?enabled=true&order_by=id")
        if r["drilled"]][1:])
    same(server.get("setting/1/")["drill_s"], 7 * 86400, "the setting")
    server.restart()
    check(never(3, lambda: len(double.requests()) > 2, 0.1),
          "a restart makes no other, nor does one that failed just now")
    same([(r["name"], r["proven"] is None, r["drill_error"])
          for r in server.objects("recipient/?order_by=id")],
         [("alice", False, None), ("bob", True, "HTTP 400: the script says "
                                   "400"), ("carol", True, None)],
         "what is known")
    same({d["drill"] for d in server.objects("delivery/")}, {True}, "drills")
    server.stop()


class Stand(http.server.BaseHTTPRequestHandler):
    """A server in vilicus-server's place, where it says what no double does
    at will: that somebody has seen a drill."""
    rows = []

    def log_message(self, *args):
        pass

    def do_GET(self):
        if "/recipient/" in self.path:
            obj = {"meta": {"next": None}, "objects": [
                {"resource_uri": "/api/v1/recipient/4/"}]}
        else:
            obj = {"id": 9, "channel": "pushover", "last_error": "",
                   "queued": "2026-11-22T06:53:11.000Z", "attempts": 1,
                   "request": "id-1", "code": 200}
            obj.update(self.rows[0])
            del self.rows[:len(self.rows) > 1]
        self.answer(obj)

    def do_POST(self):
        check(self.path == "/api/v1/recipient/4/drill/", self.path)
        self.answer({"delivery": 9,
                     "resource_uri": "/api/v1/delivery/9/"})

    def answer(self, obj):
        body = json.dumps(obj).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


SENT = {"sent": "2026-11-22T06:53:11.840Z", "receipt": "r", "seen": None,
        "state": "accepted"}
SEEN = dict(SENT, state="seen", seen="2026-11-22T06:53:23.000Z",
            device="phone")


def seen(bench):
    key = vil.write(bench.path("key"), "vk_x\n")
    stand = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stand)
    threading.Thread(target=stand.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % stand.server_port
    accepted = "accepted after 0.84 s (HTTP 200, id id-1)\n"
    for rows, said in (
            ([{"state": "queued"}, {"state": "sending"}, SENT, SENT, SEEN],
             "queued, attempts: 1 id-1\nsending, attempts: 1 id-1\n" + accepted
             + "seen by phone after 12 s\n"),
            ([SEEN], accepted + "seen by phone after 12 s\n"),
            ([dict(SEEN, device=None)], accepted +
             "seen by somebody after 12 s\n"),
            ([dict(SENT, receipt=None)], accepted),
            ([dict(SENT, receipt=None, channel="email", code=250)],
             accepted.replace("HTTP 200", "SMTP 250")),
            ([dict(SENT, receipt=None, channel="exec", code=0)],
             accepted.replace("HTTP 200, ", "")),
            ([dict(SENT, receipt=None, channel="exec", code=0, request="")],
             "accepted after 0.84 s\n")):
        Stand.rows = list(rows)
        same(vilicus("-s", url, "-i", key, "drill", "alice"),
             (0, "queued as delivery 9\n" + said, ""), "what is said")
    stand.shutdown()


vil.run(by_hand, weekly, seen)
