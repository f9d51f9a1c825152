//! Settings that change while the program runs: as a whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::auth::Scheme;
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors, Live};
use crate::file;
use crate::shutdown::raised;
use crate::telemetry::metrics::Metrics;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where the settings are read again from, and when somebody asks for it.
#[derive(Clone, Debug)]
pub struct Reloads {
    /// Changes with every SIGHUP.
    pub hangups: watch::Receiver<u64>,
    /// Reads the settings.
    pub load: fn() -> Result<Config, ConfigErrors>,
}

/// Reads the settings again when it is told to, or when one of their files has changed.
#[derive(Debug)]
pub struct Reloader {
    pub reloads: Reloads,
    pub live: Live,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
}

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Unchanged,
    Changed(Vec<String>),
}

/// Why the settings stay as they are.
#[derive(Debug, thiserror::Error)]
enum Kept {
    #[error("{0}")]
    Mistakes(ConfigErrors),
    #[error("{0} can change only with a restart")]
    Fixed(String),
    #[error("they could not be read")]
    Panicked,
}

impl Reloader {
    /// Goes on until `stop` is set.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // A file may have changed since the start read it, so the first look reads in any case.
        let mut seen = None;
        loop {
            let asked = tokio::select! {
                () = raised(&mut stop) => return,
                Ok(()) = self.reloads.hangups.changed() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            // Before they are read: a change in between is seen the next time.
            let now = digest(self.live.now().files().to_vec()).await;
            if asked || now != seen {
                seen = now;
                self.reload(asked).await;
            }
        }
    }

    async fn reload(&self, asked: bool) {
        let why = if asked { "SIGHUP" } else { "a file changed" };
        let load = self.reloads.load;
        let read = tokio::task::spawn_blocking(load).await;
        let outcome = read
            .map_err(|_| Kept::Panicked)
            .and_then(|read| read.map_err(Kept::Mistakes))
            .and_then(|config| self.take(config));
        let successful = outcome.is_ok();
        self.metrics
            .config_last_load_successful
            .set((), i64::from(successful));
        if successful {
            self.metrics
                .config_last_load_success_timestamp
                .set((), self.clock.unix());
        }
        match outcome {
            Ok(Outcome::Unchanged) if !asked => {}
            Ok(Outcome::Unchanged) => tracing::info!("settings read again ({why}): the same"),
            Ok(Outcome::Changed(names)) => {
                let names = names.join(", ");
                tracing::info!(
                    changed = names,
                    "settings read again ({why}): {names} changed"
                );
            }
            Err(kept) => {
                tracing::error!(
                    "settings read again ({why}) and not taken, the old ones stay: {kept}"
                );
            }
        }
    }

    fn take(&self, config: Config) -> Result<Outcome, Kept> {
        let changed = self.live.now().changes(&config);
        let fixed: Vec<&str> = changed
            .iter()
            .map(String::as_str)
            .filter(|name| !Config::is_live(name))
            .collect();
        if !fixed.is_empty() {
            return Err(Kept::Fixed(fixed.join(", ")));
        }
        if changed.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        show(&self.metrics, &config);
        self.live.replace(Arc::new(config));
        Ok(Outcome::Changed(changed))
    }
}

/// Shows settings that may change in the metrics.
pub fn show(metrics: &Metrics, config: &Config) {
    for &scheme in Scheme::ALL {
        let active = scheme == config.auth.scheme;
        metrics.auth_scheme.set((scheme,), i64::from(active));
    }
    metrics.auth_open.set((), i64::from(config.is_open()));
}

/// What the files hold now. A name that leads elsewhere, as in a mounted `ConfigMap`, is followed.
async fn digest(files: Vec<PathBuf>) -> Option<blake3::Hash> {
    let read = move || {
        let mut all = blake3::Hasher::new();
        for path in files {
            let content = file::read(&path, file::SMALL).ok();
            all.update(blake3::hash(&content.unwrap_or_default()).as_bytes());
        }
        all.finalize()
    };
    tokio::task::spawn_blocking(read).await.ok()
}
