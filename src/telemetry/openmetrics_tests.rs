//! `OpenMetrics`, read back by a parser that forgives nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use opentelemetry::trace::TraceId;

use super::super::exemplar::Traced;
use super::super::expose;
use super::super::family::Ended;
use super::super::labels::Outcome;
use super::super::metrics::{About, Metrics};
use super::*;

/// A sample: its name, its labels, its value, and what stands behind it.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
    exemplar: Option<(BTreeMap<String, String>, f64, f64)>,
}

#[derive(Debug)]
struct Family {
    name: String,
    kind: String,
    unit: Option<String>,
    help: Option<String>,
    samples: Vec<Sample>,
}

/// Reads `{a="b",…}`; what is left behind it.
fn labels(text: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut found = BTreeMap::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return Ok((found, text));
    };
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().ok_or("a label that does not end")? {
                (at, '"') => break at + 1,
                (_, '\\') => match chars.next().ok_or("an escape that does not end")?.1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => return Err(format!("\\{c} is no escape")),
                },
                (_, c) => value.push(c),
            }
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(legal) || name.starts_with("__") {
            return Err(format!("{name} is no label"));
        }
        if found.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} twice"));
        }
        rest = &after[end..];
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((found, rest));
        }
        rest = rest.strip_prefix(',').ok_or("no comma")?;
    }
}

fn float(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "NaN" => Ok(f64::NAN),
        text if text
            .bytes()
            .all(|b| b.is_ascii_digit() || b".-e+".contains(&b)) =>
        {
            text.parse().map_err(|_| format!("{text} is no number"))
        }
        text => Err(format!("{text} is no number")),
    }
}

fn parsed(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("a sample without a value")?;
    let (name, rest) = line.split_at(end);
    let (labels_found, rest) = labels(rest)?;
    let rest = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let (value, exemplar) = match rest.split_once(" # ") {
        None => (float(rest)?, None),
        Some((value, exemplar)) => {
            let (labels, rest) = labels(exemplar)?;
            let rest = rest
                .strip_prefix(' ')
                .ok_or("an exemplar without a value")?;
            let (seconds, at) = rest.split_once(' ').ok_or("an exemplar without a time")?;
            (float(value)?, Some((labels, float(seconds)?, float(at)?)))
        }
    };
    Ok(Sample {
        name: name.to_owned(),
        labels: labels_found,
        value,
        exemplar,
    })
}

/// The families, or what is wrong with the text.
fn parse(text: &str) -> Result<Vec<Family>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("no end")?;
    let mut families: Vec<Family> = Vec::new();
    let mut taken = BTreeSet::new();
    for line in body.lines() {
        if line.is_empty() || line == "# EOF" {
            return Err("an empty line, or an early end".to_owned());
        }
        let Some(told) = line.strip_prefix("# ") else {
            let sample = parsed(line).map_err(|error| format!("{error}: {line}"))?;
            let family = families.last_mut().ok_or("a sample of no family")?;
            family.samples.push(sample);
            continue;
        };
        let mut words = told.splitn(3, ' ');
        let [what, name, rest] =
            [words.next(), words.next(), words.next()].map(Option::unwrap_or_default);
        if what == "TYPE" {
            let suffixes: &[&str] = match rest {
                "counter" => &["", "_total", "_created"],
                "histogram" => &["", "_bucket", "_count", "_sum", "_created"],
                "gauge" | "unknown" => &[""],
                _ => return Err(format!("{rest} is no type")),
            };
            for suffix in suffixes {
                if !taken.insert(format!("{name}{suffix}")) {
                    return Err(format!("{name}{suffix} clashes"));
                }
            }
            families.push(Family {
                name: name.to_owned(),
                kind: rest.to_owned(),
                unit: None,
                help: None,
                samples: vec![],
            });
            continue;
        }
        let family = families.last_mut().filter(|family| family.name == name);
        let family = family.ok_or_else(|| format!("{line}: not after its type"))?;
        let slot = match what {
            "UNIT" if name.ends_with(&format!("_{rest}")) => &mut family.unit,
            "HELP" => &mut family.help,
            _ => return Err(format!("{line}: not understood")),
        };
        if slot.replace(rest.to_owned()).is_some() || !family.samples.is_empty() {
            return Err(format!("{line}: twice or late"));
        }
    }
    families.iter().try_for_each(checked)?;
    Ok(families)
}

/// What a family of this type may have.
fn checked(family: &Family) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let mut buckets: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in &family.samples {
        let fail = |what: &str| Err(format!("{}: {what}: {sample:?}", family.name));
        if !seen.insert((sample.name.clone(), sample.labels.clone())) {
            return fail("twice");
        }
        let suffix = sample.name.strip_prefix(&family.name);
        let legal = match (family.kind.as_str(), suffix) {
            ("counter", Some("_total")) => sample.value >= 0.0,
            ("gauge" | "unknown", Some("")) => true,
            ("histogram", Some("_count" | "_sum")) => !sample.labels.contains_key("le"),
            ("histogram", Some("_bucket")) => {
                let Some(le) = sample.labels.get("le") else {
                    return fail("no le");
                };
                if !le.contains(['.', 'e']) && le != "+Inf" {
                    return fail("not the canonical form of a bound");
                }
                let mut others = sample.labels.clone();
                others.remove("le");
                let row = buckets.entry(others).or_default();
                row.push((float(le)?, sample.value));
                true
            }
            _ => false,
        };
        if !legal {
            return fail("not a sample of this type");
        }
        if let Some((labels, value, at)) = &sample.exemplar {
            let size: usize = labels
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            let bound = float(&sample.labels["le"])?;
            if suffix != Some("_bucket") || size > 128 || *value > bound || *at <= 0.0 {
                return fail("an exemplar that may not be here");
            }
        }
    }
    for (labels, row) in buckets {
        let rising = row
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let last = row.last().is_some_and(|last| last.0.is_infinite());
        if !rising || !last {
            return Err(format!("{}: {labels:?}: buckets {row:?}", family.name));
        }
    }
    Ok(())
}

fn metrics() -> Metrics {
    let metrics = Metrics::new();
    metrics.about(About {
        requested_mode: "odd \"mode\"\\\n",
        active_mode: "event-driven",
    });
    metrics.keep_exemplars();
    metrics
}

fn written(metrics: &Metrics) -> String {
    text(&metrics.gather(), metrics.exemplars())
}

fn traced(trace: u128) -> Traced {
    Traced(TraceId::from(trace))
}

#[test]
fn every_sample_of_the_other_form_is_in_it() {
    let metrics = metrics();
    metrics.cycles.inc((Outcome::Success,));
    metrics.cycle_duration.observe(
        Ended(Outcome::Success),
        Duration::from_millis(70),
        Some(traced(5)),
    );
    let gathered = metrics.gather();
    let read = parse(&text(&gathered, metrics.exemplars())).unwrap();
    let samples = |name: &str, labels: &BTreeMap<String, String>| {
        let all = read.iter().flat_map(|family| &family.samples);
        let same = all.filter(|sample| sample.name == name && sample.labels == *labels);
        same.map(|sample| sample.value).collect::<Vec<_>>()
    };
    let mut count = 0;
    let lines = expose::text(&gathered);
    for line in lines.lines().filter(|line| !line.starts_with('#')) {
        let mut sample = parsed(line).unwrap();
        if let Some(le) = sample.labels.get_mut("le")
            && !le.contains(['.', 'I'])
        {
            le.push_str(".0");
        }
        assert_eq!(
            samples(&sample.name, &sample.labels),
            [sample.value],
            "{line}"
        );
        count += 1;
    }
    let all = read
        .iter()
        .map(|family| family.samples.len())
        .sum::<usize>();
    assert_eq!(count, all);
    assert!(count > 500, "{count}");
}

#[test]
fn families_are_described_as_the_standard_wants() {
    let text = written(&metrics());
    let read = parse(&text).unwrap();
    let family = |name: &str| read.iter().find(|family| family.name == name).unwrap();
    let cpu = family("process_cpu_seconds");
    assert_eq!(
        (cpu.kind.as_str(), cpu.unit.as_deref()),
        ("counter", Some("seconds"))
    );
    assert_eq!(cpu.samples[0].name, "process_cpu_seconds_total");
    let memory = family("process_resident_memory_bytes");
    assert_eq!(memory.unit.as_deref(), Some("bytes"));
    assert_eq!(family("match_list_processor_cycles").kind, "counter");
    // A counter and a gauge whose names differ by `_total` alone.
    assert_eq!(family("match_list_processor_dead_letters").kind, "gauge");
    assert_eq!(
        family("match_list_processor_dead_letters_total").kind,
        "unknown"
    );
    let unknown = read.iter().filter(|family| family.kind == "unknown");
    assert_eq!(unknown.count(), 1);
    assert!(read.iter().all(|family| family.help.is_some()));
    assert_eq!(read.len(), metrics().specs().len());
}

#[test]
fn a_bucket_names_the_trace_that_was_last_measured_in_it() {
    let metrics = metrics();
    for (trace, millis) in [(1, 60), (2, 70), (3, 400_000)] {
        let took = Duration::from_millis(millis);
        metrics
            .cycle_duration
            .observe(Ended(Outcome::Success), took, Some(traced(trace)));
    }
    let read = parse(&written(&metrics)).unwrap();
    let all = read.iter().flat_map(|family| &family.samples);
    let found: Vec<_> = all
        .filter_map(|sample| {
            let (labels, value, _) = sample.exemplar.as_ref()?;
            let trace = u128::from_str_radix(&labels["trace_id"], 16).unwrap();
            assert_eq!((labels.len(), labels["trace_id"].len()), (1, 32));
            Some((
                sample.name.as_str(),
                sample.labels["le"].as_str(),
                trace,
                *value,
            ))
        })
        .collect();
    let name = "match_list_processor_cycle_duration_seconds_bucket";
    assert_eq!(found, [(name, "0.1", 2, 0.07), (name, "+Inf", 3, 400.0)]);
}

#[test]
fn bounds_have_one_form() {
    for (bound, form) in [
        (1.0, "1.0"),
        (0.0005, "0.0005"),
        (21_600.0, "21600.0"),
        (2.5, "2.5"),
        (1e6, "1e+06"),
        (1.5e10, "1.5e+10"),
        (1e-5, "1e-05"),
        (0.0, "0.0"),
        (f64::INFINITY, "+Inf"),
    ] {
        let mut out = String::new();
        canonical(&mut out, bound);
        assert_eq!(out, form);
    }
}

#[test]
fn help_and_labels_are_escaped() {
    let mut out = String::new();
    escaped(&mut out, "a \"b\" \\ c\nd");
    assert_eq!(out, "a \\\"b\\\" \\\\ c\\nd");
}

#[test]
fn the_reader_of_these_tests_refuses_what_is_wrong() {
    let good = "# TYPE a histogram\na_bucket{le=\"1.0\"} 1 # {trace_id=\"x\"} 0.5 1.5\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 0.5\n# EOF\n";
    parse(good).unwrap();
    for (from, to) in [
        ("# EOF\n", ""),
        ("1.0", "1"),
        ("{le=\"+Inf\"} 1", "{le=\"+Inf\"} 0"),
        ("0.5 1.5", "1.5 1.5"),
        ("0.5 1.5", "0.5"),
        ("a_count", "b_count"),
        ("a_sum", "\na_sum"),
        ("a_sum 0.5", "a_count 1"),
        ("histogram", "counter"),
        ("# EOF", "# TYPE a gauge\n# EOF"),
        ("# EOF", "# UNIT a seconds\n# EOF"),
    ] {
        assert!(
            parse(&good.replacen(from, to, 1)).is_err(),
            "{from} -> {to}"
        );
    }
}
