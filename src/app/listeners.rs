//! The sockets that the settings name.

use anyhow::Context;

use super::Failure;
use crate::config::Config;
use crate::socket::{Address, Inherited, Socket};

/// Bound listeners, so that a caller can choose port 0 and learn the port.
#[derive(Debug)]
pub struct Listeners {
    /// For clients.
    pub public: Socket,
    /// For operators.
    pub admin: Option<Socket>,
    /// For scrapers, beside the public one.
    pub metrics: Option<Socket>,
}

impl Listeners {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        1 + usize::from(self.admin.is_some()) + usize::from(self.metrics.is_some())
    }

    /// Binds what the settings name.
    ///
    /// # Errors
    /// When there can be no listener at an address.
    pub fn bind(config: &Config) -> Result<Self, Failure> {
        Self::bind_others(config, Inherited::default())
    }

    /// Binds what the settings name and is not inherited.
    pub(super) fn bind_others(config: &Config, mut inherited: Inherited) -> Result<Self, Failure> {
        let mut bind = |address: &Address, what: &str| match inherited.remove(what) {
            Some(socket) => Ok(socket),
            None => Socket::bind(address, config.http.socket_mode)
                .with_context(|| format!("cannot listen on {address} ({what})")),
        };
        let public = bind(&config.http.listen, config.http.listen_settings)?;
        let mut optional = |address: Option<&Address>, what: &str| {
            address.map(|address| bind(address, what)).transpose()
        };
        Ok(Self {
            public,
            admin: optional(config.admin.listen.as_ref(), "ADMIN_LISTEN")?,
            metrics: optional(config.http.metrics_listen.as_ref(), "METRICS_LISTEN")?,
        })
    }
}
