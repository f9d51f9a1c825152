//! A disk that is full, almost full or read-only. Nothing is acknowledged that it did not take,
//! everything that needs no disk goes on, and what was acknowledged before is done afterwards.

use serde_json::Value;

use crate::process::{Folder, term};
use crate::support::binary::Daemon;
use crate::support::faults::{Disk, Failing};
use crate::support::matches::{a_match, list, matches, with};
use crate::support::neighbours::{Drive, ListService, Mood, answer};

/// The daemon's neighbours, and its data folder as the place for a disk.
struct Setup {
    folder: Folder,
    lists: ListService,
    drive: Drive,
}

impl Setup {
    fn new(all: &[Value]) -> Self {
        let (folder, lists, drive) = (Folder::new(), ListService::start(), Drive::start());
        std::fs::create_dir(folder.path("data")).unwrap();
        let setup = Self {
            folder,
            lists,
            drive,
        };
        setup.list(all);
        setup
    }

    fn list(&self, all: &[Value]) {
        self.lists.answer(answer("200 OK", "", &list(all)));
    }

    fn start(&self, disk: &Disk) -> Daemon {
        Daemon::of(disk.inside(&self.command()))
    }

    fn command(&self) -> std::process::Command {
        let (list, files) = (self.lists.url(), self.drive.url());
        self.folder.command(&[
            ("PROCESSOR_MODE", "event-driven"),
            ("API_BASE_URL", &list),
            ("ASSET_STORE_URL", &files),
        ])
    }
}

/// The id of the trigger if it was acknowledged, else the head of the refusal.
fn post(daemon: &Daemon) -> Result<String, String> {
    let answered = daemon.exchange("POST /process HTTP/1.1\r\n");
    let (head, body) = answered.expect("an answer, which shows that the daemon goes on");
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("{head}\n{body}").to_lowercase());
    }
    let body: Value = serde_json::from_str(&body).unwrap();
    Ok(body["trigger_id"].as_str().unwrap().to_owned())
}

/// Posts until one is refused; those that were acknowledged.
fn post_until_refused(daemon: &Daemon) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        match post(daemon) {
            Ok(id) => acknowledged.push(id),
            Err(refusal) => {
                assert!(refusal.starts_with("http/1.1 503 "), "{refusal}");
                assert!(refusal.contains("retry-after: 10"), "{refusal}");
                assert!(refusal.contains("application/problem+json"), "{refusal}");
                return acknowledged;
            }
        }
        assert!(acknowledged.len() < 5000, "the fault had no effect");
    }
}

/// What must go on while nothing can be written, and what must show it.
fn goes_on_without_writing(daemon: &Daemon, known: &str) {
    for probe in ["/livez", "/readyz", "/health/simple", "/status", "/"] {
        daemon.ask(&format!("GET {probe} HTTP/1.1\r\n"));
    }
    assert!(daemon.trigger(known)["status"].is_string());
    let (head, _) = daemon.exchange("GET /health HTTP/1.1\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(daemon.counted("store_writable"), 0.0);
    let refused = "triggers_total{result=\"rejected_store\",source=\"webhook\"}";
    assert!(daemon.counted(refused) >= 1.0);
    let errors = ["write", "commit"].map(|operation| {
        daemon.counted(&format!("store_errors_total{{operation=\"{operation}\"}}"))
    });
    assert!(errors.iter().sum::<f64>() >= 1.0, "{errors:?}");
}

fn record(daemon: &Daemon) -> Value {
    let record = daemon.process("");
    assert_eq!(record["status"], "success", "{record}");
    record
}

fn matches_in(path: &std::path::Path) -> usize {
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all.as_array().unwrap().len()
}

#[test]
fn a_full_disk_acknowledges_nothing_and_heals_by_itself() {
    let setup = Setup::new(&[a_match(1)]);
    let disk = Disk::in_memory(&setup.folder.path("data"), "8m");
    let exported = disk.path("previous_matches.json");
    let daemon = setup.start(&disk);
    setup.drive.mood(Mood::Hangs);
    let first = record(&daemon)["trigger_id"].as_str().unwrap().to_owned();
    setup.drive.await_upload();
    disk.fill(0);
    // The upload succeeds, but that cannot be noted now.
    setup.drive.mood(Mood::Well);
    setup.list(&matches(1..3));
    let acknowledged = post_until_refused(&daemon);
    goes_on_without_writing(&daemon, &first);
    let uncommitted = "cycle_stage_failures_total{error_type=\"store\",stage=\"commit\"}";
    if !acknowledged.is_empty() {
        daemon.await_metric(&format!("match_list_processor_{uncommitted}"), "", 0.0);
    }
    assert_eq!(
        matches_in(&exported),
        1,
        "the file is whole and the old one"
    );
    assert_eq!(setup.drive.uploads().len(), 1, "nothing new is begun");

    disk.free();
    daemon.await_count("store_writable", 1.0);
    let last = record(&daemon);
    daemon.await_done(&acknowledged);
    assert_eq!(matches_in(&exported), 2);
    let all = "deliveries_total{destination=\"assets\",result=\"delivered\"}";
    daemon.await_count(all, 4.0);
    let avatars = "deliveries_total{destination=\"avatars\",result=\"delivered\"}";
    daemon.await_count(avatars, 2.0);
    assert_eq!(setup.drive.uploads().len(), 6, "each once");
    daemon.stop();
    let daemon = setup.start(&disk);
    assert_eq!(daemon.counted("starts_total{previous=\"clean\"}"), 1.0);
    daemon.await_done(&acknowledged);
    let last = last["trigger_id"].as_str().unwrap();
    assert_eq!(daemon.trigger(last)["status"], "done");
    daemon.stop();
}

#[test]
fn the_exported_list_waits_for_room_of_its_own() {
    let many = matches(1..2000);
    let setup = Setup::new(&many);
    let disk = Disk::in_memory(&setup.folder.path("data"), "32m");
    let exported = disk.path("previous_matches.json");
    // Nothing but the snapshot is of interest.
    let command = |disk: &Disk| {
        let mut command = setup.command();
        command.env("MIN_REFEREES_FOR_WHATSAPP", "3");
        disk.inside(&command)
    };
    let daemon = Daemon::of(command(&disk));
    record(&daemon);
    // Room for one match in the store, not for all of them in the file.
    disk.fill(400_000);
    let mut now = many.clone();
    now[0] = with(a_match(1), serde_json::json!({ "avsparkstid": "20:00" }));
    setup.list(&now);
    let before = std::fs::read(&exported).unwrap();
    assert_eq!(
        record(&daemon)["changes"]["updated"],
        1,
        "committed all the same"
    );
    assert_eq!(
        std::fs::read(&exported).unwrap(),
        before,
        "whole, and the old one"
    );
    assert!(!disk.path("previous_matches.json.new").exists());
    assert_eq!(
        daemon.counted("store_errors_total{operation=\"export\"}"),
        1.0
    );
    assert_eq!(daemon.counted("store_writable"), 1.0);
    disk.free();
    assert_eq!(record(&daemon)["changes"]["updated"], 0);
    assert_eq!(std::fs::read(&exported).unwrap(), list_as_file(&now));
    daemon.stop();
}

fn list_as_file(all: &[Value]) -> Vec<u8> {
    let lines: Vec<String> = all.iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n")).into_bytes()
}

#[test]
fn a_file_system_that_turned_read_only_ends_nothing() {
    let setup = Setup::new(&[a_match(1)]);
    let disk = Disk::ext4(&setup.folder.path("data"));
    let daemon = setup.start(&disk);
    let first = record(&daemon)["trigger_id"].as_str().unwrap().to_owned();
    // A commit that is under way at that moment fails with EIO, which is another story.
    daemon.await_deliveries();
    setup.list(&matches(1..3));
    setup.lists.hold(true);
    let waiting = post(&daemon).expect("nothing is wrong yet");
    setup.lists.await_asked(2);
    disk.remount("abort");
    // The cycle under way meets it too.
    setup.lists.hold(false);
    assert_eq!(post_until_refused(&daemon).len(), 0);
    goes_on_without_writing(&daemon, &first);
    assert_eq!(daemon.trigger(&first)["status"], "done");
    let uncommitted = "cycle_stage_failures_total{error_type=\"store\",stage=\"commit\"}";
    daemon.await_metric(&format!("match_list_processor_{uncommitted}"), "", 0.0);
    assert_eq!(matches_in(&disk.path("previous_matches.json")), 1);
    term(&daemon);
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0), "{log}");
    let refused = disk.inside(&setup.command()).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(
        said.contains("Read-only") && said.contains("DATA_FOLDER"),
        "{said}"
    );
    disk.repair();
    let daemon = setup.start(&disk);
    daemon.await_done(&[first, waiting]);
    assert_eq!(daemon.counted("starts_total{previous=\"unclean\"}"), 1.0);
    daemon.stop();
}

#[test]
fn a_file_system_that_can_be_written_again_is_used_again() {
    let setup = Setup::new(&[a_match(1)]);
    let data = setup.folder.path("data");
    let daemon = Daemon::of(setup.command());
    let first = record(&daemon)["trigger_id"].as_str().unwrap().to_owned();
    let files: Vec<_> = [
        "match-list-processor.db",
        "match-list-processor.db-wal",
        ".lock",
    ]
    .map(|name| data.join(name))
    .into();
    let calls = "openat,pwrite64,fdatasync,ftruncate";
    let read_only = Failing::calls(&daemon.id(), calls, "EROFS", &files);
    assert_eq!(post_until_refused(&daemon).len(), 0);
    goes_on_without_writing(&daemon, &first);
    drop(read_only);
    daemon.await_count("store_writable", 1.0);
    record(&daemon);
    daemon.stop();
}

#[test]
fn a_start_on_a_full_or_read_only_disk_says_so() {
    let setup = Setup::new(&[a_match(1)]);
    let disk = Disk::in_memory(&setup.folder.path("data"), "8m");
    let start = || {
        let output = disk.inside(&setup.command()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    };
    let daemon = setup.start(&disk);
    record(&daemon);
    daemon.stop();
    disk.remount("ro");
    let (code, said) = start();
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("DATA_FOLDER"), "{said}");
    disk.remount("rw");
    disk.fill(0);
    let (code, said) = start();
    assert_eq!(code, 71, "{said}");
    assert!(said.contains("match-list-processor.db"), "{said}");
    assert!(said.contains("is full"), "{said}");
    disk.free();
    let daemon = setup.start(&disk);
    assert_eq!(record(&daemon)["changes"]["new"], 0, "all is still known");
    daemon.stop();
}
