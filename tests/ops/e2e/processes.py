"""The programs of the scenario: the daemon, Prometheus and Alertmanager, each ended by its id."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

PATIENCE = 60
# The kernel ends a process when the thread that started it ends: this one lasts as long as the scenario.
STARTER = ThreadPoolExecutor(1)


def ask(url, data=None, headers=None, timeout=10):
    """(status, body) of one request; a status that is an error is no exception."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def await_true(what, check, patience=PATIENCE):
    """The first true value of `check`; a refused connection is not yet true."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            found = check()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {patience} s")


def started(command, **options):
    """A process that dies with the scenario, however that ends."""
    return STARTER.submit(subprocess.Popen, ["setpriv", "--pdeathsig", "KILL", *command], **options).result()


class Program:
    """A process with a log; it dies with the scenario, however that ends."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.log = os.path.join(folder, f"{name}.log")
        self.process = None

    def run(self, command, **options):
        with open(self.log, "ab") as log:
            self.process = started(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **options)

    def kill(self, how=signal.SIGKILL):
        """Sends a signal and waits for the end."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def said(self):
        """Its log."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()


class Disk:
    """A file system in memory that only processes of its own mount namespace see, and that goes with it."""

    def __init__(self, at, size):
        self.keeper = started(["unshare", "--mount", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.keeper.stdin.write(b"\n")
        self.keeper.stdin.flush()
        if self.keeper.stdout.read(1) != b"\n":
            raise RuntimeError("no mount namespace could be made; this needs root")
        self.at = at
        subprocess.run([*self.enter, "mount", "-t", "tmpfs", "-o", f"size={size}", "none", at], check=True)
        self.filler = f"/proc/{self.keeper.pid}/root{at}/filler"

    @property
    def enter(self):
        """What to begin a command with, so that it sees the disk."""
        return ["nsenter", "--mount", "--target", str(self.keeper.pid)]

    def fill(self):
        """Takes all space."""
        with open(self.filler, "wb", buffering=0) as filler:
            try:
                while filler.write(b"\0" * 4096):
                    pass
            except OSError:
                pass

    def free(self):
        """Gives it back."""
        os.remove(self.filler)

    def end(self):
        self.keeper.kill()
        self.keeper.wait()


class Daemon(Program):
    """The real daemon with its own settings, data folder and port, which it keeps over restarts."""

    def __init__(self, name, folder, binary, settings, enter=()):
        os.makedirs(os.path.join(folder, "data"), exist_ok=True)
        super().__init__(name, folder)
        self.binary, self.settings, self.enter = binary, settings, enter
        self.host, self.port, self.admin = "127.0.0.1", 0, None
        self.started = None

    def start(self, wait=True):
        """Starts it, and waits until it listens."""
        with open(self.log, "ab") as log:
            seen = log.tell()
        environment = {
            "PATH": os.environ["PATH"], "PROCESSOR_MODE": "event-driven", "LOG_FORMAT": "json",
            "HOST": self.host, "PORT": str(self.port), "ADMIN_LISTEN": "127.0.0.1:0",
            "DATA_FOLDER": os.path.join(self.folder, "data"), "PROBE_INTERVAL_SECONDS": "1",
            **self.settings,
        }
        self.started = time.time()
        self.run([*self.enter, self.binary], env=environment)
        if wait:
            self.await_listening(seen)

    def await_listening(self, seen=0):
        def addresses():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at its start:\n{self.said()[-2000:]}")
            with open(self.log, encoding="utf-8") as log:
                log.seek(seen)
                found = re.findall(r'"address":"[^"]*:(\d+)".*"listener":"(\w+)"', log.read())
            return {kind: int(port) for port, kind in found} if len(found) == 2 else None

        found = await_true(f"{self.name} listens", addresses)
        self.port, self.admin = found["Public"], found["Admin"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def post(self, headers=None):
        """Sends a trigger; the status of its answer, or None if there was none."""
        try:
            return ask(f"{self.url}/process", b"", headers)[0]
        except OSError:
            return None

    def look(self, wait=20):
        """Has the list looked at; the record of the cycle."""
        status, body = ask(f"{self.url}/process", b"", {"Prefer": f"wait={wait}"}, wait + 10)
        if status != 200:
            raise RuntimeError(f"{self.name}: POST /process was answered with {status}: {body[:300]}")
        return json.loads(body)

    def administrate(self, path):
        """Asks the administration listener to do something."""
        status, body = ask(f"http://127.0.0.1:{self.admin}{path}", b"")
        if status != 200:
            raise RuntimeError(f"{self.name}: POST {path} was answered with {status}: {body[:300]}")

    def deliveries(self, state, priority=None):
        """The ids of the deliveries in a state, or only those of a priority."""
        _, body = ask(f"http://127.0.0.1:{self.admin}/deliveries?state={state}&limit=1000")
        return [one["id"] for one in json.loads(body)["deliveries"] if priority in (None, one["priority"])]


class Prometheus(Program):
    """The real Prometheus; targets come from a file that can change."""

    def __init__(self, folder, port):
        super().__init__("prometheus", folder)
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.targets = os.path.join(folder, "targets.json")

    def start(self, config):
        self.run([
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{self.port}", "--rules.alert.resend-delay=1s",
            "--rules.alert.for-outage-tolerance=0s", "--rules.alert.for-grace-period=0s", "--log.level=warn"])
        await_true("Prometheus is ready", lambda: ask(f"{self.url}/-/ready")[0] == 200)

    def discover(self, targets):
        """From now on these are the targets: {instance: port}."""
        told = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}} for name, port in targets.items()]
        with open(self.targets + ".new", "w", encoding="utf-8") as f:
            json.dump(told, f)
        os.replace(self.targets + ".new", self.targets)

    def get(self, path, **parameters):
        """The data of an answer of its API."""
        status, body = ask(f"{self.url}/api/v1/{path}", urllib.parse.urlencode(parameters).encode() or None, timeout=30)
        told = json.loads(body)
        if status != 200 or told["status"] != "success":
            raise RuntimeError(f"{path} {parameters}: {told.get('error', status)}")
        return told["data"]

    def value(self, expr):
        """The value of the only series of an expression, or None."""
        found = self.get("query", query=expr)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self):
        """(alert, instance) of all that fire."""
        return {(a["labels"]["alertname"], a["labels"].get("instance"))
                for a in self.alerts() if a["state"] == "firing"}

    def alerts(self):
        """All alerts that are pending or fire. A POST is not allowed here."""
        return json.loads(ask(f"{self.url}/api/v1/alerts")[1])["data"]["alerts"]


class Alertmanager(Program):
    """The real Alertmanager, alone."""

    def __init__(self, folder, port):
        super().__init__("alertmanager", folder)
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    def start(self, config):
        program = shutil.which("prometheus-alertmanager") or "alertmanager"
        self.run([program, f"--config.file={config}", f"--storage.path={self.folder}/alertmanager",
                  f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=warn"])
        await_true("Alertmanager is ready", lambda: ask(f"{self.url}/-/ready")[0] == 200)

    def alerts(self, alert, instance=None):
        """What it knows of an alert."""
        matchers = [("filter", f'alertname="{alert}"')] + ([("filter", f'instance="{instance}"')] if instance else [])
        return json.loads(ask(f"{self.url}/api/v2/alerts?{urllib.parse.urlencode(matchers)}")[1])
