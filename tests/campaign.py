"""Adds what was tried to docs/reliability.json and writes docs/reliability.md from it.

campaign.py FOUND REVISION NAME…: a NAME that left no line in FOUND has broken.
campaign.py --report FORM NAME SEED SECONDS SAID FOUND: adds the line of what is no harness of its
own, from what it said: tests (libtest), cases (of the one property test in it) or inputs (fuzzing).
"""

import json
import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
ORDER = ["kill", "power", "edge", "slow", "shutdown", "control", "model", "outages", "faults", "fuzz"]

# What is counted.
UNITS = {
    "kill": "rounds",
    "power": "states",
    "edge": "requests",
    "slow": "connections",
    "shutdown": "stops",
    "control": "weakened builds",
    "model": "orders of operations",
    "outages": "tests",
    "faults": "tests",
    "fuzz": "inputs",
}
# These do not depend on chance.
NO_SEED = {"slow", "control", "outages", "faults"}

HEAD = """# Reliability

What the program promises, how each promise was tried, and what came of it. `bash tests/campaign.sh` writes this page
(`tests/campaign.py` does, from what was reported); the sizes tell whether it was the long form or the one that
`tests/run.sh` runs every time.

| promise | tried by |
|---|---|
| an acknowledged trigger survives `kill -9`, and a cycle that starts after it serves it | `kill`, `shutdown` |
| the same for a power cut | `power` |
| a request with a name that comes again triggers nothing more, over crashes too | `kill`, `outages` |
| a committed change leads to its deliveries; a repeat carries the same id; order is kept per destination and match | `kill`, `shutdown`, `outages` |
| whoever is told by webhook hears every change: each message begins where the one before it ended, and the last ends with the list | `kill`; the last one also `shutdown` |
| the exported list is whole, old or new | `kill`, `power` |
| what no honest client sends is refused, and nobody else notices: 99 of 100 probes are answered within 100 ms, or eight times what a bare echo takes where the machine is busy, and none after 2 s | `edge`, `slow` |
| 15,000 connections that are slow, deaf or idle take less than 128 MiB and give it back | `slow` |
| a stop answers what was accepted, settles what is under way and ends within its deadline | `shutdown` |
| an outage of three days costs nothing and hammers nobody | `outages`: `cargo test --test it outages:: repeats::`, the clock paused |
| any order of operations, restarts and crashes leaves the store as a simple model says | `model`: `cargo test --lib model_tests` |
| no list, import, template, `Retry-After` or connection makes it panic, and each is read as a second reader reads it | `fuzz`: `bash tests/fuzz.sh`, coverage-guided, from the corpora in `fuzz/` |
| these harnesses bite | `control`: for each of `kill`, `power`, `edge`, `shutdown` and `slow`, builds without one promise are caught, and because of it |
| each fault of disk, files, clock and neighbours | `faults`: the end-to-end tests that [faults.md](faults.md) names |

The harnesses try the release build; in `tests/run.sh` they try the one that the tests run. One of them again:
`cargo test --test reliability -- NAME --seed S`; `--help` tells the sizes. A violation says which seed and round it was
and keeps the data folder, logs and traces.

## Figures
"""

TAIL = """
## What is not covered

- Disks that say that they have written what they have not, bits that rot, file systems shared over a network.
- Kills while files go to a folder or a bucket, or while Redis, the calendar service, Discord, ntfy or a mail server is told:
  `kill` and `shutdown` use the Drive service and a webhook. The outbox and what works it off are the same for all.
- Two replicas: one process works on a store.
"""


def number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"


# What `tests/campaign.sh` runs without --quick.
LONG_FORM = {"kill": 10_000, "power": 100_000, "edge": 1_000_000, "shutdown": 500, "control": 24, "model": 2_000}


def told(name: str, run: dict) -> str:
    size = f"{number(run['count'])} {UNITS[name]} in {run['seconds']:,.0f} s"
    seed = "" if name in NO_SEED else f", seed {run['seed']}"
    return f"{size}{seed}, revision {run['revision']}, on {run['cores']} cores"


def section(name: str, runs: dict) -> str:
    newest, largest = runs["newest"], runs.get("largest")
    if "figures" not in newest:
        return f"\n### {name}: **BROKEN**\n\nIt ended before it could report ({newest['revision']}); see its output.\n"
    lines = [f"\n### {name}: no promise broken\n", f"{told(name, newest)}.\n"]
    if largest and largest["count"] > newest["count"]:
        lines += [f"The largest run so far, no promise broken either: {told(name, largest)}.\n"]
    whole = LONG_FORM.get(name, 0)
    if max(newest["count"], largest["count"] if largest else 0) < whole:
        lines += [f"The long form has {number(whole)}.\n"]
    lines += ["| figure | value |", "|---|---|"]
    lines += [f"| {figure} | {number(value)} |" for figure, value in newest["figures"].items()]
    return "\n".join(lines) + "\n"


def report(form: str, name: str, seed: str, seconds: str, said: str, found: str) -> None:
    text = Path(said).read_text(encoding="utf-8", errors="replace")
    figures: dict[str, int] = {}
    if form == "inputs":
        for target, count, _, kept in re.findall(r"^(\w+) +(\d+) inputs in (\d+) s from (\d+) kept", text, re.M):
            figures |= {f"inputs of {target}": int(count), f"kept inputs of {target}": int(kept)}
        count = sum(value for key, value in figures.items() if key.startswith("inputs of"))
    else:
        count = sum(int(passed) for passed in re.findall(r"^test result: ok\. (\d+) passed", text, re.M))
        figures["tests that passed"] = count
        if form == "cases" and count:
            count = int(os.environ["PROPTEST_CASES"])
    if not count:
        sys.exit(f"{name}: nothing was tried, see what it said above")
    line = {"harness": name, "seed": int(seed), "count": count, "seconds": float(seconds), "figures": figures}
    with Path(found).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def main(found: str, revision: str, *harnesses: str) -> None:
    record = DOCS / "reliability.json"
    runs = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    lines = [json.loads(line) for line in Path(found).read_text(encoding="utf-8").splitlines()]
    reported = {line.pop("harness"): line for line in lines}
    for name in harnesses:
        known = runs.setdefault(name, {})
        known["newest"] = {"revision": revision, "cores": os.cpu_count(), **reported.get(name, {})}
        largest = known.get("largest", {"count": 0})
        if known["newest"].get("count", 0) >= largest["count"]:
            known["largest"] = {key: value for key, value in known["newest"].items() if key != "figures"}
    record.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    page = HEAD + "".join(section(name, runs[name]) for name in ORDER if name in runs) + TAIL
    (DOCS / "reliability.md").write_text(page, encoding="utf-8")
    print("docs/reliability.md is written")


if sys.argv[1] == "--report":
    report(*sys.argv[2:])
else:
    main(*sys.argv[1:])
