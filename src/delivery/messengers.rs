//! The ways by which people are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;

use super::destinations::{one_of, unreadable};
use super::{Discord, Mail, Ntfy, NtfyMessage, Webhook};
use crate::client::{CallError, Health, HealthStatus};
use crate::clock::{Clock, moment, unix_seconds};
use crate::domain::change::Priority;
use crate::domain::delivery::{Destination, Lane};
use crate::domain::notify::webhook::{self, Event};
use crate::domain::notify::{Message, MessageKind, Wording};
use crate::domain::routing::Routing;
use crate::store::{Claimed, Quiet};
use crate::telemetry::labels::ErrorKind;

/// For one of the probes that are made together; less than for all of them.
const PROBE: Duration = Duration::from_secs(8);

/// One way.
#[derive(Clone, Debug)]
pub enum Messenger {
    /// To another program.
    Webhook(Webhook),
    /// To a Discord channel.
    Discord(Discord),
    /// To a topic of ntfy.
    Ntfy(Ntfy),
    /// By mail, to each recipient.
    Mail(Mail),
}

impl Messenger {
    async fn probe(&self) -> Health {
        let begun = Instant::now();
        let asked = async {
            match self {
                Self::Webhook(hook) => hook.probe().await,
                Self::Discord(discord) => discord.probe().await,
                Self::Ntfy(ntfy) => ntfy.probe().await,
                Self::Mail(mail) => mail.probe().await,
            }
        };
        let answered = tokio::time::timeout(PROBE, asked).await;
        answered.unwrap_or_else(|_| {
            let error = CallError::of(ErrorKind::Timeout, "no answer in time");
            Health::from_result(Err(error), begun.elapsed())
        })
    }
}

/// Tells people.
#[derive(Debug)]
pub struct Messengers {
    ways: BTreeMap<Lane, Messenger>,
    routing: Arc<Routing>,
    /// None where nobody is told: it is large.
    wording: Option<Wording>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Receivers that want no more, until the next start or until a person has them asked again.
    gone: BTreeSet<Lane>,
    /// Those that did not answer their last probe.
    down: BTreeSet<Lane>,
    /// Templates of which it is told that they failed.
    failed: BTreeSet<&'static str>,
}

impl Messengers {
    /// Tells by these ways, in these words (none are needed without a way); the mail addresses are those of the routing.
    #[must_use]
    pub fn new(
        ways: BTreeMap<Lane, Messenger>,
        routing: Arc<Routing>,
        wording: Option<Wording>,
    ) -> Self {
        Self {
            ways,
            routing,
            wording,
            state: Mutex::default(),
        }
    }

    /// Every way.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.ways.keys()
    }

    /// Readers of this way whose quiet hours hold now.
    #[must_use]
    pub fn asleep(&self, lane: &Lane, clock: &Clock) -> Vec<Quiet> {
        let (now, steady) = (clock.now(), clock.steady());
        let asleep = self.routing.asleep(lane, now).into_iter();
        let quiet = |(recipient, end)| {
            let until = unix_seconds(end);
            let due = steady + (until - unix_seconds(now));
            Quiet {
                recipient,
                until,
                due,
            }
        };
        asleep.map(quiet).collect()
    }

    /// Delivers an entry of the outbox.
    ///
    /// # Errors
    /// Whatever the receiver answered. One that says it is gone, such as by a 410, is not asked again.
    pub async fn deliver(&self, lane: &Lane, claimed: &Claimed) -> Result<(), CallError> {
        let message: Message = serde_json::from_str(&claimed.payload).map_err(|_| unreadable())?;
        let key = claimed.idempotency_key();
        let at = moment(claimed.created);
        self.send(lane, &claimed.recipient, &message, (&key, at))
            .await
    }

    /// Sends a message. `id` is the same at each attempt, and so is the time when it was made.
    ///
    /// # Errors
    /// Whatever the receiver answered.
    pub async fn send(
        &self,
        lane: &Lane,
        recipient: &str,
        message: &Message,
        (id, at): (&str, Timestamp),
    ) -> Result<(), CallError> {
        let known = self.ways.get(lane).zip(self.wording.as_ref());
        let (way, wording) =
            known.ok_or_else(|| rejected("the settings no longer name this destination"))?;
        if self.state().gone.contains(lane) {
            return Err(rejected(
                "the receiver said before that it is gone; it is asked again when this is retried, or after \
                 a restart",
            ));
        }
        let sent = match way {
            Messenger::Webhook(hook) => tell_program(hook, id, message, at).await,
            Messenger::Discord(discord) => discord.send(&wording.discord(message, at)).await,
            Messenger::Ntfy(ntfy) => ntfy.send(note(wording, message, at)).await,
            Messenger::Mail(mail) => {
                let address = self.routing.address(recipient).ok_or_else(|| {
                    rejected("the settings have no mail address of this recipient")
                })?;
                let content = wording.mail(message, at);
                mail.send(id, address, &content).await
            }
        };
        self.tell_what_failed(wording);
        if sent
            .as_ref()
            .is_err_and(|error| error.kind == ErrorKind::Gone)
        {
            self.state().gone.insert(lane.clone());
            tracing::warn!(
                destination = lane.key(),
                "{lane} is gone, as it says itself; it gets no more messages until the next start, or until \
                 a delivery to it is retried by hand"
            );
        }
        sent
    }

    /// Whether the receiver says that it is gone: it gets nothing more until the next start, or until
    /// [`ask_again`](Self::ask_again).
    #[must_use]
    pub fn is_gone(&self, lane: &Lane) -> bool {
        self.state().gone.contains(lane)
    }

    /// Forgets that a receiver said that it is gone: who retries a delivery by hand has a reason to
    /// think that it is back. If it is not, its next answer says so again.
    pub fn ask_again(&self, lane: &Lane) {
        self.state().gone.remove(lane);
    }

    /// Asks how all ways of a kind are: as well as the worst of them. With those that answer again.
    pub async fn probe(&self, kind: Destination) -> (Health, Vec<Lane>) {
        let begun = Instant::now();
        let mut worst = Health::healthy();
        let mut back = Vec::new();
        let ours = self.ways.iter().filter(|(lane, _)| lane.kind == kind);
        let all = ours.clone().count();
        // At the same time: one that hangs keeps nobody from seeing that another is back.
        let asked = ours.map(|(lane, way)| async move { (lane, way.probe().await) });
        for (lane, health) in join_all(asked).await {
            if health.status == HealthStatus::Unhealthy {
                self.state().down.insert(lane.clone());
            } else if self.state().down.remove(lane) {
                back.push(lane.clone());
            }
            if rank(health.status) > rank(worst.status) {
                let error = health.error.as_deref().unwrap_or("it is not well");
                worst.error = Some(one_of(all, error));
                worst.status = health.status;
            }
        }
        worst.response_time = begun.elapsed();
        (worst, back)
    }

    /// Once for each template and start: the message went out, in other words than its user wanted.
    fn tell_what_failed(&self, wording: &Wording) {
        for template in wording.failed() {
            if self.state().failed.insert(template.label()) {
                tracing::warn!(
                    template = template.label(),
                    "the message template {template} failed on a message, for which the built-in one \
                     served; try it on messages of every kind, as docs/messages.md says"
                );
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One event after the other, each under an id of its own. One that fails ends it: the next attempt
/// begins anew, and a receiver knows the ids of those that arrived.
async fn tell_program(
    hook: &Webhook,
    id: &str,
    message: &Message,
    at: Timestamp,
) -> Result<(), CallError> {
    for Event { number, body } in webhook::events(message, at) {
        let id = number.map_or_else(|| id.to_owned(), |number| format!("{id}-{number}"));
        hook.send(&id, &body).await?;
    }
    Ok(())
}

fn note(wording: &Wording, message: &Message, at: Timestamp) -> NtfyMessage {
    let plain = wording.text(message, at);
    let (priority, tag) = match message.priority {
        // Of a phone that stays silent nobody learns whether it gets anything.
        _ if message.kind == MessageKind::Test => (3, "soccer"),
        Priority::Critical => (5, "rotating_light"),
        Priority::High => (4, "soccer"),
        Priority::Medium => (3, "soccer"),
        Priority::Low => (2, "soccer"),
    };
    let click = match message.matches.as_slice() {
        [one] => Some(one.url()),
        _ => None,
    };
    NtfyMessage {
        title: plain.title,
        message: plain.body,
        priority,
        click,
        tags: vec![tag.to_owned()],
    }
}

fn rank(status: HealthStatus) -> u8 {
    match status {
        HealthStatus::Healthy => 0,
        HealthStatus::Degraded => 1,
        HealthStatus::Unhealthy => 2,
    }
}

fn rejected(problem: &str) -> CallError {
    CallError::of(ErrorKind::Rejected, problem)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Barrier;

    use super::super::ntfy::NtfySettings;
    use super::*;
    use crate::config::Secret;
    use crate::telemetry::metrics::Metrics;

    /// An ntfy server that answers once `all` were asked.
    async fn answering_with(all: Arc<Barrier>) -> Messenger {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let read = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(read > 0);
            all.wait().await;
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 16\r\n\r\n{\"healthy\":true}";
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let settings = NtfySettings {
            base: base.parse().unwrap(),
            topic: Secret::new("invented-topic".to_owned()),
            token: None,
        };
        Messenger::Ntfy(Ntfy::new(settings, Arc::new(Metrics::new())).unwrap())
    }

    #[tokio::test]
    async fn channels_of_a_kind_are_asked_at_the_same_time() {
        let all = Arc::new(Barrier::new(2));
        let mut ways = BTreeMap::new();
        for name in ["club", "team"] {
            let lane = Lane::named(Destination::Ntfy, name);
            ways.insert(lane, answering_with(Arc::clone(&all)).await);
        }
        let messengers = Messengers::new(ways, Arc::new(Routing::default()), None);
        let (health, back) = messengers.probe(Destination::Ntfy).await;
        assert_eq!(health.status, HealthStatus::Healthy, "{:?}", health.error);
        assert_eq!(back, []);
    }
}
