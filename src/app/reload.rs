//! Settings that change while the program runs: as a whole or not at all.

use std::fmt;
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
#[derive(Clone)]
pub struct Reloads {
    /// Changes with every SIGHUP.
    pub hangups: watch::Receiver<u64>,
    /// Reads the settings.
    pub load: Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>,
}

impl fmt::Debug for Reloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloads").finish_non_exhaustive()
    }
}

/// Reads the settings again when it is told to, or when one of their files has changed.
#[derive(Debug)]
pub struct Reloader {
    pub reloads: Reloads,
    pub live: Live,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
}

/// What is known of the files.
#[derive(Debug, Default)]
struct Seen {
    /// At the last look.
    last: Option<blake3::Hash>,
    /// When they were last read. A file may have changed since the start read it, so the first look
    /// reads in any case.
    taken: Option<blake3::Hash>,
    /// Why they were not taken then, if they were not.
    complaint: Option<String>,
}

impl Reloader {
    /// Goes on until `stop` is set.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut seen = Seen::default();
        loop {
            let asked = tokio::select! {
                () = raised(&mut stop) => return,
                Ok(()) = self.reloads.hangups.changed() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let look = self.look(asked, &mut seen);
            // A disk that hangs does not hold up the end.
            tokio::select! {
                () = look => {}
                () = raised(&mut stop) => return,
            }
        }
    }

    async fn look(&self, asked: bool, seen: &mut Seen) {
        // Before they are read: a change in between is seen the next time.
        let now = digest(self.live.now().files().to_vec()).await;
        // A file that is being written is left alone until it is the same twice.
        let is_still = std::mem::replace(&mut seen.last, now) == now;
        // After a failure the files that are to be watched are not known.
        let is_due = is_still && (seen.taken != now || seen.complaint.is_some());
        if !asked && !is_due {
            return;
        }
        seen.taken = now;
        let complaint = self.reload(asked).await;
        if let Some(complaint) = &complaint
            && (asked || seen.complaint.as_ref() != Some(complaint))
        {
            let why = why(asked);
            tracing::error!(
                "settings read again ({why}) and not taken, the old ones stay: {complaint}"
            );
        }
        seen.complaint = complaint;
    }

    /// Returns why the settings stay as they are, if they do.
    async fn reload(&self, asked: bool) -> Option<String> {
        let load = Arc::clone(&self.reloads.load);
        let read = tokio::task::spawn_blocking(move || load()).await;
        let outcome = read
            .map_err(|_| "they could not be read".to_owned())
            .and_then(|read| read.map_err(|mistakes| mistakes.in_one_line()))
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
        let why = why(asked);
        match outcome {
            Ok(changed) if changed.is_empty() && !asked => {}
            Ok(changed) if changed.is_empty() => {
                tracing::info!("settings read again ({why}): the same");
            }
            Ok(changed) => {
                let names = changed.join(", ");
                tracing::info!(
                    changed = names,
                    "settings read again ({why}): {names} changed"
                );
            }
            Err(complaint) => return Some(complaint),
        }
        None
    }

    /// Puts the settings in the place of the old ones; the names of those that changed.
    fn take(&self, config: Config) -> Result<Vec<String>, String> {
        let now = self.live.now();
        let changed = now.changes(&config);
        let fixed = now.fixed_changes(&config);
        if !fixed.is_empty() {
            let fixed = fixed.join(", ");
            return Err(format!("{fixed} can change only with a restart"));
        }
        if !changed.is_empty() {
            for warning in config.public_warnings() {
                tracing::warn!("{warning}");
            }
        }
        show(&self.metrics, &config);
        self.live.replace(Arc::new(config));
        Ok(changed)
    }
}

fn why(asked: bool) -> &'static str {
    match asked {
        true => "SIGHUP",
        false => "a file changed",
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
