"""The objectives over 30 days, as alerts/ has them: what counts, what is an error, and how much of it may be."""

from queries import series

POSTED = 'method="POST", route="/process"'


def total(name, where, window):
    """Events of all selected instances within the window."""
    return f"sum(increase({series(name, where)}[{window}]))"


def cycles(window):
    """(errors, all): cycles that failed or were held; those that a stop cancelled do not count."""
    return (total("cycles_total", 'outcome=~"failure|held"', window),
            total("cycles_total", 'outcome!="cancelled"', window))


def deliveries(window):
    """(errors, all): deliveries later than five minutes after the commit, or given up."""
    dead = total("deliveries_total", 'result="dead"', window)
    made = total("delivery_latency_seconds_count", "", window)
    # Prometheus 3 writes 300.0.
    in_time = total("delivery_latency_seconds_bucket", 'le=~"300([.]0)?"', window)
    return f"({made} + {dead} - {in_time})", f"({made} + {dead})"


def requests(window):
    """(errors, all): answers to POST /process with 5xx, and those that met a full queue."""
    failed = total("http_requests_total", POSTED + ', code=~"5.."', window)
    full = total("triggers_total", 'source="webhook", result="rejected_full"', window)
    return f"({failed} + {full})", total("http_requests_total", POSTED, window)


# Name: (what counts, the share that may be errors).
OBJECTIVES = {"cycles": (cycles, 0.01), "deliveries": (deliveries, 0.01), "requests": (requests, 0.001)}


def burn_rate(slo, window):
    """Times faster than allowed at which the worst instance uses its budget up, from the recording rules that the
    alerts read too; 0 without traffic."""
    recorded = series(f"match_list_processor:slo_errors:ratio_rate{window}", f'slo="{slo}"')
    return f"max({recorded}) / {OBJECTIVES[slo][1]} or vector(0)"


def budget_left(slo):
    """Share of the errors allowed in 30 days that is left; below 0 when the objective is missed."""
    counted, allowed = OBJECTIVES[slo]
    errors, everything = counted("30d")
    return f"1 - ({errors} / ({everything} > 0) / {allowed} or vector(0))"
