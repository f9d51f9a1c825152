"""Every fault of the scenario: what breaks, which alerts must tell, and how it is mended.

A fault is a generator: what stands before its `yield` breaks things for real, and they stay broken
until all its alerts have reached their receivers; what stands behind mends them.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from neighbours import Collector, Foreign
from processes import ask, await_true

FAULTS = []
CYCLE_BUDGET = ("CycleBudgetFastBurn", "CycleBudgetSlowBurn")
DELIVERY_BUDGET = ("DeliveryBudgetFastBurn", "DeliveryBudgetSlowBurn")
REQUEST_BUDGET = ("RequestBudgetFastBurn", "RequestBudgetSlowBurn")
# A list of many matches without any files for them.
MANY = {"matches": 40, "settings": {"MIN_REFEREES_FOR_WHATSAPP": "9"}}
# For what takes so long that no cycle at all would be an alert.
LASTING = {"SERVICE_INTERVAL": "10"}
TOKEN = "an-invented-token"


class Fault:
    """A fault and what it needs. `later`: alerts that the others mute, and that are told once these are over.
    `momentary`: it is over by itself, so its alerts may be, too."""

    def __init__(self, script, what, alerts, settings=None, also=(), later=(), momentary=False, first_look=True,
                 headers=None, disk=None, collector=None, before=lambda stage: None, matches=4):
        self.script, self.what = script, what
        self.name = script.__name__.replace("_", "-").strip("<>")
        # (alert without its prefix, labels that it must have)
        self.alerts = [(a, {}) if isinstance(a, str) else a for a in alerts]
        self.later = [(a, {}) for a in later]
        self.settings, self.also, self.momentary = settings or {}, also, momentary
        self.first_look, self.headers, self.disk = first_look, headers, disk
        self.collector, self.before, self.matches = collector, before, matches


def fault(what, *alerts, **options):
    """Makes a generator a fault of the scenario."""
    def note(script):
        FAULTS.append(Fault(script, what, alerts, **options))
        return script
    return note


# What is there and answers.

@fault("killed and not started again; before, its restarts were an alert, which this one mutes",
       "Down", also=("CrashLooping",))
def down(stage):
    for _ in range(3):
        stage.daemon.kill()
        stage.daemon.start()
        time.sleep(2.5)
    looping = stage.watch("MatchListProcessorCrashLooping")
    if not looping.await_state(True, 30):
        raise RuntimeError("three restarts were no alert")
    stage.begin()
    stage.daemon.kill()
    if not stage.watch("MatchListProcessorDown").await_state(True, 30):
        raise RuntimeError("a killed daemon was no alert")
    muted = stage.world.alertmanager.alerts("MatchListProcessorCrashLooping", stage.name)
    if [a["status"]["state"] for a in muted] != ["suppressed"] or not muted[0]["status"]["inhibitedBy"]:
        raise RuntimeError(f"Down does not mute the other alerts of its instance: {muted}")
    yield
    stage.daemon.start()


@fault("killed again and again", "CrashLooping", also=("Down",))
def crashes(stage):
    def restart():
        stage.daemon.kill()
        stage.daemon.start()

    with stage.repeating(2.5, restart):
        yield


@fault("another service answers on its port", "MetricsMissing", also=("Down",))
def foreign(stage):
    stage.daemon.kill()
    other = Foreign(stage.daemon.port)
    yield
    other.go()
    stage.daemon.start()


@fault("the system refuses new threads while many ask", "Panicked", momentary=True, also=("Down",),
       settings={"PROBE_INTERVAL_SECONDS": "3600"})
def no_threads(stage):
    for _ in range(5):
        if stage.daemon.process.poll() is not None:
            # It needed a thread for work of its own and ended: not the panic that is meant here.
            stage.daemon.start()
        # Between two looks at the settings, which need a thread and come every five seconds; and so that
        # a scrape has seen the counter before.
        time.sleep(2)
        time.sleep(1 + -(time.time() - stage.daemon.started) % 5)
        stage.begin()
        many_ask_without_threads(stage)
        with contextlib.suppress(OSError):
            if stage.metric("panics_total"):
                break
    else:
        raise RuntimeError("no panic was survived")
    yield


def many_ask_without_threads(stage):
    """Requests that need threads at the same time, while the system gives none."""
    pid = str(stage.daemon.pid)
    strace = subprocess.Popen(["strace", "-qq", "-f", "-o", "/dev/null", "-p", pid,
                               "-e", "trace=clone3", "-e", "inject=clone3:error=EPERM"])
    try:
        await_true("strace is attached", lambda: tracer(pid) == strace.pid, 5)
        crowd = [socket.create_connection(("127.0.0.1", stage.daemon.port), 5) for _ in range(50)]
        for one in crowd:
            one.sendall(b"GET /status/detailed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for one in crowd:
            one.settimeout(2)
            with contextlib.suppress(OSError):
                one.recv(1)
            one.close()
    finally:
        strace.terminate()
        strace.wait()


def tracer(pid):
    """Who traces a process; 0 if nobody does."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("TracerPid"))


# Cycles.

@fault("every look fails with 503, after one that went well", "NoSuccessfulCycle",
       settings={"SERVICE_INTERVAL": "2"}, also=("DependencyDown", "OldestTriggerTooOld", *CYCLE_BUDGET))
def looks_fail(stage):
    stage.lists.mood = "503"
    yield
    stage.lists.mood = "well"
    stage.daemon.look()


@fault("no look has ever gone well", "NoSuccessfulCycle", first_look=False,
       also=("DependencyDown", "OldestTriggerTooOld", *CYCLE_BUDGET),
       settings={"SERVICE_INTERVAL": "2"}, before=lambda stage: setattr(stage.lists, "mood", "503"))
def never_well(stage):
    stage.begin(stage.daemon.started)
    yield
    stage.lists.mood = "well"
    stage.daemon.look()


@fault("a third of the looks fail", CYCLE_BUDGET[0], later=CYCLE_BUDGET[1:], settings=LASTING)
def looks_fail_at_times(stage):
    turn = 0

    def look():
        nonlocal turn
        turn += 1
        stage.lists.mood = "well" if turn % 3 else "refuses"
        stage.daemon.look()

    with stage.repeating(0.3, look):
        yield
    stage.lists.mood = "well"
    stage.daemon.look()


@fault("each look at the list takes eleven seconds", "UpstreamSlow", settings={"SERVICE_INTERVAL": "1"},
       also=("CycleStuck", "OldestTriggerTooOld"))
def list_slow(stage):
    stage.lists.slowness = 11
    yield
    stage.lists.slowness = 0


@fault("the list loses 15 of 40 matches", "MatchListShrank", also=("ChangeStorm",), **MANY)
def list_shrinks(stage):
    matches = stage.lists.matches
    stage.lists.matches = matches[:25]
    stage.daemon.look()
    yield
    stage.lists.matches = matches
    stage.daemon.look()


@fault("30 of 40 matches change their venue", "ChangeStorm", **MANY)
def list_storms(stage):
    stage.lists.matches = [dict(m, anlaggningnamn="Heden") if m["matchid"] <= 30 else m for m in stage.lists.matches]
    stage.daemon.look()
    yield


@fault("the list comes byte by byte", "CycleStuck", also=("OldestTriggerTooOld",))
def list_trickles(stage):
    stage.lists.mood = "trickles"
    stage.daemon.post()
    yield
    stage.lists.mood = "well"
    stage.daemon.look()


@fault("the list is empty", "CycleHeld", settings={"HOLD_CONFIRM_SECONDS": "3600"})
def list_empty(stage):
    matches, stage.lists.matches = stage.lists.matches, []
    stage.daemon.look()
    yield
    stage.lists.matches = matches
    stage.daemon.look()


# Triggers.

@fault("paused while a sender floods a queue of ten",
       "QueueNearlyFull", "OldestTriggerTooOld", ("TriggersRejected", {"result": "rejected_full"}),
       REQUEST_BUDGET[0], later=REQUEST_BUDGET[1:],
       settings={"QUEUE_CAPACITY": "10", **LASTING})
def queue_full(stage):
    stage.daemon.administrate("/pause")
    with stage.repeating(0.5, stage.daemon.post):
        yield
    stage.daemon.administrate("/resume")


@fault("a sender has another secret", "SendersRefused",
       settings={"WEBHOOK_AUTH": "bearer", "WEBHOOK_SECRET": TOKEN},
       headers={"Authorization": f"Bearer {TOKEN}"})
def wrong_secret(stage):
    with stage.repeating(1, lambda: stage.daemon.post({"Authorization": "Bearer another-invented-one"})):
        yield
    stage.daemon.post({"Authorization": f"Bearer {TOKEN}"})


@fault("listens on all networks without authentication", "OpenToEverybody")
def open_door(stage):
    stage.daemon.kill(signal.SIGTERM)
    stage.daemon.host = "0.0.0.0"
    stage.daemon.start()
    yield
    stage.daemon.kill(signal.SIGTERM)
    stage.daemon.host = "127.0.0.1"
    stage.daemon.start()


@fault("clients hold 90 % of its file descriptors", "FdsNearLimit", settings={"HEADER_TIMEOUT_SECONDS": "300"})
def descriptors(stage):
    pid, limit = stage.daemon.pid, 128
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={limit}:"], check=True)
    clients = []
    while len(os.listdir(f"/proc/{pid}/fd")) < 0.9 * limit:
        clients.append(socket.create_connection(("127.0.0.1", stage.daemon.port), 5))
        time.sleep(0.005)
    yield
    for client in clients:
        client.close()


# Deliveries.

@fault("the Drive service hangs", "OutboxStalled")
def drive_hangs(stage):
    stage.drive.mood = "hangs"
    stage.more_matches()
    stage.daemon.look()
    yield
    stage.drive.mood = "well"


@fault("the Drive service fails two of three uploads", "DeliveryFailing",
       also=("OutboxStalled", "ChangeStorm", "DependencyDown", *DELIVERY_BUDGET))
def drive_fails(stage):
    stage.drive.mood = "flaky"
    stage.more_matches(60)
    stage.daemon.look()
    yield
    stage.drive.mood = "well"


@fault("the Drive service fails every upload and says that it is well", ("DeliveryFailing", {"destination": "assets"}),
       "OutboxStalled", also=("DependencyDown", *DELIVERY_BUDGET))
def drive_down(stage):
    stage.drive.mood = "503"
    stage.more_matches(6)
    stage.daemon.look()
    yield
    stage.drive.mood = "well"


@fault("the Drive service refuses files for good (400)", "DeadLetters", DELIVERY_BUDGET[0], later=DELIVERY_BUDGET[1:],
       settings=LASTING)
def drive_refuses(stage):
    stage.drive.mood = "400"
    stage.more_matches(4)
    stage.daemon.look()
    yield
    stage.drive.mood = "well"
    for one in stage.daemon.deliveries("dead"):
        stage.daemon.administrate(f"/deliveries/{one}/retry")


@fault("the Drive service refuses files of a match that was called off (400), and of others", "CriticalDeadLetter",
       later=("DeadLetters",), also=DELIVERY_BUDGET, settings=LASTING)
def drive_refuses_the_urgent(stage):
    stage.drive.mood = "400"
    first, *others = stage.lists.matches
    stage.lists.matches = [dict(first, installd=True, anlaggningnamn="Heden"), *others]
    stage.more_matches()
    stage.daemon.look()
    yield
    stage.drive.mood = "well"
    for one in stage.daemon.deliveries("dead", "critical"):
        stage.daemon.administrate(f"/deliveries/{one}/retry")
    # Those that are left are told once the critical ones no longer mute them.
    if not stage.watch("MatchListProcessorDeadLetters").await_state(True, 60):
        raise RuntimeError("the dead letters that are left were no alert")
    for one in stage.daemon.deliveries("dead"):
        stage.daemon.administrate(f"/deliveries/{one}/retry")


# Neighbours, the disk, and the rest.

@fault("the list's service is gone", ("DependencyDown", {"dependency": "api_client"}))
def list_gone(stage):
    stage.lists.go()
    yield
    stage.lists.come()


@fault("the Drive and avatar services are gone", ("DependencyDown", {"dependency": "storage_service"}),
       ("DependencyDown", {"dependency": "avatar_service"}))
def files_gone(stage):
    stage.drive.go()
    stage.avatars.go()
    yield
    stage.drive.come()
    stage.avatars.come()


@fault("the disk is full", "StoreNotWritable", ("TriggersRejected", {"result": "rejected_store"}), disk="8m",
       also=(*REQUEST_BUDGET, *CYCLE_BUDGET))
def disk_full(stage):
    stage.disk.fill()
    with stage.repeating(0.5, stage.daemon.post):
        yield
    stage.disk.free()


def settings_file(stage, text):
    with open(os.path.join(stage.folder, "settings.toml"), "w", encoding="utf-8") as f:
        f.write(text)


@fault("a mistake in the settings file", "ConfigLoadFailed", settings={"CONFIG_FILE": "{folder}/settings.toml"},
       before=lambda stage: settings_file(stage, "debounce_seconds = 0\n"))
def bad_settings(stage):
    settings_file(stage, 'debounce_seconds = "soon"\n')
    os.kill(stage.daemon.pid, signal.SIGHUP)
    yield
    settings_file(stage, "debounce_seconds = 0\n")
    os.kill(stage.daemon.pid, signal.SIGHUP)


@fault("the collector of traces refuses them", "TraceExportFailing", collector=Collector,
       settings={"OTEL_EXPORTER_OTLP_ENDPOINT": "{collector}", "OTEL_BSP_SCHEDULE_DELAY": "500"})
def collector_refuses(stage):
    stage.collector.mood = "503"
    with stage.repeating(1, stage.daemon.post):
        yield
        stage.collector.mood = "well"


def calm(stage):
    """No fault: work of every kind, in which no alert may fire. One entry of the list is of no use."""
    stage.lists.matches = [*stage.lists.matches, {"anmarkning": "no match"}]
    turn = 0
    while True:
        turn += 1
        if turn % 5 == 0:
            first, *others = stage.lists.matches
            stage.lists.matches = [*others, dict(first, avsparkstid=f"19:{turn % 60:02}")]
        stage.daemon.post()
        for path in ("/", "/status", "/health", "/health/detailed", "/metrics", "/nowhere"):
            ask(f"{stage.daemon.url}{path}")
        for path in ("/changes", "/deliveries"):
            json.loads(ask(f"http://127.0.0.1:{stage.daemon.admin}{path}")[1])
        yield
