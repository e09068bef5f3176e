#!/usr/bin/env python3
"""Who may do what: every path and method under every key, every field that
can be written, and what a refused request leaves as it was."""
import http.client
import json

import vil
from vil import API, check, must, same

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
JSON = {"Content-Type": "application/json"}


asked = 0


def ask(server, method, path, body=None, key=None, head=None, here=None):
    """One request with the head as given: (status, its head, object); each
    from another address, for wrong keys are counted by it."""
    global asked
    asked += 1
    c = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=30, source_address=(here or
        "127.1.%d.%d" % (asked // 250 % 250 + 1, asked % 250 + 1), 0))
    fields = dict(head if head is not None else JSON if body is not None
                  else {})
    if key:
        fields["Authorization"] = "Bearer " + key
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    c.request(method, path if path[0] == "/" else API + path, body, fields)
    r = c.getresponse()
    raw = r.read()
    c.close()
    try:
        return r.status, r.headers, json.loads(raw) if raw else None
    except ValueError:
        return r.status, r.headers, raw.decode(errors="replace")


def everything(server):
    """What a refused request must leave as it was."""
    found = {}
    for kind in ("agent", "check", "key", "recipient", "incident",
                 "delivery", "setting"):
        found[kind] = [{k: v for k, v in o.items()
                        if k not in ("last_used", "last_checkin", "address")}
                       for o in server.objects(kind + "/?limit=0")]
    for c in found["check"]:
        found["history %s" % c["id"]] = server.objects(
            "check_history/?check=%s&limit=0" % c["id"])
    found["journal"] = server.get("event/?limit=1")["meta"]["total_count"]
    return found


class World:
    """A server with two agents, a check and a key of each, a recipient."""

    def __init__(self, bench):
        s = self.server = vil.Server(bench)
        self.mine = s.add("agent", hostname="web1", late_after_s=3600)
        self.theirs = s.add("agent", hostname="web2")
        self.check = s.add("process_check", agent=self.mine["resource_uri"],
                           process_name="nginx")
        self.other = s.add("cpu_check", agent=self.theirs["resource_uri"])
        self.key = s.agent_key(self.mine)
        self.recipient = s.add("recipient", name="alice", channel="pushover",
                               address=vil.USER)
        made = {role: s.add("key", name=role, role=role)["secret"]
                for role in ("viewer", "operator", "enrol")}
        self.roles = [
            (0, "nobody", None), (0, "a wrong key", "vk_" + "a" * 32),
            (1, "the agent", self.key), (2, "a viewer", made["viewer"]),
            (3, "an operator", made["operator"]), (4, "the admin", s.key),
            (5, "an enrolment key", made["enrol"])]
        same([k[:3] for k in made.values()], ["vv_", "vo_", "ve_"], "prefixes")


# Path, the methods it has, and for each what nobody, agent, viewer, operator,
# admin and an enrolment key get; bodies are {}.  A method that is not there is
# 405, and 401 without a key.
READ = {"GET": (401, 403, 200, 200, 200, 403)}
MORE = {"GET": (401, 403, 403, 200, 200, 403)}      # not for viewers
MINE = {"GET": (401, 403, 403, 403, 200, 403)}
BOTH = {"GET": (401, 200, 200, 200, 200, 403)}
POST = {"POST": (401, 403, 403, 403, 400, 403)}
WRITE = (401, 403, 403, 403, 200, 403)
EDIT = {"PUT": WRITE, "PATCH": WRITE, "DELETE": None}
NO = (401, 403, 403, 403, 404, 403)
GONE = {"PUT": NO, "PATCH": NO, "DELETE": NO}
OWN = {"PUT": (401, 200, 403, 403, 200, 403),
       "PATCH": (401, 200, 403, 403, 200, 403), "DELETE": None}
THEIR = {**READ, **EDIT}
NONE = {"GET": (401, 404, 404, 404, 404, 403),
        "PUT": (401, 404, 403, 403, 404, 403),
        "PATCH": (401, 404, 403, 403, 404, 403), "DELETE": NO}
LOST = {"GET": (401, 403, 404, 404, 404, 403)}      # agents do not see it
HISTORY = {"POST": (401, 400, 403, 403, 400, 403),
           "PATCH": (401, 400, 403, 403, 400, 403)}
ALL = (200,) * 6
PATHS = [
    ("/", {"GET": (303,) * 6}),
    ("/status", READ),
    ("/healthz", {"GET": ALL}),
    ("/login", {"GET": ALL, "POST": (403,) * 6}),
    ("/logout", {"POST": (401, 403, 303, 303, 303, 403)}),
    ("/api/v1/", BOTH),
    ("agent/", {**BOTH, "POST": (401, 403, 403, 403, 400, 400)}),
    ("agent/schema/", READ),
    ("agent/1/", {**BOTH, **OWN}),
    ("agent/1", {**BOTH, **OWN}),
    ("agent/2/", THEIR),
    ("agent/99/", NONE),
    ("check/", {**BOTH, **POST}),
    ("check/schema/", READ),
    ("check/1/", {**BOTH, **EDIT}),
    ("check/1/series/", BOTH),
    ("check/2/", {**READ, **EDIT}),
    ("check/99/", {"GET": NONE["GET"], **GONE}),
    ("process_check/", {**BOTH, **POST}),
    ("process_check/schema/", READ),
    ("process_check/1/", {**BOTH, **EDIT}),
    ("process_check/2/", {"GET": NONE["GET"], **GONE}),
    ("cpu_check/2/", {**READ, **EDIT}),
    ("check_history/", {"GET": (401, 400, 400, 400, 400, 403), **HISTORY}),
    ("check_history/?check=1", {**BOTH, **HISTORY}),
    ("check_history/?check=2", {**READ, **HISTORY}),
    ("check_history/1-1/", {"GET": NONE["GET"]}),
    ("check_history/2-1/", LOST),
    ("incident/", READ), ("incident/schema/", READ),
    ("incident/99/", {**LOST, "PATCH": (401, 403, 403, 404, 404, 403)}),
    ("delivery/", READ), ("delivery/schema/", READ), ("delivery/99/", LOST),
    ("recipient/", {**MORE, **POST}),
    ("recipient/schema/", MORE),
    ("recipient/1/", {**MORE, **EDIT}),
    ("recipient/99/", {"GET": (401, 403, 403, 404, 404, 403), **GONE}),
    ("recipient/99/test/", {"POST": NO}),
    ("recipient/99/drill/", {"POST": NO}),
    ("key/", {**MINE, **POST}),
    ("key/schema/", MINE),
    ("key/1/", {**MINE, **EDIT, "DELETE": (401, 403, 403, 403, 409, 403)}),
    ("key/99/", {"GET": NO, **GONE}),
    ("key/99/next/", {"POST": NO}), ("key/tls/switch/", {"POST": (
        401, 403, 403, 403, 409, 403)}),
    ("session/", {**READ, "POST": (401, 403, 201, 201, 201, 403)}),
    ("session/99/", {"DELETE": (401, 403, 404, 404, 404, 403)}),
    ("setting/", READ), ("setting/schema/", READ), ("setting/1/", READ),
    ("event/", MORE), ("event/99999/", {"GET": (401, 403, 403, 404, 404,
                                                403)}),
]
NOWHERE = ["nothing/", "agent/x/", "agent/0/", "agent/-1/", "agent/1/test/",
           "agent/1/x/y/", "agent//", "agent/..%2f..%2f/", "/agent/",
           "/api/v2/agent/", "/api/", "/status/", "agent/1%00/",
           "x_check/", "_check/", "/%", "agent/%zz/",
           "agent/18446744073709551617/", "recipient/1/drill/x/",
           "%61gent%2f1/"]


def wanted(methods, method, role):
    """The status due to a role (a column of PATHS)."""
    base = "GET" if method == "HEAD" else method
    if method == "OPTIONS":
        return 401 if role == 0 else 204
    if base not in methods:
        return 401 if role == 0 else 405
    if methods[base] is None:       # it would be gone for the others
        return (401, 403, 403, 403, None, 403)[role]
    return methods[base][role]


def allowed(methods):
    return set(methods) | {"OPTIONS"} | ({"HEAD"} if "GET" in methods
                                         else set())


def paths(bench):
    w = World(bench)
    s = w.server
    before = everything(s)
    for path, methods in PATHS:
        for method in METHODS:
            body = {} if method in ("POST", "PUT", "PATCH") else None
            for i, name, key in w.roles:
                want = wanted(methods, method, i)
                if want is None:
                    continue
                status, head, got = ask(s, method, path, body, key)
                row = "%s %s by %s" % (method, path, name)
                same(status, want, row)
                if status in (204, 405):
                    same(set(head["Allow"].split(", ")), allowed(methods),
                         row + ": Allow")
                if status == 401:
                    check(head["WWW-Authenticate"], row + ": how to")
                if status >= 400 and method != "HEAD" and path != "/login":
                    check(isinstance(got, dict) and got.get("error"),
                          row + ": says why", got)
                if method == "HEAD":
                    check(got is None, row + ": no content", got)
                    length = ask(s, "GET", path, None, key)[1]
                    if status == 200 and "last_used" not in str(got):
                        same(head["Content-Type"], length["Content-Type"],
                             row + ": as GET")
    for path in NOWHERE:
        for i, name, key in w.roles:
            for method in ("GET", "POST", "DELETE"):
                status = ask(s, method, path, {} if method == "POST"
                             else None, key)[0]
                row = "%s %s by %s" % (method, path, name)
                check(status in ((401, 400) if i == 0 else (404, 400, 405) if
                                 i == 4 else (404, 400, 405, 403)), row,
                      status)
    after = everything(s)
    # The agent's empty PUTs check it in, which is all they do.
    for a in before["agent"] + after["agent"]:
        a.pop("state", None)
        a.pop("status", None)
    for kind in before:
        if kind != "journal":
            same(after[kind], before[kind], "%s is as it was" % kind)


# ---- fields ----

WRONG = {"string": [7, True, [], {}, "a\nb", "\x1b[2J", "a\x00b"],
         "boolean": [7, "true", [], {}],
         "integer": ["7", True, [], {}, 1.5, 1e300],
         "datetime": [7, True, [], {}, "yesterday"],
         "related": [True, [], {}, "/api/v1/nothing/1/", "x", -1, 0, 1.5],
         "list": [7, True, {}, ["about 3"], [3], [["above 1"]], "above",
                  ["above 1"] * 5],
         "object": [7, True, "x", [1]]}


def put_refused(server, uri, field, value):
    status, _, got = ask(server, "PATCH", uri, {field: value}, server.key)
    row = "PATCH %s {%s: %.60r}" % (uri, field, value)
    same(status, 400, row)
    check(isinstance(got, dict) and "field" in got, row + ": names a field",
          got)


def one_field(server, uri, name, f):
    if f["readonly"]:
        for value in (12345, "other", "2001-01-01T00:00:00Z"):
            put_refused(server, uri, name, value)
        return
    kind = "choice" if "choices" in f else f["type"]
    for value in WRONG.get(kind, []) if kind != "choice" else \
            [7, True, [], {}, "", "nothing", "OK"]:
        put_refused(server, uri, name, value)
    if not f["nullable"]:
        put_refused(server, uri, name, None)
    if kind == "integer":
        for value in (f["min"] - 1, f["max"] + 1, -2**63, 2**64):
            put_refused(server, uri, name, value)


def limits(server, uri, name, f):
    """At its limits each is taken, and given back as it was."""
    was = server.get(uri)[name]
    for value in (f["min"], f["max"], was):
        status, _, got = ask(server, "PATCH", uri, {name: value}, server.key)
        if name == "hits" and value == f["max"]:
            status, _, got = ask(server, "PATCH", uri,
                                 {"hits": value, "of": value}, server.key)
        same((status, isinstance(got, dict) and got.get(name)), (200, value),
             "%s.%s = %r" % (uri, name, value))
    ask(server, "PATCH", uri, {"hits": 1, "of": 1} if "hits" in
        server.get(uri) else {}, server.key)


def fields(bench):
    w = World(bench)
    s = w.server
    uris = {"agent": "/api/v1/agent/1/", "check": "/api/v1/check/1/",
            "recipient": "/api/v1/recipient/1/"}
    before = everything(s)
    for kind, uri in uris.items():
        for name, f in s.get(kind + "/schema/")["fields"].items():
            one_field(s, uri, name, f)
        put_refused(s, uri, "shape", 1)
        put_refused(s, uri, "id", 7)
        put_refused(s, uri, "resource_uri", "/api/v1/agent/7/")
        put_refused(s, uri, "", 1)
        put_refused(s, uri, "<script>", 1)
    for name, value in (("process_name", ""), ("process_name", "x" * 257),
                        ("process_name", 7), ("process_name", None),
                        ("min", -1), ("min", 1000001), ("min", "1"),
                        ("max", 0.5), ("user", "u" * 65), ("user", ""),
                        ("type", "cpu"), ("agent", "/api/v1/agent/2/"),
                        ("params", {"min": 1}), ("paths", "x"),
                        ("crit", ["above 1", "above 2", "above 3",
                                  "above 4"])):
        put_refused(s, "/api/v1/process_check/1/", name, value)
    for name, value, want in (
            ("hostname", "WEB2", 409), ("hostname", "a/b", 400),
            ("hostname", "a" * 65, 400), ("hostname", " a", 400)):
        status, _, got = ask(s, "PATCH", "agent/1/", {name: value}, s.key)
        same((status, got.get("field")), (want, name), "%s %r" % (name,
                                                                  value))
    same(everything(s), before, "nothing of it is applied")
    for kind, uri in uris.items():
        for name, f in s.get(kind + "/schema/")["fields"].items():
            if f["type"] == "integer" and not f["readonly"]:
                limits(s, uri, name, f)
    made(w)
    own(w)


def made(w):
    """What is made, and what is not."""
    s = w.server
    me = w.mine["resource_uri"]
    before = everything(s)
    for kind, body, want, field in (
            ("agent", {}, 400, "hostname"),
            ("agent", {"hostname": "web1"}, 409, "hostname"),
            ("agent", {"hostname": "x", "id": 7}, 400, "id"),
            ("agent", {"hostname": "x", "state": "up"}, 400, "state"),
            ("check", {"agent": me}, 400, "type"),
            ("check", {"type": "cpu"}, 400, "agent"),
            ("check", {"type": "cpu", "agent": "/api/v1/agent/99/"}, 400,
             "agent"),
            ("check", {"type": "none", "agent": me}, 400, "type"),
            ("check", {"type": "process", "agent": me,
                       "params": {"process_name": "NGINX"},
                       "name": "PROCESS nginx"}, 409, "name"),
            ("process_check", {"agent": me}, 400, "process_name"),
            ("process_check", {"agent": me, "type": "cpu"}, 400, "type"),
            ("recipient", {"name": "bob", "channel": "pushover"}, 400,
             "address"),
            ("recipient", {"name": "ALICE", "channel": "pushover",
                           "address": vil.USER}, 409, "name"),
            ("key", {"name": "k"}, 400, "role"),
            ("key", {"name": "k", "role": "agent"}, 400, "agent"),
            ("key", {"name": "k", "role": "admin", "agent": me}, 400,
             "agent"),
            ("key", {"name": "k", "role": "admin", "hash": "0" * 64}, 400,
             "hash")):
        status, _, got = ask(s, "POST", kind + "/", body, s.key)
        same((status, got.get("field")), (want, field),
             "POST %s %r" % (kind, body))
    same(everything(s), before, "nothing of it is applied")
    status, head, got = ask(s, "POST", "agent/", {"hostname": "web3"}, s.key)
    same((status, head["Location"]), (201, got["resource_uri"]), "Location")
    got = s.add("key", name="admin 2", role="admin")
    check("secret" not in s.get(got["resource_uri"]), "a secret, once")
    same(s.api("GET", "agent/", key=got["secret"])[0], 200, "the new key")
    same(s.api("DELETE", got["resource_uri"])[0], 204, "is removed")
    same(s.api("GET", "agent/", key=got["secret"])[0], 401, "and is no more")


def own(w):
    """What an agent may write of itself, and of nothing else."""
    s = w.server
    for name, value, want in (
            ("version", "0.1", 200), ("platform", "linux", 200),
            ("guid", "g" * 64, 200), ("guid", "g" * 65, 400),
            ("version", 7, 400), ("version", "a\nb", 400),
            ("clock_skew_ms", -5, 200), ("clock_skew_ms", "5", 400),
            ("dropped", 3, 200), ("dropped", -1, 400),
            ("hostname", "evil", 403), ("enabled", False, 403),
            ("description", "x", 403), ("revision", 7, 403),
            ("address", "1.2.3.4", 403), ("shape", 1, 400),
            ("state", "silent", 403), ("state", "fine", 400),
            ("state", "stopped", 200)):
        status, _, got = ask(s, "PATCH" if want == 403 else "PUT",
                             "agent/1/", {name: value}, w.key)
        row = "the agent's %s = %r" % (name, value)
        same(status, want, row)
        same(got.get(name if want == 200 else "field"),
             value if want == 200 else name, row)
    # What a GET gave, a PUT gives back, and it changes nothing.
    for key in (w.key, s.key):
        whole = s.get("agent/1/")
        same(ask(s, "PUT", "agent/1/", whole, key)[0], 200, "all of it")
        for name in ("last_checkin", "state", "address"):
            whole.pop(name)
        now = s.get("agent/1/")
        same({n: now[n] for n in whole}, whole, "as it was")


# ---- lists ----

def lists(bench):
    s = vil.Server(bench)
    names = ["web%02d" % i for i in range(25)] + ["Gw"]
    for n in names:
        s.add("agent", hostname=n, check_interval_ms=1000 * len(n) +
              (0 if n != "web07" else 500), enabled=n != "web03",
              description='a<b "%s"' % n)
    for i in (1, 2, 3):
        s.add("cpu_check", agent=i, name="cpu %d" % i)
    s.add("process_check", agent=1, process_name="nginx")

    def hosts(query):
        return [a["hostname"] for a in s.objects("agent/?limit=0&" + query)]
    same(hosts(""), names, "in the order of ids")
    same(hosts("order_by=hostname"), sorted(names), "by name")
    same(hosts("order_by=-hostname"), sorted(names)[::-1], "and back")
    same(hosts("order_by=-id"), names[::-1], "by id, back")
    same(hosts("hostname=web05"), ["web05"], "exactly")
    same(hosts("hostname__exact=web05"), ["web05"], "exactly, by its name")
    same(hosts("hostname__startswith=web0"), names[:10], "startswith")
    same(hosts("hostname__in=web05,Gw,none"), ["web05", "Gw"], "in")
    same(hosts("id=3"), ["web02"], "id")
    same(hosts("id__gte=25"), names[24:], "gte")
    same(hosts("id__lt=3"), names[:2], "lt")
    same(hosts("enabled=false"), ["web03"], "a boolean")
    same(hosts("check_interval_ms__gte=5001"), ["web07"], "a number")
    same(hosts("last_checkin=null"), names, "null")
    same(hosts("description=a%3Cb%20%22web05%22"), ["web05"],
         "a text with signs")
    same(hosts("hostname=web05&enabled=false"), [], "both must hold")
    for query in ("agent=1", "agent__id=1", "agent__hostname=web00",
                  "agent=/api/v1/agent/1/", "agent=%2Fapi%2Fv1%2Fagent%2F1"):
        same(len(s.objects("check/?" + query)), 2, query)
    same(len(s.objects("cpu_check/")), 3, "one type")
    named = s.objects("process_check/")[0]["process_name"]
    same([c["process_name"] for c in s.objects(
        "process_check/?process_name=" + named)][:1], [named], "a parameter")
    same(s.objects("process_check/?process_name=no.such"), [], "and no other")
    fields = s.get("process_check/schema/")["fields"]
    check("process_name" in fields and "params" not in fields,
          "the schema of a type has its parameters", fields)
    same(len(s.objects("check/?agent__hostname__startswith=web0")), 4,
         "of the agent's name")

    for i, value in ((1, 9), (2, 80), (3, -1.5)):
        same(s.api("POST", "check_history/", {"check": i, "value": value})[0],
             201, "a result")
    for query, want in (("gte=10", [2]), ("lt=9", [3]), ("gte=9.0", [1, 2]),
                        ("exact=80.0", [2]), ("lt=-1", [3])):
        same([c["id"] for c in s.objects("cpu_check/?value__" + query)], want,
             "value " + query)

    seen, path = [], "/api/v1/agent/?limit=7&hostname__startswith=web"
    while path:
        got = s.get(path)
        check(len(got["objects"]) <= 7, "a page")
        same(got["meta"]["total_count"], 25, "total_count")
        seen += [a["hostname"] for a in got["objects"]]
        last, path = got, got["meta"]["next"]
    same(seen, names[:25], "page by page, all of them once")
    same(last["meta"]["offset"], 21, "the last page")
    back = s.get(last["meta"]["previous"])
    same(back["meta"]["offset"], 14, "previous")
    same(len(s.objects("agent/")), 20, "20 at a time")
    same(s.get("agent/?offset=99")["objects"], [], "past the end")
    same(s.get("agent/?limit=5000")["meta"]["limit"], 1000, "at most 1000")

    for query in ("limit=x", "limit=-1", "offset=-1", "offset=99999999999",
                  "colour=1", "order_by=colour", "order_by=counts",
                  "hostname__near=1", "id__hostname=x",
                  "description__hostname=x", "enabled__hostname=x",
                  "hostname=%", "hostname=%00", "hash=1",
                  "&".join("id__gte=%d" % i for i in range(9))):
        status, _, got = ask(s, "GET", "agent/?" + query, None, s.key)
        same(status, 400, query)
    same(ask(s, "GET", "cpu_check/1/series/", None, s.key)[0], 200, "series")
    same(ask(s, "GET", "process_check/1/series/", None, s.key)[0], 404,
         "series of another type")
    same(ask(s, "PATCH", "agent/1/", {"resource_uri": "/api/v1/check/1/"},
             s.key)[0], 400, "another kind's address")
    for query in ("check/?agent__hostnames=x", "check/?id__hostname=x",
                  "key/?hash=0", "key/?hash__startswith=0",
                  "process_check/?process_name__hostname=x",
                  "check/?alert=1", "check/?name__id=1",
                  "check/?agent__gte__lt=1", "check/?agent__lt__id=1",
                  "check/?agent__id__hostname=1", "check_history/?check=x",
                  "check_history/", "check_history/?check=1&before=x",
                  "check_history/?check=1&colour=1"):
        status, _, got = ask(s, "GET", query, None, s.key)
        same(status, 400, query)
    check(s.process.running(), "the server runs")


# ---- the framing around it ----

def framing(bench):
    w = World(bench)
    s = w.server
    before = everything(s)
    post = "agent/"
    ok = '{"hostname": "x"}'
    for head, body, want in (
            ({}, ok, 415), ({"Content-Type": "text/plain"}, ok, 415),
            ({"Content-Type": "application/x-www-form-urlencoded"}, ok, 415),
            ({"Content-Type": "application/jsonx"}, ok, 415),
            ({**JSON, "Content-Encoding": "br"}, ok, 415),
            (JSON, "", 400), (JSON, "{", 400), (JSON, "[]", 400),
            (JSON, "null", 400), (JSON, '"x"', 400), (JSON, ok + "x", 400),
            (JSON, '{"hostname": "x", "hostname": "y"}', 400),
            (JSON, '{"hostname": "\\ud800"}', 400),
            (JSON, b'{"hostname": "\xff"}', 400),
            (JSON, "\ufeff" .encode() + ok.encode(), 400),
            (JSON, "[" * 100 + "]" * 100, 400),
            (JSON, '{"hostname": "%s"}' % ("x" * 65536), 413),
            ({**JSON, "Expect": "200-maybe"}, ok, 417),
            ({**JSON, "Origin": "https://evil.example.org"}, ok, 403),
            ({**JSON, "Origin": "null"}, ok, 403)):
        status, _, got = ask(s, "POST", post, body, s.key, head)
        row = "POST %.40r with %r" % (body, head)
        same(status, want, row)
        check(isinstance(got, dict) and got.get("error"), row + ": says why",
              got)
    # Sizes at the limit and past it.
    fill = '{"hostname": "web1", "description": ""%s}'
    n = 65536 - len(fill) + 2
    same(ask(s, "POST", post, fill % (" " * n), s.key)[0], 409, "64 KiB")
    same(ask(s, "POST", post, fill % (" " * (n + 1)), s.key)[0], 413,
         "and one byte")
    fill = '{"objects": []%s}'
    n = (1 << 20) - len(fill) + 2
    same(ask(s, "PATCH", "check_history/", fill % (" " * (n + 1)),
             w.key)[0], 413, "1 MiB of results and one byte")
    c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=30)
    for method in ("POST", "PUT", "PATCH"):
        c.putrequest(method, API + "agent/1/")
        c.putheader("Authorization", "Bearer " + s.key)
        c.endheaders()
        r = c.getresponse()
        r.read()
        same(r.status, 411, method + " without a length")
        c.close()
    for path, want in (("agent/?x=" + "y" * 5000, 414),):
        same(ask(s, "GET", path, None, s.key)[0], want, "a long line")
    same(ask(s, "GET", "agent/", None, s.key, {"X": "y" * 9000})[0], 431,
         "a long head")
    same(ask(s, "GET", "agent/", None, s.key,
             {"X-%d" % i: "y" for i in range(65)})[0], 431, "many fields")
    same(ask(s, "BREW", "agent/", None, s.key)[0], 501, "BREW")
    same(everything(s), before, "nothing of it is applied")
    same(ask(s, "PATCH", "check_history/", fill % (" " * n), w.key)[0], 202,
         "1 MiB of results")
    keys(w)
    etags(w)
    bulk(w)


def keys(w):
    """The forms a key may come in, and forms it may not."""
    import base64
    s = w.server

    def basic(text):
        return "Basic " + base64.b64encode(text.encode()).decode()
    for value, want in (
            ("Bearer " + s.key, 200), ("bearer " + s.key, 200),
            ("ApiKey admin:" + s.key, 200), (basic("x:" + s.key), 200),
            (basic(":" + s.key), 200), (basic(s.key), 200),
            ("Bearer", 401), ("Bearer ", 401), ("Bearer " + s.key[:-1], 401),
            ("Bearer " + s.key + "a", 401), ("Bearer x " + s.key, 401),
            ("Bearer " + s.key.upper(), 401), ("Basic ====", 401),
            ("Basic " + "A" * 5000, 401), ("ApiKey :", 401), (s.key, 401),
            ("Digest " + s.key, 401), (basic(s.key + "\0"), 401),
            (basic("x:" + s.key + ":"), 401)):
        same(ask(s, "GET", "agent/", None, None,
                 {"Authorization": value})[0], want, value[:40])


def etags(w):
    """An agent asks again and again, and is told when it is in vain."""
    s = w.server

    def fetch(tag=None):
        return ask(s, "GET", "check/", None, w.key,
                   {"If-None-Match": tag} if tag else {})
    status, head, got = fetch()
    tag = head["ETag"]
    same((status, len(got["objects"])), (200, 1), "its own checks")
    check(tag, "has an ETag")
    check("status" not in got["objects"][0], "without their state")
    status, head, got = fetch(tag)
    same((status, got, head["ETag"]), (304, None, tag), "unchanged")
    check(head["Content-Length"] is None, "without a length")
    same(fetch('"0"')[0], 200, "another tag")
    same(fetch(tag + "x")[0], 200, "no tag of ours")
    s.api("PATCH", "agent/1/", {"description": "new"})
    s.api("PATCH", "check/1/", {"for_s": 5})
    status, head, got = fetch(tag)
    same((status, got["objects"][0]["for_s"]), (200, 5), "changed")
    check(head["ETag"] != tag, "and so is the tag")
    tag = head["ETag"]
    ask(s, "PATCH", "check_history/", {"objects": [
        {"check": 1, "value": 1}]}, w.key)
    same(fetch(tag)[0], 304, "a result changes nothing of it")
    s.restart()
    same(fetch(tag)[0], 304, "nor does a restart")


def bulk(w):
    """Too many results: refused for good, or an agent would try for ever."""
    s = w.server
    one = {"check": 1, "value": 1}
    now = vil.now_ms()

    def results(n):
        return {"objects": [dict(one, timestamp=vil.stamp(now - i))
                            for i in range(n)]}
    before = everything(s)
    same(ask(s, "PATCH", "check_history/", results(2049), w.key)[0], 413,
         "2049 results")
    for body in ({}, {"objects": {}}, {"objects": [7]}, {"objects": [{}]},
                 {"objects": [one], "colour": 1},
                 {"objects": [one], "dropped": -1},
                 {"objects": [one, {"check": 1, "value": "x"}]},
                 {"objects": [one, {"check": 1, "metrics": {"a b": 1}}]},
                 {"objects": [one, dict(one, message="x" * 257)]}):
        same(ask(s, "PATCH", "check_history/", body, w.key)[0], 400,
             "%.60r" % body)
    same(ask(s, "PATCH", "check_history/", {"objects": [
        one, {"check": 2, "value": 1}]}, w.key)[0], 403, "another's check")
    same(everything(s), before, "nothing of it is applied")
    status, _, got = ask(s, "PATCH", "check_history/", {"objects": [
        dict(one, timestamp=vil.stamp(now)),
        dict(one, timestamp=vil.stamp(now)),
        dict(one, check=99),
        dict(one, timestamp=vil.stamp(now + 120000))]}, w.key)
    same((status, got["stored"], [(r["index"], r["field"])
                                  for r in got["refused"]]),
         (202, 2, [(2, "check"), (3, "timestamp")]), "what cannot be taken")
    same(ask(s, "PATCH", "check_history/", results(2048), w.key)[0], 202,
         "2048 results")


# ---- switched off ----

def disabled(bench):
    """What came while an agent was off is no alarm: not then, not when it is
    on again, and not after a start."""
    w = World(bench)
    s = w.server

    def report(value):
        same(ask(s, "PATCH", "check_history/", {"objects": [
            {"check": 1, "value": value}]}, w.key)[0], 202, "a report")

    def stays(text):
        same(s.objects("incident/"), [], text)
    report(1)
    s.api("PATCH", "agent/1/", {"enabled": False})
    report(0)
    stays("while it is off")
    s.api("PATCH", "agent/1/", {"enabled": True})
    stays("when it is on again")
    s.restart()
    stays("after a start")
    report(0)
    incidents = s.objects("incident/")
    must(len(incidents) == 1, "what is bad now is told", incidents)
    s.api("PATCH", "check/1/", {"enabled": False})
    closed = s.objects("incident/")[0]["closed"]
    check(closed, "closes when it is off")
    s.api("PATCH", "check/1/", {"enabled": True})
    s.restart()
    same([i["closed"] for i in s.objects("incident/")], [closed],
         "and an old result opens nothing after a start")


vil.run(paths, fields, lists, framing, disabled)
