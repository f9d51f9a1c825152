//! Requests on many connections at once, as fast as they are answered or at a given pace.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::figures::{median, ms};

/// What a round of load found.
pub struct Load {
    /// Answers of 200 per second.
    pub rate: f64,
    /// Of the time from a request to its answer.
    pub median: Duration,
    /// The same: 99 % are below it.
    pub p99: Duration,
    /// Answers other than 200.
    pub refused: usize,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (median, p99) = (ms(self.median), ms(self.p99));
        write!(
            f,
            "{:>7.0}/s (median {median}, p99 {p99}, {} not 200)",
            self.rate, self.refused
        )
    }
}

impl Load {
    fn of(answers: &[(bool, Duration)], took: Duration) -> Self {
        let refused = answers.iter().filter(|(ok, _)| !ok).count();
        let mut times: Vec<_> = answers.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        let p99 = times.get(times.len() * 99 / 100);
        let served = u32::try_from(times.len() - refused).unwrap_or(u32::MAX);
        Self {
            rate: f64::from(served) / took.as_secs_f64(),
            p99: p99.copied().unwrap_or_default(),
            median: median(times),
            refused,
        }
    }
}

/// One thread asks on each connection, as soon as the last answer has come or every `pause`, for
/// `round` or until there is nothing more to ask. Each of `requests` is what one connection asks.
pub fn load<R>(
    address: SocketAddr,
    requests: Vec<R>,
    round: Duration,
    pause: Option<Duration>,
) -> Load
where
    R: Iterator<Item = Vec<u8>> + Send + 'static,
{
    let begun = Instant::now();
    let until = begun + round;
    let ask = |requests| tokio::spawn(client(address, requests, until, pause));
    let answers = block_on(async {
        let clients: Vec<_> = requests.into_iter().map(ask).collect();
        let mut all = Vec::new();
        for one in clients {
            all.extend(one.await.expect("no panic"));
        }
        all
    });
    Load::of(&answers, begun.elapsed())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

async fn client(
    address: SocketAddr,
    requests: impl Iterator<Item = Vec<u8>>,
    until: Instant,
    pause: Option<Duration>,
) -> Vec<(bool, Duration)> {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    stream.set_nodelay(true).expect("a TCP socket");
    let mut ticks = pause.map(tokio::time::interval);
    let (mut buffer, mut answers) = (vec![0; 4096], Vec::new());
    for request in requests {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        if Instant::now() >= until {
            break;
        }
        let begun = Instant::now();
        stream.write_all(&request).await.expect("the server reads");
        let mut filled = 0;
        while !is_whole(&buffer[..filled]) {
            match stream.read(&mut buffer[filled..]).await {
                Ok(0) | Err(_) => panic!("the server closed the connection"),
                Ok(read) => filled += read,
            }
        }
        answers.push((buffer.starts_with(b"HTTP/1.1 200"), begun.elapsed()));
    }
    answers
}

/// The servers' bodies are one JSON object without another `}` in it.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"}")
}
