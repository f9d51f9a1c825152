//! Mail, by one SMTP server.

mod bounded;
mod compose;
mod session;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::message::Mailbox;

use crate::client::{CallError, Health, HealthStatus, observed};
use crate::clock::Clock;
use crate::config::SmtpConfig;
use crate::domain::notify::MailContent;
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;
use session::Server;

/// For a mail, from the connection to the server's last answer. Some servers let strangers wait.
const TOTAL: Duration = Duration::from_mins(1);

/// A mail server; clones share it.
#[derive(Clone)]
pub struct Mail {
    server: Arc<Server>,
    from: Mailbox,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").finish_non_exhaustive()
    }
}

impl Mail {
    /// A server. Nothing is connected yet; each mail has a connection of its own.
    ///
    /// # Errors
    /// A sentence on what is wrong with the settings, without their values.
    pub fn new(settings: SmtpConfig, clock: Clock, metrics: Arc<Metrics>) -> Result<Self, String> {
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|_| "the sender is no mail address".to_owned())?;
        let domain = from.email.domain().to_owned();
        Ok(Self {
            server: Arc::new(Server::new(settings, domain)?),
            from,
            clock,
            metrics,
        })
    }

    /// Sends a mail to one recipient, an address. `id` is the same at each attempt, and so is the
    /// `Message-ID` that is made of it.
    ///
    /// # Errors
    /// When the server did not take it. [`ErrorKind::Rejected`] says that it never will.
    pub async fn send(&self, id: &str, to: &str, content: &MailContent) -> Result<(), CallError> {
        // The library's connection is large.
        let send = Box::pin(async {
            let mail = compose::compose(&self.from, to, id, content, self.clock.now())?;
            let mut session = self.server.open().await?;
            self.server.log_in(&mut session).await?;
            session::send(&mut session, &mail).await
        });
        self.observed("send", send).await
    }

    /// Asks how the server is, without a login.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let probe = Box::pin(async {
            let mut session = self.server.open().await?;
            session::ask(&mut session).await
        });
        let answered = self.observed("NOOP", probe).await;
        Health::from_result(answered.map(|()| HealthStatus::Healthy), begun.elapsed())
    }

    async fn observed<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let bounded = async {
            let answered = tokio::time::timeout(TOTAL, call).await;
            answered.unwrap_or_else(|_| {
                Err(CallError::of(
                    ErrorKind::Timeout,
                    "no answer of the mail server in time",
                ))
            })
        };
        let dependency = Dependency::Mail;
        let span = span::command(operation, dependency.label());
        let (host, port) = self.server.place();
        span::towards(&span, host, port);
        observed(&self.metrics, dependency, &span, bounded).await
    }
}
