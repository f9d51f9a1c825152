//! The front door as the daemon has it, without a socket and on a clock that waits for nobody.

use std::path::Path;
use std::sync::{Arc, Mutex};

use match_list_processor::app::destinations;
use match_list_processor::clock::Clock;
use match_list_processor::config::{Config, Live, Source};
use match_list_processor::cycle::Status;
use match_list_processor::health::Health;
use match_list_processor::http::{Limits, Peer, Site, SiteKind, serve_connection};
use match_list_processor::store::{self, FeedState, NewTrigger, Store};
use match_list_processor::telemetry::labels::TriggerSource;
use match_list_processor::telemetry::metrics::Metrics;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::stream::Client;

/// The public listener's endpoints, with a queue that is full: nothing that comes is stored.
pub struct Door {
    runtime: Runtime,
    site: Arc<Site>,
    limits: Limits,
    stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Door {
    pub fn open() -> Self {
        // In memory where there is such a folder: the store syncs.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let folder = folder.expect("a folder");
        let data = folder.path().join("data").display().to_string();
        let settings = [("PROCESSOR_MODE", "event-driven"), ("DATA_FOLDER", &data)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = Source::layered(settings, Path::new("/nowhere/.env"));
        let config = Arc::new(Config::load(&source).expect("settings"));
        let metrics = Arc::new(Metrics::new());
        let full = store::Limits {
            queue_capacity: 1,
            history: 1,
        };
        let store = Store::open(folder.path(), full, Arc::clone(&metrics)).expect("a store");
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let runtime = runtime.expect("a runtime");
        runtime
            .block_on(store.accept(waiting()))
            .expect("a trigger");
        let limits = Limits {
            connections: 1,
            header_timeout: config.http.header_timeout,
            write_timeout: config.http.write_timeout,
        };
        let clock = Clock::system();
        let status = Arc::new(Status::new(FeedState::default(), false));
        let ways = destinations(&config, &store, &metrics, &clock).expect("ways out");
        let health = Health::new(&[], Arc::clone(&status), Arc::new(ways));
        let health = Arc::new(health);
        let site = Site::new(
            SiteKind::Public,
            Live::new(config),
            store,
            metrics,
            clock,
            status,
            health,
        );
        Self {
            runtime,
            site: Arc::new(site),
            limits,
            stop: watch::channel(false).0,
            _folder: folder,
        }
    }

    /// All that comes back on a connection on which these bytes come, in pieces.
    pub fn answers(&self, bytes: &[u8], piece: usize) -> Vec<u8> {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let client = Client::new(bytes, piece, Arc::clone(&answers));
        let stop = self.stop.subscribe();
        self.runtime.block_on(serve_connection(
            client,
            Peer::Unix,
            &self.site,
            self.limits,
            stop,
        ));
        std::mem::take(&mut *answers.lock().expect("one thread"))
    }
}

fn waiting() -> NewTrigger {
    NewTrigger {
        source: TriggerSource::Webhook,
        accepted: 0.0,
        traceparent: None,
        data: None,
        size: 0,
    }
}
