"""What an expression of a dashboard reads and how, by a real parser of PromQL."""

import dataclasses
import datetime
import re

import promql_parser

# Stands for $__rate_interval while an expression is parsed: nobody would write it.
MAGIC = "77777s"
MAGIC_RANGE = datetime.timedelta(seconds=77777)
OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \|", re.MULTILINE)
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


@dataclasses.dataclass(frozen=True)
class Selector:
    """One selector, the range behind it and the function around it, both None if there is none."""

    name: str
    matchers: tuple
    span: datetime.timedelta | None
    function: str | None


@dataclasses.dataclass(frozen=True)
class Family:
    """A row of docs/METRICS.md."""

    name: str
    type: str
    labels: frozenset


def families(text):
    """The series that docs/METRICS.md promises: name to family."""
    series = {}
    for row in ROW.finditer(text):
        family = Family(row["name"], row["type"], frozenset(re.findall(r"`(\w+)`", row["labels"])))
        series |= {family.name + suffix: family for suffix in SUFFIXES[family.type]}
    return series


def parse(expr):
    """The tree; ValueError when it is no PromQL."""
    return promql_parser.parse(expr.replace("$__rate_interval", MAGIC))


def children(node):
    """The expressions directly below a node."""
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, str):
            yield child
    yield from getattr(node, "args", None) or ()


def walk(node, above=()):
    """Every node with those above it, the nearest last."""
    yield node, above
    for child in children(node):
        yield from walk(child, (*above, node))


def selectors(tree):
    """Every selector of an expression."""
    for node, above in walk(tree):
        if not isinstance(node, promql_parser.VectorSelector):
            continue
        matchers = tuple((m.name, OPERATORS[str(m.op)], m.value) for m in node.matchers.matchers)
        span = function = None
        if above and isinstance(above[-1], promql_parser.MatrixSelector):
            span = above[-1].range
            if len(above) > 1 and isinstance(above[-2], promql_parser.Call):
                function = above[-2].func.name
        yield Selector(node.name or "", matchers, span, function)


def labels_kept(tree):
    """Labels that groupings and label_replace name: those that a legend can show."""
    names = set()
    for node, _ in walk(tree):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            names |= set(node.modifier.labels)
        elif isinstance(node, promql_parser.Call) and node.func.name == "label_replace":
            names.add(node.args[1].val)
    return names
