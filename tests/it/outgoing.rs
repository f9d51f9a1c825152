//! Deliveries where a neighbour is slow, hangs, refuses or comes back.

use std::time::Duration;

use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches, with};
use crate::support::neighbours::{Avatars, Drive, Mood, PICTURE};

async fn with_neighbours(drive: &Drive, avatars: &Avatars) -> Daemon {
    let (files, pictures) = (drive.url(), avatars.url());
    let settings = [
        ("ASSET_STORE_URL", files.as_str()),
        ("WHATSAPP_AVATAR_SERVICE_URL", pictures.as_str()),
        ("PROBE_INTERVAL_SECONDS", "1"),
        ("SHUTDOWN_DEADLINE_SECONDS", "2"),
    ];
    Daemon::start_with(Clock::system(), &settings).await
}

fn is_text(row: &Value) -> bool {
    row["destination"] == "assets"
}

fn is_delivered(row: &Value) -> bool {
    row["state"] == "delivered"
}

fn stored(drive: &Drive, name: &str) -> usize {
    drive
        .uploads()
        .iter()
        .filter(|(_, file)| file == name)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_do_not_wait_for_a_slow_avatar() {
    let (drive, avatars) = (Drive::start(), Avatars::start());
    avatars.hold(true);
    let daemon = with_neighbours(&drive, &avatars).await;
    daemon.look(list(&matches(1..3))).await;
    let rows = daemon
        .await_deliveries("the texts", |row| !is_text(row) || is_delivered(row))
        .await;
    let avatar = |row: &&Value| !is_text(row);
    assert!(
        rows.iter()
            .filter(avatar)
            .all(|row| row["state"] == "running" && row["attempts"] == 1),
        "{rows:#?}"
    );
    avatars.hold(false);
    daemon.await_deliveries("all files", is_delivered).await;
    for asked in avatars.asked() {
        let asked: Value = serde_json::from_str(&asked).unwrap();
        assert_eq!(asked, json!({ "team1_id": "11", "team2_id": "12" }));
    }
    let picture = String::from_utf8_lossy(PICTURE).into_owned();
    let bodies = drive.bodies();
    let pictures = bodies.iter().filter(|body| body.contains(&picture));
    assert_eq!(pictures.count(), 2, "stored as the service made them");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avatar_is_made_once_however_often_storing_it_fails() {
    let (drive, avatars) = (Drive::start(), Avatars::start());
    drive.mood(Mood::Status(500));
    let daemon = with_neighbours(&drive, &avatars).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon
        .await_deliveries("a second attempt at the avatar", |row| {
            is_text(row) || row["attempts"].as_u64() >= Some(2)
        })
        .await;
    drive.mood(Mood::Well);
    daemon.await_deliveries("all files", is_delivered).await;
    assert_eq!(avatars.asked().len(), 1);
    // The clubs meet again.
    daemon.look(list(&matches(1..3))).await;
    daemon.await_deliveries("all files", is_delivered).await;
    assert_eq!(avatars.asked().len(), 1);
    assert_eq!(stored(&drive, "whatsapp_group_avatar_match_2.png"), 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avatar_service_that_is_down_costs_only_the_avatars_and_only_for_so_long() {
    let (drive, avatars) = (Drive::start(), Avatars::start());
    avatars.code(500);
    let daemon = with_neighbours(&drive, &avatars).await;
    let clubless = with(
        a_match(2),
        json!({ "lag1foreningid": null, "lag2foreningid": null }),
    );
    daemon.look(list(&[a_match(1), clubless])).await;
    let needs_it = |row: &Value| !is_text(row) && row["match_id"] == 1;
    let rows = daemon
        .await_deliveries("everything else", |row| {
            (needs_it(row) && row["last_error"].is_string()) || is_delivered(row)
        })
        .await;
    assert!(
        rows.iter()
            .any(|row| needs_it(row) && row["state"] != "dead")
    );
    let health = daemon.await_health("degraded").await;
    assert_eq!(health["dependencies"]["avatar_service"], "unhealthy");
    avatars.code(200);
    daemon.await_deliveries("all files", is_delivered).await;
    daemon.await_health("healthy").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_uploads_share_no_folder_of_a_day() {
    let drive = Drive::start();
    // Longer than the pause between two uploads, so that they would overlap.
    drive.slow(Duration::from_millis(350));
    let daemon = with_neighbours(&drive, &Avatars::start()).await;
    let mut all = matches(1..5);
    for (index, one) in all.iter_mut().enumerate() {
        one["speldatum"] = json!(format!("2030-05-0{}", 1 + index % 2));
    }
    daemon.look(list(&all)).await;
    daemon.await_deliveries("all files", is_delivered).await;
    assert_eq!(drive.uploads().len(), 12);
    assert_eq!(drive.collisions(), 0);
    assert_eq!(
        drive.most_at_once(),
        2,
        "the two days do not wait for each other"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_hangs_at_the_end_is_repeated_under_its_id() {
    let (drive, avatars) = (Drive::start(), Avatars::start());
    drive.mood(Mood::Hangs);
    let daemon = with_neighbours(&drive, &avatars).await;
    daemon.look(list(&[a_match(1)])).await;
    drive.await_upload();
    let before = daemon.deliveries().await;
    let hanging: Vec<&Value> = before
        .iter()
        .filter(|row| row["state"] == "running")
        .collect();
    assert!(!hanging.is_empty(), "{before:#?}");
    let daemon = daemon.restart().await;
    drive.mood(Mood::Well);
    let after = daemon.await_deliveries("all files", is_delivered).await;
    assert_eq!(after.len(), 3, "no row was added");
    for row in &after {
        let was_hanging = hanging.iter().any(|other| other["id"] == row["id"]);
        assert_eq!(row["attempts"], if was_hanging { 2 } else { 1 }, "{row}");
    }
    let uploads = drive.uploads().len();
    assert!(
        (3..=3 + hanging.len()).contains(&uploads),
        "at most one repeat of what was under way: {:?}",
        drive.uploads()
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_decides_whether_another_attempt_makes_sense() {
    let cases = [
        (400, "dead"),
        (404, "dead"),
        (410, "dead"),
        (413, "dead"),
        (302, "pending"),
        (401, "pending"),
        (403, "pending"),
        (408, "pending"),
        (425, "pending"),
        (429, "pending"),
        (500, "pending"),
        (507, "pending"),
    ];
    for (code, state) in cases {
        let (drive, avatars) = (Drive::start(), Avatars::start());
        let daemon = with_neighbours(&drive, &avatars).await;
        drive.mood(Mood::Status(code));
        daemon.look(list(&[a_match(1)])).await;
        let concerns = |row: &Value| row["kind"] == "group_description";
        let rows = daemon
            .await_deliveries("a first attempt", |row| {
                !concerns(row) || row["last_error"].is_string()
            })
            .await;
        let row = rows.iter().find(|row| concerns(row)).unwrap();
        assert_eq!(row["state"], state, "{code}: {row}");
        let error = row["last_error"].as_str().unwrap();
        assert!(error.contains(&code.to_string()), "{code}: {error}");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_made_again_by_the_next_change_of_its_match() {
    let (drive, avatars) = (Drive::start(), Avatars::start());
    drive.mood(Mood::Status(400));
    let daemon = with_neighbours(&drive, &avatars).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon
        .await_deliveries("dead letters", |row| row["state"] == "dead")
        .await;
    drive.mood(Mood::Well);
    let later = with(a_match(1), json!({ "avsparkstid": "20:00" }));
    let record = daemon.look(list(&[later])).await;
    assert_eq!(record["deliveries"]["total"], 3, "none was ever stored");
    daemon
        .await_deliveries("all files", |row| {
            is_delivered(row) || row["state"] == "superseded"
        })
        .await;
    assert_eq!(drive.uploads().len(), 3);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_cycles_and_deliveries_and_refuses_nothing() {
    let drive = Drive::start();
    drive.mood(Mood::Status(500));
    let daemon = with_neighbours(&drive, &Avatars::start()).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon
        .await_deliveries("a failed attempt", |row| {
            row["kind"] != "group_description" || row["last_error"].is_string()
        })
        .await;
    assert_eq!(daemon.command("/pause").await.0, 200);
    assert_eq!(daemon.get("/").await["paused"], true);
    daemon
        .await_deliveries("an end of what is under way", |row| {
            row["state"] == "pending"
        })
        .await;
    let up = "dependency_up{dependency=\"storage_service\"}";
    daemon.await_count(up, 0.0).await;
    drive.mood(Mood::Well);
    let posted = daemon
        .client
        .post(format!("{}/process", daemon.public))
        .send();
    let posted = posted.await.unwrap().bytes().await.unwrap();
    let posted: Value = serde_json::from_slice(&posted).unwrap();
    // The Drive service is seen to be well again, which would start what waits for it.
    daemon.await_count(up, 1.0).await;
    let path = format!("/triggers/{}", posted["trigger_id"].as_str().unwrap());
    assert_eq!(daemon.get(&path).await["status"], "pending");
    assert_eq!(drive.uploads(), [], "paused");
    assert_eq!(daemon.command("/resume").await.0, 200);
    daemon.await_trigger(&posted["trigger_id"], "done").await;
    daemon.await_deliveries("all files", is_delivered).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_gets_files_once_it_has_referees_enough() {
    let (drive, avatars) = (Drive::start(), Avatars::start());
    let daemon = with_neighbours(&drive, &avatars).await;
    let mut alone = a_match(1);
    alone["domaruppdraglista"].as_array_mut().unwrap().pop();
    let record = daemon.look(list(&[alone])).await;
    assert_eq!(record["deliveries"]["total"], 0);
    for kind in ["group_description", "group_info", "avatar"] {
        let skipped = format!("assets_total{{kind=\"{kind}\",result=\"skipped\"}}");
        assert_eq!(daemon.counted(&skipped), 1.0, "{kind}");
    }
    let record = daemon.look(list(&[a_match(1)])).await;
    assert_eq!(record["deliveries"]["total"], 3);
    daemon.await_deliveries("all files", is_delivered).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_lets_no_scheduled_cycles_pile_up() {
    let settings = [("SERVICE_INTERVAL", "1"), ("PROBE_INTERVAL_SECONDS", "1")];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    assert_eq!(daemon.command("/pause").await.0, 200);
    let probed = || async {
        daemon.get("/health/dependencies").await["dependencies"]["api_client"]["last_checked"]
            .as_f64()
            .unwrap_or_default()
    };
    // The probes tell that the schedule has passed several times.
    let begun = daemon.clock.unix();
    while probed().await < begun + 4.0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let waiting = daemon.get("/health/detailed").await["queue"]["waiting"].clone();
    assert!(waiting.as_u64().unwrap() <= 1, "{waiting}");
    let before = daemon.counted("cycles_started_total");
    assert_eq!(daemon.command("/resume").await.0, 200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while daemon.counted("cycles_started_total") <= before {
        assert!(std::time::Instant::now() < deadline, "the schedule goes on");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    daemon.stop().await;
}
