"""What the checks need to know of PromQL: which metrics an expression reads, and with what matchers."""

import re

OURS = re.compile(r"\b(?:match_list_processor|process)_[a-z0-9_]+")
SELECTOR = re.compile(r"\b(?P<name>up|(?:match_list_processor|process)_[a-z0-9_]+)\b(?P<matchers>\{[^}]*\})?")
RECORDED = re.compile(r"\bmatch_list_processor:[a-z0-9_:]+")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
HISTOGRAM_SUFFIX = re.compile(r"_(?:bucket|sum|count)$")


def selectors(expr):
    """Every (metric, matchers) of an expression; the matchers are '' where there are none."""
    # Names within matchers and groupings are labels: blank out the groupings, skip the matchers.
    bare = GROUPING.sub(lambda m: " " * len(m.group()), expr)
    found, end = [], 0
    for m in SELECTOR.finditer(bare):
        inside = bare.rfind("{", end, m.start()) > bare.rfind("}", end, m.start())
        if not inside:
            found.append((m["name"], m["matchers"] or ""))
            end = m.end()
    return found


def metrics(expr):
    """The metrics of an expression that the daemon exports itself."""
    return {name for name, _ in selectors(expr) if name != "up"}


def documented(path):
    """The families that the reference of metrics names."""
    with open(path, encoding="utf-8") as f:
        return set(OURS.findall(f.read()))


def undocumented(names, known):
    """Those names that are neither a documented family nor a series of a documented histogram."""
    return sorted(n for n in names if n not in known and HISTOGRAM_SUFFIX.sub("", n) not in known)
