#!/usr/bin/env python3
"""Checks deploy/grafana/provisioning strictly: Grafana passes over a key that it does not know, and says nothing.

The schemas hold the keys that Grafana 11 documents and that are of use here, no more.

Usage: provisioning.py ROOT
Exit: 0 when all is well; 1 with one line per problem otherwise.
"""

import glob
import os
import sys

import jsonschema
import yaml

TEXT = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
UID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}
URL = {"type": "string", "pattern": "^https?://[a-z0-9.-]+:[0-9]+$"}
SPAN = {"type": "string", "pattern": "^-?[0-9]+(ms|s|m|h|d)$"}
# A single $ names a variable of the environment.
QUERY = {"type": "string", "pattern": r"^([^$]|\$\$)+$"}


def record(required, **optional):
    """An object with these keys and no other."""
    return {"type": "object", "required": list(required), "properties": {**required, **optional},
            "additionalProperties": False}


def listed(items):
    """A list that is not empty."""
    return {"type": "array", "minItems": 1, "items": items}


PROMETHEUS = record(
    {"timeInterval": SPAN, "httpMethod": {"enum": ["GET", "POST"]}},
    prometheusType={"enum": ["Prometheus", "Mimir", "Thanos", "Cortex"]}, prometheusVersion=TEXT, queryTimeout=SPAN,
    manageAlerts=FLAG, alertmanagerUid=UID, cacheLevel={"enum": ["Low", "Medium", "High", "None"]},
    incrementalQuerying=FLAG, disableRecordingRules=FLAG,
    exemplarTraceIdDestinations=listed(record({"name": TEXT, "datasourceUid": UID}, urlDisplayLabel=TEXT)),
)
TO_METRICS = record(
    {"datasourceUid": UID, "queries": listed(record({"query": QUERY}, name=TEXT))},
    spanStartTimeShift=SPAN, spanEndTimeShift=SPAN, tags=listed(record({"key": TEXT}, value=TEXT)),
)
JAEGER = record(
    {}, nodeGraph=record({"enabled": FLAG}), spanBar=record({"type": {"enum": ["None", "Duration", "Tag"]}}, tag=TEXT),
    tracesToMetrics=TO_METRICS,
)
ALERTMANAGER = record({"implementation": {"enum": ["prometheus", "mimir", "cortex"]}}, handleGrafanaManagedAlerts=FLAG)


def source(kind, settings):
    """A data source of one kind."""
    return record({"name": TEXT, "uid": UID, "type": {"const": kind}, "access": {"const": "proxy"}, "url": URL,
                   "editable": {"const": False}, "jsonData": settings}, isDefault=FLAG)


KINDS = {"prometheus": PROMETHEUS, "jaeger": JAEGER, "alertmanager": ALERTMANAGER}
DATASOURCES = record({"apiVersion": {"const": 1}, "datasources": listed({"type": "object", "required": ["type"]})})
PROVIDER = record(
    {"name": TEXT, "type": {"const": "file"}, "allowUiUpdates": {"const": False}, "disableDeletion": FLAG,
     "options": record({"path": {"type": "string", "pattern": "^/"}}, foldersFromFilesStructure=FLAG)},
    folder=TEXT, folderUid=UID, updateIntervalSeconds={"type": "integer", "minimum": 10}, orgId={"const": 1},
)
DASHBOARDS = record({"apiVersion": {"const": 1}, "providers": listed(PROVIDER)})


class Strict(yaml.SafeLoader):
    """A loader that refuses a key that stands twice: the first would be lost."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def told(schema, value, at):
    """What a schema says of a value."""
    for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
        yield f"{at}{''.join(f'/{step}' for step in error.absolute_path)}: {error.message}"


def sources(document):
    """The data sources, each by the schema of its kind."""
    problems = list(told(DATASOURCES, document, "datasources"))
    if problems:
        yield from problems
        return
    for one in document["datasources"]:
        if one["type"] not in KINDS:
            yield f"datasources: no schema for a data source of type {one['type']}"
            continue
        yield from told(source(one["type"], KINDS[one["type"]]), one, one.get("name", "a data source"))


def problems_of(root):
    """All files below the folder; one that no schema is for is a mistake."""
    folder = os.path.join(root, "deploy", "grafana", "provisioning")
    checks = {"datasources": sources, "dashboards": lambda d: told(DASHBOARDS, d, "dashboards")}
    seen = set()
    for path in sorted(glob.glob(os.path.join(folder, "**", "*"), recursive=True)):
        if os.path.isdir(path):
            continue
        kind = os.path.basename(os.path.dirname(path))
        if kind not in checks or not path.endswith(".yml"):
            yield f"{os.path.relpath(path, root)}: no schema for it"
            continue
        seen.add(kind)
        try:
            with open(path, encoding="utf-8") as f:
                document = yaml.load(f, Strict)
        except yaml.YAMLError as e:
            yield f"{os.path.relpath(path, root)}: {e}"
            continue
        yield from checks[kind](document)
    yield from (f"nothing provisions {kind}" for kind in checks.keys() - seen)


def main():
    problems = list(problems_of(sys.argv[1]))
    print("\n".join(problems) or "provisioning: ok")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
