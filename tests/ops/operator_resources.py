#!/usr/bin/env python3
"""Checks deploy/prometheus-operator strictly: the API server drops a key that the operator does not know.

The schemas hold the keys of monitoring.coreos.com/v1 that are of use here; promtool reads the rules.

Usage: operator_resources.py ROOT   (needs promtool on the PATH)
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import os
import subprocess
import sys
import tempfile

import yaml
from provisioning import TEXT, listed, record, told

LABELS = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}
LASTS = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$"}
RECORDING = record({"record": TEXT, "expr": TEXT}, labels=LABELS)
ALERTING = record({"alert": TEXT, "expr": TEXT, "labels": LABELS, "annotations": LABELS}, **{"for": LASTS},
                  keep_firing_for=LASTS)
GROUP = record({"name": TEXT, "rules": listed({"if": {"required": ["alert"]}, "then": ALERTING, "else": RECORDING})},
               interval=LASTS)
RELABELLING = record({"action": {"const": "replace"}, "targetLabel": TEXT, "replacement": TEXT})
ENDPOINT = record({"port": TEXT, "path": TEXT, "interval": LASTS, "scrapeTimeout": LASTS},
                  relabelings=listed(RELABELLING))
SPECS = {
    "PrometheusRule": record({"groups": listed(GROUP)}),
    "ServiceMonitor": record({"selector": record({"matchLabels": LABELS}), "endpoints": listed(ENDPOINT)},
                             sampleLimit={"type": "integer", "minimum": 1}),
}


def resource(kind):
    """A whole resource."""
    return record({"apiVersion": {"const": "monitoring.coreos.com/v1"}, "kind": {"const": kind},
                   "metadata": record({"name": TEXT}), "spec": SPECS[kind]})


def problems_of(root):
    """Both resources, and the rules in one of them."""
    folder = os.path.join(root, "deploy", "prometheus-operator")
    read = {}
    for kind in SPECS:
        with open(os.path.join(folder, f"{kind.lower()}.yaml"), encoding="utf-8") as f:
            read[kind] = yaml.safe_load(f)
        yield from told(resource(kind), read[kind], kind)
    with open(os.path.join(folder, "kustomization.yaml"), encoding="utf-8") as f:
        if sorted(yaml.safe_load(f)["resources"]) != sorted(f"{kind.lower()}.yaml" for kind in SPECS):
            yield "kustomization.yaml does not list what there is"
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        yaml.safe_dump(read["PrometheusRule"]["spec"], f)
        f.flush()
        run = subprocess.run(["promtool", "check", "rules", f.name], capture_output=True, text=True, check=False)
    if run.returncode:
        yield "promtool says of the rules:\n" + run.stdout + run.stderr


def main():
    problems = list(problems_of(sys.argv[1]))
    print("\n".join(problems) or "prometheus operator: ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
