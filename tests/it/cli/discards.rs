//! What nobody is to have any more is discarded: by the command, and by the administration.

use serde_json::{Value, json};

use super::{ask, run, told};
use crate::support::binary::{Daemon as Process, ListService};
use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, with};
use crate::support::neighbours::{Drive, Mood};

fn is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |row| row["state"] == state
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_discarded_and_counts_as_nothing_any_more() {
    let drive = Drive::start();
    drive.mood(Mood::Status(400));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon
        .await_deliveries("three dead letters", is("dead"))
        .await;

    // Whoever saw it in another state means another.
    for (seen, code) in [
        ("state=pending", 409),
        ("state=running", 400),
        ("state=x", 400),
        ("state=", 400),
        ("state", 400),
        ("State=dead", 400),
        ("states=dead", 400),
        ("state=dead&state=pending", 400),
        ("state=dead&x=1", 400),
    ] {
        let order = format!("/deliveries/1/discard?{seen}");
        let (status, problem) = daemon.command(&order).await;
        assert_eq!(status, code, "{problem}");
    }
    let ended = ask(&daemon, &["deliveries", "discard", "99", "1"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (1, "1 is discarded\n"),
        "{ended:?}"
    );
    for part in [
        "99: there is no such delivery\n",
        "1 of 2 were not discarded",
    ] {
        assert!(ended.error.contains(part), "{ended:?}");
    }
    let bulk = ["deliveries", "discard", "--json", "--destination"];
    let avatars = ask(&daemon, &[&bulk[..], &["avatars"]].concat());
    assert_eq!(avatars.lines().len(), 1, "{avatars:?}");
    assert_eq!(avatars.lines()[0]["state"], "discarded");
    assert_eq!(
        told(&daemon, &["deliveries", "discard", "--all-dead"]),
        "2 is discarded\n"
    );
    for order in ["discard", "retry"] {
        let text = told(&daemon, &["deliveries", order, "--all-dead"]);
        assert_eq!(text, "No such delivery is dead.\n");
    }

    assert!(daemon.deliveries().await.iter().all(is("discarded")));
    daemon.scrape().await;
    let series =
        |name: &str, rest: &str| daemon.counted(&format!("{name}{{destination=\"assets\"{rest}}}"));
    assert_eq!(series("dead_letters", ""), 0.0);
    assert_eq!(series("deliveries_total", ",result=\"discarded\""), 2.0);
    let status = told(&daemon, &["status"]);
    assert!(status.contains("3 discarded"), "{status}");
    let history = daemon.get("/status").await;
    let made = &history["processing_history"][0]["deliveries"];
    assert_eq!(
        (made["discarded"].as_u64(), made["pending"].as_u64()),
        (Some(3), Some(0)),
        "{made}"
    );
    let again = ask(&daemon, &["deliveries", "retry", "1"]);
    assert!(again.error.contains("this one is discarded"), "{again:?}");

    // The next change of the match makes its files all the same.
    drive.mood(Mood::Well);
    let later = with(a_match(1), json!({ "avsparkstid": "20:30" }));
    let record = daemon.look(list(&[later])).await;
    assert_eq!(record["deliveries"]["total"], 3, "{record}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_or_over_cannot_be_discarded() {
    let drive = Drive::start();
    drive.mood(Mood::Hangs);
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    let id = daemon.await_under_way().await;
    let order = format!("/deliveries/{id}/discard");
    let (status, problem) = daemon.command(&order).await;
    assert_eq!(status, 409, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("under way"), "{problem}");

    drive.mood(Mood::Well);
    daemon.await_deliveries("all files", is("delivered")).await;
    let (status, problem) = daemon.command(&order).await;
    assert_eq!(status, 409, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("this one is delivered"), "{problem}");
    for nowhere in [
        "/deliveries/999/discard",
        "/deliveries/x/discard",
        "/deliveries//discard",
    ] {
        assert_eq!(daemon.command(nowhere).await.0, 404, "{nowhere}");
    }
    daemon.stop().await;
}

#[test]
fn the_log_keeps_which_it_was_and_where_what_arrived_went() {
    let matches = ListService::start();
    let folder = tempfile::tempdir().unwrap();
    let admin = format!("unix:{}/admin.sock", folder.path().display());
    let asked = [("ADMIN_LISTEN", admin.as_str())];
    let nowhere = ("WHATSAPP_AVATAR_SERVICE_URL", "http://127.0.0.1:1");
    let daemon = Process::start(&matches, &[asked[0], nowhere]);
    daemon.process(&matches.traceparent());
    let avatars = ["deliveries", "list", "--json", "--destination", "avatars"];
    let avatar = run(&asked, &avatars).lines()[0]["id"].clone();
    // An attempt may be under way.
    Process::await_until("the avatar to be discarded", || {
        run(&asked, &["deliveries", "discard", &avatar.to_string()]).code == 0
    });
    Process::await_until("the texts to be delivered", || {
        let texts = ["deliveries", "list", "--json", "--state", "delivered"];
        run(&asked, &texts).lines().len() == 2
    });
    let (log, _) = daemon.stop();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("no {message:?} in {log}"))
    };
    let discarded = of("an operator discards a delivery");
    for (field, value) in [
        ("delivery", avatar),
        ("destination", "avatars".into()),
        ("kind", "avatar".into()),
        ("was", "pending".into()),
    ] {
        assert_eq!(discarded[field], value, "{discarded}");
    }
    assert_eq!(of("delivered")["destination"], "assets");
}
