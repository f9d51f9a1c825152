#!/usr/bin/env python3
"""Shows that each check of stack.py, provisioning.py and operator_resources.py fails when it should.

It breaks one line of a copy at a time and asks them.

Usage: stack_test.py ROOT
Exit: 0 when every break was told; 1 with those that were not.
"""

import os
import shutil
import sys
import tempfile

import operator_resources
import provisioning
import stack

COMPOSE = "docker-compose.yml"
SCRAPE = "deploy/prometheus/prometheus.yml"
SOURCES = "deploy/grafana/provisioning/datasources/datasources.yml"
PROVIDER = "deploy/grafana/provisioning/dashboards/dashboards.yml"
OVERVIEW = "dashboards/overview.json"
RULE = "deploy/prometheus-operator/prometheusrule.yaml"
MONITOR = "deploy/prometheus-operator/servicemonitor.yaml"
KUSTOMIZATION = "deploy/prometheus-operator/kustomization.yaml"

# (file, what stands there, what comes in its place, what must be said)
DISAGREEMENTS = (
    (SOURCES, "http://prometheus:9090", "http://prometheus:9091", "prometheus does not serve port 9091"),
    (SOURCES, "http://jaeger:16686", "http://tempo:16686", "there is no service tempo"),
    (SOURCES, "http://jaeger:16686", "http://grafana:3000", "is no jaeger"),
    (SOURCES, "uid: prometheus", "uid: metrics", "its data source is not the default Prometheus"),
    (SOURCES, "    isDefault: true\n", "", "must be the default data source"),
    (SOURCES, "timeInterval: 15s", "timeInterval: 30s", "timeInterval must be the scrape interval"),
    (SOURCES, "prometheusVersion: 2.55.0", "prometheusVersion: 2.50.0", "not that of the image"),
    (SOURCES, "alertmanagerUid: alertmanager", "alertmanagerUid: jaeger", "is no Alertmanager"),
    (SOURCES, "datasourceUid: jaeger", "datasourceUid: prometheus", "which has no traces"),
    (SOURCES, "- name: trace_id", "- name: traceID", "exemplars have no label traceID"),
    (SOURCES, "datasourceUid: prometheus", "datasourceUid: jaeger", "tracesToMetrics leads to no Prometheus"),
    (SOURCES, "value: job", "value: service", "by service.name as job"),
    (SOURCES, "cycles_total{$$__tags}", "cycles_total{}", "not of the span's service"),
    (SOURCES, "match_list_processor_cycles_total", "match_list_processor_cycle_total", "is not in docs/METRICS.md"),
    (PROVIDER, "path: /var/lib/grafana/dashboards", "path: /dashboards", "the provider reads /dashboards"),
    (OVERVIEW, '"value": "prometheus"', '"value": "jaeger"', "its data source is not the default Prometheus"),
    (OVERVIEW, '"query": "/public/docs"', '"query": "/docs"', "docs/ is not served at /docs"),
    (SCRAPE, "alertmanager:9093", "alertmanager:9094", "alertmanager does not serve port 9094"),
    (SCRAPE, "processor:8000", "daemon:8000", "there is no service daemon"),
    (SCRAPE, "job_name: match-list-processor", "job_name: mlp", "which alerts find `up` by"),
    (SCRAPE, "metrics_path: /metrics/prom", "metrics_path: /metrics", "must scrape /metrics/prom"),
    (SCRAPE, "rules/*.rules.yml", "rules/*.slo.rules.yml", "match-list-processor.rules.yml is not loaded"),
    (SCRAPE, "rules/*.rules.yml", "rules/*.yml", "alertmanager.yml is loaded as rules"),
    (SCRAPE, "scrape_interval: 15s", "scrape_interval: 1m", "timeInterval must be the scrape interval"),
    (COMPOSE, "http://jaeger:4318", "http://jaeger:4317", "jaeger does not serve port 4317"),
    (COMPOSE, "OTEL_SERVICE_NAME: match-list-processor", "OTEL_SERVICE_NAME: mlp", "by service.name as job"),
    (COMPOSE, "prom/prometheus:v2.55.0", "prom/prometheus:v2.55.1", "not that of the image"),
    (COMPOSE, "      - --enable-feature=exemplar-storage\n", "", "without exemplar-storage"),
    (COMPOSE, "retention.time=35d", "retention.time=15d", "error budgets look 30 days back"),
    (COMPOSE, "      - --storage.tsdb.retention.time=35d\n", "", "error budgets look 30 days back"),
    (COMPOSE, "config.file=/etc/prometheus/", "config.file=/etc/", "--config.file is not where"),
    (COMPOSE, "./alerts:/etc/prometheus/rules", "./alerts:/etc/rules", "is not loaded as rules"),
    (COMPOSE, ":/etc/alertmanager/alertmanager.yml", ":/etc/alertmanager.yml", "not where its image looks"),
    (COMPOSE, "./deploy/grafana/provisioning:/etc/grafana/", "./deploy/grafana/provisioning:/etc/", "not mounted at"),
    (COMPOSE, "./dashboards:/var/lib/grafana/dashboards", "./dashboards:/dashboards", "the provider reads"),
    (COMPOSE, "dashboards/overview.json", "dashboards/home.json", "there is no /var/lib/grafana/dashboards/home.json"),
    (COMPOSE, "/usr/share/grafana/public/docs", "/usr/share/grafana/docs", "docs/ is not served at /public/docs"),
    (COMPOSE, "SERVICE_INTERVAL:-1800", "SERVICE_INTERVAL:-0", "NoSuccessfulCycle (10800 s) fires when all is well"),
    (COMPOSE, "SERVICE_INTERVAL:-1800", "SERVICE_INTERVAL:-7200", "fires when all is well"),
    (COMPOSE, "      SERVICE_INTERVAL: ${", "      SOME_INTERVAL: ${", "fires when all is well"),
    (COMPOSE, "GF_FEATURE_TOGGLES_ENABLE: traceToMetrics", "GF_LOG_LEVEL: warn", "needs the feature toggle"),
)
MISTAKES = (
    (SOURCES, "apiVersion: 1", "apiVersion: 2", "1 was expected"),
    (SOURCES, "    access: proxy\n", "", "'access' is a required property"),
    (SOURCES, "httpMethod: POST", "httpmethod: POST", "'httpmethod' was unexpected"),
    (SOURCES, "timeInterval: 15s", "timeInterval: 15", "is not of type 'string'"),
    (SOURCES, "exemplarTraceIdDestinations", "exemplarTraceIDDestinations", "was unexpected"),
    (SOURCES, "urlDisplayLabel", "label", "'label' was unexpected"),
    (SOURCES, "datasourceUid: jaeger", "datasourceUID: jaeger", "was unexpected"),
    (SOURCES, "enabled: true", "enabled: maybe", "is not of type 'boolean'"),
    (SOURCES, "type: Duration", "type: Length", "is not one of"),
    (SOURCES, "{$$__tags}", "{$__tags}", "does not match"),
    (SOURCES, "type: jaeger", "type: zipkin", "no schema for a data source of type zipkin"),
    (SOURCES, "implementation: prometheus", "implementation: vanilla", "is not one of"),
    (SOURCES, "url: http://jaeger:16686", "url: jaeger:16686", "does not match"),
    (SOURCES, "    uid: jaeger\n", "    uid: jaeger\n    uid: tempo\n", "uid stands twice"),
    (PROVIDER, "allowUiUpdates: false", "allowUiUpdates: true", "False was expected"),
    (PROVIDER, "updateIntervalSeconds: 30", "updateInterval: 30", "was unexpected"),
    (PROVIDER, "path: /var", "path: var", "does not match"),
    (PROVIDER, "type: file", "type: folder", "'file' was expected"),
)
RESOURCES = (
    (RULE, "keep_firing_for: 15m", "keepFiringFor: 15m", "'keepFiringFor' was unexpected"),
    (RULE, "for: 2m", "for: 2", "is not of type 'string'"),
    (RULE, "severity: critical", "severity: 1", "is not of type 'string'"),
    (RULE, "up{job=", "up{job==", "promtool says of the rules"),
    (RULE, "alert: MatchListProcessorDown", "alerts: MatchListProcessorDown", "were unexpected"),
    (RULE, "monitoring.coreos.com/v1", "monitoring.coreos.com/v1alpha1", "was expected"),
    (MONITOR, "kind: ServiceMonitor", "kind: PodMonitor", "'ServiceMonitor' was expected"),
    (MONITOR, "port: http", "ports: http", "was unexpected"),
    (MONITOR, "scrapeTimeout: 10s", "scrape_timeout: 10s", "was unexpected"),
    (MONITOR, "targetLabel: job", "target_label: job", "was unexpected"),
    (MONITOR, "sampleLimit: 2000", "sampleLimit: many", "is not of type 'integer'"),
    (KUSTOMIZATION, "  - servicemonitor.yaml\n", "", "does not list what there is"),
)
CHECKS = (stack.problems, provisioning.problems_of, operator_resources.problems_of)


def copied(root, folder):
    """What the checks read."""
    for name in ("alerts", "dashboards", "deploy", "docs"):
        shutil.copytree(os.path.join(root, name), os.path.join(folder, name))
    shutil.copytree(os.path.join(root, "src", "telemetry"), os.path.join(folder, "src", "telemetry"))
    shutil.copy(os.path.join(root, COMPOSE), folder)


def missed(folder, breaks, check):
    """The breaks that a check does not tell."""
    for name, old, new, wanted in breaks:
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as f:
            before = f.read()
        if old not in before:
            yield f"{name}: {old!r} does not stand there"
            continue
        with open(path, "w", encoding="utf-8") as f:
            f.write(before.replace(old, new, 1))
        told = list(check(folder))
        if not any(wanted in problem for problem in told):
            yield f"{name}, {new!r} for {old!r}: nothing says {wanted!r}, but: {told}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(before)


def main():
    with tempfile.TemporaryDirectory() as folder:
        copied(sys.argv[1], folder)
        found = [f"unbroken: {p}" for check in CHECKS for p in check(folder)]
        found += missed(folder, DISAGREEMENTS, stack.problems)
        found += missed(folder, MISTAKES, provisioning.problems_of)
        found += missed(folder, RESOURCES, operator_resources.problems_of)
        os.rename(os.path.join(folder, SOURCES), os.path.join(folder, SOURCES + ".off"))
        told = list(provisioning.problems_of(folder))
        found += [f"nothing says {w!r}" for w in ("no schema for it", "nothing provisions datasources")
                  if not any(w in problem for problem in told)]
    print("\n".join(found) or f"{len(DISAGREEMENTS) + len(MISTAKES) + len(RESOURCES) + 2} breaks: each was told")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
