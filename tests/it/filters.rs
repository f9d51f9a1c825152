//! Which requests trigger, asked of the real daemon.

use std::path::Path;

use match_list_processor::clock::Clock;
use match_list_processor::config::{Config, Source};
use match_list_processor::filter::{Action, Judge, Request};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::binary::{Daemon as Binary, ListService};
use crate::support::daemon::Daemon;

const RULES: &str = r#"
default = "trigger"
[[rule]]
name = "ping"
when = "'x-event' in headers && headers['x-event'] == 'ping'"
then = "ignore"
[[rule]]
name = "typo"
when = "headers['x-evnt'] == 'ping'"
then = "refuse"
[[rule]]
name = "updated"
when = "has(body.event) && body.event in ['matches.updated']"
then = "trigger"
[[rule]]
name = "stranger"
when = "has(body.event) || source != '127.0.0.1' || 'refuse' in query"
then = "refuse"
"#;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

async fn post(daemon: &Daemon, query: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let url = format!("{}/process{query}", daemon.public);
    let mut request = daemon.client.post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body.to_owned()).send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
    }
}

async fn start(rules: &str) -> Daemon {
    Daemon::start_with(Clock::system(), &[("FILTERS", rules)]).await
}

fn results(daemon: &Daemon, result: &str) -> f64 {
    let series = format!("triggers_total{{result=\"{result}\",source=\"webhook\"}}");
    daemon.counted(&series)
}

fn errors(daemon: &Daemon, kind: &str) -> f64 {
    daemon.counted(&format!("filter_errors_total{{kind=\"{kind}\"}}"))
}

#[tokio::test]
async fn rules_decide_what_triggers() {
    let daemon = start(RULES).await;
    let updated = "{\"event\":\"matches.updated\"}";
    let answer = post(&daemon, "", &[], updated).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    daemon
        .await_trigger(&answer.body["trigger_id"], "done")
        .await;
    daemon.await_idle().await;
    let answer = post(&daemon, "", &[("X-Event", "ping")], updated).await;
    let expected = json!({
        "status": "ignored",
        "message": "A filter ignores this request; nothing was triggered",
        "rule": "ping",
        "processing_count": 1,
    });
    assert_eq!((answer.status, answer.body), (200, expected));
    for (query, body) in [
        ("", "{\"event\":\"other\"}"),
        ("?refuse", ""),
        ("?refuse=1", "{}"),
    ] {
        let answer = post(&daemon, query, &[], body).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let detail = "A filter refuses this request: rule stranger";
        assert_eq!(answer.body["detail"], detail);
    }
    assert_eq!(results(&daemon, "filtered"), 1.0);
    assert_eq!(results(&daemon, "rejected_filter"), 3.0);
    assert_eq!(results(&daemon, "accepted"), 1.0);
    // The rule with the misspelt header, of each request that came to it.
    assert_eq!(errors(&daemon, "missing"), 4.0);
    // An empty body is null, and null has no fields.
    assert_eq!(errors(&daemon, "wrong_type"), 1.0);
    let status = daemon.get("/status").await;
    assert_eq!(status["processing_count"], 1);
    let shown = daemon.get("/status/detailed").await["configuration"].to_string();
    assert!(shown.contains("ping: ignore"), "{shown}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_malformed_body_is_refused_only_where_a_rule_asks_for_it() {
    let daemon = start(RULES).await;
    let large = format!("{{\"event\":\"{}\"}}", "x".repeat(64 * 1024));
    let many = format!("[{}1]", "1,".repeat(9000));
    for (expected, headers, body) in [
        (400, &[][..], "event=matches.updated"),
        (400, &[], "{\"event\":"),
        (413, &[], &large),
        (413, &[], &many),
        (200, &[("X-Event", "ping")], "event=matches.updated"),
        (200, &[("X-Event", "ping")], &large),
    ] {
        let answer = post(&daemon, "", headers, body).await;
        assert_eq!(answer.status, expected, "{}", answer.body);
        assert!(!answer.body.to_string().contains("matches.updated"));
    }
    assert_eq!(results(&daemon, "rejected_invalid"), 4.0);
    assert_eq!(results(&daemon, "filtered"), 2.0);
    daemon.stop().await;
    let headers_only = RULES.split("[[rule]]\nname = \"typo\"").next().unwrap();
    let daemon = start(headers_only).await;
    for body in ["event=matches.updated", "{\"event\":", &large] {
        assert_eq!(post(&daemon, "", &[], body).await.status, 200, "{body}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_name_that_was_ignored_is_not_remembered() {
    let daemon = start(RULES).await;
    let name = ("Idempotency-Key", "one");
    let ping = ("X-Event", "ping");
    for _ in 0..2 {
        let answer = post(&daemon, "", &[name, ping], "{}").await;
        assert_eq!(answer.body["status"], "ignored", "{}", answer.body);
        assert!(!answer.headers.contains_key("idempotent-replayed"));
    }
    // The same name with another body would be a conflict if the first were remembered.
    let answer = post(&daemon, "", &[name], "{\"n\":2}").await;
    assert_eq!(answer.body["status"], "success", "{}", answer.body);
    let again = post(&daemon, "", &[name], "{\"n\":2}").await;
    assert!(again.headers.contains_key("idempotent-replayed"));
    assert_eq!(again.body["trigger_id"], answer.body["trigger_id"]);
    // A filter comes before the memory.
    let answer = post(&daemon, "", &[name, ping], "{\"n\":2}").await;
    assert_eq!(answer.body["status"], "ignored", "{}", answer.body);
    daemon.stop().await;
}

#[tokio::test]
async fn rules_know_who_was_let_in_and_ask_nobody_else() {
    let secrets = r#"
        [[secret]]
        label = "autumn"
        value = "an-invented-token"
        [[secret]]
        label = "spring"
        value = "another-invented-token"
    "#;
    let rules = r#"
        [[rule]]
        name = "spring"
        when = "authenticated == 'spring' && body.n == 1"
        then = "refuse"
    "#;
    let settings = [
        ("WEBHOOK_AUTH", "bearer"),
        ("WEBHOOK_SECRETS", secrets),
        ("FILTERS", rules),
    ];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    let bearer = |token: &str| format!("Bearer {token}");
    for (status, token) in [
        (200, "an-invented-token"),
        (403, "another-invented-token"),
        (401, "a-wrong-token"),
    ] {
        let token = bearer(token);
        let answer = post(&daemon, "", &[("Authorization", &token)], "{\"n\":1}").await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    // Whoever may not trigger learns nothing of the filters, not even that its body is none.
    let answer = post(&daemon, "", &[("Authorization", "Bearer x")], "no json").await;
    assert_eq!(answer.status, 401);
    daemon.stop().await;
}

#[tokio::test]
async fn judging_large_bodies_keeps_nothing_from_being_answered() {
    let each = ["x.k == 'b'"; 12].join(" || ");
    let when = format!("when = \"body.exists(x, {each})\"\nthen = \"ignore\"\n");
    let rules = ["a", "b", "c"].map(|name| format!("[[rule]]\nname = \"{name}\"\n{when}"));
    let rules = rules.concat();
    let daemon = start(&rules).await;
    let body = format!("[{}]", vec!["{\"k\":\"a\"}"; 4000].join(","));
    let judged = (0..6).map(|_| post(&daemon, "", &[], &body));
    let judged = futures_util::future::join_all(judged);
    let probes = async {
        let mut slowest = std::time::Duration::ZERO;
        for _ in 0..50 {
            let begun = std::time::Instant::now();
            daemon.get("/livez").await;
            daemon.get("/status").await;
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    };
    let (answers, slowest) = tokio::join!(judged, probes);
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(slowest < std::time::Duration::from_secs(2), "{slowest:?}");
    daemon.stop().await;
}

fn event(daemon: &Binary, name: &str) -> String {
    let request = format!("POST /process HTTP/1.1\r\nX-Event: {name}\r\n");
    let (head, body) = daemon.exchange(&request).expect("an answer");
    let body: Value = serde_json::from_str(&body).unwrap();
    let status = head.split(' ').nth(1).unwrap_or_default();
    format!("{status} {}", body["rule"].as_str().unwrap_or("-"))
}

fn refusing(name: &str) -> String {
    let when = format!("'x-event' in headers && headers['x-event'] == 'secret-{name}'");
    format!("[[rule]]\nname = \"{name}\"\nwhen = \"{when}\"\nthen = \"ignore\"\n")
}

#[test]
fn rules_are_read_again_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("filters.toml");
    std::fs::write(&file, refusing("old")).unwrap();
    let path = file.display().to_string();
    let settings = [("FILTERS_FILE", path.as_str())];
    let daemon = Binary::start(&ListService::start(), &settings);
    assert_eq!(event(&daemon, "secret-old"), "200 old");
    let bad = refusing("old").replace("headers['x", "header['x");
    let all = [
        "",
        "not toml",
        &bad,
        "[[rule]]\nname = \"a\"\n",
        "# A comment\n",
        "default = \"trigger\"\n",
    ];
    for (n, bad) in all.into_iter().enumerate() {
        std::fs::write(&file, bad).unwrap();
        daemon.hang_up();
        let errors = "log_events_total{level=\"error\"}";
        Binary::await_until("the complaint", || daemon.counted(errors) > n as f64);
        assert_eq!(daemon.counted("config_last_load_successful"), 0.0);
        assert_eq!(event(&daemon, "secret-old"), "200 old", "{bad}");
    }
    std::fs::write(&file, refusing("new")).unwrap();
    daemon.hang_up();
    daemon.await_count("config_last_load_successful", 1.0);
    assert_eq!(event(&daemon, "secret-new"), "200 new");
    assert_eq!(event(&daemon, "secret-old"), "200 -");
    let (log, _) = daemon.stop();
    assert!(log.contains("FILTERS_FILE changed"), "{log}");
    let told = "rule old: line 1, column 25: header is not known, did you mean headers?";
    assert!(log.contains(told), "{log}");
}

#[test]
fn neither_headers_nor_bodies_are_in_logs_or_metrics() {
    let rules = "[[rule]]\nname = \"a\"\nwhen = \"body.canary > 1 || headers['x-canary'] > 'z'\"\n\
                 then = \"refuse\"\n[[rule]]\nname = \"b\"\nwhen = \"body.list[7] == 1\"\n\
                 then = \"refuse\"\n[[rule]]\nname = \"c\"\nwhen = \"body.canary\"\nthen = \"refuse\"";
    let settings = [("FILTERS", rules), ("LOG_LEVEL", "DEBUG")];
    let daemon = Binary::start(&ListService::start(), &settings);
    let body = "{\"canary\":\"canary-body\",\"list\":[\"canary-list\"]}";
    for body in [body, "canary-text"] {
        let length = body.len();
        let head = "POST /process?q=canary-query HTTP/1.1\r\nX-Canary: canary-header\r\n";
        let head =
            format!("{head}Content-Length: {length}\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = daemon.send(&format!("{head}{body}"));
        assert!(!answer.contains("canary"), "{answer}");
    }
    daemon.await_count("filter_errors_total{kind=\"missing\"}", 1.0);
    daemon.await_count("filter_errors_total{kind=\"wrong_type\"}", 1.0);
    daemon.await_count("filter_errors_total{kind=\"not_boolean\"}", 1.0);
    let (log, metrics) = daemon.stop();
    assert!(!log.contains("canary-"), "{log}");
    assert!(!metrics.contains("canary"), "{metrics}");
}

/// The rules that the documentation offers, and what they make of what such senders send.
#[test]
fn the_rules_on_offer_do_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/filters");
    let path = folder.join("filters.toml").display().to_string();
    let source = Source::of([("FILTERS_FILE", path.as_str())]);
    let filters = Config::load(&source).expect("the rules are right").filters;
    let sample = |name: &str| std::fs::read_to_string(folder.join("samples").join(name)).unwrap();
    let github = |event: &str| vec![("x-github-event".to_owned(), event.to_owned())];
    let env = |name: &str| vec![("x-env".to_owned(), name.to_owned())];
    let (push, alert) = (sample("github-push.json"), sample("alertmanager.json"));
    let (grafana, detector) = (sample("grafana.json"), sample("change-detector.json"));
    let resolved = alert.replace("\"firing\"", "\"resolved\"");
    let info = alert.replace("\"warning\"", "\"info\"");
    let normal = grafana.replace("\"alerting\"", "\"ok\"");
    for (rule, action, headers, body) in [
        ("plain", Action::Trigger, vec![], String::new()),
        (
            "github-ping",
            Action::Ignore,
            github("ping"),
            sample("github-ping.json"),
        ),
        ("github-push", Action::Trigger, github("push"), push.clone()),
        (
            "github-other",
            Action::Ignore,
            github("push"),
            push.replace("heads/main", "heads/try"),
        ),
        (
            "github-other",
            Action::Ignore,
            github("push"),
            push.replace("\"deleted\": false", "\"deleted\": true"),
        ),
        (
            "github-other",
            Action::Ignore,
            github("star"),
            "{}".to_owned(),
        ),
        ("alertmanager-firing", Action::Trigger, vec![], alert),
        ("alertmanager-other", Action::Ignore, vec![], resolved),
        ("alertmanager-other", Action::Ignore, vec![], info),
        ("grafana-alerting", Action::Trigger, vec![], grafana),
        ("grafana-other", Action::Ignore, vec![], normal),
        (
            "detector-changes",
            Action::Trigger,
            env("prod"),
            detector.clone(),
        ),
        (
            "detector-changes",
            Action::Trigger,
            vec![],
            detector.clone(),
        ),
        ("default", Action::Ignore, env("test"), detector.clone()),
        (
            "default",
            Action::Ignore,
            vec![],
            detector.replace("\"total\": 3", "\"total\": 0"),
        ),
        ("default", Action::Ignore, vec![], "{}".to_owned()),
    ] {
        let request = Request {
            method: "POST".to_owned(),
            headers,
            source: "10.0.0.7".to_owned(),
            body: Some(body.clone().into_bytes()),
            ..Request::default()
        };
        let mut erred = 0;
        let verdict = Judge::new(&filters, &request)
            .verdict(|_| erred += 1)
            .unwrap();
        assert_eq!(
            (verdict.action, &*verdict.rule, erred),
            (action, rule, 0),
            "{body}"
        );
        for (source, refused) in [
            ("192.0.2.7", true),
            ("2001:db8::1", true),
            ("172.15.0.1", true),
            ("172.32.0.1", true),
            ("172.18.0.5", false),
            ("192.168.1.1", false),
            ("fd00::1", false),
            ("::1", false),
            ("", false),
        ] {
            let source = source.to_owned();
            let request = Request {
                source,
                ..request.clone()
            };
            let verdict = Judge::new(&filters, &request).verdict(|_| ()).unwrap();
            let expected = if refused { Action::Refuse } else { action };
            assert_eq!(verdict.action, expected, "{body}");
            let known = Request {
                authenticated: "default".to_owned(),
                ..request
            };
            let verdict = Judge::new(&filters, &known).verdict(|_| ()).unwrap();
            assert_eq!(verdict.action, action, "{body}");
        }
    }
}
