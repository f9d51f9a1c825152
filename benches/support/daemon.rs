//! The real binary as a child, and the few requests that a benchmark makes of a daemon.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The stages of a cycle.
pub const STAGES: [&str; 4] = ["fetch", "compare", "plan", "commit"];

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    /// Where it serves clients.
    pub address: SocketAddr,
    /// From the start of the process to the first 200 of `/readyz`.
    pub ready_after: Duration,
}

impl Daemon {
    /// Starts the binary on `folder` with the list of `api`, and waits until it takes triggers.
    pub fn start(folder: &Path, api: &str, more: &[(&str, &str)]) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_match-list-processor"));
        command
            .env_clear()
            .envs(settings(folder, api))
            .envs(more.iter().copied())
            .env("PORT", address.port().to_string())
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let begun = Instant::now();
        let mut child = command.spawn().expect("the daemon starts");
        while !get(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            assert!(
                child.try_wait().is_ok_and(|ended| ended.is_none()),
                "the daemon ended"
            );
            std::thread::sleep(Duration::from_micros(200));
        }
        let ready_after = begun.elapsed();
        Self {
            child,
            address,
            ready_after,
        }
    }

    /// A figure of `/proc/PID/status`, in KiB.
    pub fn memory(&self, name: &str) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0.0)
    }

    /// Seconds that the stages of all cycles took so far.
    pub fn stages(&self) -> [f64; STAGES.len()] {
        self.figures(
            STAGES.map(|stage| format!("cycle_stage_duration_seconds_sum{{stage=\"{stage}\"}}")),
        )
    }

    /// The values of these series, named without the prefix that all have; 0 for one that is not there.
    pub fn figures<const N: usize>(&self, series: [String; N]) -> [f64; N] {
        let text = get(self.address, "/metrics/prom").expect("the daemon answers");
        series.map(|series| {
            let series = format!("match_list_processor_{series} ");
            let found = text.lines().find_map(|line| line.strip_prefix(&series));
            found.and_then(|value| value.parse().ok()).unwrap_or(0.0)
        })
    }

    /// Waits until nothing is left to deliver, at most so long.
    pub fn drain(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let is_open = |text: &str| {
            let counts = ["\"pending\":", "\"running\":"].map(|name| text.split(name).nth(1));
            counts
                .iter()
                .any(|count| count.is_none_or(|count| !count.starts_with('0')))
        };
        while is_open(&get(self.address, "/health/detailed").expect("the daemon answers"))
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings of a daemon that serves only the benchmark.
pub fn settings(folder: &Path, api: &str) -> Vec<(&'static str, String)> {
    let folder = folder.display();
    let pairs = [
        ("PROCESSOR_MODE", "event-driven".to_owned()),
        ("HOST", "127.0.0.1".to_owned()),
        ("DATA_FOLDER", folder.to_string()),
        ("API_BASE_URL", api.to_owned()),
        ("WHATSAPP_AVATAR_SERVICE_URL", "embedded".to_owned()),
        ("ASSET_STORE_URL", format!("file://{folder}/assets")),
        ("MIN_REFEREES_FOR_WHATSAPP", "20".to_owned()),
        ("LOG_LEVEL", "ERROR".to_owned()),
    ];
    std::fs::create_dir_all(format!("{folder}/assets")).expect("a folder for files");
    pairs.into_iter().collect()
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound listener").port()
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    call(
        address,
        &format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n"),
    )
}

/// Runs a cycle and waits for its end.
pub fn cycle(address: SocketAddr) -> Duration {
    let begun = Instant::now();
    let answer = call(
        address,
        "POST /process HTTP/1.1\r\nhost: bench\r\nconnection: close\r\nprefer: wait=300\r\n\
         content-length: 0\r\n\r\n",
    );
    let took = begun.elapsed();
    let answer = answer.expect("the daemon answers");
    assert!(
        answer.contains(r#""outcome":"success""#),
        "the cycle failed: {answer}"
    );
    took
}

fn call(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
