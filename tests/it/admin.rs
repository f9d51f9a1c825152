//! The listeners beside the public one: who may use them, and what they tell.

use match_list_processor::clock::Clock;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches, with};

async fn daemon(settings: &[(&str, &str)]) -> Daemon {
    Daemon::start_with(Clock::system(), settings).await
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_administration_and_nothing_else_does() {
    let daemon = daemon(&[("ADMIN_TOKEN", "an-invented-token")]).await;
    let url = format!("{}/changes", daemon.admin);
    let ask = |authorization: &str| {
        let request = daemon.client.get(&url);
        request.header("authorization", authorization)
    };
    assert_eq!(status(ask("Bearer an-invented-token")).await, 200);
    assert_eq!(status(ask("bearer an-invented-token")).await, 200);
    for wrong in [
        "",
        "Bearer",
        "Bearer an-invented-toke",
        "Bearer an-invented-token ",
        "Bearer AN-INVENTED-TOKEN",
        "Basic an-invented-token",
    ] {
        // A client strips what stands at the ends of a header.
        let expected = if wrong == "Bearer an-invented-token " {
            200
        } else {
            401
        };
        assert_eq!(status(ask(wrong)).await, expected, "{wrong:?}");
    }
    let refused = daemon.client.get(&url).send().await.unwrap();
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    for command in [
        "/pause",
        "/resume",
        "/snapshot/accept",
        "/deliveries/1/retry",
        "/deliveries/1/discard",
    ] {
        assert_eq!(daemon.command(command).await.0, 401, "{command}");
    }
    assert_eq!(daemon.get("/").await["paused"], false);
    let shown = daemon.get("/status/detailed").await.to_string();
    assert!(!shown.contains("an-invented-token"), "{shown}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_a_page_in_a_browser_gets_nothing() {
    let daemon = daemon(&[]).await;
    let post = || daemon.client.post(format!("{}/pause", daemon.admin));
    assert_eq!(status(post().header("host", "rebound.example")).await, 403);
    assert_eq!(
        status(post().header("origin", "http://localhost")).await,
        403
    );
    assert_eq!(daemon.get("/").await["paused"], false);
    assert_eq!(status(post()).await, 200);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_listener_has_its_own_endpoints() {
    let daemon = daemon(&[("METRICS_LISTEN", "127.0.0.1:0")]).await;
    let scrapers = daemon.scrapers.clone().unwrap();
    let public = ["/", "/status", "/health"];
    let probes = [
        "/health/simple",
        "/livez",
        "/readyz",
        "/metrics",
        "/metrics/prom",
    ];
    let operators = ["/changes", "/deliveries"];
    let table = [
        (&daemon.public, [200, 200, 404]),
        (&scrapers, [404, 200, 404]),
        (&daemon.admin, [404, 404, 200]),
    ];
    for (listener, expected) in table {
        for (paths, code) in [&public[..], &probes, &operators].into_iter().zip(expected) {
            for path in paths {
                let request = daemon.client.get(format!("{listener}{path}"));
                assert_eq!(status(request).await, code, "{listener}{path}");
            }
        }
    }
    for (listener, path, code) in [
        (&scrapers, "/process", 404),
        (&scrapers, "/openapi.json", 404),
        (&daemon.admin, "/process", 404),
        (&daemon.public, "/pause", 404),
        (&daemon.admin, "/changes", 405),
    ] {
        let request = daemon.client.post(format!("{listener}{path}"));
        assert_eq!(status(request).await, code, "{path}");
    }
    let request = daemon.client.get(format!("{}/pause", daemon.admin));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "POST");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_a_delivery_have_the_fields_that_were_promised() {
    let daemon = daemon(&[]).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    let later = with(a_match(1), json!({ "avsparkstid": "20:30" }));
    let record = daemon.look(list(&[later])).await;
    let mut change = daemon.admin("/changes?limit=1").await["changes"][0].take();
    let told = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let description = told(change["change_description"].take());
    assert!(description.contains("20:30"), "{description}");
    let timestamp = told(change["timestamp"].take());
    assert!(timestamp.parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
    assert_eq!(
        change,
        json!({
            "id": change["id"].as_i64().unwrap(),
            "processing_id": record["processing_id"],
            "match_id": 1,
            "match_nr": "000000001",
            "category": "time_change",
            "priority": "high",
            "affected_stakeholders": ["all"],
            "field_name": "avsparkstid",
            "previous_value": "19:00",
            "current_value": "20:30",
            "change_description": null,
            "timestamp": null,
        })
    );
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    let page = daemon.admin("/deliveries?limit=1&destination=assets").await;
    let row = &page["deliveries"][0];
    assert_eq!(page["next"], row["id"]);
    let (created, settled) = (&row["created"], &row["settled"]);
    assert!(
        created.as_f64() <= settled.as_f64() && created.as_f64() > Some(1.7e9),
        "{row}"
    );
    assert_eq!(
        *row,
        json!({
            "id": row["id"].as_i64().unwrap(),
            "created": created,
            "settled": settled,
            "destination": "assets",
            "recipient": "",
            "match_id": 1,
            "kind": "group_info",
            "priority": "high",
            "processing_id": record["processing_id"],
            "state": "delivered",
            "attempts": 1,
            "next_attempt": null,
            "last_error": null,
        })
    );
    let none = daemon.admin("/deliveries?state=dead").await;
    assert_eq!(none, json!({ "deliveries": [], "next": null }));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_by_hand_is_for_the_list_that_was_seen() {
    let daemon = daemon(&[]).await;
    let all = matches(1..31);
    daemon.look(list(&all)).await;
    let before = daemon.exported();
    assert_eq!(daemon.look(list(&all[..10])).await["outcome"], "held");
    *daemon.next.lock().unwrap() = Ok(list(&all[..9]));
    let (code, answer) = daemon.command("/snapshot/accept").await;
    assert_eq!(code, 200, "{answer}");
    daemon.await_trigger(&answer["trigger_id"], "done").await;
    daemon.await_idle().await;
    assert!(daemon.get("/status").await["held"].is_string());
    assert_eq!(
        daemon.exported(),
        before,
        "another list than the accepted one"
    );
    let (_, answer) = daemon.command("/snapshot/accept").await;
    daemon.await_trigger(&answer["trigger_id"], "done").await;
    daemon.await_idle().await;
    assert_eq!(daemon.get("/status").await["held"], Value::Null);
    assert_eq!(daemon.exported(), json!(all[..9]));
    assert_eq!(daemon.command("/snapshot/accept").await.0, 409);
    let operator = "triggers_total{result=\"accepted\",source=\"operator\"}";
    assert_eq!(daemon.counted(operator), 2.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_name_of_the_list_is_shown_under_both_and_without_its_password() {
    let settings = [(
        "FOGIS_API_CLIENT_URL",
        "http://user:passw0rd@127.0.0.1:9/base",
    )];
    let daemon = daemon(&settings).await;
    let detailed = daemon.get("/status/detailed").await;
    let configuration = &detailed["configuration"];
    for name in ["api_base_url", "fogis_api_client_url"] {
        let shown = configuration[name].as_str().unwrap_or_default();
        assert!(
            shown.contains("127.0.0.1:9/base"),
            "{name}: {configuration}"
        );
    }
    assert!(
        !detailed.to_string().contains("passw0rd"),
        "{configuration}"
    );
    daemon.stop().await;
}
