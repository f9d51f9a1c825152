//! The sockets that the settings name.

use anyhow::Context;

use super::Failure;
use crate::config::Config;
use crate::socket::{Address, Socket};

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
        let bind = |address: &Address, what: &str| {
            Socket::bind(address, config.http.socket_mode)
                .with_context(|| format!("cannot listen on {address} ({what})"))
        };
        let optional = |address: Option<&Address>, what: &str| {
            address.map(|address| bind(address, what)).transpose()
        };
        Ok(Self {
            public: bind(&config.http.listen, config.http.listen_settings)?,
            admin: optional(config.admin.listen.as_ref(), "ADMIN_LISTEN")?,
            metrics: optional(config.http.metrics_listen.as_ref(), "METRICS_LISTEN")?,
        })
    }
}
