"""From a trigger to a committed change."""

from pages import page
from panels import BAD, CALM, GOOD, GREY, ODD, bars, heat_map, lines, number, query, states, steps, texts
from queries import age, events, gauge, quantile, series

NO_YES = texts(_0=("no", GOOD), _1=("yes", ODD))

PAGE = page(
    "pipeline", "Pipeline",
    "From a trigger to a committed change: who asks, what waits, how cycles end and what they find.",
    ("Now",
     (4,
      number("Triggers waiting", "Requests for a cycle that are stored and not yet served.",
             query(gauge("queue_depth"), "waiting")),
      number("Queue filled", "Share of the queue that is taken. Alert: MatchListProcessorQueueNearlyFull above 80 %; "
             "at 100 % triggers are refused with 429.",
             query(f"max({series('queue_depth')} / {series('queue_capacity')})", "filled"), unit="percentunit",
             thresholds=steps(GOOD, (0.5, ODD), (0.8, BAD))),
      number("Oldest trigger", "How long the oldest trigger has been waiting. "
             "Alert: MatchListProcessorOldestTriggerTooOld at 15 minutes.",
             query(age("queue_oldest_trigger_timestamp_seconds"), "age"), unit="s", decimals=0,
             thresholds=steps(GOOD, (300, ODD), (900, BAD))),
      number("Cycles that run", "One at most in each instance. Alert: MatchListProcessorCycleStuck at 15 minutes.",
             query(gauge("cycles_in_progress"), "running"),
             thresholds=steps(CALM)),
      number("Last start", "Time since a cycle last began, kept over restarts.",
             query(age("cycle_last_start_timestamp_seconds"), "age"), unit="s", decimals=0,
             thresholds=steps(GOOD, (3600, ODD), (10800, BAD))),
      number("Last success", "Time since a cycle last succeeded, kept over restarts. "
             "Alert: MatchListProcessorNoSuccessfulCycle at three hours.",
             query(age("cycle_last_success_timestamp_seconds"), "age"), unit="s", decimals=0,
             thresholds=steps(GOOD, (3600, ODD), (10800, BAD))))),
    ("Triggers",
     (8,
      bars("Triggers by result", "Requests for a cycle, by what became of them. "
           "Alert: MatchListProcessorTriggersRejected.",
           query(events("triggers_total", "result"), "{{result}}")),
      bars("Triggers by source", "Requests for a cycle, by who asked.",
           query(events("triggers_total", "source"), "{{source}}")),
      bars("Missed by the schedule", "Moments of the schedule that passed more than a minute before a cycle was "
           "asked for; one cycle makes up for all of them.",
           query(events("schedule_missed_total", "instance"), "{{instance}}"))),
     (8,
      lines("Queue", "Triggers that wait, and how many may.",
            query(gauge("queue_depth", "instance"), "{{instance}} waiting"),
            query(gauge("queue_capacity", "instance"), "{{instance}} limit")),
      lines("Age of the oldest trigger", "0 when none waits. "
            "Alert: MatchListProcessorOldestTriggerTooOld at 15 minutes.",
            query(age("queue_oldest_trigger_timestamp_seconds", "instance"), "{{instance}}"), unit="s",
            thresholds=steps(GOOD, (900, BAD))),
      heat_map("Wait in the queue", "How long triggers waited until a cycle took them up.",
               events("queue_wait_duration_seconds_bucket", "le")))),
    ("Front door: who may trigger, and which requests count",
     (8,
      bars("Refused senders", "Requests that may not trigger, by what was wrong with them. "
           "Alert: MatchListProcessorSendersRefused when nobody gets through.",
           query(events("auth_refusals_total", "reason"), "{{reason}}")),
      bars("Rules of filters that failed", "Rules that could not be asked about a request, by why.",
           query(events("filter_errors_total", "kind"), "{{kind}}")),
      states("Scheme", "How senders show that they may trigger.",
             query(gauge("auth_scheme", "scheme", aggregation="max"), "{{scheme}}"),
             mappings=texts(_0=("not in use", GREY), _1=("in use", CALM)))),
     (4,
      number("Secrets that count", "Secrets by which senders are known at this moment.",
             query(gauge("auth_secrets"), "secrets")),
      number("Open to everybody", "Whether everybody who reaches the listener over a network may trigger. "
             "Alert: MatchListProcessorOpenToEverybody.",
             query(gauge("auth_open", aggregation="max"), "open"), unit="none", mappings=NO_YES,
             thresholds=steps(GOOD, (1, ODD))),
      number("Filtered, 24 h", "Requests within 24 hours that a filter ignored or refused.",
             query(events("triggers_total", where='result=~"filtered|rejected_filter"', window="24h"), "filtered"),
             decimals=0),
      number("Held lists, 24 h", "Lists within 24 hours that could not be true, so the last good one stayed in "
             "force. Alert: MatchListProcessorCycleHeld when no later list is accepted.",
             query(events("cycles_total", where='outcome="held"', window="24h"), "held"), decimals=0,
             thresholds=steps(GOOD, (0.5, ODD))))),
    ("Cycles",
     (8,
      bars("Cycles by outcome", "Cycles that ended.", query(events("cycles_total", "outcome"), "{{outcome}}")),
      bars("Cycles begun, with changes", "Cycles that began, and cycles that committed at least one change.",
           query(events("cycles_started_total"), "begun"),
           query(events("cycles_with_changes_total"), "with changes")),
      bars("Stages that failed", "What ended cycles that failed: the stage and the kind of error.",
           query(events("cycle_stage_failures_total", "stage, error_type") + " > 0 or "
                 + events("cycle_stage_failures_total", "stage") + " * 0", "{{stage}} {{error_type}}"))),
     (9,
      heat_map("Cycle duration", "How long cycles took. The points are single cycles: each leads to its trace.",
               events("cycle_duration_seconds_bucket", "le")),
      lines("Cycle duration, quantiles", "How long successful cycles took. The points are single cycles: each leads "
            "to its trace.",
            *(query(quantile(q, "cycle_duration_seconds", where='outcome="success"'), f"p{int(q * 100)}")
              for q in (0.5, 0.95, 0.99)), unit="s"),
      lines("Stage duration, p95", "Where the time of a cycle goes. "
            "Alert: MatchListProcessorUpstreamSlow when the list takes 10 s to fetch.",
            query(quantile(0.95, "cycle_stage_duration_seconds", "stage"), "{{stage}}"), unit="s"))),
    ("The list and its changes",
     (8,
      bars("Changes by category", "What kind of changes were committed. "
           "Alert: MatchListProcessorChangeStorm when half of the matches change within an hour.",
           query(events("changes_total", "category"), "{{category}}")),
      bars("Changes by priority", "How urgent the changes were that were committed.",
           query(events("changes_total", "priority"), "{{priority}}")),
      bars("Odd entries", "Entries of lists that were read and are no ordinary match, per entry and fetch.",
           query(events("match_list_anomalies_total", "kind"), "{{kind}}"))),
     (8,
      lines("Matches", "Matches in the snapshot. Alert: MatchListProcessorMatchListShrank when many leave before "
            "their day.", query(gauge("matches", "instance"), "{{instance}}")),
      lines("Size of the list", "Bytes of the list that was last read.",
            query(gauge("match_list_bytes", "instance"), "{{instance}}"), unit="bytes"))),
)
