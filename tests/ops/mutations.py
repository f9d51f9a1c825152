#!/usr/bin/env python3
"""Changes every threshold, comparison, matcher and duration of the rules; some unit test must notice.

Each mutant is one rule with one change, run against those unit tests that name its alert or the series that
it records. A mutant that survives means that the tests do not pin the rule down.

Usage: mutations.py FOLDER   (holds *.rules.yml and *.test.yml; needs promtool on the PATH)
Exit: 0 when every mutant was caught, 1 otherwise.
"""

import copy
import glob
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import yaml

import promql
import promtests

# A bare number: not in a string, a range or a name, and not what `vector` always returns.
NUMBER = re.compile(r'(?<!vector\()(?<![\w."\[])(\d+(?:\.\d+)?)(?![\w."\]])')
COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)")
WEAKER = {">": ">=", ">=": ">", "<": "<=", "<=": "<", "==": "!=", "!=": "=="}
RANGE = re.compile(r"\[(\w+)\]")
MATCHER = re.compile(r'(?<=[\w])(=~|!~|!=|=)(?=")')
OPPOSITE = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
BUCKET = re.compile(r'(?<=le=~")\d+')
# The blocks that take longest are asked last.
QUICK = 40


def outside_strings(pattern, expr):
    """Matches of pattern in expr that are not within braces or quotes."""
    masked = re.sub(r'\{[^}]*\}|"[^"]*"', lambda m: "_" * len(m.group()), expr)
    return list(pattern.finditer(masked))


def around(duration):
    """A fifth less and a quarter more than a duration."""
    return [f"{round(promtests.seconds(duration) * factor)}s" for factor in (0.8, 1.25)]


def numbers(expr):
    """Each number a little smaller and larger."""
    for m in outside_strings(NUMBER, expr):
        value = float(m.group())
        near = {value - 1, value + 1} if value in range(10) else {value * 0.8, value * 1.25}
        yield from ((m, f"{other:.12g}") for other in sorted(near))


def replacements(expr):
    """Yields (match, what stands there instead)."""
    yield from numbers(expr)
    yield from ((m, WEAKER[m.group()]) for m in outside_strings(COMPARISON, expr))
    yield from ((m, f"[{other}]") for m in RANGE.finditer(expr) for other in around(m[1]))
    yield from ((m, OPPOSITE[m.group()]) for m in MATCHER.finditer(expr))
    # The neighbours of 300 in the buckets of the latency.
    yield from ((m, other) for m in BUCKET.finditer(expr) for other in ("60", "900"))


def mutants(rule):
    """Yields (what was changed, changed rule)."""

    def changed(**fields):
        mutant = copy.deepcopy(rule)
        for key, value in fields.items():
            mutant.pop(key, None) if value is None else mutant.update({key: value})
        return mutant

    for key in ("for", "keep_firing_for"):
        if "alert" not in rule or key == "keep_firing_for" and key not in rule:
            continue
        held = promtests.seconds(rule.get(key, "0s"))
        for other in {held + 60, max(held - 60, 0)} - {held}:
            yield f"{key}: {other:g}s", changed(**{key: f"{other:g}s" if other else None})
    if "keep_firing_for" in rule:
        yield "keep_firing_for removed", changed(keep_firing_for=None)
    expr = rule["expr"]
    for m, text in replacements(expr):
        what = f"{m.group()} -> {text} at {m.start()}"
        yield what, changed(expr=expr[: m.start()] + text + expr[m.end() :])


class Pack:
    """The rules and tests of a folder."""

    def __init__(self, folder):
        def read(pattern):
            return [self.read(path) for path in sorted(glob.glob(os.path.join(folder, pattern)))]

        self.rules = [r for doc in read("*.rules.yml") for g in doc["groups"] for r in g["rules"]]
        self.tests = read("*.test.yml")

    @staticmethod
    def read(path):
        """One YAML document."""
        with open(path, encoding="utf-8") as f:
            return yaml.safe_load(f)

    def behind(self, rule):
        """The recording rules that a rule needs, in the order of their evaluation."""
        wanted, todo = set(), [rule["expr"]]
        while todo:
            names = set(promql.RECORDED.findall(todo.pop())) - wanted
            wanted |= names
            todo += [r["expr"] for r in self.rules if r.get("record") in names]
        # Of another objective nothing is needed.
        slo = re.search(r'slo="(\w+)"', rule["expr"])
        return [
            r
            for r in self.rules
            if r.get("record") in wanted and (not slo or r["labels"].get("slo") == slo[1])
        ]

    def around(self, rule, mutant):
        """The rules to load for a mutant."""
        if "alert" in rule:
            return [*self.behind(rule), mutant]
        return [mutant if r is rule else r for r in self.rules if r.get("record") == rule["record"]]

    def asked(self, rule):
        """The tests of a rule as files {name: text}, the quick ones and the others apart."""
        quick, slow = {}, {}
        for doc in self.tests:
            evaluation = doc.get("evaluation_interval", "1m")
            for block in doc["tests"]:
                key, kept = self.about(rule, block)
                if kept:
                    times = [promtests.seconds(c["eval_time"]) for c in kept]
                    cheap = max(times) <= QUICK * promtests.seconds(evaluation)
                    bare = {k: v for k, v in block.items() if k not in ("alert_rule_test", "promql_expr_test")}
                    (quick if cheap else slow).setdefault(evaluation, []).append({**bare, key: kept})
        return [
            {
                f"{evaluation}.yml": dump(
                    {"rule_files": ["rules.yml"], "evaluation_interval": evaluation, "tests": blocks}
                )
                for evaluation, blocks in part.items()
            }
            for part in (quick, slow)
            if part
        ]

    @staticmethod
    def about(rule, block):
        """The cases of a block that are about a rule."""
        if "alert" in rule:
            key = "alert_rule_test"
            return key, [c for c in block.get(key, []) if c["alertname"] == rule["alert"]]
        key = "promql_expr_test"
        name = re.compile(re.escape(rule["record"]) + r"(?!\w)")
        return key, [c for c in block.get(key, []) if name.search(c["expr"])]


def dump(value):
    """YAML of it, by libyaml where there is one: Python's own takes ten times as long."""
    return yaml.dump(value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def failed(rules, files, what):
    """Whether promtool reports a failed test (and not a broken file)."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {**files, "rules.yml": dump({"groups": [{"name": "mutant", "rules": rules}]})}
        for name, text in texts.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        paths = [os.path.join(folder, name) for name in files]
        run = subprocess.run(["promtool", "test", "rules", *paths], capture_output=True, text=True, check=False)
    output = run.stdout + run.stderr
    if run.returncode and "exp:" not in output:
        raise RuntimeError(f"{what} does not run:\n{output}")
    return run.returncode != 0


def title(rule):
    """What a rule is called here: recording rules of one name differ in their label."""
    return rule.get("alert") or f"{rule['record']} of {rule['labels']['slo']}"


def main():
    began = time.monotonic()
    pack = Pack(sys.argv[1])
    asked = [(rule, pack.asked(rule)) for rule in pack.rules]
    jobs = [(rule, what, mutant, parts) for rule, parts in asked for what, mutant in mutants(rule)]

    def caught(job):
        rule, what, mutant, parts = job
        rules = pack.around(rule, mutant)
        return any(failed(rules, part, f"{title(rule)}: {what}") for part in parts)

    # Tests that fail anyway would catch everything.
    controls = [(rule, "no change", rule, parts) for rule, parts in asked]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        broken = [title(rule) for (rule, *_), fails in zip(controls, pool.map(caught, controls)) if fails]
        if broken:
            sys.exit(f"tests fail without any change: {', '.join(broken)}")
        results = list(pool.map(caught, jobs))
    survivors = [f"SURVIVED {title(rule)}: {what}" for (rule, what, _, _), dead in zip(jobs, results) if not dead]
    took = time.monotonic() - began
    print("\n".join([*survivors, f"{len(jobs)} mutants, {len(survivors)} survived, {took:.0f} s"]))
    sys.exit(1 if survivors or not jobs else 0)


if __name__ == "__main__":
    main()
