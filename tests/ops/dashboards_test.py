#!/usr/bin/env python3
"""Shows that each rule of dashboards.py fails when it should: breaks a dashboard in one place and asks.

Usage: dashboards_test.py ROOT
Exit: 0 when every break was told; 1 with those that were not.
"""

import copy
import sys

import coverage
import dashboards


def panel(page, kind="timeseries"):
    """The first panel of a kind."""
    return next(p for p in dashboards.panels_of(page) if p["type"] == kind)


def target(page):
    """A query that can be changed at will."""
    return panel(page)["targets"][0]


def expression(expr):
    """A break that gives a panel another expression."""
    return lambda page: target(page).update(expr=expr, legendFormat="x")


def variable(name, **fields):
    """A break of a variable."""
    return lambda page: next(v for v in page["templating"]["list"] if v["name"] == name).update(fields)


def without_variable(name):
    """A break that takes a variable away."""
    def take(page):
        page["templating"]["list"] = [v for v in page["templating"]["list"] if v["name"] != name]
    return take


def moved(**by):
    """A break of the layout."""
    def move(page):
        for key, value in by.items():
            panel(page)["gridPos"][key] += value
    return move


BOTH = 'job=~"$job", instance=~"$instance"'
QUEUE = "match_list_processor_queue_depth"
CYCLES = "match_list_processor_cycles_total"
SECONDS = "match_list_processor_cycle_duration_seconds"

# (what is broken, what must be said of it)
BREAKS = (
    (without_variable("datasource"), "one data source variable"),
    (variable("datasource", label="Source"), "one data source variable"),
    (without_variable("job"), "variable job: missing"),
    (variable("job", label="Jobs"), "variable job: label"),
    (variable("job", multi=False), "variable job: multi"),
    (variable("job", includeAll=False), "variable job: includeAll"),
    (variable("job", datasource={"type": "prometheus", "uid": "x"}), "variable job: datasource"),
    (without_variable("instance"), "variable instance: missing"),
    (variable("instance", allValue=".*"), "variable instance: allValue"),
    (variable("instance", refresh=1), "must refresh on time range change"),
    (variable("instance", query="label_values(up, job)"), "must query label_values(selector, instance)"),
    (variable("instance", query="label_values(up, instance)"), 'must filter by job=~"$job"'),
    (lambda d: d.update(editable=True), "editable must be false"),
    (lambda d: d.update(uid="other"), "uid must be"),
    (lambda d: d.update(id=7), "id must not be set"),
    (lambda d: d.update(timezone=""), "timezone must be"),
    (lambda d: d.pop("refresh"), "refresh must be"),
    (lambda d: d["time"].update({"from": "now-1h"}), "time must be"),
    (lambda d: d.update(links=[]), "no links to the other dashboards"),
    (lambda d: d.update(tags=[]), "no links to the other dashboards"),
    (lambda d: d["links"][0].update(includeVars=False), "links must keep variables"),
    (lambda d: d["annotations"]["list"].pop(0), "no annotation Restarts"),
    (lambda d: d["annotations"]["list"][0].update(datasource={"uid": "x"}), "annotation Restarts: data source"),
    (lambda d: d["annotations"]["list"][0].update(expr="process_started > 0"), "process_started is neither"),
    (lambda d: panel(d).update(id=1), "panel ids repeat"),
    (moved(x=1), "panels overlap"),
    (moved(w=24), "wider than the grid"),
    (moved(h=-1), "the grid has a gap"),
    (lambda d: panel(d).update(unknown=1), "the Grafana SDK does not know"),
    (lambda d: panel(d).update(datasource={"type": "prometheus", "uid": "x"}), "data source is not"),
    (lambda d: target(d).update(datasource={"type": "prometheus", "uid": "x"}), "query A: data source is not"),
    (lambda d: panel(d).update(title=" "), "no title"),
    (lambda d: panel(d).pop("description"), "no description"),
    (lambda d: panel(d)["fieldConfig"]["defaults"].pop("unit"), "no unit"),
    (lambda d: panel(d)["fieldConfig"]["defaults"].update(unit="parsecs"), "no unit"),
    (lambda d: panel(d).update(targets=[]), "no query"),
    (lambda d: panel(d)["fieldConfig"]["defaults"]["thresholds"]["steps"][0].update(value=0), "the lowest threshold"),
    (lambda d: panel(d).update(description="MatchListProcessorNever"), "there is no alert MatchListProcessorNever"),
    (lambda d: panel(d).update(description="MatchListProcessorDown"), "links must be those to the runbooks"),
    (lambda d: target(d).pop("legendFormat"), "no legend"),
    (lambda d: target(d).update(legendFormat="{{nothing}}"), "the legend shows nothing"),
    (lambda d: target(d).update(exemplar=True), "one query must ask for exemplars"),
    (expression(f"histogram_quantile(0.5, sum by (le) (rate({SECONDS}_bucket{{{BOTH}}}[$__rate_interval])))"),
     "one query must ask for exemplars"),
    (expression("sum("), "does not parse"),
    (expression("vector(1)"), "reads nothing"),
    (expression(f'sum({QUEUE}{{instance=~"$instance"}})'), 'lacks job=~"$job"'),
    (expression(f'sum({QUEUE}{{job=~"$job"}})'), 'lacks instance=~"$instance"'),
    (expression(f'sum({QUEUE}{{job="$job", instance=~"$instance"}})'), 'lacks job=~"$job"'),
    (expression(f"sum({QUEUE})"), 'lacks job=~"$job"'),
    (expression(f"sum(rate({CYCLES}{{{BOTH}}}[5m]))"), "the range must be [$__rate_interval]"),
    (expression(f"sum({CYCLES}{{{BOTH}}})"), "without rate or increase"),
    (expression(f"max(max_over_time({CYCLES}{{{BOTH}}}[1h]))"), "without rate or increase"),
    (expression(f"sum({SECONDS}_count{{{BOTH}}})"), "without rate or increase"),
    (expression(f"sum(rate({SECONDS}{{{BOTH}}}[$__rate_interval]))"), "is neither in docs/METRICS.md nor recorded"),
    (expression(f"sum({QUEUE}_bucket{{{BOTH}}})"), "is neither in docs/METRICS.md nor recorded"),
    (expression(f"sum(match_list_processor:nothing:rate1h{{{BOTH}}})"), "is neither in docs/METRICS.md nor recorded"),
    (expression(f"sum(rate({QUEUE}{{{BOTH}}}[$__rate_interval]))"), "rate of the gauge"),
    (expression(f'sum({QUEUE}{{{BOTH}, state="x"}})'), "has no label state"),
    (expression(f'sum(match_list_processor:slo_errors:ratio_rate1h{{{BOTH}, le="1"}})'), "has no label le"),
    (expression(f"sum by (state) ({QUEUE}{{{BOTH}}})"), "groups by state"),
)


def main():
    root = sys.argv[1]
    known, pages = dashboards.Known(root), dashboards.load(root)
    missed = []
    for number, (damage, wanted) in enumerate(BREAKS, 1):
        page = copy.deepcopy(pages["pipeline"])
        damage(page)
        told = list(dashboards.dashboard_problems("pipeline", page, known))
        if not any(wanted in problem for problem in told):
            missed.append(f"break {number}: nothing says {wanted!r}, but: {told}")
    broken = copy.deepcopy(pages["pipeline"])
    target(broken)["expr"] = "sum("
    if not list(dashboards.syntax_problems({"pipeline": broken})):
        missed.append("promtool accepted an expression that is none")
    if not list(dashboards.unshown_alerts({"http": pages["http"]}, known)):
        missed.append("an alert without a panel was not told")
    if not list(coverage.problems(root, {"match_list_processor_never": "no reason"})):
        missed.append("coverage: an explanation of nothing was accepted")
    if not list(coverage.problems(root, {}, queries=())):
        missed.append("coverage: without dashboards every metric was still read")
    if not any("nothing in src/ counts it" in p for p in coverage.problems(root, {}, code="metrics.panics.inc(());")):
        missed.append("coverage: a program that counts panics alone was said to count everything")
    print("\n".join(missed) or f"{len(BREAKS) + 5} breaks: each was told")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
