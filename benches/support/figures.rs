//! Measuring and printing.

use std::time::{Duration, Instant};

/// How long `work` takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let result = std::hint::black_box(work());
    (begun.elapsed(), result)
}

/// The median of `runs` runs.
pub fn median_of<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    median((0..runs).map(|_| timed(&mut work).0).collect())
}

/// The one in the middle.
pub fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// The one in the middle.
pub fn median_number(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds, for a table.
pub fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

/// `a` as a multiple of `b`.
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// The head of a benchmark's output.
pub fn title(name: &str, about: &str) {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("\n{name}: {about}\n{cores} cores\n");
}

/// A figure beside its target.
pub fn against(what: &str, figure: f64, unit: &str, target: &str, met: bool) {
    let verdict = if met { "met" } else { "MISSED" };
    println!("  {what:<52} {figure:>9.2} {unit:<4} target {target:<18} {verdict}");
}
