"""Checks that docker-compose.yml, Prometheus, Grafana's provisioning and the dashboards name each other rightly.

manifests.py runs it.
"""

import fnmatch
import glob
import json
import os
import re
from urllib.parse import urlsplit

import yaml

import expressions

JOB = "match-list-processor"
# Whose image serves which kind of data source.
IMAGES = {"prometheus": "prom/prometheus", "alertmanager": "prom/alertmanager", "jaeger": "jaegertracing/all-in-one"}
PROVISIONING = "/etc/grafana/provisioning"
PUBLIC = "/usr/share/grafana/public"
BUDGET_DAYS = 30


class Stack:
    """Everything that must agree."""

    def __init__(self, root):
        self.root = root
        self.services = self.yaml("docker-compose.yml")["services"]
        self.prometheus = self.yaml("deploy", "prometheus", "prometheus.yml")
        folder = ("deploy", "grafana", "provisioning")
        self.sources = {s["uid"]: s for s in self.yaml(*folder, "datasources", "datasources.yml")["datasources"]}
        self.provider = self.yaml(*folder, "dashboards", "dashboards.yml")["providers"][0]
        self.dashboards = {}
        for path in glob.glob(os.path.join(root, "dashboards", "*.json")):
            with open(path, encoding="utf-8") as f:
                self.dashboards[os.path.basename(path)] = json.load(f)

    def text(self, *path):
        """A file of the repository."""
        with open(os.path.join(self.root, *path), encoding="utf-8") as f:
            return f.read()

    def yaml(self, *path):
        """A YAML file of the repository."""
        return yaml.safe_load(self.text(*path))

    def of(self, kind):
        """The data sources of a kind."""
        return [s for s in self.sources.values() if s["type"] == kind]

    def mounts(self, service):
        """Where a service finds the files of this repository: source to target."""
        pairs = [m.split(":")[:2] for m in self.services[service].get("volumes", [])]
        return {source: target for source, target in pairs if source.startswith("./")}


def unreachable(stack, where, url):
    """Why a service does not answer at an address of the network of the stack, if it does not."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    service = stack.services.get(parts.hostname)
    if service is None:
        yield f"{where}: there is no service {parts.hostname}"
        return
    ports = {str(p).rsplit(":", 1)[-1] for p in [*service.get("ports", []), *service.get("expose", [])]}
    if str(parts.port) not in ports:
        yield f"{where}: {parts.hostname} does not serve port {parts.port}"


def addresses(stack):
    """Every address that one part names another by."""
    for uid, source in stack.sources.items():
        yield from unreachable(stack, f"data source {uid}", source["url"])
        image = stack.services.get(urlsplit(source["url"]).hostname, {}).get("image", "")
        if not image.startswith(IMAGES.get(source["type"], "?") + ":"):
            yield f"data source {uid}: {source['url']} is no {source['type']}"
    for group in stack.prometheus["alerting"]["alertmanagers"]:
        for target in (t for c in group["static_configs"] for t in c["targets"]):
            yield from unreachable(stack, "alertmanagers of Prometheus", target)
    for job in stack.prometheus["scrape_configs"]:
        for target in (t for c in job["static_configs"] for t in c["targets"]):
            yield from unreachable(stack, f"scrape job {job['job_name']}", target)
    environment = stack.services["processor"]["environment"]
    yield from unreachable(stack, "OTEL_EXPORTER_OTLP_ENDPOINT", environment["OTEL_EXPORTER_OTLP_ENDPOINT"])


def scraping(stack):
    """Prometheus: what it scrapes, which rules it loads, how long it remembers."""
    jobs = {j["job_name"]: j for j in stack.prometheus["scrape_configs"]}
    if jobs.get(JOB, {}).get("metrics_path") != "/metrics/prom":
        yield f"the job {JOB}, which alerts find `up` by, must scrape /metrics/prom"
    mounts, command = stack.mounts("prometheus"), stack.services["prometheus"]["command"]
    if f"--config.file={mounts.get('./deploy/prometheus/prometheus.yml')}" not in command:
        yield "prometheus: --config.file is not where prometheus.yml is mounted"
    if "--enable-feature=exemplar-storage" not in command:
        yield "prometheus: without exemplar-storage no graph leads to a trace"
    days = [int(m[1]) for m in (re.fullmatch(r"--storage\.tsdb\.retention\.time=(\d+)d", c) for c in command) if m]
    if days < [BUDGET_DAYS]:
        yield f"prometheus: error budgets look {BUDGET_DAYS} days back, and it must remember them"
    target = mounts.get("./alerts", "")
    for path in glob.glob(os.path.join(stack.root, "alerts", "*.yml")):
        name = os.path.basename(path)
        loaded = any(fnmatch.fnmatch(f"{target}/{name}", pattern) for pattern in stack.prometheus["rule_files"])
        if loaded != name.endswith(".rules.yml"):
            yield f"prometheus: alerts/{name} is {'' if loaded else 'not '}loaded as rules"
    if stack.mounts("alertmanager").get("./alerts/alertmanager.yml") != "/etc/alertmanager/alertmanager.yml":
        yield "alertmanager: its file is not where its image looks for it"


def grafana(stack):
    """Grafana: where it finds its files, and what dashboards expect of it."""
    mounts, environment = stack.mounts("grafana"), stack.services["grafana"]["environment"]
    if mounts.get("./deploy/grafana/provisioning") != PROVISIONING:
        yield f"grafana: the provisioning is not mounted at {PROVISIONING}"
    folder = mounts.get("./dashboards")
    if stack.provider["options"]["path"] != folder:
        yield f"grafana: the provider reads {stack.provider['options']['path']}, the dashboards are at {folder}"
    home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    if os.path.dirname(home) != folder or os.path.basename(home) not in stack.dashboards:
        yield f"grafana: there is no {home}"
    for name, dashboard in stack.dashboards.items():
        variables = {v["name"]: v for v in dashboard["templating"]["list"]}
        first = stack.sources.get(variables["datasource"]["current"]["value"], {})
        if first.get("type") != "prometheus" or not first.get("isDefault"):
            yield f"{name}: its data source is not the default Prometheus"
        if variables["docs"]["query"] != mounts.get("./docs", "").replace(PUBLIC, "/public", 1):
            yield f"{name}: docs/ is not served at {variables['docs']['query']}"


def links(stack):
    """What leads from metrics to traces, to alerts and back."""
    if [s["uid"] for s in stack.sources.values() if s.get("isDefault")] != [s["uid"] for s in stack.of("prometheus")]:
        yield "Prometheus, and nothing else, must be the default data source"
    for source in stack.of("prometheus"):
        settings = source["jsonData"]
        if settings["timeInterval"] != stack.prometheus["global"]["scrape_interval"]:
            yield "timeInterval must be the scrape interval: Grafana derives $__rate_interval from it"
        if stack.services["prometheus"]["image"] != f"{IMAGES['prometheus']}:v{settings['prometheusVersion']}":
            yield "prometheusVersion is not that of the image"
        if stack.sources.get(settings["alertmanagerUid"], {}).get("type") != "alertmanager":
            yield "alertmanagerUid is no Alertmanager"
        for destination in settings["exemplarTraceIdDestinations"]:
            if stack.sources.get(destination["datasourceUid"], {}).get("type") != "jaeger":
                yield f"exemplars lead to {destination['datasourceUid']}, which has no traces"
            # As src/telemetry/openmetrics.rs writes them: `# {trace_id="…"} 1.5`.
            if f'# {{{{{destination["name"]}=' not in stack.text("src", "telemetry", "openmetrics.rs"):
                yield f"exemplars have no label {destination['name']}"
    for source in stack.of("jaeger"):
        yield from to_metrics(stack, source["jsonData"]["tracesToMetrics"])


def to_metrics(stack, settings):
    """The way from a span to metrics: by the service's name, which must be the job's."""
    environment = stack.services["processor"]["environment"]
    if "traceToMetrics" not in stack.services["grafana"]["environment"].get("GF_FEATURE_TOGGLES_ENABLE", "").split(","):
        yield "tracesToMetrics needs the feature toggle traceToMetrics"
    if stack.sources.get(settings["datasourceUid"], {}).get("type") != "prometheus":
        yield "tracesToMetrics leads to no Prometheus"
    if settings["tags"] != [{"key": "service.name", "value": "job"}] or environment["OTEL_SERVICE_NAME"] != JOB:
        yield f"spans find their metrics by service.name as job: both must be {JOB}"
    known = expressions.families(stack.text("docs", "METRICS.md"))
    for query in settings["queries"]:
        if "{$$__tags}" not in query["query"]:
            yield f"tracesToMetrics, {query['name']}: not of the span's service"
        tree = expressions.parse(query["query"].replace("$$__tags", f'job="{JOB}"'))
        for selector in expressions.selectors(tree):
            if selector.name not in known:
                yield f"tracesToMetrics, {query['name']}: {selector.name} is not in docs/METRICS.md"


def pace(stack):
    """A stack that is left alone looks at the list often enough that nobody is called for it."""
    rules = yaml.safe_load(stack.text("alerts", "match-list-processor.rules.yml"))["groups"]
    found = [r["expr"] for g in rules for r in g["rules"] if r.get("alert") == "MatchListProcessorNoSuccessfulCycle"]
    longest = min(int(seconds) for seconds in re.findall(r"> (\d{3,})", "".join(found)))
    setting = str(stack.services["processor"]["environment"].get("SERVICE_INTERVAL", "0"))
    seconds = int(re.sub(r"\$\{\w+:-(\d+)\}", r"\1", setting))
    # One look may fail.
    if not 0 < 2 * seconds < longest:
        yield f"processor: with SERVICE_INTERVAL {seconds}, NoSuccessfulCycle ({longest} s) fires when all is well"


def problems(root):
    """Everything that does not agree."""
    stack = Stack(root)
    for check in (addresses, scraping, grafana, links, pace):
        yield from check(stack)
