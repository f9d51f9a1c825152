//! What the front door costs: signed, named and filtered triggers beside plain ones, and a sender who
//! is known beside many who are not.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use match_list_processor::auth::{self, Auth, Key, Scheme, Validity};
use match_list_processor::clock::Clock;
use support::daemon::Daemon;
use support::figures::{against, median_number, title};
use support::list::{Edition, list};
use support::load::{Load, load};

const CONNECTIONS: usize = 64;
/// Odd, so that the median is one of them.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_secs(2);
/// Made beforehand for each connection, more than it can ask in a round.
const POOL: usize = 4_000;
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const FORGER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRZY";
/// The second rule decides, and looks at the body.
const FILTERS: &str = r#"
default = "refuse"
[[rule]]
name = "ping"
when = 'headers["x-event"] == "ping"'
then = "ignore"
[[rule]]
name = "bench"
when = 'body.source in ["bench", "test"] && method == "POST"'
then = "trigger"
"#;
const BODY: &str = "{\"source\":\"bench\"}";
/// How long the forgers go on.
const FLOOD: Duration = Duration::from_secs(10);
/// Forged requests per second, all connections together.
const FORGED: u32 = 10_000;

fn main() {
    title(
        "door",
        "signed, named and filtered POST /process beside plain ones; a known sender beside forgers",
    );
    let folders = ["door-plain", "door-signed"].map(support::folder);
    let file = folders[0].join("list.json");
    std::fs::write(&file, list(20, Edition::First)).expect("a list on disk");
    let api = format!("file://{}", file.display());
    let plain = Daemon::start(&folders[0], &api, &[("ADMIN_LISTEN", "off")]);
    let guarded = [
        ("ADMIN_LISTEN", "off"),
        ("WEBHOOK_AUTH", "standard-webhooks"),
        ("WEBHOOK_SECRET", SECRET),
        ("FILTERS", FILTERS),
    ];
    let guarded = Daemon::start(&folders[1], &api, &guarded);
    rates(plain.address, guarded.address);
    flood(guarded.address);
}

/// Each round has both right after one another, so that its ratio is of one moment of the machine.
fn rates(plain: SocketAddr, guarded: SocketAddr) {
    let mut ratios = Vec::new();
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let a = load(plain, pool(|_, _| whole(String::new())), ROUND, None);
        let b = load(guarded, signed_pool(SECRET, round), ROUND, None);
        assert_eq!((a.refused, b.refused), (0, 0), "every one is accepted");
        if round == 0 {
            continue;
        }
        let ratio = b.rate / a.rate;
        println!("  round {round:>2}: plain {a}   signed {b}   {ratio:.2}");
        ratios.push(ratio);
        without.push(a.rate);
        with.push(b.rate);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "\n  medians: plain {:.0}/s, signed {:.0}/s; half of the rounds between {:.2} and {:.2}",
        median_number(without),
        median_number(with),
        ratios[ROUNDS / 4],
        ratios[ROUNDS - 1 - ROUNDS / 4]
    );
    let ratio = median_number(ratios);
    against("signed / plain", ratio, "x", ">= 0.8", ratio >= 0.8);
}

/// A known sender asks 50 times a second, first alone, then beside the forgers.
fn flood(guarded: SocketAddr) {
    let known = |name: usize| {
        let auth = signer(SECRET);
        let requests = (0..usize::MAX).map(move |n| request(&auth, &format!("known-{name}-{n}")));
        load(
            guarded,
            vec![requests],
            FLOOD,
            Some(Duration::from_millis(20)),
        )
    };
    let alone = known(0);
    let pause = Duration::from_secs(1) * u32::try_from(CONNECTIONS).unwrap_or(1) / FORGED;
    let forgers = std::thread::spawn(move || {
        let pool = signed_pool(FORGER, usize::MAX);
        let endless: Vec<_> = pool.into_iter().map(Iterator::cycle).collect();
        load(guarded, endless, FLOOD, Some(pause))
    });
    let beside = known(1);
    let forged: Load = forgers.join().expect("no panic");
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = forged.refused as f64 / FLOOD.as_secs_f64();
    println!("\n  known sender alone      {alone}");
    println!("  beside forged requests  {beside}");
    println!(
        "  forged                  {rate:.0}/s, {} got 200",
        forged.rate
    );
    let p99 = beside.p99.as_secs_f64() * 1e3;
    against("p99 beside forgers", p99, "ms", "<= 25 ms", p99 <= 25.0);
}

fn signer(secret: &str) -> Auth {
    let scheme = Scheme::StandardWebhooks;
    let key = Key::new(scheme, "bench", secret, Validity::default());
    Auth {
        scheme,
        keys: vec![key.expect("a secret")],
        ..Auth::open()
    }
}

/// For each connection what it asks, each request under a name of its own.
fn signed_pool(
    secret: &str,
    round: usize,
) -> Vec<impl Iterator<Item = Vec<u8>> + Clone + Send + 'static> {
    let auth = signer(secret);
    pool(move |connection, n| request(&auth, &format!("bench-{round}-{connection}-{n}")))
}

/// Plain requests are made beforehand as well, so that to send one costs the same.
fn pool(
    make: impl Fn(usize, usize) -> Vec<u8>,
) -> Vec<impl Iterator<Item = Vec<u8>> + Clone + Send + 'static> {
    let make = &make;
    let of = |connection| (0..POOL).map(|n| make(connection, n)).collect::<Vec<_>>();
    (0..CONNECTIONS)
        .map(|connection| of(connection).into_iter())
        .collect()
}

fn request(auth: &Auth, id: &str) -> Vec<u8> {
    let now = Clock::system().unix();
    let headers = auth::sign(auth, id, BODY.as_bytes(), now).expect("a secret that counts");
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    whole(lines.collect())
}

fn whole(more: String) -> Vec<u8> {
    let length = BODY.len();
    format!(
        "POST /process HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{more}\
         content-length: {length}\r\n\r\n{BODY}"
    )
    .into_bytes()
}
