//! `demo`: the whole daemon on a match list of its own.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use jiff::civil::Date;
use serde_json::Value;
use tokio::sync::watch;

use super::serve::{end, main_runtime};
use crate::app::{App, Failure, Listeners};
use crate::client::CallError;
use crate::clock::Clock;
use crate::config::{Config, Source};
use crate::demo::{Look, Season};
use crate::shutdown::{self, raised};
use crate::telemetry::labels::ErrorKind;
use crate::telemetry::{self, metrics::Metrics};
use crate::upstream::Upstream;

/// Looks of a demonstration that ends by itself.
const LOOKS_OF_ONCE: usize = 9;
/// Between two looks of one that goes on.
const PAUSE: Duration = Duration::from_secs(6);

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
    let mut config = config(&folder)?;
    config.log.file = Some(folder.join("daemon.log"));
    let config = Arc::new(config);
    let metrics = Arc::new(Metrics::new());
    let telemetry = telemetry::start(&config, &metrics)?;
    let stop = shutdown::on_signals().context("cannot listen for signals")?;
    let runtime = main_runtime()?;
    let outcome = runtime.block_on(play(
        arguments.once,
        &folder,
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
        ("DATA_FOLDER", &path("data")),
        ("ASSET_STORE_URL", files.as_str()),
        ("WHATSAPP_AVATAR_SERVICE_URL", "embedded"),
        ("LOG_FORMAT", "text"),
    ]))
    .map_err(|errors| Failure::Unusable(errors.to_string()))
}

async fn play(
    once: bool,
    folder: &Path,
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let clock = Clock::system();
    let today = config.cycle.time_zone.to_datetime(clock.now()).date();
    let look = Arc::new(AtomicUsize::new(0));
    let upstream = upstream(today, Arc::clone(&look));
    let listeners = Listeners::bind(&config)?;
    let stage = Stage::new(folder, &listeners, Season::new(today))?;
    let app = App::new(config, Some(upstream), clock, metrics).await?;
    let (quit, quitting) = watch::channel(false);
    let daemon = tokio::spawn(app.run(Some(listeners), quitting));
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

/// Where the story is told, and where it is asked for.
struct Stage {
    client: reqwest::Client,
    public: String,
    admin: String,
    folder: PathBuf,
    season: Season,
    colours: bool,
}

impl Stage {
    fn new(folder: &Path, listeners: &Listeners, season: Season) -> anyhow::Result<Self> {
        let admin = listeners
            .admin
            .as_ref()
            .context("no administration listener")?;
        Ok(Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_mins(1))
                .build()?,
            public: format!("http://{}", listeners.public.local_addr()?),
            admin: format!("http://{}", admin.local_addr()?),
            folder: folder.to_owned(),
            season,
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        })
    }

    async fn tell(
        &self,
        once: bool,
        look: &AtomicUsize,
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        self.welcome();
        for number in 0.. {
            if once && number == LOOKS_OF_ONCE {
                return Ok(());
            }
            look.store(number, Ordering::SeqCst);
            tokio::select! {
                told = self.one(number) => told?,
                () = raised(&mut stop) => return Ok(()),
            }
            let pause = if once { Duration::ZERO } else { PAUSE };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = raised(&mut stop) => return Ok(()),
            }
        }
        Ok(())
    }

    /// One look: the story, the trigger, what the daemon found, what it made.
    async fn one(&self, number: usize) -> anyhow::Result<()> {
        say(&format!(
            "\n{} {}",
            self.bold(&format!("Look {number}")),
            self.season.story(number)
        ));
        let answer = self.client.post(format!("{}/process", self.public));
        let answer = answer
            .header("prefer", "wait=30")
            .body("{\"event\":\"matches.updated\"}");
        let record: Value = serde_json::from_slice(&answer.send().await?.bytes().await?)?;
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let mark = if text("status") == "success" {
            self.green("✓")
        } else {
            self.red("✗")
        };
        let milliseconds = record["duration"].as_f64().unwrap_or(0.0) * 1e3;
        say(&format!(
            "  {mark} {} {}",
            text("summary"),
            self.dim(&format!("({milliseconds:.0} ms)"))
        ));
        if text("status") != "success" {
            say(&self.dim("    Nothing is lost: the trigger waits and is tried again."));
            return Ok(());
        }
        let id = text("processing_id");
        let touched = self.changes(&id).await?;
        self.files(&id, &touched).await
    }

    async fn changes(&self, id: &str) -> anyhow::Result<Vec<i64>> {
        let found = self
            .get(&format!("{}/changes?limit=50", self.admin))
            .await?;
        let mut touched = Vec::new();
        let all = found["changes"].as_array().cloned().unwrap_or_default();
        for change in all
            .iter()
            .rev()
            .filter(|change| change["processing_id"] == id)
        {
            let priority = change["priority"].as_str().unwrap_or_default();
            let label = match priority {
                "critical" => self.red("critical"),
                "high" => self.yellow("high    "),
                other => self.dim(&format!("{other:8}")),
            };
            let text = change["change_description"].as_str().unwrap_or_default();
            say(&format!("    {label}  {text}"));
            touched.extend(change["match_id"].as_i64());
        }
        touched.sort_unstable();
        touched.dedup();
        Ok(touched)
    }

    /// Waits until the files of this cycle are there, and shows where.
    async fn files(&self, id: &str, touched: &[i64]) -> anyhow::Result<()> {
        let mut written = 0;
        for _ in 0..200 {
            let status = self.get(&format!("{}/status", self.public)).await?;
            let history = status["processing_history"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let Some(record) = history.iter().find(|record| record["processing_id"] == id) else {
                break;
            };
            written = record["deliveries"]["delivered"].as_u64().unwrap_or(0);
            if record["deliveries"]["pending"] == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        if written > 0 {
            let noun = if written == 1 { "file" } else { "files" };
            say(&self.dim(&format!("    {written} {noun} written, for example in:")));
            let folders = match_folders(&self.folder.join("files"));
            let of_match = |folder: &&PathBuf| {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                touched
                    .iter()
                    .any(|id| name.starts_with(&format!("Match_{id}_")))
            };
            if let Some(folder) = folders.iter().rfind(of_match) {
                let shown = folder.strip_prefix(&self.folder).unwrap_or(folder);
                say(&format!("      {}/", shown.display()));
            }
        }
        Ok(())
    }

    async fn get(&self, url: &str) -> anyhow::Result<Value> {
        let bytes = self.client.get(url).send().await?.bytes().await?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    fn welcome(&self) {
        let (public, admin) = (&self.public, &self.admin);
        say(&self.bold("match-list-processor: a demonstration"));
        say("The whole daemon runs, on an invented match list that changes on each look.\n");
        say(&format!(
            "  trigger it yourself  curl -X POST {public}/process"
        ));
        say(&format!("  status               {public}/status"));
        say(&format!("  health               {public}/health"));
        say(&format!("  metrics              {public}/metrics/prom"));
        say(&format!("  changes              {admin}/changes"));
        say(&format!(
            "  files                {}",
            self.folder.join("files").display()
        ));
        say(&format!(
            "  log                  {}",
            self.folder.join("daemon.log").display()
        ));
        say(&self.dim("  Ctrl-C ends it."));
    }

    fn farewell(&self) {
        say(&format!(
            "\nStopped in order. The files stay in {}",
            self.folder.display()
        ));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn red(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }
}

fn say(line: &str) {
    // A reader that went away, as in `demo | head`, is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The folders of matches below `root`, in order.
fn match_folders(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
    {
        let is_match = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("Match_"));
        if is_match {
            found.push(path);
        } else {
            found.extend(match_folders(&path));
        }
    }
    found.sort();
    found
}
