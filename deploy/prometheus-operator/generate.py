#!/usr/bin/env python3
"""Writes the resources of the Prometheus operator beside it from alerts/ and deploy/; with --check, only compares.

Usage: generate.py [--check]   (tests/ops.sh --generate runs it in its environment)
Exit: 0 when the files are up to date or were written; 1 with their names when --check finds others.
"""

import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAME = "match-list-processor"
HEAD = "# Made by deploy/prometheus-operator/generate.py from {}.\n"


class Dumper(yaml.SafeDumper):
    """Writes expressions of several lines as they stand in alerts/."""

    def represent_str(self, text):
        """A block for what has several lines."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, Dumper.represent_str)


def read(*path):
    """A YAML file of the repository."""
    return yaml.safe_load(ROOT.joinpath(*path).read_text("utf-8"))


def resource(kind, spec):
    """A resource of the operator."""
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def rules():
    """All groups of all files, as they are."""
    files = sorted(ROOT.joinpath("alerts").glob("*.rules.yml"))
    return resource("PrometheusRule", {"groups": [group for path in files for group in read(path)["groups"]]})


def monitor():
    """The same scrape as that of docker-compose.yml, by the service of deploy/kubernetes."""
    settings = read("deploy", "prometheus", "prometheus.yml")
    scrape = next(job for job in settings["scrape_configs"] if job["job_name"] == NAME)
    endpoint = {
        "port": read("deploy", "kubernetes", "service.yaml")["spec"]["ports"][0]["name"],
        "path": scrape["metrics_path"],
        "interval": settings["global"]["scrape_interval"],
        "scrapeTimeout": scrape["scrape_timeout"],
        # Alerts find `up` by the job; without this it would be the name of the service.
        "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": NAME}],
    }
    labels = read("deploy", "kubernetes", "kustomization.yaml")["labels"][0]["pairs"]
    return resource("ServiceMonitor", {"selector": {"matchLabels": labels}, "sampleLimit": scrape["sample_limit"],
                                       "endpoints": [endpoint]})


def main():
    wanted = {
        "prometheusrule.yaml": (rules(), "alerts/*.rules.yml"),
        "servicemonitor.yaml": (monitor(), "deploy/prometheus/prometheus.yml and deploy/kubernetes"),
    }
    texts = {HERE / name: HEAD.format(source) + yaml.dump(value, Dumper=Dumper, sort_keys=False, width=1000)
             for name, (value, source) in wanted.items()}
    if sys.argv[1:] != ["--check"]:
        for path, text in texts.items():
            path.write_text(text, "utf-8")
        return
    stale = [p.name for p, text in texts.items() if not p.exists() or p.read_text("utf-8") != text]
    if stale:
        sys.exit(f"not what alerts/ and deploy/ make, run tests/ops.sh --generate: {', '.join(stale)}")


if __name__ == "__main__":
    main()
