//! `/metrics` and `/metrics/prom`: the same numbers, gathered once.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::route::Site;
use super::{Response, answer, json};
use crate::domain::delivery::{DeliveryState, Destination};
use crate::telemetry::expose;
use crate::telemetry::metrics::Metrics;

/// How long a scrape waits for the store; then it shows what was read before.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// JSON, or Prometheus text to a client that prefers it.
pub async fn negotiated(site: &Site, headers: &HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    if expose::prefers_prometheus(accept) {
        return prometheus(site).await;
    }
    refresh(site).await;
    let numbers = expose::StatusNumbers {
        last_processing_time: site.status.last_end(),
        recent_processes: site.status.recent(site.config.store.history_limit),
    };
    json(
        StatusCode::OK,
        &expose::json(&site.metrics.gather(), &numbers),
    )
}

/// Prometheus text.
pub async fn prometheus(site: &Site) -> Response {
    refresh(site).await;
    let text = expose::text(&site.metrics.gather());
    answer(StatusCode::OK, expose::TEXT_CONTENT_TYPE, text)
}

/// Reads from the store what only the store knows.
async fn refresh(site: &Site) {
    let read = async {
        if let Ok((depth, oldest)) = site.store.queue().await {
            site.metrics.queue_depth.set_size((), depth);
            site.metrics
                .queue_oldest_trigger_timestamp
                .set((), oldest.unwrap_or(0.0));
        }
        if let Ok(counts) = site.store.outbox().await {
            show_outbox(&site.metrics, &counts);
        }
    };
    let _ = tokio::time::timeout(STORE_PATIENCE, read).await;
}

fn show_outbox(metrics: &Metrics, counts: &[crate::store::OutboxCount]) {
    for &destination in Destination::ALL {
        let mut oldest = f64::INFINITY;
        for &state in DeliveryState::ALL {
            let found = counts
                .iter()
                .find(|c| c.destination == destination && c.state == state);
            let count = found.map_or(0, |found| found.count);
            metrics.outbox_entries.set_size((destination, state), count);
            match state {
                DeliveryState::Pending | DeliveryState::Running => {
                    oldest = found.map_or(oldest, |found| oldest.min(found.oldest));
                }
                DeliveryState::Dead => metrics.dead_letters.set_size((destination,), count),
                DeliveryState::Delivered | DeliveryState::Superseded => {}
            }
        }
        let oldest = if oldest.is_finite() { oldest } else { 0.0 };
        metrics
            .outbox_oldest_entry_timestamp
            .set((destination,), oldest);
    }
}
