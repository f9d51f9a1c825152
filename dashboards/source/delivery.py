"""From a committed change to those who must know."""

from pages import page
from panels import BAD, CALM, GOOD, ODD, bars, heat_map, lines, number, query, states, steps, texts
from queries import age, events, gauge, quantile, share

MADE = events("delivery_latency_seconds_count", window="24h")
# Prometheus 3 writes 300.0.
IN_TIME = events("delivery_latency_seconds_bucket", where='le=~"300([.]0)?"', window="24h")

PAGE = page(
    "delivery", "Delivery",
    "From a committed change to those who must know: how late, how often in vain, and what was given up.",
    ("Now",
     (4,
      number("Undelivered", "Deliveries that wait or are being made.",
             query(gauge("outbox_entries", where='state=~"pending|running"'), "undelivered"),
             thresholds=steps(CALM, (100, ODD), (1000, BAD))),
      number("Oldest undelivered", "How long ago the oldest undelivered change was committed. "
             "Alert: MatchListProcessorOutboxStalled at 30 minutes.",
             query(age("outbox_oldest_entry_timestamp_seconds"), "age"), unit="s", decimals=0,
             thresholds=steps(GOOD, (300, ODD), (1800, BAD))),
      number("Dead letters", "Deliveries given up that wait for a person. Alert: MatchListProcessorDeadLetters.",
             query(gauge("dead_letters"), "dead"), thresholds=steps(GOOD, (1, BAD))),
      number("Critical dead letters", "Deliveries given up about a match that is played today or was called off. "
             "Alert: MatchListProcessorCriticalDeadLetter.",
             query(gauge("critical_dead_letters"), "critical"), thresholds=steps(GOOD, (1, BAD))),
      number("Given up, 24 h", "Deliveries given up within 24 hours, also those that somebody has retried since.",
             query(events("dead_letters_total", window="24h"), "given up"), decimals=0),
      number("Held back", "Destinations and channels that are down, so that deliveries to them are held back.",
             query(gauge("delivery_breaker_open"), "held back"), thresholds=steps(GOOD, (1, ODD))),
      number("Delivered, 24 h", "Deliveries made within 24 hours.",
             query(events("deliveries_total", where='result="delivered"', window="24h"), "delivered"), decimals=0),
      number("In time, 24 h", "Share of the deliveries made within 24 hours that came within 5 minutes of the commit. "
             "The objective is 99 %.",
             query(f"{IN_TIME} / ({MADE} > 0) or vector(1)", "in time"),
             unit="percentunit", decimals=2, thresholds=steps(BAD, (0.95, ODD), (0.99, GOOD))))),
    ("Latency",
     (9,
      heat_map("Commit to delivery", "Time from the commit of a change to its delivery. The objective is 5 minutes.",
               events("delivery_latency_seconds_bucket", "le")),
      lines("Commit to delivery, quantiles", "Time from the commit of a change to its delivery, in the slowest "
            "destination. The objective is 5 minutes.",
            *(query(f"max({quantile(q, 'delivery_latency_seconds', 'destination')})", f"p{int(q * 100)}")
              for q in (0.5, 0.95, 0.99)), unit="s", thresholds=steps(GOOD, (300, BAD))),
      lines("One attempt, p95", "Time that one attempt to deliver took, by whom it was for. That of each service is "
            "on the dashboard of HTTP and dependencies.",
            query(quantile(0.95, "delivery_duration_seconds", "class"), "{{class}}"), unit="s"))),
    ("Attempts",
     (8,
      bars("Deliveries by result", "Deliveries that came to an end: made, replaced by a newer state, or given up.",
           query(events("deliveries_total", "destination, result"), "{{destination}} {{result}}")),
      bars("Attempts by result", "Attempts to deliver, by how they ended.",
           query(events("delivery_attempts_total", "destination, result"), "{{destination}} {{result}}")),
      lines("Attempts in vain", "Share of the attempts that failed. "
            "Alert: MatchListProcessorDeliveryFailing above 50 % of at least ten attempts in 30 minutes.",
            query(share(events("delivery_attempts_total", "destination", 'result!="success"'),
                        events("delivery_attempts_total", "destination")), "{{destination}}"),
            unit="percentunit", thresholds=steps(GOOD, (0.5, BAD)))),
     (8,
      bars("Files", "Files for matches, by kind and what became of them.",
           query(events("assets_total", "kind, result"), "{{kind}} {{result}}")),
      bars("Given up", "Deliveries given up, by why.",
           query(events("dead_letters_total", "destination, reason"), "{{destination}} {{reason}}")))),
    ("Outbox",
     (8,
      lines("Outbox by state", "Entries that wait, are being made, or were given up.",
            query(gauge("outbox_entries", "destination, state", 'state=~"pending|running|dead"'),
                  "{{destination}} {{state}}")),
      lines("Oldest undelivered", "How long ago the oldest undelivered change was committed; 0 when there is none. "
            "Alert: MatchListProcessorOutboxStalled at 30 minutes.",
            query(age("outbox_oldest_entry_timestamp_seconds", "destination"), "{{destination}}"), unit="s",
            thresholds=steps(GOOD, (1800, BAD))),
      lines("Dead letters", "Deliveries given up that wait for a person. Alert: MatchListProcessorDeadLetters.",
            query(gauge("dead_letters", "destination"), "{{destination}}"), thresholds=steps(GOOD, (1, BAD))))),
    ("Destinations that are down",
     (8,
      states("Held back", "While deliveries were held back because the destination, or a channel of it, was down.",
             query(f'clamp_max({gauge("delivery_breaker_open", "destination", aggregation="max")}, 1)', "{{destination}}"),
             mappings=texts(_0=("open for deliveries", GOOD), _1=("held back", BAD))),
      bars("Begun to hold back", "Times that deliveries began to be held back.",
           query(events("delivery_breaker_opened_total", "destination"), "{{destination}}")),
      lines("Retry budget", "Attempts ahead of schedule that are left for a destination that comes and goes.",
            query(gauge("delivery_retry_budget", "destination", aggregation="min"), "{{destination}}")))),
)
