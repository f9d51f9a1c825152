"""What comes in over HTTP and what goes out to other services."""

from pages import page
from panels import BAD, GOOD, ODD, bars, heat_map, lines, number, query, states, steps, texts
from queries import age, busy, events, gauge, quantile, rate, series, share

UP = texts(_0=("down", BAD), _1=("up", GOOD))

PAGE = page(
    "http", "HTTP and dependencies",
    "What comes in over HTTP and what goes out to other services: how much, how fast, how often in vain.",
    ("Now",
     (4,
      number("Requests", "Answers a second.", query(rate("http_requests_total"), "requests"), unit="reqps"),
      number("Errors of the server", "Share of the answers that were 5xx.",
             query(share(rate("http_requests_total", where='code=~"5.."'), rate("http_requests_total")), "5xx"),
             unit="percentunit", thresholds=steps(GOOD, (0.001, ODD), (0.01, BAD))),
      number("In flight", "Requests that are being answered.", query(gauge("http_requests_in_flight"), "in flight")),
      number("Connections", "Connections that are open.", query(gauge("http_connections"), "open")),
      number("Dependencies down", "Services whose last probe was not answered well. "
             "Alert: MatchListProcessorDependencyDown after 10 minutes.",
             query(f"count({series('dependency_up')} == 0) or vector(0)", "down"),
             thresholds=steps(GOOD, (1, BAD))),
      number("Calls in vain", "Share of the calls to other services that failed.",
             query(share(rate("client_requests_total", where='result!="success"'),
                         rate("client_requests_total")), "failed"),
             unit="percentunit", thresholds=steps(GOOD, (0.01, ODD), (0.1, BAD))))),
    ("Requests",
     (8,
      lines("Requests by route", "Answers a second. Unknown paths are `unmatched`.",
            query(busy(rate("http_requests_total", "route"), "http_requests_total", "route") + " or "
                  + rate("http_requests_total", "route", 'route="/process"'),
                  "{{route}}"), unit="reqps"),
      lines("Requests by method", "Answers a second. Unknown methods are `_OTHER`.",
            query(rate("http_requests_total", "method"), "{{method}}"), unit="reqps"),
      lines("Answers by status code", "Answers a second.",
            query(busy(rate("http_requests_total", "code"), "http_requests_total", "code") + " or "
                  + rate("http_requests_total", "code", 'code="200"'), "{{code}}"),
            unit="reqps")),
     (8,
      bars("POST /process by status code", "Answers to those who trigger.",
           query(events("http_requests_total", "code", 'route="/process", method="POST"') + " > 0 or "
                 + events("http_requests_total", "code", 'route="/process", method="POST", code="200"'), "{{code}}")),
      bars("Refused", "Triggers that were refused, by why.",
           query(events("triggers_total", "result", 'result=~"rejected_.+"'), "{{result}}")),
      lines("Errors of the server", "Share of the answers that were 5xx.",
            query(share(rate("http_requests_total", "instance", 'code=~"5.."'),
                        rate("http_requests_total", "instance")), "{{instance}}"), unit="percentunit",
            thresholds=steps(GOOD, (0.01, BAD))))),
    ("Latency of answers",
     (9,
      heat_map("POST /process", "Time from the head of a request to its answer being ready.",
               events("http_request_duration_seconds_bucket", "le", 'route="/process"')),
      lines("POST /process, quantiles", "Time from the head of a request to its answer being ready.",
            *(query(quantile(q, "http_request_duration_seconds", where='route="/process"'), f"p{int(q * 100)}")
              for q in (0.5, 0.95, 0.99)), unit="s"),
      lines("All routes, p95", "Time from the head of a request to its answer being ready. `health`, `metrics`, "
            "`status` and `admin` are routes that are timed together.",
            query(busy(quantile(0.95, "http_request_duration_seconds", "route"), "http_request_duration_seconds_count",
                       "route"),
                  "{{route}}"), unit="s"))),
    ("Connections",
     (8,
      lines("Open connections", "Connections that are open, and requests that are being answered.",
            query(gauge("http_connections", "instance"), "{{instance}} connections"),
            query(gauge("http_requests_in_flight", "instance"), "{{instance}} in flight")),
      bars("Connections closed", "By why they were closed.",
           query(events("http_connections_closed_total", "reason"), "{{reason}}")))),
    ("Calls to other services",
     (8,
      lines("Calls by service", "Calls a second that ended.",
            query(rate("client_requests_total", "dependency"), "{{dependency}}"), unit="reqps"),
      bars("Calls by result", "Calls that ended, by how.",
           query(events("client_requests_total", "dependency, result") + " > 0 or "
                 + events("client_requests_total", "dependency, result", 'result="success"'),
                 "{{dependency}} {{result}}")),
      bars("Retries", "Calls that repeat one that failed.",
           query(events("client_retries_total", "dependency"), "{{dependency}}"))),
     (8,
      lines("Call duration, p95", "Time that calls took, the body included.",
            query(quantile(0.95, "client_request_duration_seconds", "dependency"), "{{dependency}}"), unit="s"),
      states("Up", "Services whose probes were answered well. Alert: MatchListProcessorDependencyDown.",
             query(gauge("dependency_up", "dependency", aggregation="min"), "{{dependency}}"), mappings=UP),
      lines("Since the last good probe", "Time since a probe was last answered well; 0 when none ever was.",
            query(age("dependency_last_success_timestamp_seconds", "dependency"), "{{dependency}}"), unit="s"))),
)
