"""Expressions: every selector filters by the variables job and instance, every rate by $__rate_interval."""

OWN = "match_list_processor_"
WINDOW = "$__rate_interval"


def series(name, where=""):
    """A selector. Names of docs/METRICS.md are written without their prefix."""
    foreign = name in ("up", "ALERTS") or name.startswith("process_") or ":" in name
    matchers = ['job=~"$job"', 'instance=~"$instance"'] + ([where] if where else [])
    return f"{'' if foreign else OWN}{name}{{{', '.join(matchers)}}}"


def grouped(aggregation, by, inner):
    """An aggregation, by labels if there are any."""
    return f"{aggregation} by ({by}) ({inner})" if by else f"{aggregation}({inner})"


def gauge(name, by="", where="", aggregation="sum"):
    """A gauge of all selected instances."""
    return grouped(aggregation, by, series(name, where))


def rate(name, by="", where=""):
    """Events a second."""
    return grouped("sum", by, f"rate({series(name, where)}[{WINDOW}])")


def events(name, by="", where="", window=WINDOW):
    """Events within the window: right for what happens a few times an hour, where a rate says little."""
    return grouped("sum", by, f"increase({series(name, where)}[{window}])")


def quantile(q, histogram, by="", where=""):
    """A quantile of a histogram."""
    labels = "le, " + by if by else "le"
    return f"histogram_quantile({q}, {rate(histogram + '_bucket', labels, where)})"


def age(timestamp, by="", where=""):
    """Seconds since the oldest of such time stamps, and 0 for the time stamp 0, which means `none`."""
    known = grouped("max", by, f"time() - ({series(timestamp, where)} > 0)")
    return f"{known} or {grouped('max', by, series(timestamp, where) + ' * 0')}"


def busy(expr, counter, by, where=""):
    """Only those series of an expression that counted anything in 24 hours: there may be many that never do."""
    return f"{expr} and on ({by}) {events(counter, by, where, '24h')} > 0"


def share(part, whole):
    """The share of a part in a whole, and 0 while there is no whole."""
    return f"({part} / ({whole} > 0)) or {part} * 0"
