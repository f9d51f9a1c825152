//! What daemons say of themselves, kept for a search over all of it: `tests/privacy.py` looks there for
//! what is personal in the fixtures. Nothing is kept unless `MLP_KEEP_OUTPUT` names a folder.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, Once};

use serde_json::Value;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

static FOLDER: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| std::env::var_os("MLP_KEEP_OUTPUT").map(PathBuf::from));

static CANARIES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("canaries.json")).unwrap());

/// What is kept, each in files of its own.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Log lines.
    Log,
    /// Exports of spans, as they were received.
    Spans,
    /// Scrapes.
    Metrics,
    /// Bodies of errors.
    Error,
    /// Bodies of other answers that are to show nothing personal.
    Answer,
}

impl Kind {
    fn path(self) -> Option<PathBuf> {
        let name = match self {
            Self::Log => "log",
            Self::Spans => "spans",
            Self::Metrics => "metrics",
            Self::Error => "error",
            Self::Answer => "answer",
        };
        let folder = FOLDER.as_ref()?;
        Some(folder.join(format!("{name}-{}.txt", std::process::id())))
    }

    fn file(self) -> Option<File> {
        let path = self.path()?;
        Some(
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .unwrap(),
        )
    }
}

/// Keeps a text.
pub fn keep(kind: Kind, text: &str) {
    if let Some(mut file) = kind.file() {
        // In one piece, as others write there, too.
        file.write_all(format!("{text}\n").as_bytes()).unwrap();
    }
}

/// Keeps the body of an answer to a request for this path.
pub fn keep_answer(path: &str, status: u16, body: &str) {
    let kind = match status {
        400.. => Kind::Error,
        _ if path.starts_with("/metrics") => return keep_scrape(body),
        _ => Kind::Answer,
    };
    keep(kind, body);
}

/// Keeps what is new in a scrape: tests that wait ask again and again, and only numbers change.
pub fn keep_scrape(text: &str) {
    static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    if FOLDER.is_none() {
        return;
    }
    let without_value = |line: &str| match line.starts_with('#') {
        true => line.to_owned(),
        false => line
            .rsplit_once(' ')
            .map_or(line, |(series, _)| series)
            .to_owned(),
    };
    let mut seen = SEEN.lock().unwrap();
    let new = text
        .lines()
        .map(without_value)
        .filter(|line| seen.insert(line.clone()));
    let new: Vec<String> = new.collect();
    if !new.is_empty() {
        keep(Kind::Metrics, &new.join("\n"));
    }
}

/// Keeps what daemons in this process log, at every level.
pub fn keep_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(file) = Kind::Log.file() else { return };
        let ours = |meta: &tracing::Metadata<'_>| meta.target().starts_with("match_list_processor");
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Arc::new(file))
            .with_filter(filter_fn(ours));
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

fn all(set: &str) -> Vec<String> {
    let values = CANARIES[set].as_object().unwrap().values();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

/// What is personal in the fixtures: it must stay in the store and in what is delivered.
pub fn personal() -> Vec<String> {
    all("personal")
}

/// What clients send, which logs, spans, metrics and errors must not show.
pub fn sent() -> Vec<String> {
    all("sent")
}

/// The canary of a field.
pub fn canary(field: &str) -> &'static str {
    let found = CANARIES["personal"][field].as_str();
    let found = found.or_else(|| CANARIES["sent"][field].as_str());
    found.unwrap_or_else(|| panic!("no canary for {field}"))
}
