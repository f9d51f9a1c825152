#!/usr/bin/env python3
"""Checks dashboards/*.json: the rules of Grafana's dashboard linter without exclusions, and more.

The linter's rules stand in RULES under the linter's names. Beyond them: every series is one that
docs/METRICS.md promises or a recording rule of alerts/ makes, with the labels that it has; the grid
has neither gaps nor overlaps; alerts that descriptions name exist; promtool parses every expression;
and loading a dashboard with the Grafana Foundation SDK and writing it again loses no key.

Usage: dashboards.py ROOT   (needs promtool on the PATH)
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import collections
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

import expressions

MATCHERS = (("job", "=~", "$job"), ("instance", "=~", "$instance"))
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RATES = ("rate", "irate", "increase")
# Those of Grafana's units that are in use here.
UNITS = ("none", "short", "percentunit", "bytes", "s", "ops", "reqps")
PAGES = ("overview", "pipeline", "delivery", "http", "runtime")
FOREIGN = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity", "service"}}
TARGET_LABELS = {"job", "instance"}
GRID = 24


class Known:
    """What the rest of the repository defines: series, recorded series and their labels, alerts and their runbooks."""

    def __init__(self, root):
        with open(os.path.join(root, "docs", "METRICS.md"), encoding="utf-8") as f:
            self.series = expressions.families(f.read())
        # Histograms whose buckets carry trace ids.
        with open(os.path.join(root, "src", "telemetry", "metrics.rs"), encoding="utf-8") as f:
            traced = re.findall(r'TracedHistogram<.*> = "(\w+)"', f.read())
        self.traced = re.compile(f"match_list_processor_({'|'.join(traced)})_bucket")
        self.recorded, self.runbooks, self.root = {}, {}, root
        for path in glob.glob(os.path.join(root, "alerts", "*.rules.yml")):
            with open(path, encoding="utf-8") as f:
                rules = [r for g in yaml.safe_load(f)["groups"] for r in g["rules"]]
            for r in (r for r in rules if "record" in r):
                labels = expressions.labels_kept(expressions.parse(r["expr"])) | r.get("labels", {}).keys()
                self.recorded.setdefault(r["record"], set()).update(labels)
            self.runbooks |= {r["alert"]: r["annotations"]["runbook_url"] for r in rules if "alert" in r}


def panels_of(dashboard):
    """All panels but rows, those within collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def parsed(expr):
    """The tree of an expression, or None: that it does not parse is told by another rule."""
    try:
        return expressions.parse(expr)
    except ValueError:
        return None


# Rules of a dashboard.


def template_datasource(dashboard):
    """A variable chooses the data source."""
    found = [v for v in dashboard["templating"]["list"] if v["type"] == "datasource"]
    wanted = ("datasource", "prometheus", "Data source")
    if [(v["name"], v.get("query"), v.get("label")) for v in found] != [wanted]:
        yield "there must be one data source variable: datasource, prometheus, labelled 'Data source'"


def template_label(name, dashboard):
    """A variable chooses job or instance: any number of them."""
    found = [v for v in dashboard["templating"]["list"] if v["name"] == name]
    if not found:
        yield f"variable {name}: missing"
        return
    wanted = {"type": "query", "label": name.capitalize(), "datasource": SOURCE, "multi": True,
              "includeAll": True, "allValue": ".+"}
    for key, value in wanted.items():
        if found[0].get(key) != value:
            yield f"variable {name}: {key} must be {value!r}"


def template_promql(dashboard):
    """Variables ask for label values of a selector, the instance within the job."""
    for v in dashboard["templating"]["list"]:
        if v["type"] != "query":
            continue
        query = v["query"]["query"] if isinstance(v.get("query"), dict) else v.get("query", "")
        asked = re.fullmatch(r"label_values\((.+), *(\w+)\)", query)
        if not asked or asked[2] != v["name"] or parsed(asked[1]) is None:
            yield f"variable {v['name']}: must query label_values(selector, {v['name']})"
        elif v["name"] == "instance" and 'job=~"$job"' not in asked[1]:
            yield 'variable instance: must filter by job=~"$job"'


def template_reload(dashboard):
    """Variables are asked for again when the time range changes."""
    for v in dashboard["templating"]["list"]:
        if v["type"] == "query" and v.get("refresh") != 2:
            yield f"variable {v['name']}: must refresh on time range change (2)"


def uneditable(dashboard):
    """What is provisioned is not edited in Grafana."""
    if dashboard.get("editable") is not False:
        yield "editable must be false"


# Rules of a panel.


def panel_datasource(panel):
    """The panel asks the data source of the variable."""
    if panel.get("datasource") != SOURCE:
        yield "data source is not ${datasource}"


def panel_title_description(panel):
    """A panel says what it shows."""
    for key in ("title", "description"):
        if not panel.get(key, "").strip():
            yield f"no {key}"


def panel_units(panel):
    """A panel has a unit that Grafana knows."""
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
    if unit not in UNITS:
        yield f"no unit, or one that is not used here: {unit}"


def panel_no_targets(panel):
    """A panel asks something."""
    if not panel.get("targets"):
        yield "no query"


# Rules of a query.


def target_promql(expr):
    """It is PromQL."""
    try:
        expressions.parse(expr)
    except ValueError as e:
        yield f"does not parse: {e}"


def target_rate_interval(expr):
    """A rate covers what Grafana thinks fit; only increases and the like may have a fixed window."""
    for s in expressions.selectors(expressions.parse(expr)):
        if s.function in ("rate", "irate") and s.span != expressions.MAGIC_RANGE:
            yield f"{s.name}: the range must be [$__rate_interval]"


def target_matcher(matcher, expr):
    """Every selector filters by the variable."""
    for s in expressions.selectors(expressions.parse(expr)):
        if matcher not in s.matchers:
            yield "{} lacks {}{}\"{}\"".format(s.name, *matcher)


def target_counter_agg(expr):
    """A counter is never shown as it stands."""
    for s in expressions.selectors(expressions.parse(expr)):
        if s.name.endswith(("_total", "_bucket", "_sum", "_count")) and s.function not in RATES:
            yield f"counter {s.name} without rate or increase"


RULES = {
    "dashboard": {
        "template-datasource-rule": template_datasource,
        "template-job-rule": lambda d: template_label("job", d),
        "template-instance-rule": lambda d: template_label("instance", d),
        "template-label-promql-rule": template_promql,
        "template-on-time-change-reload-rule": template_reload,
        "uneditable-dashboard": uneditable,
    },
    "panel": {
        "panel-datasource-rule": panel_datasource,
        "panel-title-description-rule": panel_title_description,
        "panel-units-rule": panel_units,
        "panel-no-targets-rule": panel_no_targets,
    },
    "target": {
        "target-promql-rule": target_promql,
        "target-rate-interval-rule": target_rate_interval,
        "target-job-rule": lambda e: target_matcher(MATCHERS[0], e),
        "target-instance-rule": lambda e: target_matcher(MATCHERS[1], e),
        "target-counter-agg-rule": target_counter_agg,
    },
}


# Beyond the linter.


def series_problems(expr, known):
    """Series that nobody makes, labels that they do not have, and functions that do not fit them."""
    tree = expressions.parse(expr)
    found = list(expressions.selectors(tree))
    if not found:
        yield "reads nothing"
    labels = set()
    for s in found:
        family = known.series.get(s.name)
        if family:
            own = family.labels | ({"le"} if s.name.endswith("_bucket") else set())
        elif s.name in FOREIGN:
            own = FOREIGN[s.name]
        elif s.name in known.recorded:
            own = known.recorded[s.name]
        else:
            yield f"{s.name or 'a selector without a name'} is neither in docs/METRICS.md nor recorded by alerts/"
            continue
        labels |= own | TARGET_LABELS
        for name, _, _ in s.matchers:
            if name not in own | TARGET_LABELS:
                yield f"{s.name} has no label {name}"
        if family and family.type == "gauge" and s.function in RATES:
            yield f"{s.function} of the gauge {s.name}"
    for name in expressions.labels_kept(tree) - labels:
        yield f"groups by {name}, which nothing here has"


def target_problems(target, known):
    """One query: the linter's rules, then ours."""
    if parsed(target["expr"]) is None:
        yield from target_promql(target["expr"])
        return
    for rule in RULES["target"].values():
        yield from rule(target["expr"])
    yield from series_problems(target["expr"], known)
    if target.get("datasource") != SOURCE:
        yield "data source is not ${datasource}"
    legend = target.get("legendFormat", "")
    if not legend:
        yield "no legend"
    for label in set(re.findall(r"{{(\w+)}}", legend)) - expressions.labels_kept(parsed(target["expr"])):
        yield f"the legend shows {label}, which the expression drops"


def panel_problems(panel, known):
    """One panel and its queries."""
    for rule in RULES["panel"].values():
        yield from rule(panel)
    named = re.findall(r"MatchListProcessor\w+", panel.get("description", ""))
    yield from (f"there is no alert {alert}" for alert in named if alert not in known.runbooks)
    # Where docs/ is served is up to the variable; that alerts name pages that exist is for alerts.py to check.
    wanted = [known.runbooks.get(alert, "").replace("docs/", "${docs}/", 1) for alert in named]
    if [link["url"] for link in panel.get("links", [])] != wanted:
        yield "its links must be those to the runbooks of the alerts that its description names"
    first = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [{}])[0]
    if not first.get("color") or first.get("value") is not None:
        yield "the lowest threshold must be a colour without a value"
    targets = panel.get("targets", [])
    able = [t for t in targets if known.traced.search(t["expr"])]
    asking = [t for t in targets if t.get("exemplar")]
    # Two queries that ask would draw every point twice.
    if [t for t in asking if t not in able] or len(asking) != min(1, len(able)):
        yield "one query must ask for exemplars where a histogram that has some is read, and none elsewhere"
    for target in targets:
        yield from (f"query {target['refId']}: {p}" for p in target_problems(target, known))


def grid_problems(dashboard):
    """Every field of the grid is covered by exactly one panel."""
    covered = collections.Counter()
    for panel in dashboard["panels"]:
        g = panel["gridPos"]
        covered.update((x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"]))
    bottom = 1 + max(y for _, y in covered)
    if any(x >= GRID for x, _ in covered):
        yield "a panel is wider than the grid"
    if any(n > 1 for n in covered.values()):
        yield f"panels overlap, first at {min(p for p, n in covered.items() if n > 1)}"
    gaps = {(x, y) for x in range(GRID) for y in range(bottom)} - covered.keys()
    if gaps:
        yield f"the grid has a gap, first at {min(gaps)}"


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


def annotation_problems(dashboard, known):
    """Marks for restarts and alerts; those of alerts that nothing is there have no job to filter by."""
    notes = {a["name"]: a for a in dashboard["annotations"]["list"]}
    for wanted in ("Restarts", "Alerts: critical", "Alerts: warning"):
        if wanted not in notes:
            yield f"no annotation {wanted}"
    for name, note in notes.items():
        if note.get("datasource") != SOURCE:
            yield f"annotation {name}: data source is not ${{datasource}}"
        yield from (f"annotation {name}: {p}" for p in series_problems(note["expr"], known))


def dashboard_problems(name, dashboard, known):
    """Everything that is wrong with one dashboard; its name is that of its file."""
    for rule in RULES["dashboard"].values():
        yield from rule(dashboard)
    if dashboard.get("uid") != f"match-list-processor-{name}":
        yield f"uid must be match-list-processor-{name}"
    if dashboard.get("id") is not None:
        yield "id must not be set: it belongs to one Grafana"
    for key, value in (("timezone", "browser"), ("refresh", "30s"), ("time", {"from": "now-6h", "to": "now"})):
        if dashboard.get(key) != value:
            yield f"{key} must be {value!r}"
    links = [link for link in dashboard.get("links", []) if "match-list-processor" in link.get("tags", [])]
    if "match-list-processor" not in dashboard.get("tags", []) or not links:
        yield "no links to the other dashboards, or not found by theirs"
    elif not links[0].get("includeVars") or not links[0].get("keepTime"):
        yield "links must keep variables and time"
    yield from annotation_problems(dashboard, known)
    ids = [p["id"] for p in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        yield "panel ids repeat"
    yield from grid_problems(dashboard)
    for panel in panels_of(dashboard):
        yield from (f"panel {panel.get('title')!r}: {p}" for p in panel_problems(panel, known))
    written = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    yield from (f"the Grafana SDK does not know {p}" for p in lost_keys(dashboard, written))


def syntax_problems(dashboards):
    """What promtool says of all expressions, as one file of recording rules."""
    rules = []
    for name, dashboard in dashboards.items():
        asked = [(f"panel {p.get('title')}, query {t['refId']}", t["expr"])
                 for p in panels_of(dashboard) for t in p.get("targets", [])]
        asked += [(f"annotation {a['name']}", a["expr"]) for a in dashboard["annotations"]["list"]]
        rules += [{"record": "dashboard:query", "expr": expr.replace("$__rate_interval", "5m"),
                   "labels": {"at": f"{name}, {at}"}} for at, expr in asked]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}, f)
        f.flush()
        run = subprocess.run(["promtool", "check", "rules", "--lint=none", f.name],
                             capture_output=True, text=True, check=False)
    if run.returncode:
        yield "an expression does not parse:\n" + run.stdout + run.stderr


def unshown_alerts(dashboards, known):
    """Every alert is named by a panel that shows what it is about; the Watchdog is about nothing."""
    told = " ".join(p.get("description", "") for d in dashboards.values() for p in panels_of(d))
    for alert in sorted(known.runbooks.keys() - {"MatchListProcessorWatchdog"}):
        if not re.search(rf"\b{alert}\b", told):
            yield f"no panel names the alert {alert}"


def load(root):
    """All dashboards: name to content."""
    plugins.register_default_plugins()
    dashboards = {}
    for path in sorted(glob.glob(os.path.join(root, "dashboards", "*.json"))):
        with open(path, encoding="utf-8") as f:
            dashboards[os.path.basename(path).removesuffix(".json")] = json.load(f)
    return dashboards


def main():
    root = sys.argv[1]
    known, dashboards = Known(root), load(root)
    problems = [f"{name}: {p}" for name, d in dashboards.items() for p in dashboard_problems(name, d, known)]
    if sorted(dashboards) != sorted(PAGES):
        problems.append(f"the dashboards must be {', '.join(PAGES)}")
    problems += syntax_problems(dashboards)
    problems += unshown_alerts(dashboards, known)
    panels = sum(len(list(panels_of(d))) for d in dashboards.values())
    print("\n".join(problems) or f"{len(dashboards)} dashboards, {panels} panels: ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
