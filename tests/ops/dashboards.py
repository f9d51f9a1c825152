#!/usr/bin/env python3
"""Checks dashboards/*.json: the rules of Grafana's dashboard linter without exclusions, and more.

Every expression parses (promtool), every metric is in docs/METRICS.md, and loading a dashboard
with the Grafana Foundation SDK and writing it again loses no key.

Usage: dashboards.py ROOT   (needs promtool on the PATH)
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

import promql

MATCHERS = ('job=~"$job"', 'instance=~"$instance"')
RANGE_FUNCTION = r"(?:rate|irate|increase)\("
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def variable_problems(dashboard):
    """The three variables that every dashboard has, and how they must be set."""
    variables = {v["name"]: v for v in dashboard["templating"]["list"]}
    source = variables.get("datasource", {})
    if (source.get("type"), source.get("query"), source.get("label")) != ("datasource", "prometheus", "Data source"):
        yield "variable datasource: must be a Prometheus data source labelled 'Data source'"
    for name in ("job", "instance"):
        v = variables.get(name)
        if not v:
            yield f"variable {name}: missing"
            continue
        wanted = {"type": "query", "label": name.capitalize(), "datasource": SOURCE, "multi": True,
                  "includeAll": True, "allValue": ".+", "refresh": 2}
        for key, value in wanted.items():
            if v.get(key) != value:
                yield f"variable {name}: {key} must be {value!r}"
        query = v["query"]["query"] if isinstance(v.get("query"), dict) else v.get("query", "")
        if not query.startswith("label_values("):
            yield f"variable {name}: must query label_values(…)"
        if name == "instance" and MATCHERS[0] not in query:
            yield f"variable instance: must filter by {MATCHERS[0]}"


def expression_problems(expr):
    """Selectors, ranges and counters of one expression."""
    found = promql.selectors(expr)
    if not found:
        yield "reads no known metric"
    for name in set(re.findall(r"([A-Za-z_:]\w*)\s*\{", expr)) - {name for name, _ in found}:
        yield f"{name} is no metric of this service"
    for name, matchers in found:
        for wanted in MATCHERS:
            if wanted not in matchers:
                yield f"{name} lacks {wanted}"
        counter = name.endswith(("_total", "_bucket", "_sum", "_count"))
        if counter and not re.search(RANGE_FUNCTION + re.escape(name) + r"\b", expr):
            yield f"counter {name} without rate or increase"
    for span in re.findall(r"\[([^\]]*)\]", expr):
        if span != "$__rate_interval":
            yield f"range [{span}] is not [$__rate_interval]"


def panel_problems(panel):
    """Title, description, unit, data source and queries of one panel."""
    for key in ("title", "description"):
        if not panel.get(key, "").strip():
            yield f"no {key}"
    if panel["type"] == "text":
        return
    if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
        yield "no unit"
    if panel.get("datasource") != SOURCE:
        yield "data source is not ${datasource}"
    if not panel.get("targets"):
        yield "no query"
    for target in panel.get("targets", []):
        if target.get("datasource") != SOURCE:
            yield f"query {target['refId']}: data source is not ${{datasource}}"
        if not target.get("legendFormat"):
            yield f"query {target['refId']}: no legend"
        yield from (f"query {target['refId']}: {p}" for p in expression_problems(target["expr"]))


def panels_of(dashboard):
    """All panels but rows, those within collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def lost_keys(before, after, path=""):
    """Paths that are in `before` and absent or different in `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost_keys(value, after[key], f"{path}/{key}") if key in after else [f"{path}/{key}"]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (b, a) in enumerate(zip(before, after)):
            yield from lost_keys(b, a, f"{path}/{i}")
    elif before != after:
        yield path


def overlaps(panels):
    """Pairs of panels that lie upon each other."""
    boxes = [(p["title"], p["gridPos"]) for p in panels]
    for i, (a, g) in enumerate(boxes):
        if g["x"] + g["w"] > 24:
            yield f"panel {a!r} is wider than the grid"
        for b, o in boxes[i + 1 :]:
            if g["x"] < o["x"] + o["w"] and o["x"] < g["x"] + g["w"] and g["y"] < o["y"] + o["h"] and o["y"] < g["y"] + g["h"]:
                yield f"panels {a!r} and {b!r} overlap"


def dashboard_problems(dashboard, known):
    """Everything that is wrong with one dashboard."""
    if dashboard.get("editable") is not False:
        yield "editable must be false"
    if not re.fullmatch(r"match-list-processor-[a-z-]{1,19}", dashboard.get("uid") or ""):
        yield "uid must be fixed: match-list-processor-<name>, 40 characters at most"
    if dashboard.get("id") is not None:
        yield "id must not be set: it belongs to one Grafana"
    if not any("match-list-processor" in link.get("tags", []) for link in dashboard.get("links", [])):
        yield "no links to the other dashboards"
    yield from variable_problems(dashboard)
    panels = list(panels_of(dashboard))
    ids = [p["id"] for p in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        yield "panel ids repeat"
    yield from overlaps(panels)
    names = set()
    for panel in panels:
        yield from (f"panel {panel.get('title')!r}: {p}" for p in panel_problems(panel))
        for target in panel.get("targets", []):
            names |= promql.metrics(target["expr"])
    yield from (f"{n} is not in docs/METRICS.md" for n in promql.undocumented(names, known))
    written = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    yield from (f"the Grafana SDK does not know {p}" for p in lost_keys(dashboard, written))


def syntax_problems(dashboards):
    """What promtool says of all expressions, as one file of recording rules."""
    rules = []
    for name, dashboard in dashboards.items():
        for panel in panels_of(dashboard):
            for target in panel.get("targets", []):
                expr = target["expr"].replace("$__rate_interval", "5m")
                labels = {"at": f"{name}, panel {panel.get('title')}, query {target['refId']}"}
                rules.append({"record": "dashboard:query", "expr": expr, "labels": labels})
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}, f)
        f.flush()
        run = subprocess.run(["promtool", "check", "rules", "--lint=none", f.name],
                             capture_output=True, text=True, check=False)
    if run.returncode:
        yield "an expression does not parse:\n" + run.stdout + run.stderr


def main():
    root = sys.argv[1]
    plugins.register_default_plugins()
    reference = os.path.join(root, "docs", "METRICS.md")
    if not os.path.exists(reference):
        sys.exit("docs/METRICS.md is missing: the metrics of the dashboards cannot be checked")
    known = promql.documented(reference)
    dashboards = {}
    for path in sorted(glob.glob(os.path.join(root, "dashboards", "*.json"))):
        with open(path, encoding="utf-8") as f:
            dashboards[os.path.basename(path)] = json.load(f)
    problems = [f"{name}: {p}" for name, d in dashboards.items() for p in dashboard_problems(d, known)]
    uids = [d.get("uid") for d in dashboards.values()]
    if len(uids) != len(set(uids)):
        problems.append("two dashboards have the same uid")
    if not dashboards:
        problems.append("no dashboards found")
    problems += syntax_problems(dashboards)
    print("\n".join(problems) or f"{len(dashboards)} dashboards, {sum(len(list(panels_of(d))) for d in dashboards.values())} panels: ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
