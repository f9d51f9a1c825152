#!/usr/bin/env python3
"""Checks what promtool does not: every alert is labelled, explained, tested and reads real metrics.

Usage: alerts.py ROOT [--prove]
  --prove  takes away every test of one kind of one alert after the other: each time that must be a problem
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import copy
import glob
import json
import os
import re
import sys

import yaml

import promql
import promtests
import runbooks

SERVICE = "match-list-processor"
SEVERITIES = ("critical", "warning", "info")
# Which kinds of tests (see promtests.py) an alert cannot have, and why.
EXCUSED = {
    "Absent": {
        "missing": "it fires when the series is missing",
        "target-gone": "a target that is no longer discovered is what it fires for",
    },
    "Down": {"target-gone": "a target that does not answer is what it fires for"},
    "MetricsMissing": {"target-gone": "it speaks of targets that answer; Down takes over at once"},
    "Watchdog": dict.fromkeys(("below", "healthy", "missing", "target-gone"), "it always fires"),
}
ANNOTATIONS = ("summary", "description", "runbook_url", "dashboard_url")


def load(root, pattern):
    """All YAML documents of the alert folder whose names match."""
    out = []
    for path in sorted(glob.glob(os.path.join(root, "alerts", pattern))):
        with open(path, encoding="utf-8") as f:
            out.append(yaml.safe_load(f))
    return out


def cases_of(rules, tests):
    """Whether every alert has a block of each kind, and every block is of the kinds that it names."""
    alerts = {r["alert"]: r for r in rules if "alert" in r}
    recorded = {}
    for rule in rules:
        if "record" in rule:
            recorded.setdefault(rule["record"], []).append(rule["expr"])
    reads = {name: promtests.read_by(rule["expr"], recorded) for name, rule in alerts.items()}
    down = promtests.seconds(alerts[f"{promtests.PREFIX}Down"]["for"])
    shown = {name: set() for name in alerts}
    for block in (b for doc in tests for b in promtests.blocks(doc)):
        if not block.cases:
            continue
        if not block.kinds:
            yield f"test {block.name!r}: its name does not say what kind it is: Subject [kind, kind]: words"
            continue
        for name in sorted(set(block.cases) - set(alerts)):
            yield f"test {block.name!r}: there is no alert {name}"
        present = set(block.cases) & set(alerts)
        for kind in block.kinds:
            kept = {a for a in present if promtests.keeps(kind, block, alerts[a], reads[a], down)}
            if not kept:
                yield f"test {block.name!r}: it is not what [{kind}] promises"
            for name in kept:
                shown[name].add(kind)
    for name, kinds in shown.items():
        excused = EXCUSED.get(name.removeprefix(promtests.PREFIX), {})
        for kind in promtests.REQUIRED:
            if kind == "before-for" and "for" not in alerts[name]:
                continue
            if kind not in kinds and kind not in excused:
                yield f"{name}: no test is [{kind}]"
            if kind in kinds and kind in excused:
                yield f"{name}: is excused from [{kind}] for nothing"
    for name in {r.get("record") for r in rules} - {None}:
        if not any(name in case["expr"] for doc in tests for t in doc["tests"] for case in t.get("promql_expr_test", [])):
            yield f"{name}: no test holds the recorded value against counters"


def without(tests, alert, kind):
    """The tests without the cases of an alert in those blocks that are of a kind."""
    left = copy.deepcopy(tests)
    for doc in left:
        for test in doc["tests"]:
            named = promtests.NAME.fullmatch(test.get("name", ""))
            if named and kind in re.split(", *", named["kinds"]):
                test["alert_rule_test"] = [c for c in test.get("alert_rule_test", []) if c["alertname"] != alert]
        doc["tests"] = [t for t in doc["tests"] if t.get("alert_rule_test") or t.get("promql_expr_test")]
    return left


def unnoticed(rules, tests):
    """What can be taken away without a problem."""
    taken = 0
    for rule in (r for r in rules if "alert" in r):
        alert = rule["alert"]
        excused = EXCUSED.get(alert.removeprefix(promtests.PREFIX), {})
        for kind in promtests.REQUIRED:
            if kind in excused or kind == "before-for" and "for" not in rule:
                continue
            taken += 1
            if f"{alert}: no test is [{kind}]" not in cases_of(rules, without(tests, alert, kind)):
                yield f"{alert}: nobody notices that no test is [{kind}]"
    print(f"{taken} kinds of tests taken away, one after the other")


def problems_of(rule, shown_by):
    """Labels, annotations and links of one alert."""
    if not rule["alert"].startswith("MatchListProcessor"):
        yield "its name must begin with MatchListProcessor"
    labels, annotations = rule.get("labels", {}), rule.get("annotations", {})
    if labels.get("severity") not in SEVERITIES:
        yield f"severity must be one of {', '.join(SEVERITIES)}"
    if labels.get("service") != SERVICE:
        yield f"service must be {SERVICE}"
    for name in ANNOTATIONS:
        if not annotations.get(name, "").strip():
            yield f"annotation {name} is missing"
    if annotations.get("runbook_url") != f"docs/runbooks/{rule['alert']}.md":
        yield f"runbook_url must be docs/runbooks/{rule['alert']}.md"
    shown = shown_by.get(annotations.get("dashboard_url", "").removeprefix("/d/"))
    if shown is None:
        yield "dashboard_url names no dashboard of this repository"
    elif rule["alert"] not in shown and rule["alert"] != f"{promtests.PREFIX}Watchdog":
        yield "no panel of the dashboard that dashboard_url names speaks of it"


def main():
    root = sys.argv[1]
    rules = [r for doc in load(root, "*.rules.yml") for g in doc["groups"] for r in g["rules"]]
    if "--prove" in sys.argv[2:]:
        problems = list(unnoticed(rules, load(root, "*.test.yml")))
        print("\n".join(problems) or "each was noticed")
        sys.exit(1 if problems else 0)
    reference = os.path.join(root, "docs", "METRICS.md")
    if not os.path.exists(reference):
        sys.exit("docs/METRICS.md is missing: the metrics of the alerts cannot be checked")
    known = promql.documented(reference)
    shown_by = {}
    for path in glob.glob(os.path.join(root, "dashboards", "*.json")):
        with open(path, encoding="utf-8") as f:
            dashboard = json.load(f)
        texts = " ".join(panel.get("description") or "" for panel in dashboard["panels"])
        shown_by[dashboard["uid"]] = set(re.findall(rf"{promtests.PREFIX}\w+", texts))
    alerts = [r for r in rules if "alert" in r]
    problems = [f"{r['alert']}: {p}" for r in alerts for p in problems_of(r, shown_by)]
    problems += cases_of(rules, load(root, "*.test.yml"))
    problems += runbooks.problems(root, rules)
    for rule in rules:
        missing = promql.undocumented(promql.metrics(rule["expr"]), known)
        problems += [f"{rule.get('alert') or rule.get('record')}: {n} is not in docs/METRICS.md" for n in missing]
    if not alerts:
        problems.append("no alerts found")
    print("\n".join(problems) or f"{len(alerts)} alerts: ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
