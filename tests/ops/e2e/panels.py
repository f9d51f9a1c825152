"""Every query of dashboards and runbooks, asked of a Prometheus that has seen the scenario: none may be empty."""

import glob
import json
import math
import os
import re

# As Grafana fills them in when all jobs and instances are chosen and the scrape interval is a second.
VARIABLES = {"$job": ".+", "$instance": ".+", "$__rate_interval": "5s", "$__interval": "2s", "$__range": "300s"}
STEP = 2
# What a panel shows instead of nothing. Without it one sees whether there is anything else.
FALLBACK = re.compile(r"\s+or\s+(?:vector\(\d+\)|label_replace\(vector\(\d+\)[^()]*\))")


def queries(root):
    """(dashboard, panel, expression) of every query of dashboards/*.json."""
    for path in sorted(glob.glob(os.path.join(root, "dashboards", "*.json"))):
        with open(path, encoding="utf-8") as f:
            dashboard = json.load(f)
        for panel in dashboard["panels"]:
            for one in panel.get("panels") or [panel]:
                for target in one.get("targets", []):
                    yield os.path.basename(path), one["title"], target["expr"]


def diagnoses(root):
    """(runbook, "diagnosis", expression) of each line of PromQL in docs/runbooks: what whoever is called is to ask."""
    for path in sorted(glob.glob(os.path.join(root, "docs", "runbooks", "*.md"))):
        with open(path, encoding="utf-8") as f:
            for block in re.findall(r"^```promql\n(.*?)^```$", f.read(), re.MULTILINE | re.DOTALL):
                yield from ((os.path.basename(path), "diagnosis", line) for line in block.splitlines() if line.strip())


def substituted(expr):
    """The expression with the variables filled in and without a constant for when there is nothing."""
    expr = FALLBACK.sub("", expr)
    for name, value in sorted(VARIABLES.items(), key=lambda pair: -len(pair[0])):
        expr = expr.replace("${" + name[1:] + "}", value).replace(name, value)
    return expr


def is_empty(prometheus, expr, begin, end):
    """Whether a panel would show nothing: no series, or no value but NaN."""
    found = prometheus.get("query_range", query=substituted(expr), start=begin, end=end, step=STEP)["result"]
    return not any(not math.isnan(float(value)) for series in found for _, value in series["values"])


def empty(prometheus, asked, begin, end):
    """Those of the queries that are empty."""
    return [one for one in asked if is_empty(prometheus, one[2], begin, end)]
