"""The shipped rules and routes with every duration divided, so that hours pass in a minute.

What is a duration: `for`, `keep_firing_for`, `interval`, ranges and offsets of an expression, and a
number that is compared with a difference from `time()`. So is the upper bound of a bucket of seconds
(`le="300"`): it becomes the nearest bucket of the family that is not below. Nothing else is changed:
a count, a ratio, or a number of seconds that a histogram gives must be reached by the fault itself.
Windows of hours and days end at a ceiling: they still overlap as they do in reality, but are alike.
"""

import re

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
TOKEN = re.compile(
    r"(?P<space>\s+|#[^\n]*)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`)"
    r"|(?P<duration>" + DURATION.pattern + r"(?![\w.]))"
    r"|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[A-Za-z_][\w:]*)"
    r"|(?P<comparison>>=|<=|==|!=|>|<)"
    r"|(?P<matching>=~|!~)"
    r"|(?P<sign>[-+*/%^(){}\[\],=@:])"
)
# The second form is for the name that Prometheus 3 gives to the same bucket.
BOUND = re.compile(r"(?P<number>[+]Inf|\d+(?:\.\d+)?)(?P<rest>(?:\(\[\.\]0\)\?)?)")
SETS = ("and", "or", "unless")


class Unscalable(Exception):
    """An expression says something of time that is not understood here."""


def seconds(text):
    """Seconds of a Prometheus duration such as 90s, 1h30m or 500ms."""
    if not DURATION.fullmatch(text):
        raise Unscalable(f"{text} is no duration")
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


def duration(value):
    """Seconds as a Prometheus duration."""
    return f"{round(value * 1000)}ms" if value % 1 else f"{round(value)}s"


class Scale:
    """Divides by `factor`, with bounds: below `hold` seconds a late scrape would be a fault, below
    `window` no rate has samples, and above `longest` nobody wants to wait. Remembers what it changed."""

    def __init__(self, factor, hold=3, window=5, longest=60, buckets=None):
        self.factor, self.hold, self.window, self.longest = factor, hold, window, longest
        self.buckets = buckets or {}
        self.changed = []

    def shorter(self, value, least):
        """A number of seconds, divided and within bounds."""
        return min(max(value / self.factor, least), self.longest) if value else 0

    def text(self, text, least):
        """A duration as text, divided and within bounds."""
        return duration(self.shorter(seconds(text), least))

    def rules(self, document):
        """A file of rules with every duration divided; the document is changed in place."""
        for group in document["groups"]:
            if "interval" in group:
                group["interval"] = self.text(group["interval"], 1)
            for rule in group["rules"]:
                notes = []
                for field in ("for", "keep_firing_for"):
                    if field in rule:
                        old, rule[field] = rule[field], self.text(rule[field], self.hold)
                        notes.append(f"{field} {old} -> {rule[field]}")
                rule["expr"], found = self.expression(rule["expr"])
                self.changed.append((rule.get("alert") or rule["record"], notes + found))
        return document

    def routes(self, node, least=1):
        """The routes of an Alertmanager with every interval divided; changed in place."""
        for field in ("group_wait", "group_interval", "repeat_interval"):
            if field in node and seconds(node[field]):
                node[field] = self.text(node[field], least)
        for child in node.get("routes", []):
            self.routes(child, least)

    def expression(self, expr):
        """The expression with its durations divided, and what was changed."""
        tokens = tokenized(expr)
        out, notes = [text for _, text in tokens], []
        for at, (kind, text) in enumerate(tokens):
            new = None
            if kind == "duration":
                new = self.text(text, self.window)
            elif kind == "number" and is_age(tokens, at):
                new = f"{float(text) / self.factor:g}"
            elif kind == "string" and is_bound(tokens, at):
                new = self.bound(tokens, at)
            if new is not None and new != text:
                out[at] = new
                notes.append(f"{text} -> {new}")
        clocks = [at for at, token in enumerate(tokens) if token in (("name", "time"), ("name", "timestamp"))]
        ages = [at for at, (kind, _) in enumerate(tokens) if kind == "number" and is_age(tokens, at)]
        if clocks and not ages:
            raise Unscalable(f"no number is compared with the time in: {expr}")
        return "".join(out), sorted(set(notes), key=notes.index)

    def bound(self, tokens, at):
        """The bucket that stands for this one."""
        text = tokens[at][1]
        match = BOUND.fullmatch(text.strip("\"'`"))
        if not match:
            raise Unscalable(f"{text} is no bound of one bucket")
        if match["number"] == "+Inf":
            return None
        bound = float(match["number"])
        family = next(t for k, t in reversed(tokens[:at]) if k == "name" and t.endswith("_seconds_bucket"))
        known = self.buckets.get(family.removesuffix("_bucket"), [])
        if bound not in known:
            raise Unscalable(f"{family} has no bucket {bound:g}")
        nearest = min(b for b in known if b >= bound / self.factor)
        return f'"{nearest:g}{match["rest"]}"'


def tokenized(expr):
    """(kind, text) of everything in an expression; joined, the texts are the expression."""
    found, end = [], 0
    for match in TOKEN.finditer(expr):
        if match.start() != end:
            break
        found.append((match.lastgroup, match.group()))
        end = match.end()
    if end != len(expr):
        raise Unscalable(f"not understood: {expr[end:]!r} in {expr!r}")
    return found


def before(tokens, at):
    """What stands before a place, without spaces."""
    return [token for token in tokens[:at] if token[0] != "space"]


def is_age(tokens, at):
    """Whether this number is a distance in time: `time() - x > N`, or `x < time() - N`."""
    left = before(tokens, at)
    if [text for _, text in left[-4:]] in (["time", "(", ")", "-"], ["time", "(", ")", "+"]):
        return True
    if not left or left[-1][0] != "comparison":
        return False
    return ("name", "time") in operand(left[:-1]) or ("name", "timestamp") in operand(left[:-1])


def operand(left):
    """The operand that ends where `left` ends: back to its parenthesis or the next weaker operator."""
    depth, found = 0, []
    for kind, text in reversed(left):
        if text == ")":
            depth += 1
        elif text == "(":
            depth -= 1
            if depth < 0:
                break
        elif depth == 0 and (kind == "comparison" or text in SETS):
            break
        found.append((kind, text))
    return found


def is_bound(tokens, at):
    """Whether this text is the bound of a bucket of seconds."""
    left = before(tokens, at)
    if [text for _, text in left[-2:]] not in (["le", "="], ["le", "=~"]):
        return False
    name = next((text for kind, text in reversed(left[:-2]) if kind == "name" and text.endswith("_bucket")), "")
    return name.endswith("_seconds_bucket")


def documented_buckets(path):
    """The buckets of each histogram, from the reference of metrics."""
    found = {}
    with open(path, encoding="utf-8") as f:
        for name, bounds in re.findall(r"^\| `(\w+)` \| histogram .*Buckets: ([\d., ]+)\. \|$", f.read(), re.MULTILINE):
            found[name] = [float(bound) for bound in bounds.split(",")]
    return found
