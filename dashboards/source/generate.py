#!/usr/bin/env python3
"""Writes dashboards/*.json from the modules beside it; with --check, only compares.

Usage: generate.py [--check]   (tests/ops.sh --generate runs it in its environment)
Exit: 0 when the files are up to date or were written; 1 with their names when --check finds others.
"""

import pathlib
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder

import delivery
import edge
import overview
import pipeline
import runtime

FOLDER = pathlib.Path(__file__).resolve().parent.parent
PAGES = {"overview": overview, "pipeline": pipeline, "delivery": delivery, "http": edge, "runtime": runtime}


def main():
    written = {FOLDER / f"{name}.json": JSONEncoder(sort_keys=True, indent=2).encode(module.PAGE) + "\n"
               for name, module in PAGES.items()}
    if sys.argv[1:] != ["--check"]:
        for path, text in written.items():
            path.write_text(text, encoding="utf-8")
        return
    stale = [p.name for p, text in written.items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    stale += sorted(p.name for p in FOLDER.glob("*.json") if p not in written)
    if stale:
        sys.exit(f"not what dashboards/source makes, run tests/ops.sh --generate: {', '.join(stale)}")


if __name__ == "__main__":
    main()
