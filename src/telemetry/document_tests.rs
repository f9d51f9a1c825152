//! `docs/METRICS.md` is the catalogue, written out.

use std::fmt::Write;

use super::family::FamilySpec;
use super::metrics::Metrics;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
const RENEW: &str = "UPDATE_DOCS=1 cargo test --lib metrics_document";

fn row(spec: &FamilySpec) -> String {
    let labels: Vec<String> = spec
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    let buckets: Vec<String> = spec.buckets.iter().map(ToString::to_string).collect();
    let mut help = spec.help.clone();
    if !buckets.is_empty() {
        let _ = write!(help, " Buckets: {}.", buckets.join(", "));
    }
    format!(
        "| `{}` | {} | {} | {help} |\n",
        spec.name,
        spec.kind,
        labels.join(", ")
    )
}

#[test]
fn metrics_document() {
    let mut text = format!(
        "# Metrics\n\nMade from the catalogue in `src/telemetry/metrics.rs` by `{RENEW}`. \
         Every series exists from the start, with the value zero, so that `rate()` and `increase()` see the first \
         event; those of a destination and its service exist when the settings name it, or something is left for it. \
         No event makes another one. A scrape costs at most 1,000 series and 100 KB: with every destination configured, everything \
         counted, and in OpenMetrics with an exemplar in every bucket.\n\n\
         | family | type | labels | what it shows |\n|---|---|---|---|\n"
    );
    for spec in Metrics::new().specs() {
        text.push_str(&row(&spec));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        written == text,
        "docs/METRICS.md is not what the catalogue says; run {RENEW}"
    );
}

#[test]
fn every_family_says_what_it_is() {
    for spec in Metrics::new().specs() {
        assert!(spec.help.ends_with('.'), "{} has no sentence", spec.name);
        assert_eq!(
            spec.kind == "counter",
            spec.name.ends_with("_total"),
            "{}",
            spec.name
        );
    }
}
