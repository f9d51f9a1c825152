"""Is it well, does it keep its objectives, and where to look next."""

from pages import FIRING, page
from panels import BAD, CALM, GOOD, GREY, ODD, bars, lines, names, number, query, states, steps, texts
from queries import age, events, gauge, quantile, series
from slo import budget_left, burn_rate

UP = texts(_0=("down", BAD), _1=("up", GOOD))


def budget(slo, title, description):
    """What is left of one objective's budget."""
    return number(title, f"{description} Of all selected instances together; below 0 the objective is missed.",
                  query(budget_left(slo), slo), unit="percentunit", decimals=1,
                  thresholds=steps(BAD, (0, ODD), (0.25, GOOD)))


def burn(slo, title, description, alerts):
    """How fast one objective's budget is used up, over the windows of its alerts."""
    windows = [query(burn_rate(slo, w), w) for w in ("1h", "6h", "1d", "3d")]
    told = (f"{description} The worst instance; 1 uses it up in 30 days. {alerts}FastBurn calls somebody at 14.4 over "
            f"1h or 6 over 6h, {alerts}SlowBurn opens a ticket at 3 over 1d or 1 over 3d.")
    return lines(title, told, *windows, unit="none",
                 thresholds=steps(GOOD, (1, ODD), (14.4, BAD)))


PAGE = page(
    "overview", "Overview",
    "Does the daemon look when it is told to, does it find what changed, and does everyone get to know?",
    ("Now",
     (4,
      number("Up", "Whether Prometheus can scrape the daemon: the worst of the selected instances. Alerts: "
             "MatchListProcessorDown after 2 minutes, MatchListProcessorAbsent when there is no target, "
             "MatchListProcessorMetricsMissing when there are no metrics.",
             query(f"min({series('up')}) or vector(0)", "up"), unit="none", mappings=UP,
             thresholds=steps(BAD, (1, GOOD))),
      number("Alerts that fire", "Alerts of the selected instances, without the Watchdog.",
             query(f"count({series('ALERTS', FIRING)}) or vector(0)", "alerts"),
             thresholds=steps(GOOD, (1, ODD))),
      number("Last good cycle", "Time since a cycle last read the match list with success, kept over restarts. "
             "Alert: MatchListProcessorNoSuccessfulCycle at three hours.",
             query(age("cycle_last_success_timestamp_seconds"), "age"), unit="s", decimals=0,
             thresholds=steps(GOOD, (3600, ODD), (10800, BAD))),
      number("Store", "Whether the store accepts writes. Alert: MatchListProcessorStoreNotWritable after 2 minutes.",
             query(gauge("store_writable", aggregation="min"), "store"), unit="none",
             mappings=texts(_0=("not writable", BAD), _1=("writable", GOOD)), thresholds=steps(BAD, (1, GOOD))),
      number("Dependencies down", "Services whose last probe was not answered well. "
             "Alert: MatchListProcessorDependencyDown after 10 minutes.",
             query(f"count({series('dependency_up')} == 0) or vector(0)", "down"),
             thresholds=steps(GOOD, (1, BAD))),
      number("Paused", "Whether an operator has paused cycles and deliveries.",
             query(gauge("paused", aggregation="max"), "paused"), unit="none",
             mappings=texts(_0=("no", GOOD), _1=("paused", ODD)), thresholds=steps(GOOD, (1, ODD)))),
     (4,
      number("Triggers waiting", "Requests for a cycle that are stored and not yet served.",
             query(gauge("queue_depth"), "waiting"), thresholds=steps(CALM, (100, ODD), (800, BAD))),
      number("Undelivered", "Deliveries that wait or are being made.",
             query(gauge("outbox_entries", where='state=~"pending|running"'), "undelivered"),
             thresholds=steps(CALM, (100, ODD), (1000, BAD))),
      number("Dead letters", "Deliveries given up that wait for a person. Alert: MatchListProcessorDeadLetters.",
             query(gauge("dead_letters"), "dead"), thresholds=steps(GOOD, (1, BAD))),
      number("Matches", "Matches in the snapshot.", query(gauge("matches"), "matches")),
      number("Changes, 24 h", "Changes committed within 24 hours.",
             query(events("changes_total", window="24h"), "changes"), decimals=0),
      names("Version", "What runs, in which mode.",
            query(f"max by (version) ({series('build_info')})", "{{version}}", instant=True),
            query(f"max by (active) ({series('mode_info')})", "{{active}}", instant=True)))),
    ("Objectives over 30 days",
     (5,
      budget("cycles", "Error budget left: cycles", "Of 100 cycles that end, one may fail or be held."),
      budget("deliveries", "Error budget left: deliveries",
             "Of 100 deliveries, one may come later than 5 minutes after the commit or be given up."),
      budget("requests", "Error budget left: POST /process",
             "Of 1,000 requests, one may be answered with 5xx or meet a full queue.")),
     (8,
      burn("cycles", "Burn rate: cycles", "How fast failed and held cycles use their budget up.",
           "MatchListProcessorCycleBudget"),
      burn("deliveries", "Burn rate: deliveries", "How fast late and dead deliveries use their budget up.",
           "MatchListProcessorDeliveryBudget"),
      burn("requests", "Burn rate: POST /process", "How fast refused requests use their budget up.",
           "MatchListProcessorRequestBudget"))),
    ("What goes through it",
     (8,
      bars("Triggers", "Requests for a cycle, by what became of them.",
           query(events("triggers_total", "result"), "{{result}}")),
      bars("Cycles", "Cycles that ended, by outcome.", query(events("cycles_total", "outcome"), "{{outcome}}")),
      bars("Changes", "Changes committed, by how urgent they are.",
           query(events("changes_total", "priority"), "{{priority}}")),
      bars("Deliveries", "Deliveries that came to an end, by result.",
           query(events("deliveries_total", "result"), "{{result}}"))),
     (8,
      lines("POST /process, p99", "Time in which 99 of 100 requests to POST /process were answered.",
            query(quantile(0.99, "http_request_duration_seconds", where='route="/process"'), "p99"), unit="s"),
      lines("Wait in the queue, p95", "Time that triggers waited until a cycle took them up.",
            query(quantile(0.95, "queue_wait_duration_seconds"), "p95"), unit="s"),
      lines("Cycle duration, p95", "Time that cycles took. Points are single cycles with their traces.",
            query(quantile(0.95, "cycle_duration_seconds"), "p95"), unit="s"),
      lines("Commit to delivery, p95", "Time from the commit of a change to its delivery. The objective is 5 minutes.",
            query(quantile(0.95, "delivery_latency_seconds"), "p95"), unit="s",
            thresholds=steps(GOOD, (300, BAD))))),
    ("Alerts and dependencies",
     (8,
      states("Alerts", "Alerts of the selected instances while they fired.",
             query(f"max by (alertname) ({series('ALERTS', FIRING)}) or "
                   f"label_replace(vector(0), \"alertname\", \"none\", \"\", \"\")", "{{alertname}}"),
             mappings=texts(_0=("silent", GREY), _1=("fires", BAD))),
      states("Dependencies", "Services whose probes were answered well.",
             query(gauge("dependency_up", "dependency", aggregation="min"), "{{dependency}}"), mappings=UP))),
)
