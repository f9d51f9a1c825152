//! The story of the demonstration, look by look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::watch;

use crate::app::Listeners;
use crate::commands::screen::{Screen, fold, say};
use crate::demo::Season;
use crate::shutdown::raised;

/// Looks of a demonstration that ends by itself.
const LOOKS_OF_ONCE: usize = 9;
/// Between two looks of one that goes on.
const PAUSE: Duration = Duration::from_secs(6);

/// How often a person's own looks are told in between.
const GLANCE: Duration = Duration::from_millis(500);

/// Where the story is told, and where it is asked for.
pub struct Stage {
    client: reqwest::Client,
    public: String,
    admin: String,
    folder: PathBuf,
    season: Season,
    screen: Screen,
    /// The cycles that were told.
    told: BTreeSet<String>,
}

impl Stage {
    pub fn new(folder: &Path, listeners: &Listeners, season: Season) -> anyhow::Result<Self> {
        let admin = listeners
            .admin
            .as_ref()
            .context("no administration listener")?;
        Ok(Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_mins(1))
                .build()?,
            public: format!("http://{}", listeners.public.address()?),
            admin: format!("http://{}", admin.address()?),
            folder: folder.to_owned(),
            season,
            screen: Screen::new(),
            told: BTreeSet::new(),
        })
    }

    /// Tells the whole story, until it ends or is stopped.
    pub async fn tell(
        &mut self,
        once: bool,
        look: &AtomicUsize,
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        for number in 0.. {
            if once && number == LOOKS_OF_ONCE {
                return Ok(());
            }
            look.store(number, Ordering::SeqCst);
            tokio::select! {
                told = self.one(number) => told?,
                () = raised(&mut stop) => return Ok(()),
            }
            if once {
                continue;
            }
            tokio::select! {
                told = self.pause() => told?,
                () = raised(&mut stop) => return Ok(()),
            }
        }
        Ok(())
    }

    /// One look: the story, the trigger, what the daemon found, what it made.
    async fn one(&mut self, number: usize) -> anyhow::Result<()> {
        let title = format!("Look {number}");
        let story = fold(title.len() + 1, &self.season.story(number));
        say(&format!("\n{} {story}", self.screen.bold(&title)));
        let answer = self.client.post(format!("{}/process", self.public));
        let answer = answer
            .header("prefer", "wait=30")
            .body("{\"event\":\"matches.updated\"}");
        let record: Value = serde_json::from_slice(&answer.send().await?.bytes().await?)?;
        self.outcome(&record, "");
        if record["status"] != "success" {
            let comfort = "    Nothing is lost: the trigger waits and is tried again.";
            say(&self.screen.dim(comfort));
            return Ok(());
        }
        let id = text(&record, "processing_id");
        let touched = self.changes(id).await?;
        self.files(id, &touched, number == 0).await
    }

    /// What came of a cycle, on one line.
    fn outcome(&mut self, record: &Value, remark: &str) {
        self.told.insert(text(record, "processing_id").to_owned());
        let mark = if record["status"] == "success" {
            self.screen.green("✓")
        } else {
            self.screen.red("✗")
        };
        let milliseconds = record["duration"].as_f64().unwrap_or(0.0) * 1e3;
        let triggers = match record["triggers"].as_u64() {
            Some(n @ 2..) => format!(" for {n} triggers"),
            _ => String::new(),
        };
        let aside = format!("({milliseconds:.0} ms{triggers}{remark})");
        // Kept together as one word while the lines are folded.
        let whole = aside.replace(' ', "\u{a0}");
        let told = fold(4, &format!("{} {whole}", text(record, "summary")));
        let told = told.replace(&whole, &self.screen.dim(&aside));
        say(&format!("  {mark} {told}"));
    }

    /// Waits for the next look, and tells what others ask for meanwhile.
    async fn pause(&mut self) -> anyhow::Result<()> {
        let mut glances = tokio::time::interval(GLANCE);
        for _ in 0..PAUSE.as_millis() / GLANCE.as_millis() {
            glances.tick().await;
            for record in &self.history().await? {
                if !self.told.contains(text(record, "processing_id")) {
                    self.outcome(record, "; a look in between: your trigger, or a retry");
                }
            }
        }
        Ok(())
    }

    async fn history(&self) -> anyhow::Result<Vec<Value>> {
        let status = self.get(&format!("{}/status", self.public)).await?;
        let history = status["processing_history"].as_array();
        Ok(history.cloned().unwrap_or_default())
    }

    async fn changes(&self, id: &str) -> anyhow::Result<BTreeSet<i64>> {
        let found = self
            .get(&format!("{}/changes?limit=50", self.admin))
            .await?;
        let mut touched = BTreeSet::new();
        let all = found["changes"].as_array().cloned().unwrap_or_default();
        for change in all
            .iter()
            .rev()
            .filter(|change| change["processing_id"] == id)
        {
            let label = match text(change, "priority") {
                "critical" => self.screen.red("critical"),
                "high" => self.screen.yellow("high    "),
                other => self.screen.dim(&format!("{other:8}")),
            };
            let description = fold(14, text(change, "change_description"));
            say(&format!("    {label}  {description}"));
            touched.extend(change["match_id"].as_i64());
        }
        Ok(touched)
    }

    /// Waits until the files of this cycle are there, and shows where; `each` of one match by name.
    async fn files(&self, id: &str, touched: &BTreeSet<i64>, each: bool) -> anyhow::Result<()> {
        let written = self.written(id).await?;
        let of_match = |folder: &PathBuf| {
            let name = name(folder);
            touched
                .iter()
                .any(|id| name.starts_with(&format!("Match_{id}_")))
        };
        let mut folders = match_folders(&self.folder.join("files"));
        folders.retain(of_match);
        let (Some(folder), true) = (folders.last(), written > 0) else {
            return Ok(());
        };
        let whereabouts = match (written, folders.len()) {
            (1, 1) => "1 file written, in:".to_owned(),
            (_, 1) => format!("{written} files written, in:"),
            _ => format!("{written} files written, for example in:"),
        };
        say(&self.screen.dim(&format!("    {whereabouts}")));
        let shown = folder.strip_prefix(&self.folder).unwrap_or(folder);
        say(&format!("      {}/", shown.display()));
        if each {
            let mut files: Vec<_> = std::fs::read_dir(folder)?.flatten().collect();
            files.sort_by_key(std::fs::DirEntry::path);
            for file in files {
                say(&format!("        {}", name(&file.path())));
            }
        }
        Ok(())
    }

    /// How many files a cycle led to, once all are there.
    async fn written(&self, id: &str) -> anyhow::Result<u64> {
        let mut written = 0;
        for _ in 0..200 {
            let history = self.history().await?;
            let Some(record) = history.iter().find(|record| record["processing_id"] == id) else {
                break;
            };
            written = record["deliveries"]["delivered"].as_u64().unwrap_or(0);
            if record["deliveries"]["pending"] == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(written)
    }

    async fn get(&self, url: &str) -> anyhow::Result<Value> {
        let bytes = self.client.get(url).send().await?.bytes().await?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// What there is to look at. In a folder that `was_used` before nothing is new at first.
    pub fn welcome(&self, was_used: bool) {
        let (public, admin) = (&self.public, &self.admin);
        let (files, log) = (self.folder.join("files"), self.folder.join("daemon.log"));
        say(&self.screen.bold("match-list-processor: a demonstration"));
        say("The whole daemon runs, on an invented match list that keeps changing.\n");
        say(&format!(
            "  trigger it yourself  curl -X POST {public}/process"
        ));
        say(&format!("  status               {public}/status"));
        say(&format!("  health               {public}/health"));
        say(&format!("  metrics              {public}/metrics/prom"));
        say(&format!("  changes              {admin}/changes"));
        say(&format!("  files                {}", files.display()));
        say(&format!("  log                  {}", log.display()));
        say(&self.screen.dim("  Ctrl-C ends it."));
        if was_used {
            say(
                "\nThis folder was used before: what the daemon knows from then stays, so it finds less than the",
            );
            say("story tells. Without --folder, or with a new one, the story begins anew.");
        }
    }

    /// What stays behind.
    pub fn farewell(&self) {
        let folder = self.folder.display();
        say(&format!("\nStopped in order. The files stay in {folder}"));
    }
}

/// A text of a record; empty where there is none.
fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
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
        if name(&path).starts_with("Match_") {
            found.push(path);
        } else {
            found.extend(match_folders(&path));
        }
    }
    found.sort();
    found
}
