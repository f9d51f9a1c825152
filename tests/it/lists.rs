//! Lists that are no lists, lists that cannot be true, and odd matches.

use std::sync::Arc;

use jiff::SignedDuration;
use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches, with};
use crate::support::neighbours::{ListService, answer};

fn chunked_but_cut() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{\"ma\r\n".to_vec()
}

fn bad_answers() -> Vec<(&'static str, Vec<u8>)> {
    let ok = |body: &[u8]| answer("200 OK", "Content-Type: application/json\r\n", body);
    let nested = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let mut cut = ok(&list(&matches(1..4)));
    cut.truncate(cut.len() - 10);
    vec![
        ("500", answer("500 Oops", "", b"{\"error\":\"login\"}")),
        (
            "404 HTML",
            answer("404 Not Found", "Content-Type: text/html\r\n", b"<html>"),
        ),
        ("302", answer("302 Found", "Location: /login\r\n", b"")),
        ("401", answer("401 No", "", b"{}")),
        (
            "429",
            answer("429 Slow", "Retry-After: 99999999999\r\n", b""),
        ),
        ("204", answer("204 None", "", b"")),
        ("304 unasked", answer("304 Same", "", b"")),
        (
            "HTML with 200",
            answer("200 OK", "Content-Type: text/html\r\n", b"<!doctype html>"),
        ),
        ("empty", ok(b"")),
        ("truncated", cut),
        ("truncated, chunked", chunked_but_cut()),
        ("truncated JSON", ok(b"[{\"matchid\": 1}")),
        (
            "invalid UTF-8",
            ok(b"[{\"matchid\": 1, \"lag1namn\": \"\xff\"}]"),
        ),
        ("trailing", ok(b"[] []")),
        ("an object", ok(b"{\"error\": \"x\"}")),
        ("a number", ok(b"42")),
        ("nested", ok(&nested[..nested.len() / 2 + 5])),
        ("nothing at all", Vec::new()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_answer_costs_the_snapshot_or_the_trigger() {
    let lists = ListService::start();
    let url = lists.url();
    let daemon = Daemon::start_with(Clock::system(), &[("API_BASE_URL", &url)]).await;
    lists.answer(answer("200 OK", "", &list(&matches(1..4))));
    assert_eq!(daemon.process().await["changes"]["new"], 3);
    let snapshot = daemon.exported();
    for (what, bytes) in bad_answers() {
        lists.answer(bytes);
        let record = daemon.process().await;
        assert_eq!(
            (&record["status"], &record["outcome"]),
            (&json!("error"), &json!("failure")),
            "{what}"
        );
        assert!(
            record["error"]
                .as_str()
                .is_some_and(|error| error.len() > 10),
            "{what}: {record}"
        );
        assert_eq!(daemon.exported(), snapshot, "{what}");
        // A good list serves this trigger and the ones that failed.
        lists.answer(answer("200 OK", "", &list(&matches(1..4))));
        let record = daemon.process().await;
        assert_eq!(
            (&record["status"], &record["triggers"]),
            (&json!("success"), &json!(2)),
            "{what}"
        );
    }
    let failed = bad_answers().len();
    assert_eq!(
        daemon.counted("cycles_total{outcome=\"failure\"}"),
        failed as f64
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_larger_than_allowed_is_refused_also_when_compressed() {
    let lists = ListService::start();
    let url = lists.url();
    let settings = [
        ("API_BASE_URL", url.as_str()),
        ("MAX_LIST_BYTES", "1000000"),
    ];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    let large = answer("200 OK", "", &vec![b' '; 2_000_000]);
    lists.answer(large);
    assert!(
        daemon.process().await["error"]
            .as_str()
            .unwrap()
            .contains("1000000 bytes")
    );
    // 100 MB of zeroes in 100 KB.
    let bomb = include_bytes!("zeroes.gz");
    lists.answer(answer("200 OK", "Content-Encoding: gzip\r\n", bomb));
    assert!(
        daemon.process().await["error"]
            .as_str()
            .unwrap()
            .contains("1000000 bytes")
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_odd_match_never_costs_the_others() {
    let daemon = Daemon::start_at(Clock::system()).await;
    let odd: Vec<Value> = vec![
        Value::Null,
        json!(7),
        json!("x"),
        json!([]),
        json!({}),
        json!({ "matchid": null }),
        json!({ "matchid": 0 }),
        json!({ "matchid": "abc" }),
        json!({ "matchid": 50, "domaruppdraglista": null }),
        json!({ "matchid": 51, "domaruppdraglista": "x", "speldatum": 3, "lag1namn": [] }),
        json!({ "matchid": "52", "datum": "2030-01-01", "tid": "19:00" }),
        with(
            a_match(53),
            json!({ "domaruppdraglista": [{ "domarid": 5 }, { "personid": 6 }, { "domarnr": "7" }] }),
        ),
        with(
            a_match(54),
            json!({ "lag1namn": "../../etc", "lag2namn": "a/b\u{0}c" }),
        ),
        a_match(55),
        with(a_match(55), json!({ "avsparkstid": "21:00" })),
    ];
    let record = daemon.look(list(&odd)).await;
    assert_eq!(
        (&record["status"], &record["changes"]["new"]),
        (&json!("success"), &json!(6))
    );
    assert_eq!(
        daemon.counted("match_list_anomalies_total{kind=\"not_object\"}"),
        4.0
    );
    assert_eq!(
        daemon.counted("match_list_anomalies_total{kind=\"no_id\"}"),
        4.0
    );
    assert_eq!(
        daemon.counted("match_list_anomalies_total{kind=\"duplicate\"}"),
        1.0
    );
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    let root = daemon.folder.path().join("files/WhatsApp_Group_Assets");
    let outside = std::fs::read_dir(daemon.folder.path().join("files"))
        .unwrap()
        .count();
    assert_eq!(outside, 1, "nothing beside {}", root.display());
    assert_eq!(daemon.exported().as_array().unwrap().len(), 6);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_asked_with_what_it_gave() {
    let lists = ListService::start();
    let url = lists.url();
    let daemon = Daemon::start_with(Clock::system(), &[("API_BASE_URL", &url)]).await;
    lists.answer(answer("200 OK", "ETag: \"v1\"\r\n", &list(&[a_match(1)])));
    daemon.process().await;
    lists.answer(answer("304 Not Modified", "", b""));
    let record = daemon.process().await;
    assert_eq!(
        (&record["status"], &record["changes_detected"]),
        (&json!("success"), &json!(false))
    );
    let asked = lists.asked();
    assert!(!asked[0].to_lowercase().contains("if-none-match"));
    assert!(
        asked[1].to_lowercase().contains("if-none-match: \"v1\""),
        "{}",
        asked[1]
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_list_is_accepted_when_a_later_look_agrees() {
    let daemon = Daemon::start_at(Clock::system()).await;
    let many = matches(1..31);
    daemon.look(list(&many)).await;
    let half = list(&many[..10]);
    assert_eq!(daemon.look(half.clone()).await["outcome"], "held");
    assert_eq!(
        daemon.look(half.clone()).await["outcome"],
        "held",
        "too soon"
    );
    assert!(daemon.get("/status").await["held"].is_string());
    daemon.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(
        daemon.look(list(&many[..9])).await["outcome"],
        "held",
        "another list"
    );
    assert_eq!(daemon.exported().as_array().unwrap().len(), 30);
    daemon.clock.advance(SignedDuration::from_secs(61));
    let accepted = daemon.look(list(&many[..9])).await;
    assert_eq!(
        (&accepted["outcome"], &accepted["changes"]["removed"]),
        (&json!("success"), &json!(21))
    );
    assert_eq!(daemon.exported().as_array().unwrap().len(), 9);
    assert_eq!(daemon.get("/status").await["held"], Value::Null);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_accept_a_held_list_and_only_that_one() {
    let daemon = Daemon::start_at(Clock::system()).await;
    daemon.look(list(&matches(1..4))).await;
    assert_eq!(daemon.look(b"[]".to_vec()).await["outcome"], "held");
    let (code, answer) = daemon.command("/snapshot/accept").await;
    assert_eq!(code, 200, "{answer}");
    let id = answer["trigger_id"].as_str().unwrap().to_owned();
    daemon.process().await;
    assert_eq!(
        daemon.get(&format!("/triggers/{id}")).await["status"],
        "done"
    );
    assert_eq!(daemon.exported(), json!([]));
    // An empty list on an empty snapshot is a normal success.
    assert_eq!(daemon.look(b"[]".to_vec()).await["outcome"], "success");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_look_at_a_held_list_comes_also_after_a_failed_one() {
    let settings = [("HOLD_CONFIRM_SECONDS", "1")];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    daemon.look(list(&matches(1..4))).await;
    assert_eq!(daemon.look(b"[]".to_vec()).await["outcome"], "held");
    assert_eq!(daemon.look(b"<html>".to_vec()).await["outcome"], "failure");
    let asked = "triggers_total{result=\"coalesced\",source=\"confirm\"}";
    daemon.await_count(asked, 1.0).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_look_at_a_held_list_comes_also_if_it_could_not_be_stored_at_first() {
    let settings = [("HOLD_CONFIRM_SECONDS", "1")];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    daemon.look(list(&matches(1..4))).await;
    let store = daemon.folder.path().join("data/match-list-processor.db");
    let other = rusqlite::Connection::open(store).unwrap();
    assert_eq!(daemon.look(b"[]".to_vec()).await["outcome"], "held");
    // Nobody else writes meanwhile.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon
        .await_some("triggers_total{result=\"rejected_store\",source=\"confirm\"}")
        .await;
    other.execute_batch("ROLLBACK").unwrap();
    daemon
        .await_some("triggers_total{result=\"accepted\",source=\"confirm\"}")
        .await;
    daemon
        .await_detail("no list is held", |status| status["held"] == Value::Null)
        .await;
    assert_eq!(daemon.exported(), json!([]));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_begun_early_holds_no_more_than_the_list_turns_out_to_have() {
    let daemon = Daemon::start_at(Clock::system()).await;
    let mut many = matches(1..200);
    daemon.look(list(&many)).await;
    many[0] = with(a_match(1), json!({"anlaggningnamn": "Annan"}));
    assert_eq!(daemon.look(list(&many)).await["changes"]["updated"], 1);
    assert_eq!(daemon.exported(), json!(many));
    // What comes last tells that something before it does not belong in the file.
    many[0] = a_match(1);
    let mut odd = many.clone();
    odd[1] = json!(null);
    odd.push(with(a_match(3), json!({"anlaggningnamn": "Annan"})));
    let kept: Vec<Value> = odd
        .iter()
        .filter(|one| **one != json!(null))
        .cloned()
        .collect();
    let kept = [&kept[..1], &kept[2..]].concat();
    assert_eq!(daemon.look(list(&odd)).await["changes"]["updated"], 2);
    assert_eq!(daemon.exported(), json!(kept));
    // Nor does a list that is cut off, or held, leave anything behind.
    let cut = list(&matches(300..600));
    let look = daemon.look(&cut[..cut.len() - 1]).await;
    assert_eq!(look["outcome"], "failure");
    assert_eq!(
        daemon.look(list(&matches(300..600))).await["outcome"],
        "held"
    );
    assert_eq!(daemon.exported(), json!(kept));
    let path = daemon.folder.path().join("data/previous_matches.json.new");
    assert!(!path.exists());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_long_list_only_what_is_needed_is_kept_and_nothing_is_missed() {
    let lists = ListService::start();
    let url = lists.url();
    let settings = [("API_BASE_URL", &*url), ("MIN_REFEREES_FOR_WHATSAPP", "20")];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    // Some four megabytes.
    let mut all: Vec<Value> = (1..2001)
        .map(|id| with(a_match(id), json!({ "padding": "x".repeat(2000) })))
        .collect();
    let look = async |all: &[Value]| {
        lists.answer(answer("200 OK", "", &list(all)));
        let asked = lists.asked().len();
        let record = daemon.process().await;
        assert_eq!(record["status"], "success", "{record}");
        let changes = &record["changes"];
        let counts = [&changes["new"], &changes["updated"], &changes["removed"]];
        (counts.map(Value::as_u64), lists.asked().len() - asked)
    };
    let counted = |new, updated, removed| [new, updated, removed].map(Some);
    assert_eq!(look(&all).await, (counted(2000, 0, 0), 1));
    assert_eq!(look(&all).await, (counted(0, 0, 0), 1), "the same");
    let moved = json!({ "avsparkstid": "23:45" });
    // A change that comes when the beginning is gone needs the list once more.
    all[1999] = with(all[1999].clone(), moved.clone());
    assert_eq!(look(&all).await, (counted(0, 1, 0), 2), "the last one");
    all[0] = with(all[0].clone(), moved.clone());
    assert_eq!(look(&all).await, (counted(0, 1, 0), 1), "the first one");
    all.push(a_match(2001));
    assert_eq!(look(&all).await, (counted(1, 0, 0), 2), "one more");
    assert_eq!(look(&all).await, (counted(0, 0, 0), 1), "the same again");
    assert_eq!(daemon.exported().as_array().map(Vec::len), Some(2001));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_fails_twice_is_not_taken_for_somebody_elses() {
    let daemon = Daemon::start_at(Clock::system()).await;
    daemon.look(list(&matches(1..3))).await;
    let in_the_way = daemon.folder.path().join("data/previous_matches.json.new");
    std::fs::create_dir(&in_the_way).unwrap();
    for count in [4, 5] {
        assert_eq!(
            daemon.look(list(&matches(1..count))).await["status"],
            "success"
        );
        assert_eq!(
            daemon.exported().as_array().unwrap().len(),
            2,
            "still the old one"
        );
    }
    let folder = Arc::clone(&daemon.folder);
    let daemon = daemon
        .restart_after(|| std::fs::remove_dir(&in_the_way).unwrap())
        .await;
    assert_eq!(daemon.exported().as_array().unwrap().len(), 4);
    let names = std::fs::read_dir(folder.path().join("data")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let aside = |name: &std::ffi::OsString| name.to_string_lossy().contains("foreign");
    assert!(!names.iter().any(aside), "{names:?}");
    assert!(daemon.counted("store_errors_total{operation=\"foreign_export\"}") == 0.0);
    daemon.stop().await;
}
