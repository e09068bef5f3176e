#!/usr/bin/env python3
"""A silent agent, a goodbye, a restart: one incident, none, and no storm."""
import os
import re
import signal
import subprocess

import vil
from vil import check, same, until


def agent_state(server):
    return server.objects("agent/?hostname=web1")[0]["state"]


def silence_and_goodbye(bench):
    double = vil.Double(bench)
    server = vil.Server(bench, double.conf())
    server.ctl("recipient", "add", "alice", "pushover", vil.USER)
    agent = bench.agent(server, "web1")
    server.ctl("check", "add", "web1", "cpu", "every", "1s")
    until(vil.SLOW, "up", lambda: agent_state(server) == "up")
    # Thirty seconds is the least that an agent may be unheard of.
    agent.signal(signal.SIGSTOP)
    until(90, "silent", lambda: agent_state(server) == "silent", 0.2)
    alarm = until(vil.SLOW, "told", double.requests)[0]["fields"]
    same(alarm["title"], "Vilicus alert: web1 is now silent", "title")
    check(re.fullmatch(r"agent web1 changed from up to silent at \S+ \S+ UTC: "
                       r"nothing heard for 3\d s", alarm["message"]), "text",
          alarm["message"])
    same(len(server.objects("incident/")), 1, "one incident")
    # A restart in the middle of it repeats nothing.
    server.restart()
    check(vil.never(6, lambda: len(double.requests()) != 1),
          "a restart tells nobody", double.requests())
    agent.signal(signal.SIGCONT)
    until(vil.SLOW, "up again", lambda: agent_state(server) == "up")
    until(vil.SLOW, "recovery", lambda: len(double.requests()) > 1)
    recovery = double.requests()[1]["fields"]
    same(recovery["title"], "Vilicus alert: web1 is now up", "title")
    until(vil.SLOW, "closed",
          lambda: server.objects("incident/")[0]["closed"])

    same(agent.end(), 0, "SIGTERM ends the agent")
    same(agent_state(server), "stopped", "it said goodbye")
    check(vil.never(35, lambda: len(double.requests()) != 2 or
                    len(server.objects("incident/")) != 1, 0.5),
          "a goodbye alarms nobody", double.requests())
    bench.run_agent("web1")
    until(vil.SLOW, "up", lambda: agent_state(server) == "up")
    for _ in range(3):
        server.restart()
    until(vil.SLOW, "up", lambda: agent_state(server) == "up")
    check(vil.never(3, lambda: len(double.requests()) != 2 or
                    len(server.objects("incident/")) != 1),
          "restarts alarm nobody", double.requests())


def second_server(bench):
    server = vil.Server(bench)
    r = subprocess.run([os.path.join(vil.TOP, "vilicus-server"), "-d",
                        server.dir, "-l", "127.0.0.1:0"],
                       capture_output=True, text=True, timeout=20)
    check(r.returncode != 0, "a second server is refused")
    check(server.dir in r.stderr, "and says which directory", r.stderr)
    check("in use" in r.stderr or "another" in r.stderr,
          "and says why", r.stderr)
    same(server.api("GET", "agent/")[0], 200, "the first one lives")
    port = subprocess.run([os.path.join(vil.TOP, "vilicus-server"), "-d",
                           bench.path("other"), "-l", "127.0.0.1:%d"
                           % server.port],
                          capture_output=True, text=True, timeout=20)
    check(port.returncode != 0 and str(server.port) in port.stderr,
          "a taken port is named", port.stderr)


vil.run(second_server, silence_and_goodbye)
