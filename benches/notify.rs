//! Telling five destinations of a list whose matches all changed, and how long that takes when one of
//! them hangs.

mod support;

use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use support::daemon::{Daemon, cycle};
use support::figures::{against, median, median_number, ratio, title};
use support::list::{Edition, list};
use support::receiver::{Arrivals, Receiver};
use support::redis::RedisServer;
use support::server::ListServer;

const MATCHES: usize = 1_000;
/// How often each is measured.
const RUNS: usize = 5;
/// After that it failed.
const PATIENCE: Duration = Duration::from_mins(2);
/// What all that is told to all five may take.
const TARGET: Duration = Duration::from_secs(10);
/// MiB above what the program has when idle.
const MEMORY: f64 = 64.0;

/// The destinations, and how many messages each gets: services and people, for whom it is a flood, one
/// with all matches, webhooks one for each match.
const TOLD: [(&str, usize); 5] = [
    ("redis", 1),
    ("calendar", 1),
    ("webhook", MATCHES),
    ("a second webhook", MATCHES),
    ("ntfy", 1),
];
const REDIS: usize = 0;

fn main() {
    title(
        "notify",
        "1,000 changed matches to Redis, the calendar service, two webhooks and ntfy",
    );
    let all = Receivers::start();
    // None hangs, or one of them, in turn, so that all see the same machine.
    let cases: Vec<Option<usize>> = std::iter::once(None)
        .chain((0..TOLD.len()).map(Some))
        .collect();
    let mut runs: Vec<Vec<Run>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..RUNS {
        for (case, runs) in cases.iter().zip(&mut runs) {
            runs.push(all.run(*case));
        }
    }
    let settled = show("all well", &runs[0]);
    against(
        "1,000 changes to five destinations, all settled",
        settled.as_secs_f64(),
        "s",
        "<= 10 s",
        settled <= TARGET,
    );
    let memory = median_number(runs[0].iter().map(|run| run.memory).collect());
    against(
        "peak memory above idle",
        memory,
        "MiB",
        "<= 64 MiB",
        memory <= MEMORY,
    );
    for ((name, _), runs) in TOLD.iter().zip(&runs[1..]) {
        let others = show(&format!("{name} hangs"), runs);
        let longer = ratio(others, settled);
        against(
            "the other four, beside all five being well",
            longer,
            "x",
            "<= 1.1",
            longer <= 1.1,
        );
    }
}

/// Prints when each destination had got its last message; returns when all was settled.
fn show(name: &str, runs: &[Run]) -> Duration {
    let settled = median(runs.iter().map(|run| run.settled).collect());
    println!("{name}: settled after {:.2} s", settled.as_secs_f64());
    for (one, (name, _)) in TOLD.iter().enumerate() {
        let last: Option<Vec<_>> = runs.iter().map(|run| run.last[one]).collect();
        if let Some(last) = last {
            println!(
                "  {name:<32} told after {:>6.2} s",
                median(last).as_secs_f64()
            );
        }
    }
    settled
}

struct Run {
    /// From the trigger until the outbox had nothing left for those that are well.
    settled: Duration,
    /// From the trigger until each had its last message; none for the one that hangs.
    last: [Option<Duration>; TOLD.len()],
    /// The peak above what the program had when idle, MiB.
    memory: f64,
}

/// Everybody who is told.
struct Receivers {
    lists: ListServer,
    editions: [Bytes; 2],
    redis: RedisServer,
    http: [Receiver; 4],
    subscriber: Arrivals,
}

impl Receivers {
    fn start() -> Self {
        let redis = RedisServer::start(&support::folder("notify-redis"));
        let subscriber = redis.subscribe("fogis:matches:updates");
        Self {
            lists: ListServer::start(),
            editions: [Edition::First, Edition::AllMoved].map(|edition| list(MATCHES, edition)),
            redis,
            http: [
                Receiver::start(StatusCode::OK, r#"{"success":true}"#),
                Receiver::start(StatusCode::NO_CONTENT, ""),
                Receiver::start(StatusCode::NO_CONTENT, ""),
                Receiver::start(StatusCode::OK, "{}"),
            ],
            subscriber,
        }
    }

    fn arrivals(&self, one: usize) -> &Arrivals {
        match one {
            REDIS => &self.subscriber,
            _ => &self.http[one - 1].arrivals,
        }
    }

    fn hang(&self, one: usize, hangs: bool) {
        match one {
            REDIS => self.redis.hang(hangs),
            _ => self.http[one - 1].hang(hangs),
        }
    }

    /// A daemon that knows the list and tells nobody of it yet.
    fn prepare(&self, folder: &Path) {
        self.lists.set(&self.editions[0]);
        let daemon = Daemon::start(folder, &self.api(), &[("ADMIN_LISTEN", "off")]);
        cycle(daemon.address);
        daemon.stop();
        for one in 0..TOLD.len() {
            clear(self.arrivals(one));
        }
    }

    fn run(&self, hanging: Option<usize>) -> Run {
        let folder = support::folder("notify");
        self.prepare(&folder);
        let daemon = self.daemon(&folder);
        let idle = daemon.memory("VmRSS");
        self.lists.set(&self.editions[1]);
        if let Some(one) = hanging {
            self.hang(one, true);
        }
        let begun = Instant::now();
        cycle(daemon.address);
        await_settled(&daemon, hanging);
        let settled = begun.elapsed();
        let memory = (daemon.memory("VmHWM") - idle) / 1024.0;
        let is_well = |one: &usize| Some(*one) != hanging;
        let last = std::array::from_fn(|one| {
            Some(one)
                .filter(is_well)
                .map(|one| self.last(one).duration_since(begun))
        });
        // One that hangs would hold up an orderly end.
        drop(daemon);
        if let Some(one) = hanging {
            self.hang(one, false);
        }
        Run {
            settled,
            last,
            memory,
        }
    }

    fn last(&self, one: usize) -> Instant {
        let (name, count) = TOLD[one];
        let arrivals = self.arrivals(one);
        let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(arrivals.len(), count, "messages to {name}");
        *arrivals.last().expect("a message")
    }

    fn daemon(&self, folder: &Path) -> Daemon {
        let redis = self.redis.url();
        let [calendar, ..] = &self.http;
        let calendar = format!("http://{}", calendar.address);
        let document = self.document();
        let settings = [
            ("ADMIN_LISTEN", "off"),
            ("REDIS_ENABLED", "true"),
            ("REDIS_URL", &redis),
            ("CALENDAR_SERVICE_URL", &calendar),
            ("NOTIFICATIONS", &document),
        ];
        let daemon = Daemon::start(folder, &self.api(), &settings);
        // Its first probes.
        std::thread::sleep(Duration::from_secs(1));
        daemon
    }

    fn document(&self) -> String {
        let [_, hook, other, ntfy] = self.http.each_ref().map(|receiver| receiver.address);
        format!(
            "[[channel]]\nname = 'one'\nkind = 'webhook'\nurl = 'http://{hook}/'\nallow_private = true\n\
             secret = 'whsec_aW52ZW50ZWQgc2VjcmV0IG9mIGEgYmVuY2htYXJrIQ=='\n\
             [[channel]]\nname = 'two'\nkind = 'webhook'\nurl = 'http://{other}/'\nallow_private = true\n\
             [[channel]]\nname = 'duty'\nkind = 'ntfy'\nurl = 'http://{ntfy}/'\ntopic = 'invented'\n\
             [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
             channels = ['one', 'two', 'duty']\n"
        )
    }

    fn api(&self) -> String {
        format!("http://{}", self.lists.address)
    }
}

fn clear(arrivals: &Arrivals) {
    arrivals
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
}

/// Waits until all is delivered but what is for the one that hangs.
fn await_settled(daemon: &Daemon, hanging: Option<usize>) {
    const KINDS: [(&str, &[usize]); 4] = [
        ("redis", &[0]),
        ("calendar", &[1]),
        ("webhook", &[2, 3]),
        ("ntfy", &[4]),
    ];
    let until = Instant::now() + PATIENCE;
    let series = || {
        KINDS.map(|(kind, _)| {
            format!("deliveries_total{{destination=\"{kind}\",result=\"delivered\"}}")
        })
    };
    let due = KINDS.map(|(_, all)| {
        let well = all.iter().filter(|&&one| Some(one) != hanging);
        well.map(|&one| TOLD[one].1).sum::<usize>()
    });
    loop {
        let delivered = daemon.figures(series());
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let is_done = due
            .iter()
            .zip(delivered)
            .all(|(due, now)| now >= *due as f64);
        if is_done {
            return;
        }
        assert!(Instant::now() < until, "only {delivered:?} of {due:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
