//! Signals, and the one deadline that a shutdown has.

use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;
use tokio::sync::watch;

/// Exit code after a second signal: what a shell shows for the signal itself.
const SIGNAL_BASE: i32 = 128;

/// What SIGHUP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// It is counted: a supervisor wants the settings to be read again.
    Counted,
    /// The same as SIGTERM: the person at the terminal has gone.
    Ends,
}

/// What the signals asked for so far.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Set by the first SIGTERM or SIGINT.
    pub stop: watch::Receiver<bool>,
    /// How often SIGHUP came.
    pub hangups: watch::Receiver<u64>,
}

/// Listens for SIGTERM and SIGINT on a thread of its own, so that a busy runtime cannot delay it.
/// The first one asks for the stop; the second one ends the process at once.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn on_signals(hangup: Hangup) -> std::io::Result<Asked> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (stop, stopped) = watch::channel(false);
    let (hung_up, hangups) = watch::channel(0);
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                let name = signal_name(signal).unwrap_or("signal");
                if signal == SIGHUP && hangup == Hangup::Counted {
                    hung_up.send_modify(|count| *count += 1);
                    continue;
                }
                if stop.send_replace(true) {
                    eprintln!("{name} again: ending at once");
                    std::process::exit(SIGNAL_BASE + signal);
                }
                tracing::info!("{name}: stopping in order; a second signal ends at once");
            }
        })?;
    Ok(Asked {
        stop: stopped,
        hangups,
    })
}

/// The stages of a shutdown under one deadline.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// For everything together.
    pub total: Duration,
}

impl Deadline {
    /// After this long, cycles and deliveries that still run are given up.
    #[must_use]
    pub fn patience(self) -> Duration {
        self.total.mul_f64(0.6)
    }

    /// Left for answers that are under way then.
    #[must_use]
    pub fn answers(self) -> Duration {
        self.total.mul_f64(0.1)
    }

    /// Left for telemetry at the end.
    #[must_use]
    pub fn telemetry(self) -> Duration {
        self.total.mul_f64(0.2).min(Duration::from_secs(5))
    }
}

/// Resolves once the flag is raised, or can never be.
pub async fn raised(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|&raised| raised).await;
}
