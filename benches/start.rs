//! From the start of the process to the first ready answer, and what the daemon holds when idle.

mod support;

use std::path::Path;
use std::time::Duration;

use support::daemon::{Daemon, cycle};
use support::figures::{against, median, median_number, title};
use support::list::{Edition, list};

const STARTS: usize = 9;
const IDLE_RUNS: usize = 3;

fn main() {
    title(
        "start",
        "spawn to the first 200 of /readyz, and VmRSS after 2 s",
    );
    let empty = support::folder("start-empty");
    let file = empty.join("list.json");
    std::fs::write(&file, list(20, Edition::First)).expect("a list on disk");
    let api = format!("file://{}", file.display());
    measure("empty store", &api, || support::folder("start-each"));

    let full = support::folder("start-full");
    std::fs::write(&file, list(10_000, Edition::First)).expect("a list on disk");
    let daemon = Daemon::start(&full, &api, &[]);
    cycle(daemon.address);
    daemon.stop();
    measure("store with 10 000 matches", &api, || full.clone());
}

fn measure<P: AsRef<Path>>(name: &str, api: &str, folder: impl Fn() -> P) {
    let mut starts = Vec::new();
    let mut idle = Vec::new();
    for run in 0..STARTS {
        let daemon = Daemon::start(folder().as_ref(), api, &[]);
        starts.push(daemon.ready_after);
        if run < IDLE_RUNS {
            std::thread::sleep(Duration::from_secs(2));
            idle.push(daemon.memory("VmRSS") / 1024.0);
        }
        daemon.stop();
    }
    let start = median(starts).as_secs_f64() * 1e3;
    against(
        &format!("{name}: ready after"),
        start,
        "ms",
        "<= 100 ms",
        start <= 100.0,
    );
    let idle = median_number(idle);
    against(
        &format!("{name}: VmRSS idle"),
        idle,
        "MiB",
        "<= 16 MiB",
        idle <= 16.0,
    );
}
