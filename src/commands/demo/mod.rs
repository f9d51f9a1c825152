//! `demo`: the whole daemon on a match list of its own.

mod stage;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use jiff::civil::Date;
use tokio::sync::watch;

use stage::Stage;

use super::serve::{end, main_runtime};
use crate::app::{App, Failure, Listeners};
use crate::client::CallError;
use crate::clock::Clock;
use crate::config::{Config, Source};
use crate::demo::{Look, Season};
use crate::shutdown::{self, Hangup};
use crate::telemetry::labels::ErrorKind;
use crate::telemetry::{self, metrics::Metrics};
use crate::upstream::Upstream;

/// The data folder within that of the demonstration.
const DATA: &str = "data";

/// How the demonstration runs.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Exit after a few cycles instead of going on until Ctrl-C
    #[arg(long)]
    once: bool,
    /// Where to write the files; by default a new folder among the temporary files
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the daemon and tells what it does.
///
/// # Errors
/// [`Failure`] says what went wrong.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = folder(arguments)?;
    let was_used = folder.join(DATA).exists();
    let mut config = config(&folder)?;
    config.log.file = Some(folder.join("daemon.log"));
    let config = Arc::new(config);
    let metrics = Arc::new(Metrics::new());
    let telemetry = telemetry::start(&config, &metrics)?;
    let stop = shutdown::on_signals(Hangup::Ends)
        .context("cannot listen for signals")?
        .stop;
    let runtime = main_runtime()?;
    let outcome = runtime.block_on(play(
        arguments.once,
        (&folder, was_used),
        Arc::clone(&config),
        metrics,
        stop,
    ));
    runtime.shutdown_timeout(Duration::from_millis(200));
    end(telemetry, config.shutdown_deadline);
    outcome
}

fn folder(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let folder = arguments.folder.clone().unwrap_or_else(|| {
        let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
        let name = format!("match-list-processor-demo-{now}-{}", std::process::id());
        std::env::temp_dir().join(name)
    });
    std::fs::create_dir_all(&folder)
        .and_then(|()| folder.canonicalize())
        .with_context(|| format!("cannot create {}", folder.display()))
        .map_err(Failure::System)
}

fn config(folder: &Path) -> Result<Config, Failure> {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let files = url::Url::from_file_path(folder.join("files"))
        .map_err(|()| Failure::Unusable("--folder must be a path of this system".to_owned()))?;
    Config::load(&Source::of([
        ("PROCESSOR_MODE", "event-driven"),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("DATA_FOLDER", &path(DATA)),
        ("ASSET_STORE_URL", files.as_str()),
        ("WHATSAPP_AVATAR_SERVICE_URL", "embedded"),
        ("LOG_FORMAT", "text"),
    ]))
    .map_err(|errors| Failure::Unusable(errors.to_string()))
}

async fn play(
    once: bool,
    (folder, was_used): (&Path, bool),
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let clock = Clock::system();
    let today = config.cycle.time_zone.to_datetime(clock.now()).date();
    let look = Arc::new(AtomicUsize::new(0));
    let upstream = upstream(today, Arc::clone(&look));
    let listeners = Listeners::bind(&config)?;
    let mut stage = Stage::new(folder, &listeners, Season::new(today))?;
    let app = App::new(config, Some(upstream), clock, metrics).await?;
    let (quit, quitting) = watch::channel(false);
    let daemon = tokio::spawn(app.run(Some(listeners), quitting));
    stage.welcome(was_used);
    let told = stage.tell(once, &look, stop).await;
    quit.send_replace(true);
    let ended = daemon.await.context("the daemon met a defect")?;
    stage.farewell();
    told.map_err(Failure::System).and(ended)
}

fn upstream(today: Date, look: Arc<AtomicUsize>) -> Upstream {
    let season = Season::new(today);
    Upstream::Memory(Arc::new(move || {
        match season.look(look.load(Ordering::SeqCst)) {
            Look::List(list) => Ok(Bytes::from(list)),
            Look::Failure => Err(CallError::of(
                ErrorKind::Status5xx,
                "the service answered 500",
            )),
        }
    }))
}
