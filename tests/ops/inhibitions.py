#!/usr/bin/env python3
"""Asks the real Alertmanager which alert mutes which: every pair of alerts, each pair alone on an instance.

Usage: inhibitions.py ROOT [ALERTMANAGER_YML]   (needs Alertmanager; the receivers are emptied)
Exit: 0 when exactly those of MUTES are muted, and none of another instance; 1 otherwise.
"""

import glob
import itertools
import json
import os
import re
import sys
import tempfile
import time

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "e2e"))
from neighbours import free_ports  # noqa: E402
from processes import Alertmanager, ask, await_true  # noqa: E402

PREFIX = "MatchListProcessor"
SEVERITIES = ("info", "warning", "critical")
# Of the other alerts of the same instance.
MUTES = {
    "NoSuccessfulCycle": {"CycleBudgetFastBurn", "CycleBudgetSlowBurn"},
    "StoreNotWritable": {"CycleBudgetFastBurn", "CycleBudgetSlowBurn", "RequestBudgetFastBurn", "RequestBudgetSlowBurn"},
    "CycleBudgetFastBurn": {"CycleBudgetSlowBurn"},
    "DeliveryBudgetFastBurn": {"DeliveryBudgetSlowBurn"},
    "RequestBudgetFastBurn": {"RequestBudgetSlowBurn"},
    "CycleStuck": {"OldestTriggerTooOld"},
    "CriticalDeadLetter": {"DeadLetters"},
    "DependencyDown api_client": {"UpstreamSlow"},
}
# These say that nothing else can be believed. Absent knows no instance: it mutes those of every one.
BLIND = {"Down": {"Down", "Absent", "Watchdog"}, "Absent": {"Absent", "Watchdog"}}


def alerts(root):
    """Labels of every alert as it would fire, by a name of its own."""
    found = {}
    for path in glob.glob(os.path.join(root, "alerts", "*.rules.yml")):
        with open(path, encoding="utf-8") as f:
            rules = [r for group in yaml.safe_load(f)["groups"] for r in group["rules"] if "alert" in r]
        for rule in rules:
            labels = {"alertname": rule["alert"], "job": "match-list-processor", **rule["labels"]}
            slo = re.search(r'slo="(\w+)"', rule["expr"])
            if slo:
                labels["slo"] = slo[1]
            name = rule["alert"].removeprefix(PREFIX)
            if name == "DependencyDown":
                for dependency in ("api_client", "storage_service"):
                    found[f"{name} {dependency}"] = {**labels, "dependency": dependency}
            else:
                found[name] = labels
    return found


def expected(name, others):
    """Which of the others this one mutes."""
    if name in BLIND:
        return {other for other in others if other not in BLIND[name] and other != name}
    return MUTES.get(name, set()) & set(others)


def post(alertmanager, batch):
    """Tells Alertmanager of alerts."""
    body = json.dumps([{"labels": labels} for labels in batch]).encode()
    status, answer = ask(f"{alertmanager.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    if status != 200:
        raise RuntimeError(f"Alertmanager refuses alerts: {status} {answer}")


def known(alertmanager):
    """All that Alertmanager knows."""
    return json.loads(ask(f"{alertmanager.url}/api/v2/alerts")[1])


def muted_pairs(alertmanager, pairs, found):
    """The pairs of which the second is muted; also those of which it is although the first is elsewhere."""
    batch, of = [], {}
    for number, (source, target) in enumerate(pairs):
        here, there = f"together-{number}", f"apart-{number}"
        of[here] = of[there] = (source, target)
        batch += [{**found[source], "instance": here}, {**found[target], "instance": here}]
        batch += [{**found[source], "instance": f"elsewhere-{number}"}, {**found[target], "instance": there}]
    post(alertmanager, batch)
    await_true("all are known", lambda: len(known(alertmanager)) >= len(batch))
    # What mutes is taken up a moment later than it is known.
    time.sleep(2)
    together, apart = set(), set()
    for alert in known(alertmanager):
        labels = alert["labels"]
        pair = of.get(labels["instance"])
        if alert["status"]["state"] == "suppressed" and pair and labels["alertname"] == found[pair[1]]["alertname"]:
            (together if labels["instance"].startswith("together") else apart).add(pair)
    return together, apart


def problems(alertmanager, found):
    """What is muted and should not be, and the other way round."""
    # Absent has no instance and would mute all pairs at once: it comes last.
    names = [name for name in found if name != "Absent"]
    pairs = [pair for pair in itertools.permutations(names, 2) if pair[0].split()[0] != pair[1].split()[0]]
    wanted = {(s, t) for s, t in pairs if t in expected(s, names)}
    muted, apart = muted_pairs(alertmanager, pairs, found)
    yield from (f"{s} does not mute {t}" for s, t in sorted(wanted - muted))
    yield from (f"{s} mutes {t}" for s, t in sorted(muted - wanted))
    yield from (f"{s} mutes {t} of another instance" for s, t in sorted(apart))
    for source, target in sorted(muted):
        if SEVERITIES.index(found[source]["severity"]) < SEVERITIES.index(found[target]["severity"]):
            yield f"{source} mutes {target}, which is more severe"
    post(alertmanager, [{k: v for k, v in found["Absent"].items() if k != "instance"}])
    others = set(names) - BLIND["Absent"]
    await_true("Absent is known", lambda: any(a["labels"]["alertname"] == f"{PREFIX}Absent" for a in known(alertmanager)))
    time.sleep(2)
    for alert in known(alertmanager):
        name = alert["labels"]["alertname"].removeprefix(PREFIX)
        silent = alert["status"]["state"] == "suppressed"
        if silent != any(name == other.split()[0] for other in others):
            yield f"with Absent, {name} is {alert['status']['state']}"
            return


def main():
    root = sys.argv[1]
    path = sys.argv[2] if len(sys.argv) > 2 else os.path.join(root, "alerts", "alertmanager.yml")
    with open(path, encoding="utf-8") as f:
        config = yaml.safe_load(f)
    config["receivers"] = [{"name": receiver["name"]} for receiver in config["receivers"]]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "alertmanager.yml"), "w", encoding="utf-8") as f:
            yaml.safe_dump(config, f)
        alertmanager = Alertmanager(folder, free_ports(1)[0])
        alertmanager.start(os.path.join(folder, "alertmanager.yml"))
        try:
            found = list(problems(alertmanager, alerts(root)))
        finally:
            alertmanager.kill()
    print("\n".join(found) or f"inhibitions: ok, {sum(map(len, MUTES.values()))} pairs besides Down and Absent")
    # The thread that started Alertmanager does not hold up the end.
    sys.stdout.flush()
    os._exit(1 if found else 0)


if __name__ == "__main__":
    main()
