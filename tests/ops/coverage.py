#!/usr/bin/env python3
"""Checks that no metric is exported for nothing: each is read by an alert, a recording rule or a dashboard,
and something in src/ counts it.

Usage: coverage.py ROOT
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import glob
import json
import os
import re
import sys

import yaml

import expressions

# Families that nothing here reads, and why they are exported all the same.
EXPLAINED = {}


def rules(root):
    """The expressions of alerts/."""
    for path in glob.glob(os.path.join(root, "alerts", "*.rules.yml")):
        with open(path, encoding="utf-8") as f:
            yield from (rule["expr"] for group in yaml.safe_load(f)["groups"] for rule in group["rules"])


def shown(root):
    """The expressions of dashboards/: panels, not variables or annotations, which show no numbers."""
    for path in glob.glob(os.path.join(root, "dashboards", "*.json")):
        with open(path, encoding="utf-8") as f:
            panels = json.load(f)["panels"]
        yield from (target["expr"] for panel in panels for target in panel.get("targets", []))


def program(root):
    """The code of src/ without tests and without the catalogue."""
    code = []
    for path in glob.glob(os.path.join(root, "src", "**", "*.rs"), recursive=True):
        if not re.search(r"tests?(/|\.rs$)", path) and not path.endswith("telemetry/metrics.rs"):
            with open(path, encoding="utf-8") as f:
                code.append(re.split(r"#\[cfg\(test\)\]\s*mod", f.read())[0])
    return "\n".join(code)


def counted(root, code):
    """The families of the catalogue, and whether the code gives them a value."""
    with open(os.path.join(root, "src", "telemetry", "metrics.rs"), encoding="utf-8") as f:
        families = re.findall(r'^    (\w+): \w+<.*> = "(\w+)"', f.read(), re.MULTILINE)
    for field, name in families:
        yield name, re.search(rf"\.\s*{field}\s*\.(inc|add|set|set_size|observe|observe_seconds|guard)\b", code)


def problems(root, explained, queries=None, code=None):
    """Families that are neither read nor explained, or never counted, and explanations that are out of date."""
    families = list(counted(root, program(root) if code is None else code))
    if not families:
        yield "src/telemetry/metrics.rs has no catalogue of metrics"
    yield from (f"{n}: nothing in src/ counts it" for n, found in families if not found)
    queries = shown(root) if queries is None else queries
    with open(os.path.join(root, "docs", "METRICS.md"), encoding="utf-8") as f:
        series = expressions.families(f.read())
    names = {s.name for e in (*rules(root), *queries) for s in expressions.selectors(expressions.parse(e))}
    read = {series[n].name for n in names if n in series}
    every = {family.name for family in series.values()}
    if not every:
        yield "docs/METRICS.md has no table of metrics"
    yield from (f"{n}: no alert and no dashboard reads it" for n in sorted(every - read - explained.keys()))
    for name in sorted(explained):
        if name not in every or name in read:
            yield f"{name}: explained without need"


def main():
    found = list(problems(sys.argv[1], EXPLAINED))
    print("\n".join(found) or "every metric is read")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
