//! The whole way from a list that changed to the people who must know.

use std::time::{Duration, Instant};

use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::kept::canary;
use crate::support::matches::{a_match, list, with};
use crate::support::scripted::{Act, Scripted};
use crate::support::smtp::SmtpServer;
use crate::support::wire::Asked;

/// Three channels of one coordinator.
struct Receivers {
    hook: Inbox,
    discord: Inbox,
    ntfy: Inbox,
}

impl Receivers {
    fn start() -> Self {
        Self {
            hook: Inbox::start(Act::status(204)),
            discord: Inbox::start(Act::status(204)),
            ntfy: Inbox::start(Act::with(200, "", "{}")),
        }
    }

    fn document(&self, more: &str) -> String {
        format!(
            "[[channel]]\nname = 'hook'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
             secret = 'whsec_aW52ZW50ZWQgc2VjcmV0IG9mIHRoaXMgdGVzdCE='\n\
             [[channel]]\nname = 'team'\nkind = 'discord'\nurl = '{}'\n\
             [[channel]]\nname = 'duty'\nkind = 'ntfy'\nurl = '{}'\ntopic = 'invented'\nlanguage = 'en'\n\
             [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
             channels = ['hook', 'team', 'duty']\n{more}",
            self.hook.url("/hook"),
            self.discord.url("/api/webhooks/1/invented"),
            self.ntfy.url("/"),
        )
    }

    async fn daemon(&self, clock: Clock, more: &str) -> Daemon {
        let document = self.document(more);
        let settings = [
            ("NOTIFICATIONS", document.as_str()),
            ("PROBE_INTERVAL_SECONDS", "1"),
        ];
        Daemon::start_with(clock, &settings).await
    }
}

/// A receiver with all that was posted to it.
struct Inbox {
    server: Scripted,
    posts: Vec<Asked>,
}

impl Inbox {
    fn start(act: Act) -> Self {
        Self {
            server: Scripted::start(act),
            posts: Vec::new(),
        }
    }

    fn act(&self, act: Act) {
        self.server.act(act);
    }

    fn url(&self, path: &str) -> url::Url {
        self.server.url(path)
    }

    /// Everything so far, once it is at least `count` messages.
    async fn posts(&mut self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let asked = self.server.asked().into_iter();
            self.posts
                .extend(asked.filter(|one| one.head.starts_with("POST")));
            let bodies = self.posts.iter().map(|one| &one.body);
            let posts: Vec<Value> = bodies
                .map(|body| serde_json::from_slice(body).unwrap())
                .collect();
            if posts.len() >= count {
                return posts;
            }
            assert!(Instant::now() < deadline, "only {posts:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn moved(id: i64, kickoff: &str) -> Value {
    with(a_match(id), json!({ "avsparkstid": kickoff }))
}

fn kickoffs(event: &Value) -> (&str, &str) {
    let changes = event["data"]["changes"].as_array().unwrap();
    let time = changes
        .iter()
        .find(|change| change["category"] == "time_change");
    let time = time.unwrap_or_else(|| panic!("no new time in {event}"));
    (
        time["previous_value"].as_str().unwrap(),
        time["current_value"].as_str().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_kick_off_is_told_on_each_channel_in_its_form() {
    let mut receivers = Receivers::start();
    let daemon = receivers.daemon(Clock::system(), "").await;
    daemon.look(list(&[a_match(1)])).await;
    for receiver in [
        &mut receivers.hook,
        &mut receivers.discord,
        &mut receivers.ntfy,
    ] {
        receiver.posts(1).await;
    }
    daemon.look(list(&[moved(1, "20:15")])).await;
    let before = a_match(1)["avsparkstid"].as_str().unwrap().to_owned();
    let events = receivers.hook.posts(2).await;
    assert_eq!(kickoffs(&events[1]), (before.as_str(), "20:15"));
    let signed = &receivers.hook.posts[0];
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(signed.header(header).is_some(), "{header}: {}", signed.head);
    }
    let embed = &receivers.discord.posts(2).await[1]["embeds"][0];
    assert!(embed.to_string().contains("20:15"), "{embed}");
    let note = &receivers.ntfy.posts(2).await[1];
    assert_eq!(note["topic"], "invented");
    assert!(note["title"].as_str().unwrap().contains("20:15"), "{note}");
    assert!(
        note["click"].as_str().unwrap().ends_with("matchId=1"),
        "{note}"
    );
    daemon
        .await_deliveries("all told", |row| {
            row["state"] == "delivered" || row["state"] == "superseded"
        })
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_delays_no_other_and_hears_the_newest_when_it_is_back() {
    let mut receivers = Receivers::start();
    let daemon = receivers.daemon(Clock::system(), "").await;
    daemon.look(list(&[moved(1, "18:00")])).await;
    receivers.hook.posts(1).await;
    receivers.hook.act(Act::Reset);
    for (n, kickoff) in ["18:00", "18:30", "19:00", "19:30"].into_iter().enumerate() {
        daemon.look(list(&[moved(1, kickoff)])).await;
        receivers.discord.posts(n + 1).await;
        receivers.ntfy.posts(n + 1).await;
    }
    let daemon = daemon.restart().await;
    let tried = receivers.hook.posts(2).await.len();
    receivers.hook.act(Act::status(204));
    let events = receivers.hook.posts(tried + 1).await;
    assert_eq!(kickoffs(events.last().unwrap()), ("18:00", "19:30"));
    daemon
        .await_deliveries("all told", |row| {
            row["state"] == "delivered" || row["state"] == "superseded"
        })
        .await;
    let waits = daemon.counted("deliveries_total{destination=\"webhook\",result=\"dead\"}");
    assert_eq!(waits, 0.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_wants_no_more_gets_no_more() {
    let mut receivers = Receivers::start();
    receivers.hook.act(Act::status(410));
    let daemon = receivers.daemon(Clock::system(), "").await;
    let dead = "dead_letters_total{destination=\"webhook\",reason=\"rejected\"}";
    daemon.look(list(&[a_match(1), a_match(2)])).await;
    receivers.discord.posts(2).await;
    daemon.await_count(dead, 2.0).await;
    daemon
        .look(list(&[moved(1, "20:15"), moved(2, "20:15")]))
        .await;
    receivers.discord.posts(4).await;
    daemon.await_count(dead, 4.0).await;
    // Those that were under way when the first answer came.
    let asked = receivers.hook.posts(1).await.len();
    assert!(asked <= 4, "{asked}");
    daemon
        .look(list(&[moved(1, "20:45"), moved(2, "20:15")]))
        .await;
    receivers.discord.posts(5).await;
    daemon
        .await_deliveries("an end", |row| {
            row["state"] != "pending" && row["state"] != "running"
        })
        .await;
    assert_eq!(receivers.hook.posts(1).await.len(), asked);
    daemon.scrape().await;
    assert_eq!(
        daemon.counted("dead_letters{destination=\"webhook\"}"),
        2.0,
        "one for each match"
    );
    // Its address takes connections all the same.
    let health = daemon.get("/health/detailed").await;
    assert_eq!(health["status"], "degraded");
    let seen = &health["dependencies"]["webhook"];
    assert_eq!(seen["status"], "unhealthy", "{seen}");
    let why = seen["error"].as_str().unwrap();
    assert!(
        why.starts_with("the receiver says that it is gone"),
        "{why}"
    );
    assert_eq!(daemon.counted("dependency_up{dependency=\"webhook\"}"), 0.0);
    assert_eq!(health["dependencies"]["discord"]["status"], "healthy");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_retries_has_a_receiver_asked_again_that_said_it_is_gone() {
    for (destination, code) in [("webhook:hook", 410), ("discord:team", 404)] {
        let mut receivers = Receivers::start();
        let daemon = receivers.daemon(Clock::system(), "").await;
        let receiver = match code {
            410 => &mut receivers.hook,
            _ => &mut receivers.discord,
        };
        receiver.act(Act::status(code));
        daemon.look(list(&[a_match(1)])).await;
        let ours = async |state: &'static str| {
            let ended = |row: &Value| row["destination"] != destination || row["state"] == state;
            daemon.await_deliveries(state, ended).await;
            let rows = daemon.deliveries().await;
            let row = rows.iter().find(|row| row["destination"] == destination);
            row.unwrap()["id"].as_i64().unwrap()
        };
        let id = ours("dead").await;
        let retry = format!("/deliveries/{id}/retry");
        assert_eq!(receiver.posts(1).await.len(), 1);

        // It is gone still, and says so itself.
        assert_eq!(daemon.command(&retry).await.0, 200);
        receiver.posts(2).await;
        ours("dead").await;
        assert_eq!(receiver.posts(2).await.len(), 2, "{destination}");

        receiver.act(Act::status(204));
        assert_eq!(daemon.command(&retry).await.0, 200);
        ours("delivered").await;
        daemon.look(list(&[moved(1, "20:15")])).await;
        receiver.posts(4).await;
        daemon.stop().await;
    }
}

/// All that a probe can ask of a webhook is whether it takes connections.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_takes_connections_and_no_messages_is_not_well() {
    let mut receivers = Receivers::start();
    receivers.hook.act(Act::status(500));
    let daemon = receivers.daemon(Clock::system(), "").await;
    let seen = async || {
        daemon.scrape().await;
        let up = daemon.counted("dependency_up{dependency=\"webhook\"}");
        let all = daemon.get("/health/dependencies").await;
        let one = all["dependencies"]["webhook"].clone();
        let error = one["error"].as_str().unwrap_or_default().to_owned();
        (one["status"].as_str().unwrap().to_owned(), error, up)
    };
    let of = |status: &str, error: &str, up: f64| (status.to_owned(), error.to_owned(), up);
    let retried = "delivery_attempts_total{destination=\"webhook\",result=\"retry\"}";
    daemon.look(list(&[a_match(1)])).await;
    daemon.await_some(retried).await;
    let why = "the last delivery failed: the service answered 500";
    assert_eq!(seen().await, of("degraded", why, 1.0));
    daemon
        .look(list(&[a_match(1), a_match(2), a_match(3)]))
        .await;
    daemon
        .await_count("delivery_breaker_open{destination=\"webhook\"}", 1.0)
        .await;
    let why = "deliveries are held back: the service answered 500";
    assert_eq!(seen().await, of("unhealthy", why, 0.0));
    assert_eq!(daemon.get("/health").await["status"], "degraded");
    let soon = daemon.clock.unix() + 5.0;
    let waits = daemon.deliveries().await;
    let waits = waits
        .iter()
        .filter(|row| row["destination"] == "webhook:hook" && row["state"] == "pending");
    let next: Vec<_> = waits
        .map(|row| row["next_attempt"].as_f64().unwrap())
        .collect();
    assert!(
        next.len() >= 2 && next.iter().all(|&at| at > soon),
        "not before it is tried: {next:?}"
    );
    receivers.hook.act(Act::status(204));
    receivers.hook.posts(6).await;
    daemon
        .await_deliveries("all told", |row| row["state"] == "delivered")
        .await;
    assert_eq!(seen().await, of("healthy", "", 1.0));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_and_digests_wait_and_what_is_urgent_does_not() {
    let mut receivers = Receivers::start();
    // Half past eleven in the evening in Stockholm; the matches are later than tomorrow.
    let clock = Clock::starting_at("2030-06-01T21:30:00Z".parse().unwrap());
    let night = "quiet_hours = '22:00-07:00'\n\
                 [[stakeholder]]\nid = 'bo'\nrole = 'coordinator'\ndigest = 'daily'\ndigest_at = '08:00'\n\
                 minimum_priority = 'low'\nchannels = ['late']\n\
                 [[channel]]\nname = 'late'\nkind = 'webhook'\nallow_private = true\n";
    let mut digest = Inbox::start(Act::status(204));
    let more = format!("{night}url = '{}'\n", digest.url("/digest"));
    let daemon = receivers.daemon(clock, &more).await;
    let on = |one: Value, day: &str| with(one, json!({ "speldatum": day }));
    let far = |kickoff: &str| on(moved(1, kickoff), "2030-06-20");
    let today = |kickoff: &str| on(moved(2, kickoff), "2030-06-01");
    daemon.look(list(&[far("18:00"), today("23:50")])).await;
    // Of today's match everybody hears now.
    let events = receivers.hook.posts(1).await;
    assert_eq!(events[0]["data"]["match"]["match_id"], 2);
    daemon.look(list(&[far("18:30"), today("23:50")])).await;
    let daemon = daemon.restart().await;
    assert_eq!(receivers.hook.posts(1).await.len(), 1, "it is night");
    daemon.clock.pass(Duration::from_hours(8));
    daemon.command("/resume").await;
    let events = receivers.hook.posts(2).await;
    let told = &events[1]["data"];
    assert_eq!(
        told["match"]["kickoff"], "18:30",
        "what is true in the morning"
    );
    let before = digest.posts(1).await.len();
    assert_eq!(before, 1, "only what is urgent");
    daemon.clock.pass(Duration::from_hours(1));
    daemon.command("/resume").await;
    let events = digest.posts(2).await;
    assert_eq!(events[1]["type"], "matches.changed");
    let told = events[1]["data"]["matches"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{events:#?}");
    assert_eq!(told[0]["match"]["kickoff"], "18:30");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_says_nothing_that_a_message_before_it_made_untrue() {
    let mut hook = Inbox::start(Act::status(204));
    let document = format!(
        "[[channel]]\nname = 'hook'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
         [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
         channels = ['hook']\ndigest = 'daily'\ndigest_at = '20:00'\n",
        hook.url("/hook")
    );
    // Eleven in the morning in Stockholm.
    let clock = Clock::starting_at("2030-06-01T09:00:00Z".parse().unwrap());
    let daemon = Daemon::start_with(clock, &[("NOTIFICATIONS", document.as_str())]).await;
    let on =
        |id: i64, kickoff: &str, day: &str| with(moved(id, kickoff), json!({ "speldatum": day }));
    let far = "2030-06-20";
    let planned = [
        on(1, "18:00", far),
        on(2, "18:00", far),
        on(3, "18:00", far),
    ];
    daemon.look(list(&planned)).await;
    daemon.clock.pass(Duration::from_hours(10));
    daemon.command("/resume").await;
    let told = hook.posts(1).await;
    let of = |event: &Value| event["data"]["matches"].as_array().unwrap().clone();
    assert_eq!(of(&told[0]).len(), 3, "{told:#?}");
    // All three move; then the first is put off to the same evening, and the second moves back.
    let later = [
        on(1, "18:30", far),
        on(2, "18:30", far),
        on(3, "18:30", far),
    ];
    daemon.look(list(&later)).await;
    let today = "2030-06-01";
    let last = [
        on(1, "21:45", today),
        on(2, "18:00", far),
        on(3, "18:30", far),
    ];
    daemon.look(list(&last)).await;
    let told = hook.posts(2).await;
    assert_eq!(kickoffs(&told[1]), ("18:00", "21:45"), "all of it at once");
    let daemon = daemon.restart().await;
    daemon.clock.pass(Duration::from_hours(24));
    daemon.command("/resume").await;
    let told = hook.posts(3).await;
    let left = of(&told[2]);
    let ids: Vec<&Value> = left.iter().map(|one| &one["match"]["match_id"]).collect();
    assert_eq!(ids, [3], "{told:#?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referee_gets_a_mail_about_the_own_match_also_when_the_server_was_away() {
    let mut server = SmtpServer::start(&[]);
    let document = format!(
        "language = 'en'\n[smtp]\nhost = '127.0.0.1'\nport = {}\nsecurity = 'none'\n\
         from = 'News <news@example.org>'\n\
         [[stakeholder]]\nid = 'anna'\nrole = 'referee'\nreferee_id = 101\nmail = 'anna@example.org'\n\
         [[stakeholder]]\nid = 'bo'\nrole = 'referee'\nreferee_id = 202\nmail = 'bo@example.org'\n",
        server.port
    );
    let settings = [
        ("NOTIFICATIONS", document.as_str()),
        ("PROBE_INTERVAL_SECONDS", "1"),
    ];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    let of = |id: i64, kickoff: &str, referee: i64| {
        let referees = json!([{
            "domareid": referee, "personnamn": canary("personnamn"), "domarrollnamn": "Huvuddomare",
            "domarrollid": 1,
        }]);
        with(moved(id, kickoff), json!({ "domaruppdraglista": referees }))
    };
    daemon
        .look(list(&[of(1, "18:00", 101), of(2, "18:00", 202)]))
        .await;
    let mut first = [server.next(), server.next()];
    first.sort_by_key(|mail| !mail.to_string().contains("anna@example.org"));
    assert!(
        first[0].to_string().contains("anna@example.org"),
        "{first:#?}"
    );
    assert!(
        first[1].to_string().contains("bo@example.org"),
        "{first:#?}"
    );
    // The server has a mail before the daemon has its answer.
    daemon
        .await_deliveries("both told", |row| row["state"] == "delivered")
        .await;
    server.kill();
    daemon
        .look(list(&[of(1, "18:30", 101), of(2, "18:00", 202)]))
        .await;
    daemon
        .look(list(&[of(1, "19:00", 101), of(2, "18:00", 202)]))
        .await;
    let daemon = daemon.restart().await;
    server.again();
    let mail = server.next().to_string();
    assert!(mail.contains("anna@example.org"), "{mail}");
    assert!(mail.contains("19:00") && !mail.contains("18:30"), "{mail}");
    daemon
        .await_deliveries("all told", |row| {
            row["state"] == "delivered" || row["state"] == "superseded"
        })
        .await;
    // Bo takes the match over.
    daemon
        .look(list(&[of(1, "19:00", 202), of(2, "18:00", 202)]))
        .await;
    for _ in 0..2 {
        let mail = server.next().to_string();
        let method = match mail.contains("anna@example.org") {
            true => "METHOD:CANCEL",
            false => "METHOD:PUBLISH",
        };
        assert!(mail.contains(method), "{method}: {mail}");
    }
    daemon.stop().await;
}
