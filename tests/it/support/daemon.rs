//! The real daemon in this process, on ports of its own, with a list that the test sets.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use match_list_processor::app::{App, Failure, Listeners};
use match_list_processor::client::CallError;
use match_list_processor::clock::Clock;
use match_list_processor::config::{Config, Source};
use match_list_processor::telemetry::metrics::Metrics;
use match_list_processor::upstream::Upstream;
use serde_json::Value;
use tokio::sync::watch;

use super::kept::{keep_answer, keep_logs, keep_scrape};

/// Between two looks at something that a test waits for.
const POLL: Duration = Duration::from_millis(10);

/// What the list's service answers next.
pub type Next = Arc<Mutex<Result<Vec<u8>, CallError>>>;

/// The running daemon.
pub struct Daemon {
    pub next: Next,
    pub public: String,
    pub admin: String,
    /// The listener for scrapers, where the settings ask for one.
    pub scrapers: Option<String>,
    pub folder: Arc<tempfile::TempDir>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub client: reqwest::Client,
    stop: watch::Sender<bool>,
    running: tokio::task::JoinHandle<Result<(), Failure>>,
    settings: Vec<(String, String)>,
}

impl Daemon {
    /// With a clock of the test's.
    pub async fn start_at(clock: Clock) -> Self {
        Self::start_with(clock, &[]).await
    }

    /// With files that go to this Drive service, which is asked how it is every second.
    pub async fn start_with_drive(url: &str) -> Self {
        let settings = [("ASSET_STORE_URL", url), ("PROBE_INTERVAL_SECONDS", "1")];
        Self::start_with(Clock::system(), &settings).await
    }

    /// With these settings beside the usual ones; an `API_BASE_URL` among them is asked for the
    /// list, else [`next`](Self::next) is.
    pub async fn start_with(clock: Clock, settings: &[(&str, &str)]) -> Self {
        let settings = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let next: Next = Arc::new(Mutex::new(Ok(b"[]".to_vec())));
        Self::compose(clock, folder, next, settings).await
    }

    async fn compose(
        clock: Clock,
        folder: Arc<tempfile::TempDir>,
        next: Next,
        settings: Vec<(String, String)>,
    ) -> Self {
        let path = |name: &str| folder.path().join(name).display().to_string();
        let usual = [
            ("PROCESSOR_MODE", "event-driven".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("DATA_FOLDER", path("data")),
            ("ASSET_STORE_URL", format!("file://{}", path("files"))),
            ("WHATSAPP_AVATAR_SERVICE_URL", "embedded".to_owned()),
            ("SHUTDOWN_DEADLINE_SECONDS", "10".to_owned()),
        ];
        let usual = usual.map(|(name, value)| (name.to_owned(), value));
        let all = usual.into_iter().chain(settings.iter().cloned());
        let source = Source::layered(all, Path::new("/nowhere/.env"));
        let config = Arc::new(Config::load(&source).unwrap());
        let list = Arc::clone(&next);
        let memory = Upstream::Memory(Arc::new(move || {
            list.lock().unwrap().clone().map(Bytes::from)
        }));
        let asks_http = settings.iter().any(|(name, _)| name == "API_BASE_URL");
        let upstream = (!asks_http).then_some(memory);
        let listeners = Listeners::bind(&config).unwrap();
        let public = format!("http://{}", listeners.public.address().unwrap());
        let admin = listeners.admin.as_ref().unwrap().address().unwrap();
        let scrapers = listeners.metrics.as_ref();
        let scrapers = scrapers.map(|one| format!("http://{}", one.address().unwrap()));
        keep_logs();
        let metrics = Arc::new(Metrics::new());
        let app = App::new(config, upstream, clock.clone(), Arc::clone(&metrics))
            .await
            .unwrap();
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(app.run(Some(listeners), stopping));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let admin = format!("http://{admin}");
        Self {
            next,
            public,
            admin,
            scrapers,
            folder,
            metrics,
            clock,
            client,
            stop,
            running,
            settings,
        }
    }

    /// Stops in order and starts again on the same folder.
    pub async fn restart(self) -> Self {
        self.restart_after(|| ()).await
    }

    /// The same, with these settings in place of those before.
    pub async fn restart_with(mut self, settings: &[(&str, &str)]) -> Self {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        self.settings = settings.iter().map(own).collect();
        self.restart().await
    }

    /// The same, with something done to the folder in between.
    pub async fn restart_after(self, between: impl FnOnce()) -> Self {
        let (clock, folder, next) = (
            self.clock.clone(),
            Arc::clone(&self.folder),
            Arc::clone(&self.next),
        );
        let settings = self.settings.clone();
        self.stop().await;
        between();
        Self::compose(clock, folder, next, settings).await
    }

    /// Stops in order.
    pub async fn stop(self) {
        let text = match_list_processor::telemetry::expose::text(&self.metrics.gather());
        keep_scrape(&text);
        self.stop.send_replace(true);
        self.running.await.unwrap().unwrap();
    }

    /// Sets the list, triggers a cycle and returns what the answer says of it.
    pub async fn look(&self, list: impl Into<Vec<u8>>) -> Value {
        *self.next.lock().unwrap() = Ok(list.into());
        self.process().await
    }

    /// Triggers and does not wait; the answer.
    pub async fn trigger(&self) -> Value {
        let request = self.client.post(format!("{}/process", self.public));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Triggers a cycle and returns what the answer says of it.
    pub async fn process(&self) -> Value {
        let request = self.client.post(format!("{}/process", self.public));
        let answer = request.header("prefer", "wait=60").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.text().await.unwrap();
        keep_answer("/process", 200, &body);
        serde_json::from_str(&body).unwrap()
    }

    /// The same, tried until the queue has room.
    pub async fn process_when_free(&self) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let request = self.client.post(format!("{}/process", self.public));
            let answer = request.header("prefer", "wait=60").send().await.unwrap();
            if answer.status() == 200 {
                return serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            }
            assert!(Instant::now() < deadline, "the queue stays full");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until `/health` says so.
    pub async fn await_health(&self, status: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let health = self.get("/health").await;
            if health["status"] == status {
                return health;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {status}: {health}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until `/triggers/{id}` says so.
    pub async fn await_trigger(&self, id: &Value, status: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let path = format!("/triggers/{}", id.as_str().unwrap());
        loop {
            let trigger = self.get(&path).await;
            if trigger["status"] == status {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {status}: {trigger}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until `/health/detailed` satisfies `done`.
    pub async fn await_detail(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let detail = self.get("/health/detailed").await;
            if done(&detail) {
                return detail;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}: {detail}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until no cycle runs: what the store knows of the last one, `/status` shows then.
    pub async fn await_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.get("/status").await["currently_processing"] != false {
            assert!(Instant::now() < deadline, "the cycle does not end");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the series, named with its labels, has this value.
    pub async fn await_count(&self, series: &str, value: f64) {
        let patience = Duration::from_secs(20);
        self.await_figure(patience, series, |found| found == value)
            .await;
    }

    /// Waits for this long at most until the series satisfies `done`.
    pub async fn await_figure(&self, patience: Duration, series: &str, done: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + patience;
        while !done(self.counted(series)) {
            let found = self.counted(series);
            assert!(
                Instant::now() < deadline,
                "waited in vain for {series}: {found}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the series is there and above zero.
    pub async fn await_some(&self, series: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.counted_if_begun(series).is_some_and(|n| n > 0.0) {
            assert!(Instant::now() < deadline, "waited in vain for {series}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Reads the metrics as Prometheus does, which brings those up to date that the store tells.
    pub async fn scrape(&self) {
        let request = self.client.get(format!("{}/metrics/prom", self.public));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        keep_answer("/metrics/prom", 200, &answer.text().await.unwrap());
    }

    /// A connection to the public listener, on which nothing takes long.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.public.trim_start_matches("http://")).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream.set_write_timeout(patience).unwrap();
        stream
    }

    pub async fn get(&self, path: &str) -> Value {
        self.fetch(format!("{}{path}", self.public)).await
    }

    pub async fn admin(&self, path: &str) -> Value {
        self.fetch(format!("{}{path}", self.admin)).await
    }

    async fn fetch(&self, url: String) -> Value {
        let answer = self.client.get(&url).send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        // The administration shows personal data, but not when it says no.
        if url.starts_with(&self.public) || status >= 400 {
            keep_answer(url.trim_start_matches(&self.public), status, &body);
        }
        serde_json::from_str(&body).unwrap()
    }

    /// Posts to the administration listener; the status and the answer.
    pub async fn command(&self, path: &str) -> (u16, Value) {
        let answer = self
            .client
            .post(format!("{}{path}", self.admin))
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
        )
    }

    /// The changes of one cycle, reduced to what an expectation names.
    pub async fn changes(&self, id: &str) -> BTreeSet<String> {
        let found = self.admin("/changes?limit=1000").await;
        let all = found["changes"].as_array().unwrap();
        all.iter()
            .filter(|change| change["processing_id"] == id)
            .map(identity)
            .collect()
    }

    /// All entries of the outbox, newest first.
    pub async fn deliveries(&self) -> Vec<Value> {
        self.admin("/deliveries?limit=1000").await["deliveries"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Waits until every entry of the outbox satisfies `done`.
    pub async fn await_deliveries(&self, what: &str, done: impl Fn(&Value) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let all = self.deliveries().await;
            if !all.is_empty() && all.iter().all(&done) {
                return all;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}: {all:#?}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until an attempt is under way; the id of its delivery.
    pub async fn await_under_way(&self) -> i64 {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let all = self.deliveries().await;
            if let Some(row) = all.iter().find(|row| row["state"] == "running") {
                return row["id"].as_i64().expect("an id");
            }
            assert!(Instant::now() < deadline, "nothing is under way: {all:#?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The matches for which one cycle makes files, once all of them are stored.
    pub async fn delivered(&self, id: &str) -> BTreeSet<i64> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let mut all = self.deliveries().await;
            all.retain(|row| row["processing_id"] == id);
            if all.iter().all(|row| row["state"] == "delivered") {
                return all
                    .iter()
                    .map(|row| row["match_id"].as_i64().unwrap())
                    .collect();
            }
            assert!(Instant::now() < deadline, "not delivered: {all:#?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The exported list.
    pub fn exported(&self) -> Value {
        let path = self.folder.path().join("data/previous_matches.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// The sum of all series with this name.
    pub fn summed(&self, name: &str) -> f64 {
        let text = match_list_processor::telemetry::expose::text(&self.metrics.gather());
        let name = format!("match_list_processor_{name}{{");
        let series = text.lines().filter(|line| line.starts_with(&name));
        series
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
            .sum()
    }

    /// The value of a series, named with its labels.
    pub fn counted(&self, series: &str) -> f64 {
        let found = self.counted_if_begun(series);
        found.unwrap_or_else(|| panic!("no {series}"))
    }

    /// The same of a series that may begin with its first event.
    pub fn counted_if_begun(&self, series: &str) -> Option<f64> {
        let text = match_list_processor::telemetry::expose::text(&self.metrics.gather());
        let series = format!("match_list_processor_{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.map(|value| value.parse().unwrap())
    }
}

/// A change, reduced to what an expectation names.
pub fn identity(change: &Value) -> String {
    format!(
        "{} {} {} {}",
        change["match_id"], change["category"], change["priority"], change["field_name"]
    )
}
