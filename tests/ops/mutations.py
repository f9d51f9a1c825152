#!/usr/bin/env python3
"""Changes every threshold, comparison and duration of the alerts; some unit test must notice.

Each mutant is one rule with one change, run against those unit tests that name its alert. A mutant
that survives means that the tests do not pin the rule down.

Usage: mutations.py RULES TESTS   (needs promtool on the PATH)
Exit: 0 when every mutant was caught, 1 otherwise.
"""

import copy
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import yaml

# A bare number: not in a string, a range or a name, and not what `vector` always returns.
NUMBER = re.compile(r'(?<!vector\()(?<![\w."\[])(\d+(?:\.\d+)?)(?![\w."\]])')
COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)")
WEAKER = {">": ">=", ">=": ">", "<": "<=", "<=": "<", "==": "!=", "!=": "=="}


def minutes(duration):
    """Minutes of a Prometheus duration such as 90s, 5m or 2h."""
    number, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()
    return int(number) * {"s": 1 / 60, "m": 1, "h": 60}[unit]


def outside_strings(pattern, expr):
    """Matches of pattern in expr that are not within braces or quotes."""
    masked = re.sub(r'\{[^}]*\}|"[^"]*"', lambda m: "_" * len(m.group()), expr)
    return list(pattern.finditer(masked))


def mutants(rule):
    """Yields (what was changed, changed rule)."""

    def changed(**fields):
        mutant = copy.deepcopy(rule)
        for key, value in fields.items():
            mutant.pop(key, None) if value is None else mutant.update({key: value})
        return mutant

    hold = minutes(rule.get("for", "0m"))
    yield f"for: {hold + 1:g}m", changed(**{"for": f"{hold + 1:g}m"})
    if hold:
        yield f"for: {hold - 1:g}m", changed(**{"for": f"{hold - 1:g}m"})
    if "keep_firing_for" in rule:
        yield "keep_firing_for removed", changed(keep_firing_for=None)
    expr = rule["expr"]
    for m in outside_strings(NUMBER, expr):
        value = float(m.group())
        near = {value - 1, value + 1} if value in range(10) else {value * 0.8, value * 1.25}
        for other in sorted(near):
            text = f"{other:.12g}"
            yield (
                f"{m.group()} -> {text} at {m.start()}",
                changed(expr=expr[: m.start()] + text + expr[m.end() :]),
            )
    for m in outside_strings(COMPARISON, expr):
        yield (
            f"{m.group()} -> {WEAKER[m.group()]} at {m.start()}",
            changed(expr=expr[: m.start()] + WEAKER[m.group()] + expr[m.end() :]),
        )


def caught(rule, tests):
    """Whether promtool reports a failed test (and not a broken file)."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "rules.yml"), "w", encoding="utf-8") as f:
            yaml.safe_dump({"groups": [{"name": "mutant", "rules": [rule]}]}, f)
        path = os.path.join(folder, "test.yml")
        with open(path, "w", encoding="utf-8") as f:
            yaml.safe_dump(tests, f)
        run = subprocess.run(
            ["promtool", "test", "rules", path], capture_output=True, text=True, check=False
        )
    output = run.stdout + run.stderr
    if run.returncode and "exp:" not in output:
        raise RuntimeError(f"a mutant of {rule['alert']} does not run:\n{rule['expr']}\n{output}")
    return run.returncode != 0


def narrowed(tests, alert):
    """The test file with nothing in it but the cases of one alert."""
    kept = []
    for block in tests["tests"]:
        cases = [c for c in block.get("alert_rule_test", []) if c["alertname"] == alert]
        if cases:
            kept.append({**block, "alert_rule_test": cases})
    return {**tests, "rule_files": ["rules.yml"], "tests": kept}


def main():
    rules_path, tests_path = sys.argv[1:]
    with open(rules_path, encoding="utf-8") as f:
        rules = [r for g in yaml.safe_load(f)["groups"] for r in g["rules"] if "alert" in r]
    with open(tests_path, encoding="utf-8") as f:
        tests = yaml.safe_load(f)
    jobs = []
    for rule in rules:
        own = narrowed(tests, rule["alert"])
        if caught(rule, own):
            sys.exit(f"{rule['alert']}: its tests fail without any change")
        jobs += [(rule["alert"], what, mutant, own) for what, mutant in mutants(rule)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: caught(job[2], job[3]), jobs))
    survivors = [job for job, dead in zip(jobs, results) if not dead]
    for alert, what, _, _ in survivors:
        print(f"SURVIVED {alert}: {what}")
    print(f"{len(jobs)} mutants, {len(jobs) - len(survivors)} caught, {len(survivors)} survived")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
