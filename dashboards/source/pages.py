"""A dashboard: rows of panels, the variables, the annotations and the links that all of them have."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    RowPanel,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from panels import BAD, CALM, ODD, SOURCE
from queries import WINDOW, series

TAG = "match-list-processor"
GRID = 24
ALL = VariableOption(selected=True, text="All", value="$__all")
FIRING = 'alertstate="firing", service="match-list-processor", alertname!="MatchListProcessorWatchdog"'


def variable(name, query):
    """A label of the targets, several at a time or all."""
    built = dashboard.QueryVariable(name).label(name.capitalize()).datasource(SOURCE)
    built.query({"query": query, "refId": name}).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    built.sort(VariableSort.ALPHABETICAL_ASC).hide(VariableHide.DONT_HIDE)
    return built.multi(True).include_all(True).all_value(".+").current(ALL).options([])


def annotation(name, colour, expr):
    """Marks on every graph at the times when the expression has a value above zero."""
    built = dashboard.AnnotationQuery().name(name).datasource(SOURCE).enable(True).hide(False)
    return built.icon_color(colour).expr(expr)


def frame(name, title, description):
    """An empty dashboard."""
    page = dashboard.Dashboard(f"Match list processor / {title}").uid(f"{TAG}-{name}").description(description)
    page.tags([TAG]).readonly().timezone("browser").refresh("30s").time("now-6h", "now").preload(False)
    page.tooltip(DashboardCursorSync.CROSSHAIR).fiscal_year_start_month(0).week_start("").version(1)
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus").regex("")
    source.hide(VariableHide.DONT_HIDE).multi(False).include_all(False)
    page.with_variable(source.current(VariableOption(selected=True, text="Prometheus", value="prometheus")))
    docs = dashboard.ConstantVariable("docs").label("Documentation").value("/public/docs")
    docs.description("Where docs/ of the repository is served: in docker-compose.yml by Grafana.")
    page.with_variable(docs)
    page.with_variable(variable("job", "label_values(match_list_processor_build_info, job)"))
    page.with_variable(variable("instance", 'label_values(match_list_processor_build_info{job=~"$job"}, instance)'))
    page.annotation(annotation("Restarts", CALM, f"changes({series('process_start_time_seconds')}[{WINDOW}]) > 0"))
    for severity, colour in (("critical", BAD), ("warning", ODD)):
        # Not by job and instance: an alert that nothing is there has neither.
        expr = f'ALERTS{{{FIRING}, severity="{severity}"}}'
        page.annotation(annotation(f"Alerts: {severity}", colour, expr))
    link = dashboard.DashboardLink("Match list processor").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    link.as_dropdown(True).include_vars(True).keep_time(True).icon("external link").target_blank(False)
    return page.link(link.tooltip("The other dashboards of this service").url(""))


def page(name, title, description, *rows):
    """A dashboard of rows: a title, then lines of a height and panels that share the width equally."""
    built = frame(name, title, description).build()
    built.panels, number, y = [], 0, 0
    for heading, *lines in rows:
        number += 1
        built.panels.append(RowPanel(id_val=number, title=heading, collapsed=False, panels=[],
                                     grid_pos=GridPos(h=1, w=GRID, x=0, y=y)))
        y += 1
        for height, *panels in lines:
            width, rest = divmod(GRID, len(panels))
            if rest:
                raise ValueError(f"{heading}: {len(panels)} panels do not divide {GRID} columns")
            for place, panel in enumerate(panels):
                number += 1
                panel.id(number).grid_pos(GridPos(h=height, w=width, x=place * width, y=y))
                built.panels.append(panel.build())
            y += height
    return built
