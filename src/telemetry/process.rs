//! `process_*`: what the system says of this process, read at the scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts};

use super::family::FamilySpec;

/// Computes the families of the process at each scrape.
#[derive(Debug)]
pub struct ProcessCollector {
    cpu: Counter,
    gauges: Vec<Gauge>,
}

const CPU: (&str, &str) = (
    "process_cpu_seconds_total",
    "Seconds of CPU time that the process has used, user and system.",
);

const GAUGES: &[(&str, &str)] = &[
    (
        "process_resident_memory_bytes",
        "Bytes of memory that the process has resident.",
    ),
    (
        "process_virtual_memory_bytes",
        "Bytes of virtual memory of the process.",
    ),
    ("process_open_fds", "Open file descriptors."),
    ("process_max_fds", "File descriptors that may be open."),
    ("process_threads", "Threads of the process."),
    (
        "process_start_time_seconds",
        "Unix time at which the process started.",
    ),
];

impl ProcessCollector {
    /// A collector for this process.
    ///
    /// # Panics
    /// Never: the names are fixed and legal.
    #[must_use]
    pub fn new() -> Self {
        let gauge = |(name, help): &(&str, &str)| Gauge::with_opts(Opts::new(*name, *help));
        Self {
            cpu: Counter::with_opts(Opts::new(CPU.0, CPU.1)).expect("a legal name"),
            gauges: GAUGES
                .iter()
                .map(|one| gauge(one).expect("a legal name"))
                .collect(),
        }
    }

    /// What it collects.
    #[must_use]
    pub fn specs() -> Vec<FamilySpec> {
        let spec = |kind, (name, help): (&str, &str)| FamilySpec {
            name: name.to_owned(),
            kind,
            labels: vec![],
            help: help.to_owned(),
            buckets: vec![],
        };
        let gauges = GAUGES.iter().map(|&one| spec("gauge", one));
        std::iter::once(spec("counter", CPU))
            .chain(gauges)
            .collect()
    }
}

impl Default for ProcessCollector {
    fn default() -> Self {
        Self::new()
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.cpu
            .desc()
            .into_iter()
            .chain(self.gauges.iter().flat_map(Collector::desc))
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some((cpu, values)) = read() {
            // A counter cannot be set, and two scrapes may overlap.
            self.cpu.inc_by((cpu - self.cpu.get()).max(0.0));
            for (gauge, value) in self.gauges.iter().zip(values) {
                gauge.set(value);
            }
        }
        self.cpu
            .collect()
            .into_iter()
            .chain(self.gauges.iter().flat_map(Collector::collect))
            .collect()
    }
}

/// CPU seconds, and the gauges in the order of [`GAUGES`].
#[allow(clippy::cast_precision_loss)] // Bytes and counts of a process are far below 2^52.
fn read() -> Option<(f64, [f64; 6])> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let open = process.fd_count().ok()?;
    let max = match process.limits().ok()?.max_open_files.soft_limit {
        procfs::process::LimitValue::Value(value) => value as f64,
        procfs::process::LimitValue::Unlimited => f64::INFINITY,
    };
    let boot = procfs::boot_time_secs().ok()?;
    let values = [
        stat.rss as f64 * procfs::page_size() as f64,
        stat.vsize as f64,
        open as f64,
        max,
        stat.num_threads as f64,
        boot as f64 + stat.starttime as f64 / ticks,
    ];
    Some(((stat.utime + stat.stime) as f64 / ticks, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_a_living_process() {
        let families = ProcessCollector::new().collect();
        assert_eq!(families.len(), ProcessCollector::specs().len());
        for family in &families {
            let metric = &family.get_metric()[0];
            let value = metric.get_gauge().get_value() + metric.get_counter().get_value();
            let may_be_zero = family.name() == CPU.0;
            assert!(value > 0.0 || may_be_zero, "{} is {value}", family.name());
        }
    }
}
