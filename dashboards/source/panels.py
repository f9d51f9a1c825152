"""Panels, as this service draws them: one look for all dashboards, made with Grafana's Foundation SDK."""

import pathlib
import re
import string

import yaml

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

ALERTS = pathlib.Path(__file__).resolve().parents[2] / "alerts"
# Where docs/ is served, in a variable of each dashboard.
DOCS = "${docs}"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

GOOD, ODD, BAD, CALM, GREY = "green", "orange", "red", "blue", "#808080"

# One colour for one meaning, by a word of the legend. The first that matches counts.
MEANINGS = (
    (BAD, r"failure|failed|dead|error|critical|unclean|exhausted|poisoned|rejected(_\w+)?|5\d\d|timeout|reset|connect"
          r"|status_5xx|invalid_response|too_large|write_timeout"),
    (ODD, r"held|retry|warn|high|skipped|4\d\d|rate_limited|unauthorized|redirect|status_4xx|header_timeout|limit|tls"),
    (GOOD, r"success|delivered|accepted|stored|normal|2\d\d"),
    (CALM, r"coalesced|running|pending|unchanged|info|medium|shutdown"),
    (GREY, r"cancelled|superseded|filtered|duplicate|debug|trace|low|3\d\d"),
)
MEANING_LABELS = ("result", "outcome", "state", "code", "level", "priority", "previous", "reason")
QUANTILES = {"p50": "light-purple", "p95": "purple", "p99": "dark-purple"}


# Histograms whose buckets carry trace ids.
EXEMPLARS = re.compile("match_list_processor_(cycle|http_request|delivery)_duration_seconds_bucket")


def runbooks():
    """The runbook of each alert, as alerts/ names it, below docs/."""
    groups = [g for path in ALERTS.glob("*.rules.yml") for g in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    rules = [rule for group in groups for rule in group["rules"]]
    return {r["alert"]: r["annotations"]["runbook_url"].removeprefix("docs/") for r in rules if "alert" in r}


RUNBOOKS = runbooks()


def query(expr, legend, instant=False, format_val=PromQueryFormat.TIME_SERIES):
    """A query; its reference is given by the panel."""
    built = prometheus.Dataquery().datasource(SOURCE).expr(expr).legend_format(legend).format(format_val)
    built.editor_mode(QueryEditorMode.CODE)
    return built.instant() if instant else built.range()


def steps(*pairs):
    """Thresholds: the colour below all of them, then (value, colour) upwards."""
    first, *rest = pairs
    levels = [Threshold(value=None, color=first)] + [Threshold(value=v, color=c) for v, c in rest]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(levels)


def texts(**of):
    """Words instead of numbers: texts(_0=("down", BAD), _1=("up", GOOD))."""
    options = {k.lstrip("_"): ValueMappingResult(text=t, color=c, index=i) for i, (k, (t, c)) in enumerate(of.items())}
    return [ValueMap(options=options)]


def finish(panel, title, description, queries, unit, thresholds):
    """What all kinds of panels have: traces, where there are some, and links to the runbooks of alerts."""
    panel.title(title).description(description).datasource(SOURCE).unit(unit).thresholds(thresholds)
    panel.links([runbook(alert) for alert in re.findall(r"MatchListProcessor\w+", description)])
    # Two queries that ask for them would draw each trace twice.
    traced = next((q for q in queries if EXEMPLARS.search(q.build().expr)), None)
    if traced:
        traced.exemplar(True)
    for letter, q in zip(string.ascii_uppercase, queries):
        panel.with_target(q.ref_id(letter))
    return panel


def runbook(alert):
    """A link in the panel's corner."""
    link = dashboard.DashboardLink(f"Runbook: {alert}").type(DashboardLinkType.LINK).url(f"{DOCS}/{RUNBOOKS[alert]}")
    return link.target_blank(True).icon("doc").tooltip("What it means and what to do").tags([])


def coloured(panel, queries):
    """Colours by meaning; a series whose name has none of the words keeps the palette."""
    legends = " ".join(q.build().legend_format for q in queries)
    if any(f"{{{{{label}}}}}" in legends for label in MEANING_LABELS):
        # The last override that matches wins.
        for colour, words in reversed(MEANINGS):
            value = {"mode": FieldColorModeId.SHADES, "fixedColor": colour}
            panel.override_by_regexp(f"/(^|\\s)({words})(\\s|$)/", [DynamicConfigValue(id_val="color", value=value)])
    for name, colour in QUANTILES.items():
        if name in legends:
            value = {"mode": FieldColorModeId.FIXED, "fixedColor": colour}
            panel.override_by_regexp(f"/{name}$/", [DynamicConfigValue(id_val="color", value=value)])
    if "}} limit" in legends:
        dashed = {"fill": "dash", "dash": [10, 10]}
        panel.override_by_regexp("/limit$/", [
            DynamicConfigValue(id_val="color", value={"mode": FieldColorModeId.FIXED, "fixedColor": BAD}),
            DynamicConfigValue(id_val="custom.lineStyle", value=dashed),
            DynamicConfigValue(id_val="custom.fillOpacity", value=0),
        ])
    return panel


def number(title, description, *queries, unit="short", thresholds=None, mappings=None, spark=True, decimals=None):
    """One number, coloured by its thresholds, with its course behind it."""
    panel = stat.Panel().color_mode(shapes.BigValueColorMode.VALUE).text_mode(shapes.BigValueTextMode.AUTO)
    panel.graph_mode(shapes.BigValueGraphMode.AREA if spark else shapes.BigValueGraphMode.NONE)
    panel.reduce_options(common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields(""))
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)).no_value("no data")
    if mappings:
        panel.mappings(mappings)
    if decimals is not None:
        panel.decimals(decimals)
    return finish(panel, title, description, queries, unit, thresholds or steps(CALM))


def names(title, description, *queries):
    """The names of series whose value is always 1, like versions."""
    panel = number(title, description, *queries, unit="none", spark=False)
    return panel.text_mode(shapes.BigValueTextMode.NAME)


def lines(title, description, *queries, unit="short", thresholds=None, at_least=0, log=False,
          calcs=("lastNotNull", "mean", "max")):
    """Lines over time. A gap is a gap: nothing was scraped, or nothing happened that has a duration."""
    panel = timeseries.Panel().draw_style(shapes.GraphDrawStyle.LINE).line_width(1).fill_opacity(10)
    panel.show_points(shapes.VisibilityMode.AUTO).span_nulls(False).stacking(stacking(shapes.StackingMode.NONE))
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    panel.legend(legend(calcs)).tooltip(tooltip())
    if thresholds:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED))
    if at_least is not None:
        panel.min(at_least)
    if log:
        panel.scale_distribution(common.ScaleDistributionConfig().type(shapes.ScaleDistribution.LOG).log(10))
    return coloured(finish(panel, title, description, queries, unit, thresholds or steps(GOOD)), queries)


def bars(title, description, *queries, unit="short"):
    """Events per step, stacked."""
    panel = lines(title, description, *queries, unit=unit, calcs=("lastNotNull", "max"))
    panel.draw_style(shapes.GraphDrawStyle.BARS).fill_opacity(80).stacking(stacking(shapes.StackingMode.NORMAL))
    # Most kinds of events do not happen most of the time.
    panel.tooltip(tooltip().hide_zeros(True))
    # Bars that are narrower than a minute show the same event several times.
    return panel.interval("1m")


def heat_map(title, description, buckets, unit="s"):
    """A histogram over time: a row per bucket, a column per step."""
    panel = heatmap.Panel().calculate(False).cell_gap(1).show_legend().show_y_histogram()
    panel.show_value(shapes.VisibilityMode.NEVER).mode(shapes.TooltipDisplayMode.SINGLE)
    colours = heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    panel.color(colours.fill("dark-orange"))
    panel.y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(shapes.AxisPlacement.LEFT))
    panel.cell_values(heatmap.CellValues().unit("short")).exemplars_color("rgba(0, 180, 255, 0.9)")
    panel.filter_values(heatmap.FilterValueRange().le(1e-9)).interval("1m")
    q = query(buckets, "{{le}}", format_val=PromQueryFormat.HEATMAP)
    return finish(panel, title, description, [q], unit, steps(GOOD))


def states(title, description, *queries, mappings):
    """What was on and what was off, over time: a row per series."""
    panel = statetimeline.Panel().show_value(shapes.VisibilityMode.NEVER).row_height(0.8).fill_opacity(80)
    panel.merge_values(True).legend(legend(())).tooltip(tooltip()).mappings(mappings)
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return finish(panel, title, description, queries, "none", steps(CALM))


def stacking(mode):
    """How series lie upon each other."""
    return common.StackingConfig().mode(mode).group("A")


def legend(calcs):
    """A table below the panel, or a plain list when there is nothing to calculate."""
    mode = shapes.LegendDisplayMode.TABLE if calcs else shapes.LegendDisplayMode.LIST
    built = common.VizLegendOptions().display_mode(mode).placement(shapes.LegendPlacement.BOTTOM)
    built.show_legend(True).calcs(list(calcs))
    return built.sort_by("Max").sort_desc(True) if "max" in calcs else built


def tooltip():
    """All series at one time, the largest first."""
    return common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING)
