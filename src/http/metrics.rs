//! `/metrics` and `/metrics/prom`: the same numbers, gathered once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::route::Site;
use super::{Response, answer, json};
use crate::domain::delivery::{DeliveryState, Destination};
use crate::store::Store;
use crate::telemetry::expose::{self, Form};
use crate::telemetry::labels::Beside;
use crate::telemetry::metrics::Metrics;

/// How long a scrape waits for the store; then it shows what was read before.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// How long a text may be in the making.
const MAKE_PATIENCE: Duration = Duration::from_secs(5);
/// How old a text may be that is given to one more client while others still take it.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The last texts, one per form, so that scrapers which come together, or do not take it, hold one and
/// not many.
#[derive(Debug, Default)]
pub struct Scrapes {
    text: Scrape,
    open_metrics: Scrape,
}

/// The last text of one form.
#[derive(Debug, Default)]
struct Scrape {
    /// When its making began, and the text.
    last: watch::Sender<Option<(Instant, Bytes)>>,
    /// Held while one is made.
    making: Arc<Mutex<()>>,
}

impl Scrapes {
    fn of(&self, form: Form) -> &Scrape {
        match form {
            Form::Text => &self.text,
            Form::OpenMetrics => &self.open_metrics,
        }
    }
}

impl Scrape {
    /// A text made since now, or a short while ago and still held by another client.
    async fn text(&self, site: &Site, form: Form) -> Bytes {
        let asked = Instant::now();
        let mut last = self.last.subscribe();
        loop {
            if let Some(text) = Self::shared(last.borrow_and_update().as_ref(), asked) {
                return text;
            }
            if let Ok(making) = Arc::clone(&self.making).try_lock_owned() {
                self.make(site, form, making);
            }
            // One that was not finished, by a panic, is made anew.
            let _ = tokio::time::timeout(MAKE_PATIENCE, last.changed()).await;
        }
    }

    /// Makes a text for all that wait. It goes on when the client is gone for which it was begun.
    fn make(&self, site: &Site, form: Form, making: OwnedMutexGuard<()>) {
        let secrets = site.config.now().auth.counting(site.clock.unix());
        site.metrics.auth_secrets.set_size((), secrets);
        site.health.show(&site.metrics);
        let (store, metrics) = (site.store.clone(), Arc::clone(&site.metrics));
        let last = self.last.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            refresh(&store, &metrics).await;
            let text = Bytes::from(form.write(&metrics));
            // In this order: whoever finds it held will be told of the text.
            drop(making);
            last.send_replace(Some((begun, text)));
        });
    }

    /// The last text, if it is as good as a new one to a client that came at `asked`.
    fn shared(last: Option<&(Instant, Bytes)>, asked: Instant) -> Option<Bytes> {
        let (begun, text) = last?;
        let held = !text.is_unique() && begun.elapsed() < SHARED_FOR;
        (*begun >= asked || held).then(|| text.clone())
    }
}

/// JSON, or a form for scrapers to a client that prefers it.
pub async fn negotiated(site: &Site, headers: &HeaderMap) -> Response {
    let accept = accepted(headers);
    if expose::prefers_prometheus(accept.as_deref()) {
        return scraped(site, Form::preferred(accept.as_deref())).await;
    }
    refresh(&site.shown, &site.metrics).await;
    let numbers = expose::StatusNumbers {
        last_processing_time: site.status.last_end(),
        recent_processes: site.status.recent(site.config.now().store.history_limit),
    };
    varying(json(
        StatusCode::OK,
        &expose::key_figures(&site.metrics.gather(), &numbers),
    ))
}

/// Prometheus text, or `OpenMetrics` to a scraper that asks for it.
pub async fn prometheus(site: &Site, headers: &HeaderMap) -> Response {
    scraped(site, Form::preferred(accepted(headers).as_deref())).await
}

async fn scraped(site: &Site, form: Form) -> Response {
    let text = site.scrapes.of(form).text(site, form).await;
    varying(answer(StatusCode::OK, form.content_type(), text))
}

/// All lines of `Accept` as one; none if there is none that is text.
fn accepted(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::ACCEPT).iter();
    let lines: Vec<_> = lines.filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

fn varying(mut response: Response) -> Response {
    let accept = HeaderValue::from_static("accept");
    response.headers_mut().insert(header::VARY, accept);
    response
}

/// Reads from the store what only the store knows.
async fn refresh(store: &Store, metrics: &Metrics) {
    let read = async {
        if let Ok((depth, oldest)) = store.queue().await {
            metrics.queue_depth.set_size((), depth);
            metrics
                .queue_oldest_trigger_timestamp
                .set((), oldest.unwrap_or(0.0));
        }
        if let Ok(counts) = store.outbox().await {
            show_outbox(metrics, &counts);
        }
    };
    let _ = tokio::time::timeout(STORE_PATIENCE, read).await;
}

fn show_outbox(metrics: &Metrics, counts: &[crate::store::OutboxCount]) {
    for &destination in Destination::ALL {
        // Of a destination that the settings no longer name something may be left.
        if !metrics.delivers_to(destination) {
            if !counts.iter().any(|c| c.destination == destination) {
                continue;
            }
            metrics.deliver_to(destination);
        }
        let of = |state| {
            let mut of_destination = counts.iter().filter(|c| c.destination == destination);
            of_destination.find(|c| c.state == state)
        };
        let count = |state| of(state).map_or(0, |found| found.count);
        let shown = DeliveryState::ALL.iter().copied();
        for state in shown.filter(|&state| destination.occurs_with(state)) {
            let count = count(state);
            metrics.outbox_entries.set_size((destination, state), count);
        }
        let dead = count(DeliveryState::Dead);
        metrics.dead_letters.set_size((destination,), dead);
        let undelivered = [DeliveryState::Pending, DeliveryState::Running];
        let oldest = undelivered
            .into_iter()
            .filter_map(of)
            .map(|found| found.oldest);
        let oldest = oldest.min_by(f64::total_cmp).unwrap_or(0.0);
        metrics
            .outbox_oldest_entry_timestamp
            .set((destination,), oldest);
    }
    let dead = counts.iter().filter(|c| c.state == DeliveryState::Dead);
    let critical = dead.map(|c| c.critical).sum();
    metrics.critical_dead_letters.set_size((), critical);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OutboxCount;

    #[test]
    fn critical_dead_letters_are_those_of_all_destinations_and_of_no_other_state() {
        let metrics = Metrics::new();
        let of = |destination, state, count, critical| OutboxCount {
            destination,
            state,
            count,
            critical,
            oldest: 1.0,
        };
        let counts = [
            of(Destination::Assets, DeliveryState::Dead, 5, 2),
            of(Destination::Assets, DeliveryState::Pending, 9, 9),
            of(Destination::Discord, DeliveryState::Dead, 4, 1),
        ];
        show_outbox(&metrics, &counts);
        assert_eq!(metrics.critical_dead_letters.get(()), 3);
        assert_eq!(metrics.dead_letters.get((Destination::Assets,)), 5);
        show_outbox(&metrics, &counts[1..2]);
        assert_eq!(
            metrics.critical_dead_letters.get(()),
            0,
            "all of them were retried"
        );
    }

    #[test]
    fn a_text_is_shared_that_is_as_good_as_new_or_still_held() {
        let begun = Instant::now().checked_sub(SHARED_FOR / 2).unwrap();
        let before = begun.checked_sub(SHARED_FOR / 2).unwrap();
        let last = Some((begun, Bytes::from(vec![b'a'; 100])));
        let shared = |asked| Scrape::shared(last.as_ref(), asked);
        assert_eq!(Scrape::shared(None, before), None);
        assert!(shared(before).is_some(), "made since it was asked for");
        assert!(shared(Instant::now()).is_none(), "nobody else holds it");
        let held = shared(before);
        assert!(shared(Instant::now()).is_some());
        assert!(held.is_some());
        let old = Some((before, Bytes::from(vec![b'a'; 100])));
        let held = old.clone();
        assert!(
            Scrape::shared(old.as_ref(), Instant::now()).is_none(),
            "however many hold it"
        );
        assert!(held.is_some());
    }
}
