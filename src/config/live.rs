//! The settings as they are now.

use std::sync::Arc;

use tokio::sync::watch;

use super::Config;

/// The settings as they are now; clones share them. Who reads them twice may see two states.
#[derive(Clone, Debug)]
pub struct Live(Arc<watch::Sender<Arc<Config>>>);

impl Live {
    /// The settings of the start.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        Self(Arc::new(watch::Sender::new(config)))
    }

    /// As they are now, all of one state.
    #[must_use]
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts others in their place, for all who ask from now on.
    pub fn replace(&self, config: Arc<Config>) {
        self.0.send_replace(config);
    }

    /// Is told of every change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Config>> {
        self.0.subscribe()
    }
}
