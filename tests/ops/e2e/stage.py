"""Where a fault happens: a daemon of its own with neighbours of its own, and whoever watches it."""

import contextlib
import os
import threading
import time

from neighbours import Avatars, Drive, Lists, a_match, keep
from processes import Daemon, Disk, ask, await_true

RECEIVERS = {"critical": "page", "warning": "ticket", "info": "null"}


class World:
    """What all stages share."""

    def __init__(self, folder, binary, prometheus, alertmanager, receiver, severities):
        self.folder, self.binary = folder, binary
        self.prometheus, self.alertmanager, self.receiver = prometheus, alertmanager, receiver
        # alert: its severity, from the shipped rules
        self.severities = severities
        self.targets = {}
        self.lock = threading.Lock()

    def discover(self, name, port):
        """Prometheus scrapes this from now on."""
        with self.lock:
            self.targets[name] = port
            self.prometheus.discover(self.targets)

    def forget(self, name):
        """Prometheus does not scrape this any more."""
        with self.lock:
            self.targets.pop(name, None)
            self.prometheus.discover(self.targets)


class Stage:
    """One daemon and its neighbours. `settings` may name them as {lists}, {drive} and so on."""

    def __init__(self, world, fault):
        self.world, self.name, self.fault = world, fault.name, fault
        self.folder = os.path.join(world.folder, fault.name)
        os.makedirs(os.path.join(self.folder, "data"))
        self.lists = Lists([a_match(n) for n in range(1, fault.matches + 1)])
        self.drive, self.avatars = Drive(), Avatars()
        self.collector = fault.collector() if fault.collector else None
        self.disk = Disk(os.path.join(self.folder, "data"), fault.disk) if fault.disk else None
        settings = {
            "API_BASE_URL": self.lists.url, "ASSET_STORE_URL": self.drive.url,
            "WHATSAPP_AVATAR_SERVICE_URL": self.avatars.url,
            **{key: self.fill_in(value) for key, value in fault.settings.items()},
        }
        self.daemon = Daemon(self.name, self.folder, world.binary, settings, self.disk.enter if self.disk else ())
        self.begun = None

    def fill_in(self, text):
        collector = self.collector.url if self.collector else ""
        return text.format(folder=self.folder, collector=collector)

    def prepare(self):
        """Starts the daemon and waits until it has done its whole job once."""
        self.fault.before(self)
        self.daemon.start()
        if self.fault.first_look:
            if self.daemon.post(self.fault.headers) != 200:
                raise RuntimeError(f"{self.name}: its first trigger was refused")
            await_true(f"{self.name}: the first files are delivered", self.is_delivered)
        # Only now: the first list of a new installation is no storm of changes.
        self.world.discover(self.name, self.daemon.port)

    def is_delivered(self):
        """Whether the list was looked at and nothing is left to deliver."""
        return self.metric('cycles_total{outcome="success"}') and not (
            self.daemon.deliveries("pending") or self.daemon.deliveries("running"))

    def begin(self, at=None):
        """The seconds to detect count from now, or from then; otherwise from the fault's first line."""
        self.begun = at or time.time()

    def more_matches(self, count=1, **fields):
        """The list has so many matches more from now on."""
        first = max([m["matchid"] for m in self.lists.matches], default=0) + 1
        self.lists.matches = self.lists.matches + [a_match(n, **fields) for n in range(first, first + count)]

    @contextlib.contextmanager
    def repeating(self, seconds, act):
        """Does something again and again meanwhile. What fails in it ends the scenario's fault, too."""
        stop, errors = threading.Event(), []

        def loop():
            while not stop.is_set():
                try:
                    act()
                except Exception as error:  # told below
                    errors.append(error)
                    return
                stop.wait(seconds)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)
        if errors:
            raise errors[0]

    def metric(self, series):
        """The value of a series of the daemon, or None."""
        _, body = ask(f"{self.daemon.url}/metrics/prom")
        for line in body.decode().splitlines():
            if line.startswith(f"match_list_processor_{series} "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def watch(self, alert, **labels):
        return Watch(self.world, alert, self.name, labels)

    def end(self):
        """Ends the daemon, once Prometheus has forgotten it or has ended itself."""
        with contextlib.suppress(OSError):  # not every fault leaves one that answers
            keep("metrics", self.name, ask(f"{self.daemon.url}/metrics/prom")[1])
        self.daemon.kill()
        keep("log", self.name, self.daemon.said().encode())
        if self.disk:
            self.disk.end()


class Watch:
    """Whether an alert of an instance has been told to whom it should be."""

    def __init__(self, world, alert, instance, labels=None):
        self.world, self.alert, self.instance, self.labels = world, alert, instance, labels or {}
        self.receiver = RECEIVERS[world.severities[alert]]

    def heard(self):
        """(time, receiver, status) of all that was heard of it."""
        told = self.world.receiver.of(self.alert, self.instance)
        return [(at, to, status) for at, to, status, labels in told if self.labels.items() <= labels.items()]

    def astray(self):
        """Receivers that heard of it and should not."""
        return sorted({to for _, to, _ in self.heard()} - {self.receiver})

    def state(self):
        """(whether it fires, since when, by what its receiver was told last)."""
        if self.receiver == "null":
            return self.unheard()
        told = [(at, status) for at, to, status in self.heard() if to == self.receiver]
        if not told:
            return False, None
        fires = told[-1][1] == "firing"
        since = told[-1][0]
        for at, status in reversed(told):
            if (status == "firing") != fires:
                break
            since = at
        return fires, since

    def unheard(self):
        """The same for an alert that nobody is told of: what Prometheus and Alertmanager say now."""
        known = [a for a in self.world.alertmanager.alerts(self.alert, self.instance)
                 if self.labels.items() <= a["labels"].items()]
        fires = (self.alert, self.instance) in self.world.prometheus.firing()
        if known and [r["name"] for r in known[0]["receivers"]] != ["null"]:
            raise RuntimeError(f"{self.alert} goes to {known[0]['receivers']}")
        # Between the two it is neither: Prometheus has told it, or not yet.
        if fires and known:
            return True, time.time()
        return (False, time.time()) if not fires and not known else (None, None)

    def await_state(self, fires, patience):
        """When it began to fire or to be resolved; None if it did not."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            now, since = self.state()
            if now is fires and since is not None:
                return since
            time.sleep(0.2)
        return None
