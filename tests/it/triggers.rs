//! Triggers from their acceptance to their end, and the numbers that tell of them.

use match_list_processor::client::CallError;
use match_list_processor::clock::Clock;
use match_list_processor::telemetry::labels::ErrorKind;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches};
use crate::support::neighbours::{ListService, answer};

async fn post(daemon: &Daemon, prefer: &str, body: String) -> Response {
    let request = daemon.client.post(format!("{}/process", daemon.public));
    let request = request.header("prefer", prefer).body(body);
    request.send().await.unwrap()
}

async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn trigger(daemon: &Daemon, id: &Value) -> Value {
    daemon
        .get(&format!("/triggers/{}", id.as_str().unwrap()))
        .await
}

fn failing() -> Result<Vec<u8>, CallError> {
    Err(CallError::of(
        ErrorKind::Status5xx,
        "the service answered 500",
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_the_record_or_an_answer_in_time() {
    let lists = ListService::start();
    lists.hold(true);
    let url = lists.url();
    let daemon = Daemon::start_with(Clock::system(), &[("API_BASE_URL", &url)]).await;
    let early = post(&daemon, "wait=1", String::new()).await;
    assert!(early.headers().get("preference-applied").is_none());
    let early = body(early).await;
    assert_eq!(
        (&early["status"], &early["message"], &early["queued"]),
        (
            &json!("success"),
            &json!("Match processing triggered"),
            &json!(false)
        )
    );
    assert!(
        early.get("processing_id").is_none(),
        "its cycle has not ended: {early}"
    );
    let state = trigger(&daemon, &early["trigger_id"]).await;
    assert_eq!(
        (&state["status"], &state["processing_id"]),
        (&json!("running"), &Value::Null)
    );
    assert!(state["accepted"].is_f64(), "{state}");

    lists.hold(false);
    let late = post(&daemon, "respond-async, wait=20", String::new()).await;
    assert_eq!(late.headers()["preference-applied"], "wait");
    let late = body(late).await;
    assert_eq!(
        (&late["status"], &late["triggers"]),
        (&json!("success"), &json!(1))
    );
    let state = trigger(&daemon, &late["trigger_id"]).await;
    assert_eq!(
        (&state["status"], &state["processing_id"]),
        (&json!("done"), &late["processing_id"])
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_trigger_is_not_found() {
    let daemon = Daemon::start_at(Clock::system()).await;
    let known = daemon.look(b"[]".to_vec()).await["trigger_id"].clone();
    let known = known.as_str().unwrap();
    let guessed = format!("{}0", &known[..known.len() - 1]);
    let other = format!("{}1", &known[..known.len() - 1]);
    let guessed = if guessed == known { other } else { guessed };
    for id in ["trg-1", "1", "%00", guessed.as_str()] {
        let found = daemon.get(&format!("/triggers/{id}")).await;
        assert_eq!(found["status"], 404, "{id}: {found}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_is_given_up_after_its_tries_and_the_later_ones_are_not() {
    let daemon = Daemon::start_at(Clock::system()).await;
    *daemon.next.lock().unwrap() = failing();
    let mut ids = Vec::new();
    for tries in 1..=5 {
        let record = daemon.process().await;
        assert_eq!(
            (&record["status"], &record["triggers"]),
            (&json!("error"), &json!(tries)),
            "each new trigger is tried at once, together with those that failed"
        );
        ids.push((
            record["trigger_id"].clone(),
            record["processing_id"].clone(),
        ));
        let state = trigger(&daemon, &ids[0].0).await;
        let expected = if tries == 5 { "failed" } else { "pending" };
        assert_eq!(state["status"], expected, "after {tries} tries");
    }
    assert_eq!(
        trigger(&daemon, &ids[0].0).await["processing_id"],
        ids[4].1,
        "the last cycle that tried it"
    );
    let retries = "client_retries_total{dependency=\"api_client\"}";
    assert_eq!(daemon.counted(retries), 4.0, "the first was no repetition");
    let record = daemon.look(list(&[a_match(1)])).await;
    assert_eq!(record["triggers"], 5, "four that failed and the new one");
    assert_eq!(trigger(&daemon, &ids[1].0).await["status"], "done");
    assert_eq!(trigger(&daemon, &ids[0].0).await["status"], "failed");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_cycle_is_tried_again_by_itself_and_after_a_restart() {
    let daemon = Daemon::start_at(Clock::system()).await;
    *daemon.next.lock().unwrap() = failing();
    let failed = daemon.process().await;
    *daemon.next.lock().unwrap() = Ok(list(&[a_match(1)]));
    daemon.await_trigger(&failed["trigger_id"], "done").await;
    assert_eq!(daemon.exported().as_array().unwrap().len(), 1);

    *daemon.next.lock().unwrap() = failing();
    let failed = daemon.process().await;
    *daemon.next.lock().unwrap() = Ok(list(&matches(1..3)));
    let daemon = daemon.restart().await;
    daemon.await_trigger(&failed["trigger_id"], "done").await;
    assert_eq!(daemon.exported().as_array().unwrap().len(), 2);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_kept_up_to_a_size_and_refused_beyond_another() {
    let daemon = Daemon::start_at(Clock::system()).await;
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    for (bytes, is_kept) in [(64 * 1024, true), (64 * 1024 + 1, false), (1 << 20, false)] {
        let record = body(post(&daemon, "wait=20", text(bytes)).await).await;
        let expected = match is_kept {
            true => json!("x".repeat(bytes - 2)),
            false => json!({ "body_bytes": bytes }),
        };
        assert!(record["trigger_data"] == expected, "{bytes} bytes");
    }
    let refused = post(&daemon, "wait=20", text((1 << 20) + 1)).await;
    assert_eq!(refused.status(), 413);
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(daemon.get("/").await["processing_count"], 3);
    assert_eq!(
        daemon
            .counted("triggers_total{result=\"rejected_invalid\",source=\"webhook\"}")
            .to_string(),
        "1"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_while_the_queue_is_full_was_not_accepted() {
    let lists = ListService::start();
    lists.hold(true);
    let url = lists.url();
    let settings = [("API_BASE_URL", url.as_str()), ("QUEUE_CAPACITY", "2")];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    for _ in 0..2 {
        assert_eq!(post(&daemon, "", String::new()).await.status(), 200);
    }
    for _ in 0..3 {
        assert_eq!(post(&daemon, "", String::new()).await.status(), 429);
    }
    lists.answer(answer("200 OK", "", b"[]"));
    lists.hold(false);
    daemon.process_when_free().await;
    let status = daemon.get("/status").await;
    let records = status["processing_history"].as_array().unwrap();
    let served: u64 = records
        .iter()
        .map(|record| record["triggers"].as_u64().unwrap())
        .sum();
    assert_eq!(served, 3, "two that were accepted and the last: {status}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_the_metrics_tell_what_the_history_tells() {
    let daemon = Daemon::start_at(Clock::system()).await;
    daemon.look(list(&matches(1..4))).await;
    daemon.look(list(&matches(1..4))).await;
    assert_eq!(daemon.look(b"[]".to_vec()).await["outcome"], "held");
    assert_eq!(daemon.look(b"{".to_vec()).await["outcome"], "failure");
    let numbers = daemon.get("/metrics").await;
    let status = daemon.get("/status/detailed").await;
    let cycles = |outcome: &str| daemon.counted(&format!("cycles_total{{outcome=\"{outcome}\"}}"));
    let (success, held, failure) = (cycles("success"), cycles("held"), cycles("failure"));
    assert_eq!((success, held, failure), (2.0, 1.0, 1.0));
    assert_eq!(
        numbers,
        json!({
            "total_processing_count": 4,
            "average_duration": numbers["average_duration"],
            "success_rate": 0.5,
            "changes_detection_rate": 0.25,
            "last_processing_time": status["last_processing_time"],
            "recent_processes": 4,
            "currently_processing": false,
        })
    );
    let mean = daemon.summed("cycle_duration_seconds_sum") / 4.0;
    assert!((numbers["average_duration"].as_f64().unwrap() - mean).abs() <= 0.0005);
    let outcomes: Vec<&Value> = status["processing_history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["outcome"])
        .collect();
    assert_eq!(outcomes, ["success", "success", "held", "failure"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_panics_the_worker_is_given_up_and_the_rest_goes_on() {
    let daemon = Daemon::start_at(Clock::system()).await;
    // Whoever reads the list from now on panics.
    let next = std::sync::Arc::clone(&daemon.next);
    let poisoned = std::thread::spawn(move || {
        let _held = next.lock().unwrap();
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(poisoned.join().is_err());
    let first = daemon.process().await;
    let error = first["error"].as_str().unwrap();
    assert_eq!(error, "The cycle met a defect of the program");
    for tries in 2..=5 {
        assert_eq!(daemon.process().await["triggers"], tries);
    }
    let state = trigger(&daemon, &first["trigger_id"]).await;
    assert_eq!(state["status"], "failed", "after its attempts");
    let internal = "cycle_stage_failures_total{error_type=\"internal\",stage=\"compare\"}";
    assert_eq!(daemon.counted(internal), 5.0);
    assert_eq!(daemon.counted("cycles_in_progress"), 0.0);
    assert_eq!(daemon.counted("cycles_started_total"), 5.0, "each once");
    let waits = daemon.counted("queue_wait_duration_seconds_count");
    assert_eq!(
        waits,
        5.0 + 4.0 + 3.0 + 2.0 + 1.0,
        "each trigger once a cycle"
    );
    daemon.next.clear_poison();
    let record = daemon.look(list(&[a_match(1)])).await;
    assert_eq!(record["changes"]["new"], 1);
    daemon.stop().await;
}
