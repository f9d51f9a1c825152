//! `OpenMetrics` 1.0: the same families as the Prometheus text, with exemplars.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::exemplar::{Exemplar, Exemplars};

/// The content type of this form.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Units that a family's name can end with.
const UNITS: &[&str] = &["seconds", "bytes"];

/// Writes the families, and the exemplars of those that have some.
#[must_use]
pub fn text(families: &[MetricFamily], exemplars: &[Arc<Exemplars>]) -> String {
    let names: BTreeSet<&str> = families.iter().map(MetricFamily::name).collect();
    let mut out = String::with_capacity(64 * 1024);
    for family in families {
        let (name, kind) = described(family, &names);
        head(&mut out, name, kind, family.help());
        let exemplars = exemplars.iter().find(|one| one.family == family.name());
        for metric in family.get_metric() {
            series(&mut out, family, metric, exemplars.map(Arc::as_ref));
        }
    }
    out.push_str("# EOF\n");
    out
}

/// The name and the type under which a family is described. That of a counter is without `_total`,
/// unless another family has that name: then it can only be given as it is, of unknown type.
fn described<'a>(family: &'a MetricFamily, names: &BTreeSet<&str>) -> (&'a str, &'static str) {
    let name = family.name();
    match family.get_field_type() {
        MetricType::COUNTER => match name.strip_suffix("_total") {
            Some(stem) if !names.contains(stem) => (stem, "counter"),
            _ => (name, "unknown"),
        },
        MetricType::GAUGE => (name, "gauge"),
        MetricType::HISTOGRAM => (name, "histogram"),
        MetricType::SUMMARY | MetricType::UNTYPED => (name, "unknown"),
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to memory cannot fail, here and below.
    let _ = writeln!(out, "# TYPE {name} {kind}");
    let of_name = |unit: &&&str| {
        let stem = name.strip_suffix(**unit);
        stem.is_some_and(|stem| stem.ends_with('_'))
    };
    if let Some(unit) = UNITS.iter().find(of_name) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    let _ = write!(out, "# HELP {name} ");
    escaped(out, help);
    out.push('\n');
}

fn series(out: &mut String, family: &MetricFamily, metric: &Metric, of: Option<&Exemplars>) {
    let (name, labels) = (family.name(), metric.get_label());
    match family.get_field_type() {
        MetricType::COUNTER => plain(out, name, "", labels, metric.get_counter().get_value()),
        MetricType::GAUGE => plain(out, name, "", labels, metric.get_gauge().get_value()),
        MetricType::HISTOGRAM => histogram(out, name, metric, of),
        // None is registered.
        MetricType::SUMMARY | MetricType::UNTYPED => {}
    }
}

fn plain(out: &mut String, name: &str, suffix: &str, labels: &[LabelPair], value: f64) {
    sample(out, name, suffix, labels, None);
    number(out, value);
    out.push('\n');
}

fn histogram(out: &mut String, name: &str, metric: &Metric, of: Option<&Exemplars>) {
    let (labels, histogram) = (metric.get_label(), metric.get_histogram());
    let row = of.and_then(|exemplars| exemplars.row(labels));
    let finite = histogram.get_bucket().iter();
    let finite = finite.filter(|bucket| bucket.upper_bound().is_finite());
    let finite = finite.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    let all = finite.chain([(f64::INFINITY, histogram.get_sample_count())]);
    for (nth, (bound, count)) in all.enumerate() {
        sample(out, name, "_bucket", labels, Some(bound));
        let _ = write!(out, "{count}");
        if let Some(one) = row.and_then(|row| row.bucket(nth)) {
            exemplar(out, &one);
        }
        out.push('\n');
    }
    sample(out, name, "_count", labels, None);
    let _ = writeln!(out, "{}", histogram.get_sample_count());
    plain(out, name, "_sum", labels, histogram.get_sample_sum());
}

fn exemplar(out: &mut String, one: &Exemplar) {
    let _ = write!(out, " # {{trace_id=\"{}\"}} ", one.traced.0);
    number(out, one.value);
    let _ = write!(out, " {:.3}", one.at);
}

/// Everything of a sample up to its value.
fn sample(out: &mut String, name: &str, suffix: &str, labels: &[LabelPair], le: Option<f64>) {
    out.push_str(name);
    out.push_str(suffix);
    let mut before = '{';
    for pair in labels {
        out.push(before);
        out.push_str(pair.name());
        out.push_str("=\"");
        escaped(out, pair.value());
        out.push('"');
        before = ',';
    }
    if let Some(bound) = le {
        out.push(before);
        out.push_str("le=\"");
        canonical(out, bound);
        out.push('"');
        before = ',';
    }
    out.push_str(if before == ',' { "} " } else { " " });
}

fn number(out: &mut String, value: f64) {
    let _ = match value {
        f64::INFINITY => write!(out, "+Inf"),
        f64::NEG_INFINITY => write!(out, "-Inf"),
        value => write!(out, "{value}"),
    };
}

/// The one form that a bound has: always with a point or an exponent, so that `le="1.0"` is the same
/// series whoever exposes it.
fn canonical(out: &mut String, bound: f64) {
    let size = bound.abs();
    if bound.is_infinite() {
        number(out, bound);
    } else if size != 0.0 && !(1e-4..1e6).contains(&size) {
        let text = format!("{bound:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        let _ = write!(out, "{mantissa}e{sign}{digits:0>2}");
    } else {
        let _ = write!(out, "{bound:?}");
    }
}

fn escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
#[path = "openmetrics_tests.rs"]
mod tests;
