#!/usr/bin/env python3
"""The sequence of the 2014 client, with curl alone, and what is refused."""
import json
import os
import subprocess

import vil
from vil import check, same


class Curl:
    """curl with one key, as a shell script would call it."""

    def __init__(self, server, key):
        self.server, self.key = server, key

    def __call__(self, method, path, body=None, auth=None):
        auth = auth or "Authorization: ApiKey web1:" + self.key
        argv = ["curl", "-sS", "-X", method, "-H", auth, "-w",
                "\n%{http_code} %{content_type}", self.server.url + path]
        if body is not None:
            argv += ["-H", "Content-Type: application/json", "--data-binary",
                     body if isinstance(body, str) else json.dumps(body)]
        r = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        text, _, last = r.stdout.rpartition("\n")
        status = int(last.split()[0]) if last.strip() else 0
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text


def sequence(bench):
    server = vil.Server(bench)
    agent = server.add("agent", hostname="web1")
    other = server.add("agent", hostname="web2")
    mine = server.add("process_check", agent=agent["resource_uri"],
                      process_name="nginx")
    theirs = server.add("process_check", agent=other["resource_uri"],
                        process_name="nginx")
    key = server.agent_key(agent)
    curl = Curl(server, key)

    status, got = curl("GET", "/api/v1/agent/?hostname=web1")
    same(status, 200, "GET agent")
    same(got["meta"]["total_count"], 1, "its own agent")
    me = got["objects"][0]
    same(sorted(got["meta"]), ["limit", "next", "offset", "previous",
                               "total_count"], "the envelope")
    same(me["hostname"], "web1", "hostname")
    status, got = curl("GET", "/api/v1/process_check/?agent__hostname=web1")
    same(status, 200, "GET process_check")
    same([c["process_name"] for c in got["objects"]], ["nginx"],
         "its process check, flattened")
    uri = got["objects"][0]["resource_uri"]
    result = {"check": uri, "timestamp": vil.stamp(vil.now_ms()), "value": 1}
    status, got = curl("POST", "/api/v1/check_history/", result)
    same(status, 201, "POST check_history")
    status, got = curl("PUT", me["resource_uri"], {"state": "stopped"})
    same(status, 200, "PUT agent: checks out")
    same(got["state"], "stopped", "state")
    same(server.get(me["resource_uri"])["state"], "stopped", "and it is kept")
    status, got = curl("GET", "/api/v1/check_history/?check=%s" % mine["id"])
    same(len(got["objects"]), 1, "one result")
    same(got["objects"][0]["value"], 1, "its value")

    refused(server, curl, me, mine, theirs)


def refused(server, curl, me, mine, theirs):
    now = vil.stamp(vil.now_ms() + 1000)
    post = "/api/v1/check_history/"
    uri, them = mine["resource_uri"], theirs["resource_uri"]
    admin = "Authorization: Bearer " + server.key
    rows = [
        # method, path, body, authorization, status, field
        ("GET", "/api/v1/agent/", None, "Authorization: ApiKey web1:wrong",
         401, None),
        ("GET", "/api/v1/agent/", None, "Authorization: Bearer", 401, None),
        ("GET", "/api/v1/agent/", None, "X-None: 1", 401, None),
        ("POST", post, {"check": them, "timestamp": now, "value": 1}, None,
         403, "check"),
        ("PATCH", post, {"objects": [
            {"check": uri, "timestamp": now, "value": 1},
            {"check": them, "timestamp": now, "value": 1}]},
         None, 403, "check"),
        ("POST", post, '{"check": "%s", "value": ' % uri, None, 400, None),
        ("POST", post, "", None, 400, None),
        ("POST", post, "[]", None, 400, None),
        ("POST", post, {"check": uri, "timestamp": now, "value": "high"},
         None, 400, "value"),
        ("POST", post, {"check": uri, "timestamp": "yesterday", "value": 1},
         None, 400, "timestamp"),
        ("POST", post, {"check": uri, "timestamp": now, "value": 1,
                        "status": "fine"}, None, 400, "status"),
        ("POST", post, {"check": uri, "timestamp": now, "value": 1,
                        "colour": "red"}, None, 400, "colour"),
        ("POST", post, {"timestamp": now, "value": 1}, None, 400, "check"),
        ("POST", post, {"check": uri, "timestamp": now, "value": 1e300},
         None, 400, "value"),
        ("PATCH", post, {"objects": [
            {"check": uri, "timestamp": now, "value": 1},
            {"check": uri, "timestamp": now, "value": []}]},
         None, 400, "value"),
        ("PUT", me["resource_uri"], {"hostname": "evil"}, None, 403,
         "hostname"),
        ("PUT", me["resource_uri"], {"state": "up"}, None, 403, "state"),
        ("PATCH", me["resource_uri"], {"enabled": False}, None, 403,
         "enabled"),
        ("DELETE", me["resource_uri"], None, None, 403, None),
        ("POST", "/api/v1/agent/", {"hostname": "web3"}, None, 403, None),
        ("GET", "/api/v1/key/", None, None, 403, None),
        ("PATCH", uri, {"for_s": "long"}, admin, 400, "for_s"),
        ("PATCH", uri, {"shape": 1}, admin, 400, "shape"),
        ("PATCH", uri, {"crit": ["about 3"]}, admin, 400, "crit"),
        ("POST", "/api/v1/agent/", {"hostname": "web1"}, admin, 409,
         "hostname"),
        ("POST", "/api/v1/agent/", {"hostname": "-/-"}, admin, 400,
         "hostname"),
        ("POST", "/api/v1/agent/", {}, admin, 400, "hostname"),
        ("GET", "/api/v1/agent/99/", None, admin, 404, None),
        ("GET", "/api/v1/nothing/", None, admin, 404, None),
        ("DELETE", "/api/v1/event/", None, admin, 405, None),
        ("BREW", "/api/v1/agent/", None, admin, 501, None),
    ]
    before = everything(server)
    for method, path, body, auth, want, field in rows:
        status, got = curl(method, path, body, auth)
        row = "%s %s %s" % (method, path, str(body)[:70])
        same(status, want, row)
        if check(isinstance(got, dict) and got.get("error"),
                 row + ": says why", got):
            same(got.get("field"), field, row + ": names the field")
            check("key" in got["error"] or status != 401, row + ": of a key",
                  got)
    same(everything(server), before, "nothing of it is applied")


def everything(server):
    """What a refused request must leave as it was."""
    server_objects = {}
    for kind in ("agent", "check", "key", "recipient", "incident"):
        server_objects[kind] = [
            {k: v for k, v in o.items()
             if k not in ("last_used", "last_checkin", "address")}
            for o in server.objects(kind + "/?limit=0")]
    for c in server_objects["check"]:
        server_objects["history %s" % c["id"]] = server.objects(
            "check_history/?check=%s&limit=0" % c["id"])
    return server_objects


vil.run(sequence)
