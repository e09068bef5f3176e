#!/usr/bin/env python3
"""The channels that are webhooks and programs: what they ask, and where."""
import calendar
import hashlib
import hmac
import json
import os
import re
import signal
import time

import vil
from vil import check, must, same, until

LINK = "https://monitor.example.org/seen/"
SECRET = "s3cret-of-" + "this-test"


def fixture(bench, more=""):
    """(server, what takes anything over TLS)"""
    hook = vil.Double(bench, name="hook", more=["--any"])
    server = vil.Server(bench, "public https://monitor.example.org\n"
                        "ca-file %s\n%s" % (hook.ca, more))
    return server, hook


def addresses(port, plain):
    """(channel, address, secret, path that is asked for)"""
    https = "https://localhost:%d" % port
    http = "http://127.0.0.1:%d" % plain
    return [
        ("webhook", https + "/hook?a=b", SECRET, "/hook?a=b"),
        ("ntfy", http + "/base/Topic", SECRET, "/base/"),
        ("gotify", http + "/", SECRET, "/message"),
        ("slack", https + "/services/T/B/x", None, "/services/T/B/x"),
        ("discord", https + "/api/webhooks/1/x", None, "/api/webhooks/1/x"),
        ("telegram", "-42 " + https, "12:" + "Ab_c",
         "/bot12:" + "Ab_c/sendMessage"),
        ("pagerduty", "KEY %s/v2/enqueue" % https, None, "/v2/enqueue"),
        ("alertmanager", http, None, "/api/v2/alerts"),
    ]


def deliveries(server, recipient):
    """Its deliveries, the newest first."""
    uri = recipient["resource_uri"]
    return [d for d in server.objects("delivery/?limit=0&order_by=-id")
            if d["recipient"] == uri]


def asked(double, path, n):
    """The n-th request for a path: its head, and its body read."""
    got = until(vil.SLOW, "request %d of %s" % (n, path), lambda: [
        r["fields"] for r in double.requests()
        if r["fields"]["path"] == path][n - 1:])[0]
    head = {k.lower(): v for k, v in got["head"].items()}
    same((got["method"], head["content-type"]), ("POST", "application/json"),
         "POST of JSON to " + path)
    return head, json.loads(got["body"]), got["body"]


def whole(url):
    """LINK, of a link to a delivery's page."""
    return re.sub(re.escape(LINK) + r"\d+-vl_[a-z2-7]{32}", LINK, url)


def tested(server, hook, plain):
    """`recipient add` and `recipient test` of each channel."""
    for name, address, secret, path in addresses(hook.port, plain.port):
        words = ["secret", secret] if secret else []
        server.ctl("recipient", "add", name, name, address, *words)
        said = server.ctl("recipient", "test", name, code=0)
        check("accepted" in said, "%s: test" % name, said)
        double = plain if address.startswith("http:") else hook
        head, body, raw = asked(double, path, 1)
        text = json.dumps(body)
        check("A test of the alarm path" in text, name + ": its text", text)
        check(name == "pagerduty" or "Vilicus test" in text or
              name == "alertmanager", name + ": its title", text)
        check(LINK in text, name + ": the link", text)
        if name == "webhook":
            same(body["severity"], "ok", "severity of a test")
            same(body["items"], [], "a test is of no incident")
        same(deliveries(server, server.objects("recipient/?name=" + name)[0])
             [0]["request"] is not None, True, name + ": id")


def signed(head, raw):
    mac = hmac.new(SECRET.encode(), raw.encode(), hashlib.sha256).hexdigest()
    same(head["x-vilicus-signature"], "sha256=" + mac, "signature")


def alarms(hook, plain, n, was, is_now):
    """Each channel's n-th message: web1 cpu went from was to is_now."""
    paths = {a[0]: a[3] for a in addresses(0, 0)}

    def of(name, double=hook):
        return asked(double, paths[name], n)

    title = "Vilicus alert: web1 cpu is now " + is_now
    head, body, raw = of("webhook")
    signed(head, raw)
    item = body["items"][0]
    same([body["title"], body["severity"], whole(body["link"]),
          len(body["items"])],
         [title, is_now, LINK, 1], "webhook")
    same(head["idempotency-key"], str(body["id"]), "idempotency key")
    check(body["message"].startswith("cpu on web1 changed from %s to %s at "
                                     % (was, is_now)), "message", body)
    same([item["status"], item["what"], item["text"]],
         [is_now, "web1 cpu", body["message"]], "item")
    same(item["told"], [] if is_now != "ok" else [was], "told before")
    seconds = calendar.timegm(time.strptime(
        body["timestamp"][:19], "%Y-%m-%dT%H:%M:%S"))
    check(item["opened"] <= seconds <= time.time() + 1, "times", body)

    head, body, _ = of("ntfy", plain)
    same([head["authorization"], body["topic"], body["title"],
          body["priority"], whole(body["click"])],
         ["Bearer " + SECRET, "Topic", title, 3 if is_now == "ok" else 5,
          LINK], "ntfy")
    head, body, _ = of("gotify", plain)
    same([head["x-gotify-key"], body["title"], body["priority"],
          whole(body["extras"]["client::notification"]["click"]["url"])],
         [SECRET, title, 2 if is_now == "ok" else 8, LINK], "gotify")
    check(of("slack")[1]["text"].startswith("*%s*\n" % title), "slack")
    body = of("discord")[1]
    check(body["content"].startswith("**%s**\n" % title), "discord", body)
    same(body["allowed_mentions"], {"parse": []}, "discord mentions nobody")
    body = of("telegram")[1]
    same(body["chat_id"], "-42", "telegram's chat")
    check(body["text"].startswith(title + "\n"), "telegram", body)
    n += 1                      # its test was resolved, too
    body = of("pagerduty")[1]
    n -= 1
    same([body["routing_key"], body["event_action"], body["dedup_key"],
          body["payload"]["source"]],
         ["KEY", "resolve" if is_now == "ok" else "trigger",
          "vilicus-%d" % item["incident"], "web1 cpu"], "pagerduty")
    body = of("alertmanager", plain)[1]
    same([a["labels"] for a in body],
         [{"alertname": "vilicus", "incident": str(item["incident"]),
           "what": "web1 cpu", "severity": "critical"}], "alertmanager")
    ends = body[0]["endsAt"] > vil.stamp(vil.now_ms() + 3600000)
    same(ends, is_now != "ok", "it ends when it is over")


def result(server, client, target, value):
    status, got = client.api("PATCH", "check_history/", {"objects": [
        {"check": target, "timestamp": vil.stamp(vil.now_ms()),
         "value": value}]})
    same((status, got["stored"]), (202, 1), "a result")


def channels(bench):
    programs = bench.path("programs")
    os.mkdir(programs)
    server, hook = fixture(bench, "webhook-local\nexec-dir %s\n" % programs)
    plain = vil.Double(bench, name="plain", more=["--any"])
    plain.stop()
    plain.argv = [a for a in plain.argv if a not in ("--cert", "--key")
                  and "leaf" not in a] + ["--plain"]
    plain.port = 0
    plain.start()
    tested(server, hook, plain)

    out = bench.path("told")
    vil.write(os.path.join(programs, "tell"), "#!/bin/sh\n"
              "{ echo \"$1|$VILICUS_SEVERITY|$VILICUS_LINK\"; cat; echo; }"
              " >>%s\necho told-1\n" % out, 0o700)
    vil.write(os.path.join(programs, "fail"), "#!/bin/sh\n"
              "echo no such phone >&2\nexit 3\n", 0o700)
    server.ctl("recipient", "add", "tell", "exec", "tell")
    check("told-1" in server.ctl("recipient", "test", "tell"), "exec's id")
    server.ctl("recipient", "add", "fail", "exec", "fail")
    said = server.ctl("recipient", "test", "fail", code=1)
    check("exit 3: no such phone" in said, "exec's failure", said)
    server.ctl("recipient", "rm", "fail")

    agent = server.add("agent", hostname="web1")
    target = server.add("check", agent=agent["resource_uri"], type="cpu",
                        crit=["above 90"])["resource_uri"]
    client = server.client(server.agent_key(agent))
    result(server, client, target, 10)
    time.sleep(0.01)
    result(server, client, target, 99)
    alarms(hook, plain, 2, "ok", "critical")
    until(vil.SLOW, "exec is told", lambda: (
        "Vilicus alert: web1 cpu is now critical|critical|%s\ncpu on web1"
        % LINK) in whole(vil.read(out)))
    result(server, client, target, 10)
    alarms(hook, plain, 3, "critical", "ok")
    until(vil.SLOW, "exec is told of the end",
          lambda: "|ok|%s\ncpu on" % LINK in whole(vil.read(out)))

    secrets_stay(server)
    same(server.stop(), 0, "SIGTERM ends the server cleanly")


def secrets_stay(server):
    """No answer of the API has a secret, and none can be guessed at."""
    for path in ("recipient/?limit=0", "recipient/1/", "event/?limit=0",
                 "delivery/?limit=0", "setting/", "incident/?limit=0"):
        text = json.dumps(server.get(path))
        check(SECRET not in text and "12:" + "Ab_c" not in text,
              path + " shows no secret", text)
    check("(hidden)" in json.dumps(server.get("event/?limit=0")),
          "that there is one is seen")
    same(server.api("GET", "recipient/?secret=" + SECRET)[0], 400, "filter")
    same(server.api("GET", "recipient/?secret__startswith=s")[0], 400,
         "filter by its beginning")
    same(server.api("GET", "recipient/?order_by=secret")[0], 400, "order")
    status, obj = server.api("PATCH", "recipient/1/", {"secret": "other"})
    same((status, "secret" in obj), (200, False), "a secret is written")
    server.restart()
    server.ctl("recipient", "test", "webhook", code=0)


def attempt(server, n, channel, address):
    """One attempt to a new recipient, which is removed at once, so that there
    is no second: its delivery as it then was."""
    r = server.add("recipient", name="r%d" % n, channel=channel,
                   address=address)
    status, obj = server.api("POST", "recipient/%s/test/" % r["id"])
    same(status, 202, "a test")
    done = until(vil.SLOW, "row %d: an outcome" % n, lambda: [
        d for d in [server.get("delivery/%s/" % obj["delivery"])]
        if d["state"] not in ("queued", "sending") or
        (d["state"] == "queued" and d["attempts"] == 1)])[0]
    same(server.api("DELETE", r["resource_uri"])[0], 204, "removed")
    return done


def ways(bench):
    """What is not even asked, for its address."""
    server, hook = fixture(bench, "webhook-local\n")
    d = attempt(server, 9, "webhook", "http://127.0.0.1:%d/" % hook.port)
    same((d["state"], d["last_error"] == ""), ("queued", False),
         "http to what speaks TLS")
    d = attempt(server, 10, "slack", "http://192.0.2.1/x")
    same(d["state"], "given up", "slack over http")
    check("https is required" in d["last_error"], "https", d["last_error"])

    # Without webhook-local nothing of this host is reached, by any name.
    vil.write(server.conf, vil.read(server.conf).replace(
        "webhook-local\n", ""))
    server.process.signal(signal.SIGHUP)
    until(vil.SLOW, "the reload", lambda: "reloaded" in
          vil.read(server.process.err))
    before = len(hook.requests())
    for n, host in enumerate(["127.0.0.1", "localhost", "127.1", "2130706433",
                              "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]",
                              "[::]", "169.254.169.254", "[fe80::1]"]):
        d = attempt(server, 20 + n, "webhook",
                    "http://%s:%d/" % (host, hook.port))
        same(d["state"], "queued", host + ": " + d["last_error"])
        check("not allowed" in d["last_error"], host, d["last_error"])
    same(len(hook.requests()), before, "nothing arrived")
    d = attempt(server, 40, "exec", "tell")
    check("exec-dir" in d["last_error"], "no programs", d["last_error"])
    for channel, address in (("webhook", "ftp://x/"), ("webhook", "https://"),
                             ("exec", "../sh"), ("exec", ".sh"),
                             ("email", "a b@c"), ("email", "@c"),
                             ("pushover", "x"), ("gotify", "https://g/")):
        status, obj = server.api("POST", "recipient/", {
            "name": "x", "channel": channel, "address": address})
        same(status, 400, "%s %s: %s" % (channel, address, obj))
    server.stop()


vil.run(channels, ways)
