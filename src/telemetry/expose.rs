//! The forms of the metrics, from one `gather()`.

use prometheus::proto::MetricFamily;
use prometheus::{Encoder, TextEncoder};
use schemars::JsonSchema;
use serde::Serialize;

use super::family::PREFIX;
use super::metrics::Metrics;

/// The content type of the text form.
pub const TEXT_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the JSON form shows beside the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusNumbers {
    /// Unix seconds.
    pub last_processing_time: Option<f64>,
    /// Cycles in the history.
    pub recent_processes: usize,
}

/// Key figures, from the same counters as the Prometheus text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeyFigures {
    /// Cycles since the start of the process.
    pub total_processing_count: u64,
    /// Seconds that a cycle takes.
    pub average_duration: f64,
    /// Of all cycles, from 0 to 1.
    pub success_rate: f64,
    /// Cycles that found changes, of all, from 0 to 1.
    pub changes_detection_rate: f64,
    /// When the last cycle ended.
    pub last_processing_time: Option<f64>,
    /// Cycles in the history.
    pub recent_processes: usize,
    /// Whether a cycle runs.
    pub currently_processing: bool,
}

/// The text form.
#[must_use]
pub fn text(families: &[MetricFamily]) -> String {
    let mut text = Vec::with_capacity(64 * 1024);
    // Writing to memory cannot fail, and every family has series.
    let _ = TextEncoder::new().encode(families, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// The JSON form.
#[must_use]
#[allow(clippy::cast_precision_loss)] // No count of cycles comes near 2^52.
pub fn key_figures(families: &[MetricFamily], numbers: &StatusNumbers) -> KeyFigures {
    let total = sum(families, "cycles_total", |_| true);
    let success = sum(families, "cycles_total", |outcome| outcome == "success");
    let changed = sum(families, "cycles_with_changes_total", |_| true);
    let running = sum(families, "cycles_in_progress", |_| true);
    let (seconds, count) = durations(families, "cycle_duration_seconds");
    // The counts are whole numbers that a gather holds as floats.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let total_count = total as u64;
    KeyFigures {
        total_processing_count: total_count,
        average_duration: ratio(seconds, count as f64),
        success_rate: ratio(success, total),
        changes_detection_rate: ratio(changed, total),
        last_processing_time: numbers.last_processing_time,
        recent_processes: numbers.recent_processes,
        currently_processing: running > 0.0,
    }
}

/// Three decimals; nothing divided by nothing is 0.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (part / whole * 1e3).round() / 1e3
    } else {
        0.0
    }
}

fn find<'a>(families: &'a [MetricFamily], name: &str) -> Option<&'a MetricFamily> {
    families
        .iter()
        .find(|family| family.name().strip_prefix(PREFIX) == Some(name))
}

fn sum(families: &[MetricFamily], name: &str, only: impl Fn(&str) -> bool) -> f64 {
    let Some(family) = find(families, name) else {
        return 0.0;
    };
    let series = family.get_metric().iter().filter(|metric| {
        metric
            .get_label()
            .first()
            .is_none_or(|label| only(label.value()))
    });
    let value = |metric: &prometheus::proto::Metric| match family.get_field_type() {
        prometheus::proto::MetricType::GAUGE => metric.get_gauge().get_value(),
        _ => metric.get_counter().get_value(),
    };
    series.map(value).sum()
}

fn durations(families: &[MetricFamily], name: &str) -> (f64, u64) {
    let Some(family) = find(families, name) else {
        return (0.0, 0);
    };
    family
        .get_metric()
        .iter()
        .fold((0.0, 0), |(seconds, count), metric| {
            let histogram = metric.get_histogram();
            (
                seconds + histogram.get_sample_sum(),
                count + histogram.get_sample_count(),
            )
        })
}

/// A form of the metrics for scrapers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The Prometheus text, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0, which has exemplars.
    OpenMetrics,
}

impl Form {
    /// What this form is called in headers.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => TEXT_CONTENT_TYPE,
            Self::OpenMetrics => super::openmetrics::CONTENT_TYPE,
        }
    }

    /// The present metrics in this form.
    #[must_use]
    pub fn write(self, metrics: &Metrics) -> String {
        let families = metrics.gather();
        match self {
            Self::Text => text(&families),
            Self::OpenMetrics => super::openmetrics::text(&families, metrics.exemplars()),
        }
    }

    /// The form that a scraper is given: `OpenMetrics` only to one that names it and likes it no less.
    #[must_use]
    pub fn preferred(accept: Option<&str>) -> Self {
        let (mut open, mut text) = (0.0_f64, (0, 0.0_f64));
        for range in ranges(accept.unwrap_or_default()) {
            // Of the ranges that a form is in, the one that says most of it counts.
            let exactness = match (range.media.as_str(), range.version) {
                (OPEN_METRICS, None | Some("1.0.0")) => {
                    open = open.max(range.quality);
                    continue;
                }
                ("text/plain", Some("0.0.4")) => 4,
                ("text/plain", None) => 3,
                ("text/*", _) => 2,
                ("*/*", _) => 1,
                _ => continue,
            };
            if exactness > text.0 || (exactness == text.0 && range.quality > text.1) {
                text = (exactness, range.quality);
            }
        }
        if open > 0.0 && open >= text.1 {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text";

/// One of the things that a client accepts.
struct Range<'a> {
    /// Type and subtype in lower case.
    media: String,
    version: Option<&'a str>,
    /// From 0 to 1.
    quality: f64,
}

fn ranges(accept: &str) -> impl Iterator<Item = Range<'_>> {
    accept.split(',').map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let mut found = Range {
            media: parts.next().unwrap_or_default().to_ascii_lowercase(),
            version: None,
            quality: 1.0,
        };
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => found.quality = value.parse().unwrap_or(0.0),
                "version" => found.version = Some(value),
                _ => {}
            }
        }
        found
    })
}

/// Whether a client prefers a form for scrapers over JSON. Without a preference it gets JSON.
#[must_use]
pub fn prefers_prometheus(accept: Option<&str>) -> bool {
    let (mut text, mut json) = (0.0_f64, 0.0_f64);
    for range in ranges(accept.unwrap_or("*/*")) {
        match (range.media.as_str(), range.version) {
            (OPEN_METRICS, _) | ("text/plain", Some(_)) => text = text.max(range.quality),
            ("application/json" | "application/*" | "*/*", _) => json = json.max(range.quality),
            _ => {}
        }
    }
    text > json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Destination;
    use crate::telemetry::family::Ended;
    use crate::telemetry::labels::{Dependency, Outcome};
    use std::time::Duration;

    #[test]
    fn scrapers_get_text_and_everybody_else_json() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;\
            escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected) in [
            (Some(prometheus_2), true),
            (Some(prometheus_3), true),
            (Some("text/plain; version=0.0.4"), true),
            (
                Some("text/plain;version=0.0.4;q=0.5, application/json"),
                false,
            ),
            (Some("text/plain"), false),
            (Some("application/json"), false),
            (Some("*/*"), false),
            (Some(browser), false),
            (Some(""), false),
            (Some(";;,=,q"), false),
            (None, false),
        ] {
            assert_eq!(prefers_prometheus(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn openmetrics_is_for_those_who_name_it() {
        use Form::{OpenMetrics, Text};
        let open = "application/openmetrics-text";
        let prometheus_2_42 = format!(
            "{open};version=1.0.0,{open};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        );
        let prometheus_3 = format!(
            "{open};version=1.0.0;escaping=allow-utf-8;q=0.6,{open};version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
        for (accept, expected) in [
            (prometheus_2_42, OpenMetrics),
            (prometheus_3, OpenMetrics),
            (open.to_owned(), OpenMetrics),
            (
                format!("{open}; version=\"1.0.0\"; charset=utf-8"),
                OpenMetrics,
            ),
            (
                "Application/OpenMetrics-Text; Q=0.5; Version=1.0.0, */*;q=0.1".to_owned(),
                OpenMetrics,
            ),
            (format!("{open};version=0.0.1"), Text),
            (format!("{open};version=2.0.0"), Text),
            (format!("{open};q=0"), Text),
            (format!("{open};q=x"), Text),
            (format!("{open};q=0.5,text/plain"), Text),
            (format!("{open};q=0.5,*/*"), Text),
            (format!("*/*,text/plain;q=0.3,{open};q=0.5"), OpenMetrics),
            (
                format!("text/plain;q=0.9,text/plain;version=0.0.4;q=0.3,{open};q=0.5"),
                OpenMetrics,
            ),
            ("text/plain;version=0.0.4".to_owned(), Text),
            ("application/*".to_owned(), Text),
            ("*/*".to_owned(), Text),
            (String::new(), Text),
            (";;,=,q".to_owned(), Text),
        ] {
            assert_eq!(Form::preferred(Some(&accept)), expected, "{accept}");
        }
        assert_eq!(Form::preferred(None), Text);
    }

    #[test]
    fn the_json_form_is_computed_from_the_same_families() {
        let metrics = Metrics::new();
        let empty = key_figures(&metrics.gather(), &StatusNumbers::default());
        let empty = serde_json::to_value(empty).unwrap();
        assert_eq!(empty["success_rate"], 0.0);
        assert_eq!(empty["average_duration"], 0.0);
        for (outcome, seconds) in [
            (Outcome::Success, 1.0),
            (Outcome::Success, 2.0),
            (Outcome::Failure, 4.0),
        ] {
            metrics.cycles.inc((outcome,));
            metrics
                .cycle_duration
                .observe(Ended(outcome), Duration::from_secs_f64(seconds), None);
        }
        metrics.cycles_with_changes.inc(());
        let _running = metrics.cycles_in_progress.guard(());
        let numbers = StatusNumbers {
            last_processing_time: Some(5.5),
            recent_processes: 3,
        };
        let shown = key_figures(&metrics.gather(), &numbers);
        let shown = serde_json::to_value(shown).unwrap();
        let expected = serde_json::json!({
            "total_processing_count": 3,
            "average_duration": 2.333,
            "success_rate": 0.667,
            "changes_detection_rate": 0.333,
            "last_processing_time": 5.5,
            "recent_processes": 3,
            "currently_processing": true,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_scrape_stays_within_its_budget_with_every_destination_too() {
        let metrics = Metrics::new();
        let least = text(&metrics.gather());
        for &destination in Destination::ALL {
            metrics.deliver_to(destination);
        }
        for &dependency in Dependency::ALL {
            metrics.depend_on(dependency);
        }
        let most = text(&metrics.gather());
        for text in [least, most] {
            let series = text.lines().filter(|line| !line.starts_with('#')).count();
            println!("{series} series, {} bytes", text.len());
            assert!(series <= 1000, "{series} series");
            assert!(text.len() <= 100_000, "{} bytes", text.len());
        }
    }
}
