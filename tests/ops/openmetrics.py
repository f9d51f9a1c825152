#!/usr/bin/env python3
"""Checks an OpenMetrics exposition with the reference parser, and against the Prometheus text.

Usage: openmetrics.py OPENMETRICS TEXT
Exit: 0 when it is legal and has the series of the text, no more and no fewer; 1 otherwise.
"""

import sys

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text


def series(families):
    """Name and labels of every sample, each bound in one form."""
    out = set()
    for sample in (s for family in families for s in family.samples):
        labels = {k: str(float(v)) if k == "le" else v for k, v in sample.labels.items()}
        out.add((sample.name, tuple(sorted(labels.items()))))
    return out


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        try:
            families = list(openmetrics.text_fd_to_metric_families(f))
        except ValueError as error:
            sys.exit(f"no OpenMetrics: {error}")
    with open(sys.argv[2], encoding="utf-8") as f:
        expected = series(text.text_fd_to_metric_families(f))
    found = series(families)
    for name, labels in sorted(found ^ expected):
        print(f"only in one of both: {name} {dict(labels)}")
    if found != expected or not found:
        sys.exit(1)
    print(f"{len(families)} families, {len(found)} series: ok")


if __name__ == "__main__":
    main()
