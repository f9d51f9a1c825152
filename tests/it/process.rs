//! The real binary: settings, modes, exit codes, locks, damaged files and signals.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::binary::Daemon;
use crate::support::faults::under;
use crate::support::matches::{a_match, list, matches};
use crate::support::neighbours::{ListService, answer};
use crate::support::wire::unused_address;

/// A folder in which the real binary runs.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub fn list(&self, bytes: &[u8]) {
        std::fs::write(self.path("list.json"), bytes).unwrap();
    }

    pub fn command(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_match-list-processor"));
        command
            .current_dir(self.0.path())
            .env_clear()
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .env("ADMIN_LISTEN", "off")
            .env("LOG_FORMAT", "json")
            .env("DATA_FOLDER", self.path("data"))
            .env(
                "API_BASE_URL",
                format!("file://{}", self.path("list.json").display()),
            )
            .env("WHATSAPP_AVATAR_SERVICE_URL", "embedded")
            .env(
                "ASSET_STORE_URL",
                format!("file://{}", self.path("files").display()),
            )
            .envs(settings.iter().copied());
        command
    }

    pub fn run(&self, settings: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
        let output: Output = self.command(settings).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }

    /// One cycle; the exit code and the log.
    pub fn once(&self) -> (i32, String) {
        self.run(&[], &[])
    }

    fn exported(&self) -> Value {
        let path = self.path("data/previous_matches.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Names in the data folder that start so.
    fn named(&self, start: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("data")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(start)).collect()
    }
}

#[test]
fn oneshot_ends_with_a_code_that_says_how_it_went() {
    let folder = Folder::new();
    folder.list(&list(&matches(1..3)));
    let (code, log) = folder.once();
    assert_eq!(code, 0, "{log}");
    assert_eq!(folder.exported().as_array().unwrap().len(), 2);
    let made = folder.path("files/WhatsApp_Group_Assets/2030-05-05/Match_1_Hemma_IF_Borta_BK");
    assert_eq!(
        std::fs::read_dir(made).unwrap().count(),
        3,
        "files are there before it ends"
    );
    assert_eq!(folder.once().0, 0, "also when nothing changed");
    folder.list(b"<html>");
    let (code, log) = folder.once();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("cannot be read"), "{log}");
    folder.list(b"[]");
    let (code, log) = folder.once();
    assert_eq!(code, 1, "a held list is no success: {log}");
    assert!(log.contains("It is held and nothing was changed. If it is right, run again in 60 s"));
    assert_eq!(folder.exported().as_array().unwrap().len(), 2);
}

#[test]
fn a_list_that_is_no_regular_file_is_refused_at_once() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for path in [&pipe, Path::new("/dev/zero"), &folder.path("")] {
        let url = format!("file://{}", path.display());
        let (code, log) = folder.run(&[("API_BASE_URL", &url)], &[]);
        assert_eq!(code, 1, "{log}");
        let path = path.display();
        assert!(
            log.contains(&format!("{path} cannot be read: it is no regular file")),
            "{log}"
        );
        let settings = [("API_BASE_URL", &*url), ("PROCESSOR_MODE", "event-driven")];
        let daemon = Daemon::of(folder.command(&settings));
        daemon.await_count("dependency_up{dependency=\"api_client\"}", 0.0);
        let health = daemon
            .exchange("GET /health/dependencies HTTP/1.1\r\n")
            .unwrap()
            .1;
        assert!(health.contains("it is no regular file"), "{health}");
        daemon.stop();
    }
}

#[test]
fn a_list_service_that_is_not_there_is_named_without_its_password() {
    let base = ("API_BASE_URL", "http://referee:hunter2@127.0.0.1:1/fogis");
    let (code, log) = Folder::new().run(&[base], &[]);
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("no connection to 127.0.0.1:1 could be made"));
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn a_folder_that_takes_no_files_is_told_with_what_the_system_said() {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    std::fs::create_dir(folder.path("files")).unwrap();
    std::fs::write(folder.path("files/WhatsApp_Group_Assets"), b"in the way").unwrap();
    let (code, log) = folder.once();
    assert_eq!(code, 0, "the next run tries again: {log}");
    assert!(
        log.contains("the store of files failed: not a directory"),
        "{log}"
    );
    assert!(
        log.contains("deliveries waiting for the next run: 3"),
        "{log}"
    );
    let store = folder.path("data/match-list-processor.db");
    let sql = "UPDATE outbox SET state = 'dead' WHERE id = 1";
    let changed = rusqlite::Connection::open(store).unwrap().execute(sql, []);
    assert_eq!(changed, Ok(1));
    std::fs::remove_file(folder.path("files/WhatsApp_Group_Assets")).unwrap();
    Daemon::await_until("the other two", || {
        !folder
            .once()
            .1
            .contains("deliveries waiting for the next run")
    });
    let (code, log) = folder.once();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("dead letters: 1"), "{log}");
}

#[test]
fn a_bucket_without_credentials_is_told_with_what_is_missing() {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    let nobody = format!("http://{}", unused_address());
    let settings = [
        ("ASSET_STORE_URL", "s3://bucket/prefix"),
        ("AWS_ENDPOINT", &nobody),
        ("AWS_METADATA_ENDPOINT", &nobody),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let missing = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let (code, shown) = folder.run(&settings, &["check-config"]);
    assert_eq!(code, 0, "a machine may have a role: {shown}");
    assert!(shown.contains(missing), "{shown}");
    let (code, log) = folder.run(&settings, &[]);
    assert_eq!(code, 0, "{log}");
    let failed = log.lines().find(|line| line.contains("delivery failed"));
    assert!(failed.unwrap().contains(missing), "{log}");
    let with = [
        ("AWS_ACCESS_KEY_ID", "canary-id"),
        ("AWS_SECRET_ACCESS_KEY", "canary-key"),
    ];
    let settings = [&settings[..], &with].concat();
    let shown = folder.run(&settings, &["check-config"]).1;
    let log = folder.run(&settings, &[]).1;
    assert!(
        !shown.contains(missing) && !log.contains(missing),
        "{shown}{log}"
    );
    assert!(
        !shown.contains("canary") && !log.contains("canary"),
        "{shown}{log}"
    );
}

#[test]
fn nobody_else_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    let data = folder.path("above/data").display().to_string();
    let settings = [
        ("PROCESSOR_MODE", "event-driven"),
        ("DATA_FOLDER", data.as_str()),
    ];
    let shell = ["sh", "-c", "umask 022; exec \"$0\""];
    let daemon = Daemon::of(under(&shell, &folder.command(&settings)));
    daemon.process("");
    let mode = |name: &str| {
        let found = std::fs::metadata(folder.path(name)).expect(name);
        format!("{name} {:o}", found.permissions().mode() & 0o777)
    };
    for expected in [
        "above/data 700",
        "above/data/.lock 600",
        "above/data/match-list-processor.db 600",
        "above/data/match-list-processor.db-wal 600",
        "above/data/match-list-processor.db-shm 600",
        // For other tools, as far as they may enter the folder; so are the files for matches.
        "above/data/previous_matches.json 644",
        "above 755",
        "files 755",
    ] {
        assert_eq!(mode(expected.split_once(' ').unwrap().0), expected);
    }
    daemon.stop();
}

#[test]
fn a_data_folder_that_is_there_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    let data = folder.path("data");
    std::fs::create_dir(&data).unwrap();
    let shared = std::fs::Permissions::from_mode(0o750);
    std::fs::set_permissions(&data, shared.clone()).unwrap();
    assert_eq!(folder.once().0, 0);
    let found = std::fs::metadata(&data).unwrap().permissions();
    assert_eq!(found.mode() & 0o777, shared.mode());
}

#[test]
fn every_mode_runs_the_same_cycle() {
    for (mode, expected) in [
        ("unified", "time_change"),
        ("legacy", "\"updated\":1"),
        ("turbo", "time_change"),
    ] {
        let folder = Folder::new();
        folder.list(&list(&[a_match(1)]));
        let settings = [("PROCESSOR_MODE", mode)];
        assert_eq!(folder.run(&settings, &[]).0, 0);
        let later = crate::support::matches::with(
            a_match(1),
            json!({ "avsparkstid": "20:00", "tid": "/Date(1)/", "lag1lagid": 77 }),
        );
        folder.list(&list(&[later]));
        let (code, log) = folder.run(&settings, &[]);
        assert_eq!(code, 0, "{log}");
        let done = log.lines().find(|line| line.contains("done:")).unwrap();
        assert!(
            done.contains(expected) || done.contains("time change"),
            "{mode}: {done}"
        );
        assert_eq!(
            log.contains("PROCESSOR_MODE"),
            mode == "turbo",
            "{mode} warns: {log}"
        );
    }
}

#[test]
fn a_service_runs_a_cycle_at_once_and_again() {
    let lists = ListService::start();
    lists.answer(answer("200 OK", "", &list(&[a_match(1)])));
    let folder = Folder::new();
    let url = lists.url();
    let settings = [
        ("API_BASE_URL", url.as_str()),
        ("RUN_MODE", "service"),
        ("SERVICE_INTERVAL", "1"),
    ];
    let daemon = Daemon::of(folder.command(&settings));
    lists.await_asked(3);
    let status: Value = serde_json::from_str(&daemon.ask("GET / HTTP/1.1\r\n")).unwrap();
    assert_eq!(status["mode"], "unified");
    daemon.stop();
}

#[test]
fn settings_are_checked_before_anything_starts() {
    let folder = Folder::new();
    let (code, text) = folder.run(
        &[
            ("PORT", "x"),
            ("TZ", "y"),
            ("ADMIN_TOKEN", "an-invented-token"),
        ],
        &["check-config"],
    );
    assert_eq!(code, 78, "{text}");
    assert!(
        text.contains("2 mistakes") && text.contains("PORT") && text.contains("TZ"),
        "{text}"
    );
    let (code, text) = folder.run(&[("ADMIN_TOKEN", "an-invented-token")], &["check-config"]);
    assert_eq!(code, 0);
    assert!(
        text.contains("ADMIN_TOKEN") && !text.contains("an-invented-token"),
        "{text}"
    );
    assert_eq!(folder.run(&[("PORT", "x")], &[]).0, 78);
    assert!(!folder.path("data").exists(), "nothing was started");
}

#[test]
fn a_second_process_on_the_folder_is_sent_away_at_once() {
    let folder = Folder::new();
    folder.list(b"[]");
    let daemon = Daemon::of(folder.command(&[("PROCESSOR_MODE", "event-driven")]));
    let begun = Instant::now();
    let (code, log) = folder.once();
    assert_eq!(code, 75, "{log}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(log.contains("in use by another process"), "{log}");
    daemon.stop();
}

#[test]
fn an_unusable_store_is_named_kept_and_never_taken_for_empty() {
    let cases: [(&str, &[u8]); 3] = [
        ("", b""),
        (
            "garbage",
            b"not a database at all, but long enough to look at",
        ),
        ("text", &[7; 5000]),
    ];
    for (what, bytes) in cases {
        let folder = Folder::new();
        folder.list(b"[]");
        std::fs::create_dir(folder.path("data")).unwrap();
        let file = folder.path("data/match-list-processor.db");
        std::fs::write(&file, bytes).unwrap();
        let (code, log) = folder.once();
        assert_eq!(code, 78, "{what}: {log}");
        assert!(log.contains("match-list-processor.db"), "{log}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "{what} is kept");
    }
    for (what, pragma) in [
        ("newer", "user_version = 999"),
        ("foreign", "application_id = 1"),
    ] {
        let folder = Folder::new();
        folder.list(b"[]");
        assert_eq!(folder.once().0, 0);
        let file = folder.path("data/match-list-processor.db");
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection
            .execute_batch(&format!("PRAGMA {pragma};"))
            .unwrap();
        drop(connection);
        let (code, log) = folder.once();
        assert_eq!(code, 78, "{what}: {log}");
    }
}

fn data(folder: &Folder, bytes: &[u8]) {
    std::fs::create_dir_all(folder.path("data")).unwrap();
    std::fs::write(folder.path("data/previous_matches.json"), bytes).unwrap();
}

#[test]
fn the_list_of_another_program_is_taken_over_in_silence() {
    let all = matches(1..4);
    for baseline in [
        json!(all),
        json!({ "matches": all }),
        json!({ "matchlista": all }),
    ] {
        let folder = Folder::new();
        data(&folder, baseline.to_string().as_bytes());
        let mut now = all.clone();
        now[2]["avsparkstid"] = json!("20:00");
        folder.list(&list(&now));
        let (code, log) = folder.once();
        assert_eq!(code, 0, "{log}");
        let done = log.lines().find(|line| line.contains("done:")).unwrap();
        assert!(
            done.contains("\"new\":0") && done.contains("\"updated\":1"),
            "{done}"
        );
        assert_eq!(folder.exported(), json!(now));
    }
}

#[test]
fn a_damaged_list_stops_the_start_until_a_person_decides() {
    let ways: [&[&str]; 2] = [
        &["--accept-empty-baseline"],
        &["run", "--accept-empty-baseline"],
    ];
    for arguments in ways {
        let folder = Folder::new();
        folder.list(&list(&[a_match(1)]));
        data(&folder, b"[{\"matchid\": 1");
        let (code, log) = folder.once();
        assert_eq!(code, 78, "{log}");
        assert!(log.contains("--accept-empty-baseline"), "{log}");
        assert_eq!(
            std::fs::read(folder.path("data/previous_matches.json")).unwrap(),
            b"[{\"matchid\": 1"
        );
        let (code, log) = folder.run(&[], arguments);
        assert_eq!(code, 0, "{log}");
        assert_eq!(
            folder.named("previous_matches.json.corrupt-").len(),
            1,
            "the file is kept"
        );
        assert_eq!(folder.exported().as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_list_that_somebody_else_changed_is_moved_aside() {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    assert_eq!(folder.once().0, 0);
    std::fs::write(
        folder.path("data/previous_matches.json"),
        b"[{\"mine\": true}]",
    )
    .unwrap();
    folder.list(&list(&matches(1..3)));
    let (code, log) = folder.once();
    assert_eq!(code, 0, "{log}");
    let kept = folder.named("previous_matches.json.foreign-");
    assert_eq!(kept.len(), 1, "{log}");
    assert_eq!(
        std::fs::read(folder.path("data").join(&kept[0])).unwrap(),
        b"[{\"mine\": true}]"
    );
    assert_eq!(folder.exported().as_array().unwrap().len(), 2);
    std::fs::remove_file(folder.path("data/previous_matches.json")).unwrap();
    assert_eq!(folder.once().0, 0);
    assert_eq!(
        folder.exported().as_array().unwrap().len(),
        2,
        "a lost file is written again"
    );
}

/// Sends SIGTERM.
pub fn term(daemon: &Daemon) {
    assert!(
        Command::new("kill")
            .args(["-TERM", &daemon.id()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_stop_gives_a_hanging_cycle_up_within_the_deadline() {
    let lists = ListService::start();
    lists.hold(true);
    let folder = Folder::new();
    let url = lists.url();
    let settings = [
        ("API_BASE_URL", url.as_str()),
        ("PROCESSOR_MODE", "event-driven"),
        ("SHUTDOWN_DEADLINE_SECONDS", "4"),
    ];
    let daemon = Daemon::of(folder.command(&settings));
    daemon.ask("POST /process HTTP/1.1\r\n");
    lists.await_asked(1);
    // An idle connection must not hold up the end.
    let idle = TcpStream::connect(daemon.address()).unwrap();
    let begun = Instant::now();
    term(&daemon);
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    drop(idle);
    // The trigger was acknowledged, so the next start serves it without being asked.
    lists.hold(false);
    let daemon = Daemon::of(folder.command(&settings));
    lists.await_asked(2);
    daemon.stop();
}

#[test]
fn a_client_that_waits_for_its_cycle_is_answered_before_the_end() {
    let lists = ListService::start();
    lists.hold(true);
    let folder = Folder::new();
    let url = lists.url();
    let settings = [
        ("API_BASE_URL", url.as_str()),
        ("PROCESSOR_MODE", "event-driven"),
        ("SHUTDOWN_DEADLINE_SECONDS", "4"),
    ];
    let daemon = Daemon::of(folder.command(&settings));
    let mut waiting = TcpStream::connect(daemon.address()).unwrap();
    let request = b"POST /process HTTP/1.1\r\nHost: x\r\nPrefer: wait=300\r\n\r\n";
    waiting.write_all(request).unwrap();
    lists.await_asked(1);
    term(&daemon);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("\"status\":\"success\""),
        "accepted, and served later: {answer}"
    );
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let lists = ListService::start();
    lists.hold(true);
    let folder = Folder::new();
    let url = lists.url();
    let settings = [
        ("API_BASE_URL", url.as_str()),
        ("PROCESSOR_MODE", "event-driven"),
    ];
    let daemon = Daemon::of(folder.command(&settings));
    daemon.ask("POST /process HTTP/1.1\r\n");
    lists.await_asked(1);
    let begun = Instant::now();
    term(&daemon);
    daemon.await_draining();
    term(&daemon);
    let (code, _) = daemon.wait();
    assert_eq!(code, Some(128 + 15));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_health_check_needs_no_other_program() {
    let folder = Folder::new();
    folder.list(b"[]");
    let daemon = Daemon::of(folder.command(&[("PROCESSOR_MODE", "event-driven")]));
    let port = daemon.address().rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(folder.run(&[("PORT", &port)], &["healthcheck"]).0, 0);
    daemon.stop();
    assert_eq!(folder.run(&[("PORT", &port)], &["healthcheck"]).0, 1);
}

fn raw(daemon: &Daemon, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_front_door_is_strict_and_patient_only_for_so_long() {
    let folder = Folder::new();
    folder.list(b"[]");
    let settings = [
        ("PROCESSOR_MODE", "event-driven"),
        ("HEADER_TIMEOUT_SECONDS", "1"),
        ("BODY_TIMEOUT_SECONDS", "1"),
    ];
    let daemon = Daemon::of(folder.command(&settings));
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "A: b\r\n".repeat(200)
    );
    let cases: [(&str, &[u8], &str); 10] = [
        ("two hosts", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"),
        ("no host", b"GET / HTTP/1.1\r\n\r\n", "400"),
        ("CONNECT", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        ("both lengths", b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        ("both lengths, other order", b"POST /process HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", "400"),
        ("a large head", huge.as_bytes(), "431"),
        ("many headers", many.as_bytes(), "431"),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello there\r\n\r\n", "400"),
        ("a slow body", b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "408"),
        ("a body too large", b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "413"),
    ];
    for (what, request, code) in cases {
        let answer = raw(&daemon, request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {code} ")),
            "{what}: {answer:?}"
        );
        let unread = ["a large head", "many headers", "no HTTP"].contains(&what);
        let problem = answer.contains("application/problem+json");
        assert_eq!(problem, !unread, "{what}: {answer:?}");
        assert_eq!(answer.ends_with("\r\n\r\n"), unread, "{what}: {answer:?}");
    }
    let begun = Instant::now();
    assert_eq!(
        raw(&daemon, b"GET / HT"),
        "",
        "a slow head is closed without an answer"
    );
    assert_eq!(raw(&daemon, b""), "", "so is a silent connection");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let ok = raw(&daemon, b"GET /health/simple HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        ok.ends_with("{\"status\":\"healthy\"}"),
        "closed when it has been idle: {ok}"
    );
    daemon.stop();
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_the_start() {
    let folder = Folder::new();
    let check = |data: &str, files: &str| {
        let files = format!("file://{files}");
        let settings = [("DATA_FOLDER", data), ("ASSET_STORE_URL", &files)];
        folder.run(&settings, &["check-config"])
    };
    let path = |name: &str| folder.path(name).display().to_string();
    let (code, text) = check(&path("new/data"), &path("files"));
    assert_eq!(code, 0, "{text}");
    assert!(!folder.path("new").exists(), "it creates nothing");
    std::fs::write(folder.path("file"), "").unwrap();
    let (code, text) = check(&path("file"), "/proc/nowhere/files");
    assert_eq!(code, 78, "{text}");
    for told in [
        format!("DATA_FOLDER: {} cannot be written: ", path("file")),
        "ASSET_STORE_URL: /proc/nowhere/files cannot be created in /proc: ".to_owned(),
    ] {
        assert!(text.contains(&told), "{text}");
    }
    std::fs::create_dir_all(folder.path("old/match-list-processor.db")).unwrap();
    let (code, text) = check(&path("old"), &path("files"));
    assert_eq!(code, 78, "{text}");
    assert!(
        text.contains("match-list-processor.db cannot be written"),
        "{text}"
    );
    let left = std::fs::read_dir(folder.path("old")).unwrap().count();
    assert_eq!(left, 1, "it leaves nothing behind");
}

#[test]
fn an_open_administration_listener_needs_a_token() {
    let folder = Folder::new();
    let (code, text) = folder.run(&[("ADMIN_LISTEN", "0.0.0.0:0")], &[]);
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("ADMIN_TOKEN"), "{text}");
    folder.list(b"[]");
    let daemon = Daemon::of(folder.command(&[
        ("PROCESSOR_MODE", "event-driven"),
        ("ADMIN_LISTEN", "0.0.0.0:0"),
        ("ADMIN_TOKEN", "an-invented-token"),
    ]));
    let (log, _) = daemon.stop();
    assert!(log.contains("\"listener\":\"Admin\""), "{log}");
    assert!(!log.contains("an-invented-token"), "{log}");
}
