//! The HTTP contract, endpoint by endpoint.

use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, with};
use crate::support::neighbours::{ListService, answer};

async fn daemon() -> Daemon {
    Daemon::start_at(Clock::system()).await
}

fn assert_fields(what: &str, value: &Value, fields: &[(&str, fn(&Value) -> bool)]) {
    for (name, is_right) in fields {
        let found = value
            .get(*name)
            .unwrap_or_else(|| panic!("{what} lacks {name}: {value}"));
        assert!(is_right(found), "{what}: {name} is {found}");
    }
}

fn number_or_null(value: &Value) -> bool {
    value.is_number() || value.is_null()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoints_answer_field_by_field() {
    let daemon = daemon().await;
    daemon.look(list(&[a_match(1)])).await;
    let root = daemon.get("/").await;
    assert_fields(
        "/",
        &root,
        &[
            ("service_name", |v| v == "match-list-processor"),
            ("version", Value::is_string),
            ("mode", |v| v == "event-driven"),
            ("status", |v| v == "running"),
            ("processing", Value::is_boolean),
            ("processing_count", |v| v == 1),
            ("last_processing_time", Value::is_f64),
        ],
    );
    let health = daemon.get("/health").await;
    assert_fields(
        "/health",
        &health,
        &[
            ("service_name", |v| v == "match-list-processor"),
            ("status", |v| v == "healthy"),
            ("mode", |v| v == "event-driven"),
            ("processing", Value::is_boolean),
            ("processing_count", |v| v == 1),
            ("last_processing_time", number_or_null),
            ("timestamp", Value::is_f64),
        ],
    );
    assert!(health["dependencies"]["api_client"].is_string(), "{health}");
    assert!(
        health["dependencies"]["storage_service"].is_string(),
        "{health}"
    );
    assert_eq!(
        daemon.get("/health/simple").await,
        json!({ "status": "healthy" })
    );
    let status = daemon.get("/status").await;
    assert_fields(
        "/status",
        &status,
        &[
            ("processing_count", |v| v == 1),
            ("last_processing_time", Value::is_f64),
            ("last_changes_detected", |v| v == true),
            ("service_status", |v| v == "ready"),
            ("currently_processing", Value::is_boolean),
        ],
    );
    assert_fields(
        "a record",
        &status["processing_history"][0],
        &[
            ("processing_id", |v| {
                v.as_str()
                    .is_some_and(|id| id.starts_with("webhook_") && id.ends_with("_1"))
            }),
            ("timestamp", Value::is_f64),
            ("duration", Value::is_f64),
            ("changes_detected", |v| v == true),
            ("summary", Value::is_string),
            ("trigger_data", Value::is_null),
            ("status", |v| v == "success"),
            ("trace_id", number_or_null),
            ("changes", |v| {
                *v == json!({ "new": 1, "updated": 0, "removed": 0, "by_category": { "new_assignment": 1 } })
            }),
            ("triggers", |v| v == 1),
            ("deliveries", |v| v["total"] == 3),
        ],
    );
    let detailed = daemon.get("/status/detailed").await;
    assert_fields(
        "configuration",
        &detailed["configuration"],
        &[
            ("data_folder", Value::is_string),
            ("temp_file_directory", Value::is_string),
            ("api_base_url", Value::is_string),
        ],
    );
    let metrics = daemon.get("/metrics").await;
    assert_fields(
        "/metrics",
        &metrics,
        &[
            ("total_processing_count", |v| v == 1),
            ("average_duration", Value::is_f64),
            ("success_rate", |v| *v == json!(1.0)),
            ("changes_detection_rate", |v| *v == json!(1.0)),
            ("last_processing_time", Value::is_f64),
            ("recent_processes", |v| v == 1),
            ("currently_processing", |v| v == false),
        ],
    );
    for path in ["/health/dependencies", "/health/detailed"] {
        let list = &daemon.get(path).await["dependencies"]["api_client"];
        for field in ["status", "response_time_ms", "error", "last_checked"] {
            assert!(list.get(field).is_some(), "{path}: {list}");
        }
    }
    let openapi = daemon.get("/openapi.json").await;
    assert_eq!(openapi["openapi"], "3.1.0");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_one_shape_and_methods_are_told() {
    let daemon = daemon().await;
    let url = |path: &str| format!("{}{path}", daemon.public);
    let missing = daemon.client.get(url("/nowhere")).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(
        missing.headers()["content-type"],
        "application/problem+json"
    );
    let body: Value = serde_json::from_slice(&missing.bytes().await.unwrap()).unwrap();
    assert_eq!(
        (&body["detail"], &body["status"]),
        (&json!("Not Found"), &json!(404))
    );
    for field in ["type", "title", "request_id"] {
        assert!(body[field].is_string(), "{body}");
    }
    for (wrong, path, allow) in [
        (http::Method::GET, "/process", "POST"),
        (http::Method::POST, "/status", "GET, HEAD"),
        (http::Method::DELETE, "/", "GET, HEAD"),
        (
            http::Method::from_bytes(b"BREW").unwrap(),
            "/health",
            "GET, HEAD",
        ),
    ] {
        let answer = daemon
            .client
            .request(wrong, url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        assert_eq!(answer.headers()["allow"], allow, "{path}");
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["detail"], "Method Not Allowed");
    }
    for path in [
        "/",
        "/status",
        "/health/simple",
        "/metrics/prom",
        "/livez",
        "/readyz",
    ] {
        let head = daemon.client.head(url(path)).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    assert_eq!(
        daemon.get("/changes").await["status"],
        404,
        "administration is elsewhere"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_answer_what_the_client_prefers() {
    let daemon = daemon().await;
    let url = format!("{}/metrics", daemon.public);
    // A route is timed from its first request on, and so is what is none.
    for known in ["/metrics", "/nowhere"] {
        daemon.get(known).await;
    }
    let scraper = "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let text = daemon
        .client
        .get(&url)
        .header("accept", scraper)
        .send()
        .await
        .unwrap();
    assert_eq!(
        text.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = text.text().await.unwrap();
    assert!(text.contains("match_list_processor_cycles_total{outcome=\"success\"} 0"));
    let hostile = ["/..%2f", "/process/x", "/triggers/", "/%00", "/Process"];
    for path in hostile {
        let _ = daemon
            .client
            .get(format!("{}{path}", daemon.public))
            .send()
            .await
            .unwrap();
    }
    let after = daemon
        .client
        .get(format!("{}/metrics/prom", daemon.public))
        .send()
        .await
        .unwrap();
    let after = after.text().await.unwrap();
    let series = |text: &str| {
        text.lines()
            .filter(|line| line.contains("http_request_duration"))
            .count()
    };
    assert_eq!(series(&text), series(&after), "unknown paths add no series");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_body_the_trigger_counts() {
    let daemon = daemon().await;
    for (body, kept) in [
        ("", Value::Null),
        ("{\"event\": \"x\"}", json!({ "event": "x" })),
        ("[1, 2]", json!([1, 2])),
        ("{\"event\": ", json!({ "body_bytes": 10 })),
        ("a=b&c=d", json!({ "body_bytes": 7 })),
    ] {
        let request = daemon.client.post(format!("{}/process", daemon.public));
        let answer = request
            .header("prefer", "wait=20")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{body}");
        let record: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(record["trigger_data"], kept, "{body}");
    }
    let long = "x".repeat(100 * 1024);
    let request = daemon
        .client
        .post(format!("{}/process", daemon.public))
        .body(long);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let longer = "x".repeat(2 << 20);
    let request = daemon
        .client
        .post(format!("{}/process", daemon.public))
        .body(longer);
    assert_eq!(request.send().await.unwrap().status(), 413);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_during_a_cycle_wait_for_one_more() {
    let lists = ListService::start();
    lists.hold(true);
    let url = lists.url();
    let daemon = Daemon::start_with(Clock::system(), &[("API_BASE_URL", &url)]).await;
    let post = || async {
        let answer = daemon
            .client
            .post(format!("{}/process", daemon.public))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["status"], "success");
        body
    };
    let first = post().await;
    assert_eq!(
        (&first["processing_count"], &first["queued"]),
        (&json!(1), &json!(false))
    );
    lists.await_asked(1);
    let state = |id: &Value| format!("/triggers/{}", id.as_str().unwrap());
    assert_eq!(
        daemon.get(&state(&first["trigger_id"])).await["status"],
        "running"
    );
    let mut later = Vec::new();
    for _ in 0..5 {
        let body = post().await;
        assert_eq!(
            (&body["processing_count"], &body["queued"]),
            (&json!(2), &json!(true))
        );
        later.push(body["trigger_id"].clone());
    }
    assert_eq!(daemon.get(&state(&later[4])).await["status"], "pending");
    // Everything that does not need the list answers meanwhile.
    assert_eq!(daemon.get("/health/simple").await["status"], "healthy");
    assert_eq!(daemon.get("/").await["processing"], true);
    lists.answer(answer("200 OK", "", &list(&[a_match(1)])));
    lists.hold(false);
    lists.await_asked(2);
    let last = daemon.process().await;
    let done = daemon.get(&state(&later[4])).await;
    assert_eq!(done["status"], "done");
    let history = daemon.get("/status").await["processing_history"].clone();
    assert_eq!(history[1]["triggers"], 5, "{history}");
    assert_eq!(history[1]["processing_id"], done["processing_id"]);
    assert_eq!(last["processing_count"], 3);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_keeps_what_it_took() {
    let lists = ListService::start();
    lists.hold(true);
    let url = lists.url();
    let settings = [("API_BASE_URL", url.as_str()), ("QUEUE_CAPACITY", "3")];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    let post = || {
        daemon
            .client
            .post(format!("{}/process", daemon.public))
            .send()
    };
    for _ in 0..3 {
        assert_eq!(post().await.unwrap().status(), 200);
    }
    let refused = post().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 0
    );
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(body["status"], "busy");
    assert!(body["message"].is_string() && body["processing_count"].is_number());
    lists.hold(false);
    let served = daemon.process_when_free().await;
    assert_eq!(served["status"], "success");
    let refused = "triggers_total{result=\"rejected_full\",source=\"webhook\"}";
    assert!(daemon.counted(refused) >= 1.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_history_counts_and_pause() {
    let daemon = daemon().await;
    daemon.look(list(&[a_match(1)])).await;
    daemon
        .look(list(&[with(a_match(1), json!({ "avsparkstid": "20:00" }))]))
        .await;
    let before = daemon.get("/status").await;
    assert_eq!(daemon.command("/pause").await.0, 200);
    let daemon = daemon.restart().await;
    let after = daemon.get("/status").await;
    assert_eq!(after["processing_count"], 2);
    assert_eq!(
        after["last_processing_time"],
        before["last_processing_time"]
    );
    assert_eq!(after["processing_history"].as_array().unwrap().len(), 2);
    assert_eq!(after["paused"], true);
    assert!(daemon.counted("cycle_last_success_timestamp_seconds") > 0.0);
    let url = format!("{}/process", daemon.public);
    let id = daemon
        .client
        .post(url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let id: Value = serde_json::from_slice(&id).unwrap();
    let path = format!("/triggers/{}", id["trigger_id"].as_str().unwrap());
    assert_eq!(daemon.get(&path).await["status"], "pending");
    assert_eq!(daemon.command("/resume").await.0, 200);
    assert_eq!(daemon.process().await["status"], "success");
    assert_eq!(daemon.get(&path).await["status"], "done");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administration_filters_and_pages() {
    let daemon = daemon().await;
    daemon
        .look(list(&crate::support::matches::matches(1..8)))
        .await;
    let page = daemon.admin("/changes?limit=3").await;
    assert_eq!(page["changes"].as_array().unwrap().len(), 3);
    assert_eq!(page["changes"][0]["match_id"], 7, "newest first");
    let rest = daemon
        .admin(&format!("/changes?limit=10&before={}", page["next"]))
        .await;
    assert_eq!(rest["changes"].as_array().unwrap().len(), 4);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(
        daemon.admin("/changes?match_id=5").await["changes"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let none = daemon.admin("/changes?category=cancellation").await;
    assert_eq!(none["changes"], json!([]));
    for wrong in [
        "/changes?limit=0",
        "/changes?category=party",
        "/deliveries?state=lost",
        "/changes?before=x",
    ] {
        assert_eq!(daemon.admin(wrong).await["status"], 400, "{wrong}");
    }
    assert_eq!(daemon.command("/snapshot/accept").await.0, 409);
    assert_eq!(daemon.command("/deliveries/999999/retry").await.0, 404);
    daemon.stop().await;
}
