"""Reads the unit tests of promtool: what a block feeds, what it expects, and of which kinds it is.

A block with alerts is named `Subject [kind, kind]: words`. The subject is an alert without its prefix, or
`several` or `every alert`. What a kind promises is checked in `keeps`.
"""

import re
from dataclasses import dataclass, field

import promql

PREFIX = "MatchListProcessor"
NAME = re.compile(r"(?P<subject>\w+|every alert) \[(?P<kinds>[a-z, -]+)\]: .+")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SEQUENCE = re.compile(r"(?P<start>-?[\d.]+)(?:(?P<step>[+-][\d.]+))?(?:x(?P<times>\d+))?")
GAP = re.compile(r"_(?:x(?P<times>\d+))?")
STALE = "stale"

# Every alert needs a block of each of these. `before-for` only where there is a `for`.
REQUIRED = ("fires", "before-for", "below", "healthy", "missing", "target-gone")
# What else a block can be.
OTHER = ("silent", "resolves")


def seconds(duration):
    """Seconds of a Prometheus duration such as 90s, 1h30m or 3d."""
    parts = DURATION.findall(str(duration))
    if "".join(n + u for n, u in parts) != str(duration):
        raise ValueError(f"not a duration: {duration}")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def expand(values):
    """The samples of promtool's notation: numbers, None for a gap, STALE for the end of a series."""
    samples = []
    for word in values.split():
        if word == STALE:
            samples.append(STALE)
        elif gap := GAP.fullmatch(word):
            samples += [None] * int(gap["times"] or 1)
        else:
            m = SEQUENCE.fullmatch(word)
            if m is None:
                raise ValueError(f"not a value of a series: {word}")
            start, step = float(m["start"]), float(m["step"] or 0)
            samples += [start + step * n for n in range(int(m["times"] or 0) + 1)]
    return samples


@dataclass
class Block:
    """One test of a file: its times are in seconds."""

    name: str
    evaluation: float
    interval: float
    series: dict
    cases: dict = field(default_factory=dict)

    @classmethod
    def of(cls, test, evaluation):
        """Reads one entry of `tests`; the cases are {alert: [(time, whether it must fire)]}."""
        series = {s["series"]: expand(str(s["values"])) for s in test.get("input_series") or []}
        block = cls(test.get("name", ""), evaluation, seconds(test["interval"]), series)
        for case in test.get("alert_rule_test") or []:
            found = block.cases.setdefault(case["alertname"], [])
            found.append((seconds(case["eval_time"]), bool(case.get("exp_alerts"))))
        for found in block.cases.values():
            found.sort()
        return block

    @property
    def kinds(self):
        """What the name says that the block is; None if the name says nothing."""
        named = NAME.fullmatch(self.name)
        return named and [kind.strip() for kind in named["kinds"].split(",")]

    @property
    def fed(self):
        """The names of the series that it feeds."""
        return {series.partition("{")[0] for series in self.series}

    def gone(self, names):
        """When the target goes: `up` falls to 0 and every series of these names has ended; None if never."""
        ends = []
        for series, samples in self.series.items():
            name = series.partition("{")[0]
            if name == "up" and 0.0 in samples[1:]:
                ends.append(samples.index(0.0, 1))
            elif name in names and STALE in samples:
                ends.append(samples.index(STALE))
            elif name in names:
                return None
        if "up" not in self.fed or not ends:
            return None
        return max(ends) * self.interval


def blocks(doc):
    """The blocks of a test file."""
    evaluation = seconds(doc.get("evaluation_interval", "1m"))
    return [Block.of(test, evaluation) for test in doc["tests"]]


def read_by(expr, recorded):
    """The series that an expression reads, those behind recorded ones included; `recorded`: {name: [expr]}."""
    names = {name for name, _ in promql.selectors(expr)}
    for name in set(promql.RECORDED.findall(expr)):
        names.add(name)
        for inner in recorded[name]:
            names |= read_by(inner, recorded)
    return names


def keeps(kind, block, rule, reads, down):
    """Whether a block is for this alert what `kind` promises.

    `reads`: the series behind the alert; `down`: the seconds after which Down fires.
    """
    cases = block.cases[rule["alert"]]
    fires = [t for t, firing in cases if firing]
    silent = [t for t, firing in cases if not firing]
    long_enough = bool(silent) and not fires and silent[-1] >= seconds(rule.get("for", "0s"))
    if kind == "fires":
        return bool(fires)
    if kind == "before-for":
        return any(0 < f - s <= block.evaluation for f in fires for s in silent)
    if kind == "below":
        return long_enough and bool(block.fed & reads)
    if kind == "healthy":
        # Of a recorded series that is fed itself nothing further is needed.
        return long_enough and {n for n in reads if ":" not in n} <= block.fed
    if kind == "missing":
        return long_enough and not block.fed & reads
    if kind == "target-gone":
        # Still there when Down has come, over in the end.
        gone = block.gone(reads)
        handed_over = gone is not None and any(t >= gone + down for t in fires)
        return handed_over and bool(silent) and silent[-1] > fires[-1]
    if kind == "silent":
        return bool(silent) and not fires
    if kind == "resolves":
        return bool(fires) and bool(silent) and silent[-1] > fires[-1]
    return False
