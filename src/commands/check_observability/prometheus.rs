//! What Prometheus knows of the daemon.

use std::collections::BTreeSet;

use serde_json::Value;

use super::server::{Server, listed, short};
use super::{Finding, Status, shipped};

/// The job that the alerts find the daemon by.
pub const JOB: &str = "match-list-processor";
/// `keep_firing_for` came with it.
const OLDEST: (u32, u32) = (2, 42);

/// Asks for all that concerns the daemon, which started at `started`.
pub fn look(server: &Server, started: Option<f64>, traced: bool) -> Vec<Finding> {
    let about = match data(server, "/api/v1/status/buildinfo", None) {
        Ok(about) => about,
        Err(error) => return unreachable(server, &error),
    };
    let mut findings = vec![version(server, &about)];
    let mut add = |check, path, query: Option<&str>, judge: &dyn Fn(&Value) -> Finding| {
        findings.push(match data(server, path, query) {
            Ok(found) => judge(&found),
            Err(error) => Finding::unknown(check, error, ""),
        });
    };
    add("scraped", "/api/v1/targets", Some("state=active"), &scraped);
    let start = format!("query=process_start_time_seconds%7Bjob%3D%22{JOB}%22%7D");
    add("this daemon", "/api/v1/query", Some(&start), &|found| {
        same(found, started)
    });
    for file in shipped::files() {
        add("rules", "/api/v1/rules", None, &|found| rules(found, &file));
    }
    add(
        "alerts leave",
        "/api/v1/alertmanagers",
        None,
        &alertmanagers,
    );
    add("exemplars", "/api/v1/status/flags", None, &|flags| {
        exemplars(flags, traced)
    });
    findings
}

fn data(server: &Server, path: &str, query: Option<&str>) -> Result<Value, String> {
    let mut answer = server.get(path, query)?;
    match answer["status"] == "success" {
        true => Ok(answer["data"].take()),
        false => Err(format!("the answer to {path} is not that of a Prometheus")),
    }
}

fn unreachable(server: &Server, error: &str) -> Vec<Finding> {
    let found = format!("{}: {error}", server.place());
    let advice = "start it, or name it with --prometheus";
    let mut findings = vec![Finding::silent("prometheus", found, advice)];
    for check in [
        "scraped",
        "this daemon",
        "rules",
        "alerts leave",
        "exemplars",
    ] {
        findings.push(Finding::unknown(
            check,
            "Prometheus was not asked".into(),
            "",
        ));
    }
    findings
}

fn version(server: &Server, about: &Value) -> Finding {
    let version = about["version"].as_str().unwrap_or_default();
    let found = format!("{} has version {}", server.place(), short(version));
    let mut numbers = version.split('.').map_while(|part| part.parse().ok());
    let pair = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match pair >= OLDEST {
        true => Finding::ok("prometheus", found),
        false => Finding::missing("prometheus", found, "the rules need 2.42 or newer"),
    }
}

fn scraped(targets: &Value) -> Finding {
    const CHECK: &str = "scraped";
    let all = targets["activeTargets"].as_array().into_iter().flatten();
    let ours: Vec<&Value> = all.filter(|one| one["labels"]["job"] == JOB).collect();
    let instance = |one: &Value| short(one["labels"]["instance"].as_str().unwrap_or_default());
    if ours.is_empty() {
        let found = format!("no target of the job {JOB}");
        let advice = "add the job as in deploy/prometheus/prometheus.yml: alerts find the daemon by its name";
        return Finding::missing(CHECK, found, advice);
    }
    if let Some(down) = ours.iter().find(|one| one["health"] == "down") {
        let error = short(down["lastError"].as_str().unwrap_or_default());
        let advice = "correct the address, the path (/metrics/prom), or what is between the two";
        return Finding::missing(
            CHECK,
            format!("{} is down: {error}", instance(down)),
            advice,
        );
    }
    if let Some(new) = ours.iter().find(|one| one["health"] != "up") {
        let found = format!("{} was not scraped yet", instance(new));
        return Finding::unknown(CHECK, found, "ask again after a scrape interval");
    }
    let names: Vec<String> = ours.iter().map(|one| instance(one)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Finding::ok(CHECK, format!("{} up: {}", names.len(), listed(&names)))
}

/// Whether one of the targets is the daemon that was asked: they started at the same time.
fn same(found: &Value, started: Option<f64>) -> Finding {
    const CHECK: &str = "this daemon";
    let Some(started) = started else {
        return Finding::unknown(CHECK, "the daemon was not asked".into(), "");
    };
    let series = found["result"].as_array().into_iter().flatten();
    let close = |one: &&Value| {
        let value = one["value"][1]
            .as_str()
            .and_then(|text| text.parse::<f64>().ok());
        value.is_some_and(|value| (value - started).abs() < 0.005)
    };
    match series.clone().find(close) {
        Some(one) => {
            let instance = short(one["metric"]["instance"].as_str().unwrap_or_default());
            Finding::ok(CHECK, format!("its metrics are those of {instance}"))
        }
        None => Finding::missing(
            CHECK,
            "no target started when it did".into(),
            "if it was just started, ask again after a scrape interval; else scrape it, too",
        ),
    }
}

fn rules(found: &Value, file: &shipped::File) -> Finding {
    const CHECK: &str = "rules";
    let groups = found["groups"].as_array().into_iter().flatten();
    let all = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    let ours: Vec<(&str, &Value)> = all
        .filter_map(|rule| {
            let name = rule["name"].as_str()?;
            file.rules.contains(name).then_some((name, rule))
        })
        .collect();
    let loaded: BTreeSet<&str> = ours.iter().map(|(name, _)| *name).collect();
    let missing: Vec<&str> = file.rules.difference(&loaded).copied().collect();
    let name = file.name;
    if !missing.is_empty() {
        let count = format!("{} of {}", missing.len(), file.rules.len());
        let found = format!("{name}: {count} are not loaded: {}", listed(&missing));
        return Finding::missing(
            CHECK,
            found,
            "add alerts/*.rules.yml of this version to rule_files",
        );
    }
    let broken = ours.iter().find(|(_, rule)| rule["health"] == "err");
    if let Some((rule, about)) = broken {
        let error = short(about["lastError"].as_str().unwrap_or_default());
        let found = format!("{name}: {rule} cannot be evaluated: {error}");
        return Finding::missing(CHECK, found, "correct what the error names");
    }
    Finding::ok(
        CHECK,
        format!("{name}: all {} names are loaded", loaded.len()),
    )
}

fn alertmanagers(found: &Value) -> Finding {
    const CHECK: &str = "alerts leave";
    let active = found["activeAlertmanagers"]
        .as_array()
        .into_iter()
        .flatten();
    let urls: Vec<&str> = active.filter_map(|one| one["url"].as_str()).collect();
    match urls.is_empty() {
        false => Finding::ok(CHECK, short(&format!("to {}", listed(&urls)))),
        true => Finding::missing(
            CHECK,
            "Prometheus knows no Alertmanager".into(),
            "name one under `alerting`, as deploy/prometheus/prometheus.yml does",
        ),
    }
}

fn exemplars(flags: &Value, traced: bool) -> Finding {
    const CHECK: &str = "exemplars";
    let features = flags["enable-feature"].as_str().unwrap_or_default();
    if !traced {
        return Finding::new(
            CHECK,
            Status::Off,
            "without traces there are none".into(),
            "",
        );
    }
    let on = features
        .split([',', ' ', '[', ']'])
        .any(|one| one == "exemplar-storage");
    match on {
        true => Finding::ok(CHECK, "Prometheus stores them".into()),
        false => Finding::missing(
            CHECK,
            "Prometheus does not store them".into(),
            "start it with --enable-feature=exemplar-storage to get from a duration to its trace",
        ),
    }
}
