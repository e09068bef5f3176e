"""vil: what the end-to-end tests share.

The real programs on real sockets of the loopback; nothing of vilicus is
replaced.  Waits are until(): a condition and a deadline, never a sleep that
hopes.  Every process that was started is ended by its pid, whatever happens.
A case is a script: it calls run(f, g ...) with functions that take a Bench,
and ends with "N checks, N failed".
"""
import atexit
import datetime
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SLOW = 60                       # seconds: for what should take one or two
API = "/api/v1/"
USER = "u" + "Qi9RzpoDXghDmr7QzzfQu27cmVRs" + "G"
TOKEN = "a" + "zGDOREePK8gMaC0QOYAMyEEuzJny" + "U"

ran = failed = 0


class Fault(Exception):
    """The case cannot go on."""


class Skip(Exception):
    """The case cannot be made here."""


def check(ok, text, *more):
    """One assertion; more is shown when it does not hold."""
    global ran, failed
    ran += 1
    if not ok:
        failed += 1
        print("FAILED:", text, *more, flush=True)
        for at in reversed(traceback.extract_stack()):
            if at.filename != __file__:
                print("  at %s:%d" % (at.filename, at.lineno), flush=True)
                break
    return ok


def same(got, want, text):
    return check(got == want, text, "\n  got  %r\n  want %r" % (got, want))


def must(ok, text, *more):
    """An assertion without which the rest makes no sense."""
    if not check(ok, text, *more):
        raise Fault(text)


def until(seconds, what, fn, every=0.03):
    """Wait for fn() to be true; its value.  Fault after seconds."""
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > end:
            raise Fault("%s: not within %g s" % (what, seconds))
        time.sleep(every)


def never(seconds, fn, every=0.1):
    """Is fn() false all that time?"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fn():
            return False
        time.sleep(every)
    return True


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode),
              "w") as f:
        f.write(text)
    return path


def stamp(ms):
    """Milliseconds since the epoch as the API writes them."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + \
        ".%03dZ" % (ms % 1000)


def ms_of(text):
    """A time of the API, in ms."""
    return round(datetime.datetime.fromisoformat(
        text.replace("Z", "+00:00")).timestamp() * 1000)


def now_ms():
    return time.time_ns() // 1000000


class Process:
    """A program that is running, its output in files."""

    def __init__(self, bench, name, argv, env=None, cwd=None):
        self.out = os.path.join(bench.dir, name + ".out")
        self.err = os.path.join(bench.dir, name + ".err")
        with open(self.out, "ab") as o, open(self.err, "ab") as e:
            self.p = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=o, stderr=e, cwd=cwd,
                env=dict(os.environ, **(env or {})), start_new_session=True)
        bench.started.append(self)

    def running(self):
        return self.p.poll() is None

    def signal(self, sig):
        if self.running():
            self.p.send_signal(sig)

    def end(self, sig=15, seconds=15):
        """End it; its exit code."""
        self.signal(sig)
        try:
            return self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            raise Fault("%s did not end on signal %d" % (self.p.args[0], sig))


class Server:
    """vilicus-server on a port that stays the same over its restarts."""

    def __init__(self, bench, conf=None, env=None, name="server"):
        self.bench, self.name, self.env = bench, name, env
        self.dir = os.path.join(bench.dir, name + ".data")
        self.conf, self.port, self.process, self.key = None, 0, None, None
        if conf is not None:
            self.conf = write(os.path.join(bench.dir, name + ".conf"), conf)
        self.start()

    def start(self, seconds=SLOW):
        argv = [os.path.join(TOP, "vilicus-server"), "-d", self.dir,
                "-l", "127.0.0.1:%d" % self.port]
        argv += ["-f", self.conf] if self.conf else []
        write(os.path.join(self.bench.dir, self.name + ".out"), "")
        p = self.process = Process(self.bench, self.name, argv, self.env)

        def heard():
            if not p.running():
                raise Fault("server ended with %d: %s"
                            % (p.p.returncode, read(p.err)[-2000:]))
            return re.search(r"listening on http://127\.0\.0\.1:(\d+)/\n"
                             r"(?:.*\n)*?.*admin key in (\S+)",
                             read(p.out))
        m = until(seconds, "the server's start", heard, 0.005)
        self.port = int(m.group(1))
        self.url = "http://127.0.0.1:%d" % self.port
        self.keyfile = m.group(2)
        self.key = read(os.path.join(self.dir, "admin.key")).strip()

    def kill9(self):
        self.process.p.kill()
        self.process.p.wait()

    def restart(self):
        self.kill9()
        self.start()

    def stop(self):
        return self.process.end()

    def client(self, key=None):
        return Client(self.port, self.key if key is None else key)

    def api(self, method, path, body=None, key=None):
        """One request on a connection of its own: (status, object)."""
        c = self.client(key)
        try:
            return c.api(method, path, body)
        finally:
            c.close()

    def get(self, path):
        status, obj = self.api("GET", path)
        if status != 200:
            raise Fault("GET %s: %s %s" % (path, status, obj))
        return obj

    def objects(self, path):
        return self.get(path)["objects"]

    def add(self, kind, **fields):
        """Make an object; the object."""
        status, obj = self.api("POST", kind + "/", fields)
        if status != 201:
            raise Fault("POST %s: %s %s" % (kind, status, obj))
        return obj

    def agent_key(self, agent):
        return self.add("key", name="key of " + agent["hostname"],
                        role="agent", agent=agent["resource_uri"])["secret"]

    def ctl(self, *words, code=0):
        """The vilicus command; its output."""
        r = subprocess.run(
            [os.path.join(TOP, "vilicus"), "-s", self.url, "-i",
             os.path.join(self.dir, "admin.key")] + list(words),
            capture_output=True, text=True, timeout=90)
        check(code is None or r.returncode == code,
              "vilicus %s: exit %d" % (" ".join(words), r.returncode),
              r.stdout, r.stderr)
        return r.stdout


class Client:
    """A kept connection to the API."""

    def __init__(self, port, key, timeout=30):
        self.key = key
        self.c = http.client.HTTPConnection("127.0.0.1", port,
                                            timeout=timeout)

    def api(self, method, path, body=None):
        head = {"Authorization": "Bearer " + self.key} if self.key else {}
        if body is not None:
            head["Content-Type"] = "application/json"
            if not isinstance(body, (str, bytes)):
                body = json.dumps(body)
        self.c.request(method, path if path[0] == "/" else API + path,
                       body, head)
        r = self.c.getresponse()
        self.head, self.raw = r.headers, r.read()
        try:
            return r.status, json.loads(self.raw) if self.raw else None
        except ValueError:
            return r.status, self.raw.decode(errors="replace")

    def close(self):
        self.c.close()


class Double:
    """tests/double/pushover.py: Pushover's place, over HTTPS."""

    def __init__(self, bench, script="", port=0, name="pushover", more=()):
        self.bench, self.name = bench, name
        ca = os.path.join(bench.dir, "ca")
        if not os.path.isdir(ca):
            subprocess.run([os.path.join(TOP, "tests/double/ca.sh"), ca],
                           check=True, capture_output=True, timeout=60)
        self.ca = os.path.join(ca, "ca.crt")
        self.log = os.path.join(bench.dir, name + ".log")
        self.scriptfile = write(os.path.join(bench.dir, name + ".script"),
                                script)
        self.argv = [
            sys.executable, os.path.join(TOP, "tests/double/pushover.py"),
            "--cert", os.path.join(ca, "leaf.crt"),
            "--key", os.path.join(ca, "leaf.key"),
            "--log", self.log, "--script", self.scriptfile, *more]
        self.port = port
        self.start()

    def start(self):
        write(os.path.join(self.bench.dir, self.name + ".out"), "")
        self.process = Process(self.bench, self.name,
                               self.argv + ["--port", str(self.port)])
        self.port = int(until(SLOW, "the double's port", lambda: re.search(
            r"\d+\n", read(self.process.out))).group(0))

    def stop(self):
        self.process.end(signal.SIGKILL)

    def requests(self):
        """What was asked of it so far."""
        return [json.loads(line)
                for line in read(self.log).split("\n")[:-1]]

    def conf(self):
        return ("ca-file %s\npushover token %s "
                "url https://localhost:%d/1/messages.json\n"
                % (self.ca, TOKEN, self.port))


class Bench:
    """A directory and the processes of one case."""

    def __init__(self, name):
        base = os.path.join(TOP, "build")
        os.makedirs(base, exist_ok=True)
        self.dir = tempfile.mkdtemp(prefix="e2e-%s-" % name, dir=base)
        self.started = []
        self.clean = False
        atexit.register(self.close)

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, name, argv, **more):
        return Process(self, name, argv, **more)

    def sleeper(self, name):
        """A real process under a name of its own."""
        copy = self.path(name)
        if not os.path.exists(copy):
            shutil.copy("/bin/sleep", copy)
        return self.start(name, [copy, "600"])

    def agent(self, server, hostname, **fields):
        """Enrol hostname by the command line; start its agent."""
        said = server.ctl("agent", "add", hostname, "interval", "1s")
        m = re.search(r"https://va_[a-z2-7]{32}@127\.0\.0\.1:\d+/#[\w-]{43}",
                      said)
        must(m, "agent add prints the agent's URL", said)
        write(self.path(hostname + ".conf"), m.group(0) + "\n")
        return self.run_agent(hostname)

    def run_agent(self, hostname):
        return self.start(hostname + ".agent",
                          [os.path.join(TOP, "vilicus-agent"), "-f",
                           self.path(hostname + ".conf")])

    def close(self):
        for p in reversed(self.started):
            try:        # with what it started and left behind
                os.killpg(p.p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.p.wait()
        self.started = []
        if self.clean:
            shutil.rmtree(self.dir, ignore_errors=True)


def told(bench):
    """What the programs said, for whoever reads a failure."""
    for name in sorted(os.listdir(bench.dir)):
        if name.endswith((".err", ".log", ".conf")):
            text = read(os.path.join(bench.dir, name))
            if text:
                print("---- %s\n%s" % (name, text[-3000:]))


def run(*cases):
    """The case's main: each function with a Bench of its own.  One that
    cannot be is left out; all of them, and it is a skip."""
    global ran, failed
    # Also where they were ignored: what is started here must get them.
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))
    signal.signal(signal.SIGINT, lambda *a: sys.exit(1))
    for f in cases:
        bench = Bench(f.__name__)
        before = failed
        try:
            f(bench)
        except Skip as e:
            print("%s: left out: %s" % (f.__name__, " ".join(str(e).split())))
            if ran == 0 and f == cases[-1]:
                bench.clean = True
                bench.close()
                sys.exit(77)
        except Fault as e:
            check(False, "%s: %s" % (f.__name__, e))
        except Exception:
            check(False, f.__name__, traceback.format_exc())
        bench.clean = failed == before
        if not bench.clean:
            told(bench)
            print("%s: kept %s" % (f.__name__, bench.dir))
        bench.close()
    print("%d checks, %d failed" % (ran, failed))
    sys.exit(failed != 0)


def state(server, hostname, name):
    """A check's object by its name."""
    agent = server.objects("agent/?hostname=%s" % hostname)
    if not agent:
        return {}
    found = [c for c in server.objects("check/?limit=0&agent=%d"
                                       % int(agent[0]["id"]))
             if c["name"] == name]
    return found[0] if found else {}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
