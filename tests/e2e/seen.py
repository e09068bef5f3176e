#!/usr/bin/env python3
"""Who saw it: an emergency rings until it was seen on the phone, until what it
tells of is over or acknowledged, or for its time; and the page behind a
message's link, whose button says so from anywhere."""
import os
import re
import subprocess
import urllib.parse

import vil
from vil import check, must, never, same, until


class Place:
    """A server, a phone's service, and a check that can be set."""

    def __init__(self, bench, more=""):
        self.double = vil.Double(bench)
        self.server = vil.Server(bench, self.double.conf() + more)
        self.server.add("recipient", name="alice", channel="pushover",
                        address="a" * 30, emergency=True)
        self.agent = self.server.add("agent", hostname="web1")
        self.n = 0

    def check(self, name):
        return self.server.add("process_check", process_name=name,
                               agent=self.agent["resource_uri"],
                               interval_ms=3600000)["id"]

    def result(self, cid, value):
        status, obj = self.server.api("POST", "check_history/", {
            "check": cid, "value": value, "timestamp": vil.stamp(
                vil.now_ms())})
        same((status, obj.get("error")), (201, None), "a result")

    def asked(self, what):
        """What was asked of the service: messages, receipts or cancels."""
        paths = {"messages": r"/1/messages\.json",
                 "receipt": r"/1/receipts/\w+\.json\?.*",
                 "cancel": r"/1/receipts/\w+/cancel\.json"}
        return [r for r in self.double.requests()
                if re.fullmatch(paths[what], r["path"])]

    def delivery(self, i):
        return self.server.get("delivery/%d/" % i)

    def alarm(self, cid):
        """It fails; what was sent of it, once that has its receipt."""
        before = len(self.server.objects("delivery/?limit=0"))
        self.result(cid, 0)
        ds = until(vil.SLOW, "told", lambda: [
            d for d in self.server.objects("delivery/?limit=0")[before:]
            if d["rings"]])
        return ds[0]

    def incident(self, d):
        return self.server.objects("incident/?order_by=-id&limit=1")[0]

    def seen_on(self, receipt, where):
        with open(self.double.log + ".seen", "a", encoding="utf-8") as f:
            f.write("%s %s\n" % (receipt, where))


def phone(bench):
    p = Place(bench)
    a, b, c = map(p.check, ("a", "b", "c"))
    d = p.alarm(a)
    sent = p.asked("messages")[-1]["fields"]
    same([sent["priority"], sent["retry"], sent["expire"]],
         ["2", "60", "10800"], "an emergency")
    same(d["state"], "accepted", "taken")
    until(vil.SLOW, "its receipt is asked for", lambda: p.asked("receipt"))
    # Over kill -9 it is not forgotten.
    p.server.restart()
    p.seen_on(d["receipt"], "iphone")
    until(vil.SLOW, "seen", lambda: p.delivery(d["id"])["state"] == "seen")
    d = p.delivery(d["id"])
    same((d["device"], d["rings"]), ("iphone", False), "where")
    check(abs(vil.ms_of(d["seen"]) - vil.now_ms()) < 20000, "when", d)
    i = p.incident(d)
    same(i["acknowledged_by"], "alice (iphone)", "that acknowledges")
    check(i["acknowledged"] is not None, "it has a time")
    said = p.server.ctl("incidents", str(i["id"]), code=1)
    check("iphone" in said and "seen" in said, "vilicus incidents", said)
    # The end of what it tells of ends it.
    same(p.asked("cancel"), [], "nothing was to be ended yet")
    d = p.alarm(b)
    p.result(b, 1)
    until(vil.SLOW, "ended", lambda: not p.delivery(d["id"])["rings"])
    same([r["path"] for r in p.asked("cancel")],
         ["/1/receipts/%s/cancel.json" % d["receipt"]], "by a cancel")
    same(p.delivery(d["id"])["state"], "accepted", "nobody saw it")
    until(vil.SLOW, "and the end is told", lambda:
          p.asked("messages")[-1]["fields"]["priority"] == "0")
    # So does who acknowledges it; a service that fails is asked again.
    d = p.alarm(c)
    vil.write(p.double.scriptfile, "500 ok")
    p.server.ctl("ack", str(p.incident(d)["id"]), "on", "it")
    until(40, "ended", lambda: not p.delivery(d["id"])["rings"])
    same(len(p.asked("cancel")), 3, "again after the 500")
    same([r["faults"] for r in p.double.requests() if r["faults"]], [],
         "never sooner than after 5 s, and all else by the rules")


def expires(bench):
    p = Place(bench)
    d = p.alarm(p.check("a"))
    p.seen_on(d["receipt"], "expired")
    until(vil.SLOW, "over", lambda: not p.delivery(d["id"])["rings"])
    d = p.delivery(d["id"])
    same((d["state"], d["seen"]), ("accepted", None), "nobody saw it")
    same(d["last_error"], "nobody saw it while it rang", "and it says so")
    same(p.incident(d)["acknowledged"], None, "nor took it on")
    n = len(p.asked("receipt"))
    check(never(5.5, lambda: len(p.asked("receipt")) > n, 0.5), "asked no more")


def curl(*argv):
    return subprocess.run(["curl", "-sk", *argv], capture_output=True,
                          text=True, timeout=30, check=False).stdout


def link(bench):
    p = Place(bench, "public https://monitor.example.org:8454\n")
    p.server.api("PATCH", "recipient/1/", {"emergency": False})
    p.result(p.check("a"), 0)
    url = until(vil.SLOW, "told", lambda: p.asked("messages")
                )[0]["fields"]["url"]
    must(re.fullmatch(r"https://monitor\.example\.org:8454/seen/1-vl_"
                      r"[a-z2-7]{32}", url), "a link", url)
    path = urllib.parse.urlsplit(url).path
    here = "https://127.0.0.1:%d" % p.server.port
    page = curl(here + path)
    check("web1 process a" in page and "<button>Seen</button>" in page,
          "its page", page)
    same(p.incident(1)["acknowledged"], None, "to look at it does nothing")
    for wrong in (path[:-1] + ("a" if path[-1] != "a" else "b"),
                  path.replace("/1-", "/2-"), path[:-1], path + "a",
                  "/seen/", "/seen/1-", "/seen/1"):
        out = curl("-o", os.devnull, "-w", "%{http_code}", here + wrong)
        same(out, "404", "no such link: " + wrong)
    out = curl("-w", "%{http_code} %{redirect_url}", "-d", "comment=" +
               "x" * 241, here + path)
    check(out.endswith("400 ") and "comment: at most" in out, "too long", out)
    out = curl("-o", os.devnull, "-w", "%{http_code}", "-H",
               "Origin: https://evil.example", "-d", "", here + path)
    same(out, "403", "another site's page cannot press it")
    same(p.incident(1)["acknowledged"], None, "none of that acknowledged it")
    out = curl("-w", "%{http_code} %{redirect_url}", "-d",
               "comment=on+my+way+%C3%A9", here + path)
    same(out, "303 " + here + path, "pressed")
    i = p.incident(1)
    same((i["acknowledged_by"], i["comment"]),
         ("alice (link)", "on my way \u00e9"), "that acknowledges")
    d = p.delivery(1)
    same((d["state"], d["device"]), ("seen", "link"), "and it is seen")
    page = curl(here + path)
    check("Seen at" in page and "<button>" not in page and
          "on my way \u00e9" in page, "the page says so", page)
    p.server.restart()
    check("Seen at" in curl(here + path), "the link is good after kill -9")
    plain = curl("-w", "%{http_code} %{redirect_url}", "-d", "", here + path)
    same(plain, "303 " + here + path, "pressed again")
    same(p.incident(1)["acknowledged"], i["acknowledged"], "changes nothing")
    for _ in range(30):
        curl("-o", os.devnull, here + "/seen/1-vl_" + "a" * 32)
    same(curl("-o", os.devnull, "-w", "%{http_code}", here + "/seen/1-vl_" +
              "a" * 32), "429", "whoever guesses is held up")
    check("Seen at" in curl(here + path), "who has the link is not")


vil.run(phone, expires, link)
