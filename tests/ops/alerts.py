#!/usr/bin/env python3
"""Checks what promtool does not: every alert is labelled, explained, tested and reads real metrics.

Usage: alerts.py ROOT
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import glob
import json
import os
import re
import sys

import yaml

import promql

SERVICE = "match-list-processor"
SEVERITIES = ("critical", "warning", "info")
ANNOTATIONS = ("summary", "description", "runbook_url", "dashboard_url")


def anchors(path):
    """The anchors of a Markdown file's headings, as forges make them."""
    with open(path, encoding="utf-8") as f:
        headings = re.findall(r"^#+ (.*)$", f.read(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}


def load(root, pattern):
    """All YAML documents of the alert folder whose names match."""
    out = []
    for path in sorted(glob.glob(os.path.join(root, "alerts", pattern))):
        with open(path, encoding="utf-8") as f:
            out.append(yaml.safe_load(f))
    return out


def tested(tests):
    """Alerts with a case that expects them to fire, and alerts with one that expects silence."""
    firing, silent = set(), set()
    for test in (t for doc in tests for t in doc["tests"]):
        for case in test.get("alert_rule_test", []):
            (firing if case.get("exp_alerts") else silent).add(case["alertname"])
    return firing, silent


def problems_of(rule, root, uids):
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
    page, _, anchor = annotations.get("runbook_url", "").partition("#")
    path = os.path.join(root, page)
    if not os.path.isfile(path) or anchor not in anchors(path):
        yield f"runbook {page}#{anchor} does not exist"
    if annotations.get("dashboard_url", "").removeprefix("/d/") not in uids:
        yield "dashboard_url names no dashboard of this repository"


def main():
    root = sys.argv[1]
    reference = os.path.join(root, "docs", "METRICS.md")
    if not os.path.exists(reference):
        sys.exit("docs/METRICS.md is missing: the metrics of the alerts cannot be checked")
    known = promql.documented(reference)
    uids = set()
    for path in glob.glob(os.path.join(root, "dashboards", "*.json")):
        with open(path, encoding="utf-8") as f:
            uids.add(json.load(f)["uid"])
    rules = [r for doc in load(root, "*.rules.yml") for g in doc["groups"] for r in g["rules"]]
    alerts = [r for r in rules if "alert" in r]
    firing, silent = tested(load(root, "*.test.yml"))
    problems = [f"{r['alert']}: {p}" for r in alerts for p in problems_of(r, root, uids)]
    for name in (r["alert"] for r in alerts):
        if name not in firing:
            problems.append(f"{name}: no test expects it to fire")
        # The Watchdog is the one alert that must never be silent.
        if name not in silent and not name.endswith("Watchdog"):
            problems.append(f"{name}: no test expects it to be silent")
    for rule in rules:
        missing = promql.undocumented(promql.metrics(rule["expr"]), known)
        problems += [f"{rule.get('alert') or rule.get('record')}: {n} is not in docs/METRICS.md" for n in missing]
    if not alerts:
        problems.append("no alerts found")
    print("\n".join(problems) or f"{len(alerts)} alerts: ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
