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
    /// Nothing.
    Ignored,
    /// The same as SIGTERM.
    Ends,
}

/// Listens for SIGTERM and SIGINT on a thread of its own, so that a busy runtime cannot delay it.
/// The first one sets the returned value; the second one ends the process at once. SIGHUP, with
/// which a supervisor asks for the settings to be read again, is answered in the log only, unless
/// it means that the person at the terminal has gone.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn on_signals(hangup: Hangup) -> std::io::Result<watch::Receiver<bool>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (stop, stopped) = watch::channel(false);
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                let name = signal_name(signal).unwrap_or("signal");
                if signal == SIGHUP && hangup == Hangup::Ignored {
                    tracing::warn!(
                        "{name}: settings and secrets are read at the start only; nothing changed"
                    );
                    continue;
                }
                if stop.send_replace(true) {
                    eprintln!("{name} again: ending at once");
                    std::process::exit(SIGNAL_BASE + signal);
                }
                tracing::info!("{name}: stopping in order; a second signal ends at once");
            }
        })?;
    Ok(stopped)
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
