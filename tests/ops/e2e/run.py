#!/usr/bin/env python3
"""Alerts and dashboards against the real daemon, Prometheus and Alertmanager.

The shipped rules and routes run with every duration divided (scale.py). Each fault of faults.py is
injected into a daemon of its own; each of its alerts must reach its receiver, and must be resolved
once the fault is mended. Then every query of the dashboards is asked of the same Prometheus.

Usage: run.py ROOT [--factor N] [--only NAME]… [--keep]
The daemon is ROOT/target/debug/match-list-processor, or the one that MLP_BINARY names.
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import argparse
import copy
import glob
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import yaml

import faults
import panels
from neighbours import Receiver, free_ports
from processes import Alertmanager, Prometheus, await_true
from scale import Scale, documented_buckets
from stage import Stage, Watch, World

PREFIX = "MatchListProcessor"
PATIENCE = 150
# An alert that nothing can cause: it must be found missing, or a missing one would not be.
UNREACHABLE = PREFIX + "ControlUnreachable"
# Alerts that have no fault of their own, and where they are tried instead.
APART = {PREFIX + "Watchdog": "it always fires", PREFIX + "Absent": "no target is discovered"}


def shipped_rules(root):
    """The documents of all files of rules."""
    for path in sorted(glob.glob(os.path.join(root, "alerts", "*.rules.yml"))):
        with open(path, encoding="utf-8") as f:
            yield os.path.basename(path), yaml.safe_load(f)


def alerts_of(documents):
    """Every alert's name and severity."""
    rules = (rule for document in documents for group in document["groups"] for rule in group["rules"])
    return {rule["alert"]: rule["labels"]["severity"] for rule in rules if "alert" in rule}


def named_labels(documents):
    """The labels that the texts of each alert name. One that an alert has not leaves a gap in them."""
    rules = (rule for document in documents for group in document["groups"] for rule in group["rules"])
    return {rule["alert"]: set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
            for rule in rules if "alert" in rule}


def unscripted(alerts, scripted):
    """Alerts that no fault would ever cause."""
    caused = {PREFIX + alert for fault in scripted for alert, _ in fault.alerts + fault.later}
    return sorted(set(alerts) - caused - set(APART))


class Setting:
    """The configuration of the servers: the shipped files, with other addresses and shorter times."""

    def __init__(self, root, folder, factor, ports, receiver):
        self.root, self.folder, self.receiver = root, folder, receiver
        self.prometheus_port, self.alertmanager_port = ports
        self.scale = Scale(factor, buckets=documented_buckets(os.path.join(root, "docs", "METRICS.md")))
        self.documents = dict(shipped_rules(root))
        self.alerts = alerts_of(self.documents.values())

    def write(self, name, document):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            yaml.safe_dump(document, f, sort_keys=False)
        return path

    def rules(self):
        """Writes the rules, and one more whose threshold cannot be reached."""
        paths = []
        for name, document in self.documents.items():
            paths.append(self.write(name, self.scale.rules(copy.deepcopy(document))))
        control = {"alert": UNREACHABLE, "expr": 'up{job="match-list-processor"} < 0',
                   "labels": {"severity": "warning", "service": "match-list-processor"}}
        return paths + [self.write("control.rules.yml", {"groups": [{"name": "control", "rules": [control]}]})]

    def prometheus(self):
        with open(os.path.join(self.root, "deploy", "prometheus", "prometheus.yml"), encoding="utf-8") as f:
            config = yaml.safe_load(f)
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = self.rules()
        alertmanager = {"targets": [f"127.0.0.1:{self.alertmanager_port}"]}
        config["alerting"]["alertmanagers"][0]["static_configs"] = [alertmanager]
        scrape = config["scrape_configs"][0]
        scrape["scrape_timeout"] = "1s"
        del scrape["static_configs"]
        scrape["file_sd_configs"] = [{"files": [os.path.join(self.folder, "targets.json")], "refresh_interval": "1s"}]
        return self.write("prometheus.yml", config)

    def alertmanager(self):
        with open(os.path.join(self.root, "alerts", "alertmanager.yml"), encoding="utf-8") as f:
            config = yaml.safe_load(f)
        self.scale.routes(config["route"])
        for receiver in config["receivers"]:
            for hook in receiver.get("webhook_configs", []):
                hook["url"] = f"{self.receiver.url}/{receiver['name']}"
        return self.write("alertmanager.yml", config)


class Row:
    """What became of one alert of one fault."""

    def __init__(self, fault, alert, labels):
        self.fault, self.alert, self.labels = fault, alert, labels
        self.detected = self.resolved = None
        self.problems = []

    def told(self):
        name = self.alert.removeprefix(PREFIX) + "".join(f" {v}" for v in self.labels.values())
        seconds = ["-" if value is None else f"{value:.0f} s" for value in (self.detected, self.resolved)]
        return (self.fault, name, *seconds)


class Play(threading.Thread):
    """Plays one fault and fills its rows."""

    def __init__(self, stage, fault=None, patience=PATIENCE):
        super().__init__(daemon=True)
        self.stage, self.fault, self.patience = stage, fault or stage.fault, patience
        self.rows = [Row(self.fault.what, PREFIX + a, labels) for a, labels in self.fault.alerts]
        self.later = [Row(self.fault.what, PREFIX + a, labels) for a, labels in self.fault.later]
        self.problems = []

    def run(self):
        try:
            self.play()
        except (RuntimeError, TimeoutError) as error:
            self.problems.append(f"{self.fault.name}: {error}")
        except Exception:  # whatever it is, the other faults go on and this one has failed
            self.problems.append(f"{self.fault.name}: {traceback.format_exc()}")
        # Nothing more is to be learnt of it; without traffic it would only become stale.
        if self.fault is self.stage.fault:
            self.stage.world.forget(self.stage.name)

    def play(self):
        stage, began = self.stage, time.time()
        script = self.fault.script(stage)
        next(script)
        began = stage.begun or began
        watches = [stage.watch(row.alert, **row.labels) for row in self.rows]
        for row, watch in zip(self.rows, watches):
            since = self.first_firing(watch)
            if since is None:
                row.problems.append(f"{row.alert} did not reach {watch.receiver} ({self.fault.name})")
            else:
                row.detected = since - began
        for row, watch in zip(self.rows, watches):
            if row.detected is not None and not self.fault.momentary and watch.state()[0] is False:
                row.problems.append(f"{row.alert} was resolved while the fault lasted ({self.fault.name})")
        for row in self.later:
            self.muted(row)
        healed = time.time()
        if next(script, "ended") != "ended":
            raise RuntimeError("a fault has one yield")
        for row, watch in zip(self.rows, watches):
            if row.detected is None:
                continue
            since = watch.await_state(False, self.patience)
            if since is None:
                row.problems.append(f"{row.alert} was not resolved ({self.fault.name})")
            else:
                row.resolved = max(since - healed, 0)
            if watch.astray():
                row.problems.append(f"{row.alert} reached {watch.astray()} instead of {watch.receiver} alone")
        for row in self.later:
            self.unmuted(row, began, healed)

    def muted(self, row):
        """While the fault lasts another alert mutes this one."""
        def suppressed():
            found = self.stage.world.alertmanager.alerts(row.alert, self.stage.name)
            return found and found[0]["status"]["inhibitedBy"]

        try:
            await_true(f"{row.alert} is muted", suppressed, self.patience)
        except TimeoutError as error:
            row.problems.append(f"{error} ({self.fault.name})")
        if self.stage.watch(row.alert, **row.labels).heard():
            row.problems.append(f"{row.alert} was told although it is muted ({self.fault.name})")

    def unmuted(self, row, began, healed):
        """What mutes it is over: now it is told, and in the end resolved."""
        watch = self.stage.watch(row.alert, **row.labels)
        since = self.first_firing(watch)
        if since is None:
            row.problems.append(f"{row.alert} did not reach {watch.receiver} after what muted it ({self.fault.name})")
            return
        row.detected = since - began
        since = watch.await_state(False, self.patience)
        if since is None:
            row.problems.append(f"{row.alert} was not resolved ({self.fault.name})")
        else:
            row.resolved = max(since - healed, 0)
        if watch.astray():
            row.problems.append(f"{row.alert} reached {watch.astray()} instead of {watch.receiver} alone")

    def first_firing(self, watch):
        """When its receiver first heard of it. An alert that came and went was heard, too."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            fires, since = watch.state()
            heard = [at for at, to, status in watch.heard() if (to, status) == (watch.receiver, "firing")]
            if heard or fires:
                return heard[0] if heard else since
            time.sleep(0.2)
        return None


class Scenario:
    """All of it, from the first server to the last."""

    def __init__(self, root, folder, options):
        self.root, self.folder, self.options = root, folder, options
        self.receiver = Receiver()
        ports = free_ports(2)
        self.setting = Setting(root, folder, options.factor, ports, self.receiver)
        self.prometheus = Prometheus(folder, ports[0])
        self.alertmanager = Alertmanager(folder, ports[1])
        binary = os.environ.get("MLP_BINARY") or os.path.join(root, "target", "debug", "match-list-processor")
        self.world = World(folder, binary, self.prometheus, self.alertmanager, self.receiver,
                           {**self.setting.alerts, UNREACHABLE: "warning"})
        chosen = [f for f in faults.FAULTS if not options.only or f.name in options.only]
        self.calm = Stage(self.world, faults.Fault(faults.calm, "nothing at all", []))
        self.stages = [Stage(self.world, fault) for fault in chosen]
        self.problems, self.rows = [], []
        self.begun = time.time()

    def start(self):
        self.alertmanager.start(self.setting.alertmanager())
        self.prometheus.discover({})
        self.prometheus.start(self.setting.prometheus())
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(Stage.prepare, [self.calm, *self.stages]))
        everybody = len(self.stages) + 1
        count = 'count(up{job="match-list-processor"} == 1)'
        await_true("all are scraped", lambda: self.prometheus.value(count) == everybody)

    def play(self):
        """Calm first, then all faults at the same time, then that of no target at all."""
        work = faults.calm(self.calm)
        with self.calm.repeating(1, lambda: next(work)):
            time.sleep(8)
            known = {(PREFIX + alert, stage.name) for stage in self.stages for alert in stage.fault.also}
            early = self.prometheus.firing() - known - {(PREFIX + "Watchdog", None)}
            if early:
                self.problems.append(f"alerts fire before anything is broken: {sorted(map(str, early))}")
            plays = [Play(stage) for stage in self.stages]
            for play in plays:
                play.start()
            for play in plays:
                play.join()
                self.problems += play.problems
                self.rows += play.rows + play.later
            for play in plays:
                self.side_effects(play)
            self.calmness()
            self.clearness()
            self.controls()
            if not self.options.only:
                self.absent()
                self.watchdog()

    def calmness(self):
        told = sorted({h[3]["alertname"] for h in self.receiver.heard if h[3].get("instance") == self.calm.name})
        if told:
            self.problems.append(f"alerts of an instance with which nothing was wrong: {told}")

    def clearness(self):
        """Whoever is called must be able to read of what it speaks."""
        self.problems += [f"not a text for people: {text}" for text in sorted(self.receiver.unclear)]
        named = named_labels(self.setting.documents.values())
        gaps = {(h[3]["alertname"], name) for h in self.receiver.heard for name in named.get(h[3]["alertname"], ())
                if not h[3].get(name)}
        self.problems += [f"{alert} speaks of its {name} and has none" for alert, name in sorted(gaps)]

    def side_effects(self, play):
        """Alerts of an instance that its fault does not explain."""
        expected = {PREFIX + a for a, _ in play.fault.alerts + play.fault.later} | {PREFIX + a for a in play.fault.also}
        told = {h[3]["alertname"] for h in self.receiver.heard if h[3].get("instance") == play.fault.name}
        for alert in sorted(told - expected):
            self.problems.append(f"{alert} fired though nothing of {play.fault.name} explains it")

    def absent(self):
        """The targets vanish from the discovery, and come back."""
        row = Row("no target is discovered", PREFIX + "Absent", {})
        self.rows.append(row)
        watch = Watch(self.world, row.alert, None)
        began = time.time()
        self.prometheus.discover({})
        since = watch.await_state(True, PATIENCE)
        self.prometheus.discover(self.world.targets)
        healed = time.time()
        if since is None:
            row.problems.append(f"{row.alert} did not reach {watch.receiver}")
            return
        row.detected = since - began
        since = watch.await_state(False, PATIENCE)
        if since is None:
            row.problems.append(f"{row.alert} was not resolved")
        else:
            row.resolved = since - healed

    def watchdog(self):
        """The heartbeat comes again and again, to its monitor alone."""
        row = Row("Prometheus stops: the heartbeat ends", PREFIX + "Watchdog", {})
        self.rows.append(row)
        told = self.receiver.of(row.alert)
        if {to for _, to, _, _ in told} != {"heartbeat"}:
            row.problems.append(f"the heartbeat went to {sorted({to for _, to, _, _ in told})}")
        gaps = [b[0] - a[0] for a, b in zip(told, told[1:])]
        if len(told) < 10 or max(gaps) > 10:
            row.problems.append(f"{len(told)} heartbeats, the longest pause {max(gaps, default=0):.0f} s")

    def silence(self):
        """Without Prometheus the heartbeat ends: then its monitor must call somebody."""
        stopped = time.time()
        self.prometheus.kill(signal.SIGTERM)

        def last():
            return self.receiver.of(PREFIX + "Watchdog")[-1][0]

        try:
            await_true("the heartbeat ends", lambda: time.time() - last() > 6, 30)
        except TimeoutError:
            self.problems.append("the heartbeat goes on without Prometheus")
            return
        row = next(r for r in self.rows if r.alert == PREFIX + "Watchdog")
        row.detected = max(last() - stopped, 0)

    def controls(self):
        """What the scenario must find out: a silent alert, and an alert without a fault."""
        nothing = faults.Fault(lambda stage: iter([None]), "nothing at all", [UNREACHABLE.removeprefix(PREFIX)])
        play = Play(self.calm, nothing, patience=5)
        play.run()
        if play.problems or not any("did not reach" in problem for problem in play.rows[0].problems):
            self.problems.append(f"control: an alert that cannot fire is not missed {play.problems}")
        if PREFIX + "Unknown" not in unscripted({**self.setting.alerts, PREFIX + "Unknown": "info"}, faults.FAULTS):
            self.problems.append("control: an alert without a fault is not noticed")

    def queries(self):
        """No panel and no diagnosis may be empty; a panel that asks for a label which nothing has must be."""
        asked, end = list(panels.queries(self.root)), time.time()
        diagnoses = list(panels.diagnoses(self.root))
        for where, what, expr in panels.empty(self.prometheus, asked + diagnoses, self.begun, end):
            self.problems.append(f"{where}, {what!r} is empty: {expr}")
        misspelt = [(d, p, e.replace("job=~", "jbo=~")) for d, p, e in asked if "job=~" in e]
        missed = len(misspelt) - len(panels.empty(self.prometheus, misspelt, self.begun, end))
        if not misspelt or not diagnoses or missed:
            self.problems.append(f"control: {missed} of {len(misspelt)} queries on a misspelt label are not empty")
        print(f"{len(asked)} queries of dashboards, {len(diagnoses)} of runbooks; "
              f"with a misspelt label {len(misspelt) - missed} of {len(misspelt)} are empty")

    def end(self):
        for stage in [self.calm, *self.stages]:
            stage.end()
        self.prometheus.kill(signal.SIGTERM)
        self.alertmanager.kill(signal.SIGTERM)

    def report(self):
        table = [("fault", "alert", "told after", "resolved after"), *(row.told() for row in self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(4)]
        for line in table:
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
            if line is table[0]:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        self.problems += [problem for row in self.rows for problem in row.problems]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--factor", type=float, default=120)
    parser.add_argument("--only", action="append")
    parser.add_argument("--keep", action="store_true", help="leave the folder with logs and data")
    options = parser.parse_args()
    root, begun = os.path.abspath(options.root), time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="alerts-e2e-")
    scenario = Scenario(root, folder, options)
    missing = unscripted(scenario.setting.alerts, faults.FAULTS)
    scenario.problems += [f"{alert} has no fault in faults.py" for alert in missing]
    try:
        scenario.start()
        scenario.play()
        if not options.only:
            scenario.queries()
            scenario.silence()
    finally:
        scenario.end()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    for name, changed in scenario.setting.scale.changed:
        print(f"scaled  {name.removeprefix(PREFIX)}: {'; '.join(changed) or 'nothing'}")
    scenario.report()
    print("\n".join(f"FAILED  {problem}" for problem in scenario.problems))
    print(f"{len(scenario.rows)} alerts told, {len(scenario.problems)} problems, {time.monotonic() - begun:.0f} s")
    # Threads of clients that still wait for an answer do not hold up the end.
    sys.stdout.flush()
    os._exit(1 if scenario.problems else 0)


if __name__ == "__main__":
    main()
