"""What is a duration in an expression, and what is not."""

import unittest

from scale import Scale, Unscalable, documented_buckets, duration, seconds, tokenized

BUCKETS = {"x_latency_seconds": [1.0, 5.0, 15.0, 300.0]}


def scaled(expr):
    return Scale(60, buckets=BUCKETS).expression(expr)[0]


class Expressions(unittest.TestCase):
    def test_ranges_and_offsets_are_divided_down_to_a_floor_and_up_to_a_ceiling(self):
        self.assertEqual(scaled("rate(x_total[30m])"), "rate(x_total[30s])")
        self.assertEqual(scaled("rate(x_total[1h30m] offset 10m)"), "rate(x_total[60s] offset 10s)")
        self.assertEqual(scaled("rate(x_total[1m])"), "rate(x_total[5s])")
        self.assertEqual(scaled("rate(x_total[30d])"), "rate(x_total[60s])")
        self.assertEqual(scaled("max_over_time((a / b)[1h:5m])"), "max_over_time((a / b)[60s:5s])")
        self.assertEqual(scaled("rate(x_total[10m30s])"), "rate(x_total[10500ms])")

    def test_a_number_is_an_age_only_where_it_is_compared_with_the_time(self):
        self.assertEqual(scaled("time() - x > 1800"), "time() - x > 30")
        self.assertEqual(scaled("time() - (max_over_time(x[15m]) > 0) > 3600"),
                         "time() - (max_over_time(x[15s]) > 0) > 60")
        self.assertEqual(scaled("time() - x > 36000"), "time() - x > 600")
        self.assertEqual(scaled("x < time() - 1800 and y > 600"), "x < time() - 30 and y > 600")
        self.assertEqual(scaled("(time() - x > 1800 and on (job) y == 600) or z > 900"),
                         "(time() - x > 30 and on (job) y == 600) or z > 900")
        self.assertEqual(scaled("time() - timestamp(x) > 600"), "time() - timestamp(x) > 10")

    def test_counts_ratios_and_seconds_of_a_histogram_stay(self):
        for expr in ("increase(x[20m]) > 300", "a / b > 0.8", "histogram_quantile(0.95, x) > 1e3",
                     'x{code="500", job=~"a5m"} >= 10', "process_start_time_seconds > 0"):
            self.assertEqual(scaled(expr).replace("[20s]", "[20m]"), expr)

    def test_names_with_a_duration_in_them_stay(self):
        expr = "service:cycles:errors_ratio_rate5m > (14.4 * 0.01)"
        self.assertEqual(scaled(expr), expr)

    def test_the_bound_of_a_bucket_becomes_one_that_exists(self):
        self.assertEqual(scaled('x_latency_seconds_bucket{job="a", le="300"}'),
                         'x_latency_seconds_bucket{job="a", le="5"}')
        self.assertEqual(scaled('x_latency_seconds_bucket{le=~"300([.]0)?"}'),
                         'x_latency_seconds_bucket{le=~"5([.]0)?"}')
        self.assertEqual(scaled('x_latency_seconds_bucket{le="+Inf"}'), 'x_latency_seconds_bucket{le="+Inf"}')
        self.assertEqual(scaled('x_size_bucket{le="300"}'), 'x_size_bucket{le="300"}')
        for other in ('le="60"', 'le=~"5|15"'):
            with self.assertRaises(Unscalable, msg=other):
                scaled("x_latency_seconds_bucket{" + other + "}")

    def test_what_is_not_understood_is_an_error(self):
        for expr in ("time() - x", "a ? b", 'a{b="c}', "vector(time())"):
            with self.assertRaises(Unscalable, msg=expr):
                scaled(expr)

    def test_nothing_is_lost(self):
        expr = "sum by (job) (\n  rate(x{a=~\"b|c\", d!='e'}[5m])  # why\n) >= 1.5e-3 unless y @ 7"
        self.assertEqual("".join(text for _, text in tokenized(expr)), expr)


class Documents(unittest.TestCase):
    def test_durations(self):
        self.assertEqual([seconds(t) for t in ("90s", "1h30m", "500ms", "2d")], [90, 5400, 0.5, 172800])
        self.assertEqual([duration(v) for v in (7.5, 30)], ["7500ms", "30s"])
        for wrong in ("5", "m", "5x", "1.5h", ""):
            with self.assertRaises(Unscalable, msg=wrong):
                seconds(wrong)

    def test_rules_and_what_was_changed(self):
        scale = Scale(60)
        rule = {"alert": "A", "expr": "rate(x[30m]) > 1", "for": "10m", "keep_firing_for": "1m"}
        document = {"groups": [{"name": "g", "interval": "1m", "rules": [rule]}]}
        scale.rules(document)
        self.assertEqual(rule, {"alert": "A", "expr": "rate(x[30s]) > 1", "for": "10s", "keep_firing_for": "3s"})
        self.assertEqual(document["groups"][0]["interval"], "1s")
        self.assertEqual(scale.changed, [("A", ["for 10m -> 10s", "keep_firing_for 1m -> 3s", "30m -> 30s"])])

    def test_routes(self):
        route = {"group_wait": "0s", "routes": [{"group_interval": "5m", "repeat_interval": "24h"}]}
        Scale(60).routes(route)
        self.assertEqual(route, {"group_wait": "0s", "routes": [{"group_interval": "5s", "repeat_interval": "60s"}]})

    def test_buckets_of_the_reference(self):
        found = documented_buckets("docs/METRICS.md")
        self.assertIn(300.0, found["match_list_processor_delivery_latency_seconds"])


if __name__ == "__main__":
    unittest.main()
