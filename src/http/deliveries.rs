//! The endpoints of the outbox: what is in it, and what an operator decides about it.

use http::StatusCode;

use super::admin::{Parameters, failed};
use super::problem::{not_found, problem};
use super::route::Site;
use super::view::{DeliveryPage, Discarded, Retried};
use super::{Response, json};
use crate::domain::delivery::{DeliveryState, Destination, Lane};
use crate::store::{DeliveryQuery, DeliveryRow, Discard, Retry};
use crate::telemetry::labels::DeliveryResult;

/// What can be discarded.
pub(super) const DISCARDABLE: &[DeliveryState] = &[DeliveryState::Dead, DeliveryState::Pending];

/// A kind of destination, or one of several of its kind by its name.
fn lane(key: &str) -> Result<Lane, String> {
    let is_plain = |lane: &Lane| {
        let name = lane.name.as_deref().unwrap_or_default();
        lane.key() == key
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    Lane::from_key(key).filter(is_plain).ok_or_else(|| {
        let kinds: Vec<_> = Destination::ALL.iter().map(|one| one.label()).collect();
        format!(
            "destination must be one of: {}; or one of them with a name, such as webhook:club",
            kinds.join(", ")
        )
    })
}

/// Deliveries, newest first.
pub async fn list(site: &Site, query: Option<&str>) -> Response {
    let parameters = Parameters::new(query);
    let parse = || -> Result<DeliveryQuery, String> {
        Ok(DeliveryQuery {
            limit: parameters.limit()?,
            before: parameters.number("before")?,
            state: parameters.label("state", DeliveryState::from_label, DeliveryState::ALL)?,
            destination: parameters.text("destination").map(lane).transpose()?,
        })
    };
    let query = match parse() {
        Ok(query) => query,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, &detail),
    };
    let limit = query.limit;
    match site.store.deliveries(query).await {
        Ok(mut rows) => {
            for row in &mut rows {
                row.next_attempt = next_attempt(site, row);
            }
            let next = (rows.len() == limit).then(|| rows.last().map(|row| row.id));
            json(
                StatusCode::OK,
                &DeliveryPage {
                    deliveries: rows,
                    next: next.flatten(),
                },
            )
        }
        Err(error) => failed(&error),
    }
}

/// When a delivery will be tried on the wall clock: when its schedule says so, but not while its
/// destination is left alone.
fn next_attempt(site: &Site, row: &DeliveryRow) -> Option<f64> {
    let due = site.clock.on_the_wall(row.next_attempt?);
    let lane = Lane::from_key(&row.destination);
    let held = lane.and_then(|lane| site.health.held_for(&lane));
    let opens = held.map(|held| site.clock.unix() + held.as_secs_f64());
    // One that is under way was tried to see how the destination is.
    let opens = opens.filter(|_| row.state == DeliveryState::Pending.label());
    Some(opens.map_or(due, |opens| due.max(opens)))
}

/// Gives a dead delivery a new life, and says where it is then: what it tells may go out with another.
/// A receiver that said that it is gone is asked again.
pub async fn retry(site: &Site, id: &str) -> Response {
    let Ok(id) = id.parse::<i64>() else {
        return not_found();
    };
    // Before it is due, or it would be given up without a question.
    match site.store.delivery(id).await {
        Ok(Some(row)) if row.state == DeliveryState::Dead.label() => {
            if let Some(lane) = Lane::from_key(&row.destination) {
                site.health.ask_again(&lane);
            }
        }
        Ok(_) => {}
        Err(error) => return failed(&error),
    }
    match site.store.retry_dead(id, site.clock.steady()).await {
        Ok(Some(Retry::Done { state, .. })) => {
            site.status.wake_deliveries();
            tracing::info!(
                delivery = id,
                state = state.label(),
                "an operator retries a dead delivery"
            );
            json(
                StatusCode::OK,
                &Retried {
                    status: "success",
                    id,
                    state,
                },
            )
        }
        Ok(Some(Retry::Refused(row))) => {
            let detail = format!(
                "Only a dead delivery can be retried; this one is {}",
                row.state
            );
            problem(StatusCode::CONFLICT, &detail)
        }
        Ok(None) => not_found(),
        Err(error) => failed(&error),
    }
}

/// Ends a delivery that nobody is to have any more; with a `state`, only if it is in that still.
pub async fn discard(site: &Site, id: &str, query: Option<&str>) -> Response {
    let Ok(id) = id.parse::<i64>() else {
        return not_found();
    };
    let only = match only_while(query) {
        Ok(only) => only,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, &detail),
    };
    match site.store.discard(id, only, site.clock.unix()).await {
        Ok(Some(Discard::Done(row))) => {
            discarded(site, &row);
            json(
                StatusCode::OK,
                &Discarded {
                    status: "success",
                    id,
                    state: DeliveryState::Discarded,
                },
            )
        }
        Ok(Some(Discard::Refused(row))) => {
            let detail = refusal(&row, only);
            problem(StatusCode::CONFLICT, &detail)
        }
        Ok(None) => not_found(),
        Err(error) => failed(&error),
    }
}

/// The state in which it is to be, if the query says so. What is misspelt is not passed over: what it
/// was to save would be lost.
fn only_while(query: Option<&str>) -> Result<Option<DeliveryState>, String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let Some((key, value)) = pairs.next() else {
        return Ok(None);
    };
    if key != "state" || pairs.next().is_some() {
        return Err("A discard has one parameter at most, state".to_owned());
    }
    let state = DeliveryState::from_label(&value).filter(|state| DISCARDABLE.contains(state));
    state.map(Some).ok_or_else(|| {
        let known: Vec<_> = DISCARDABLE.iter().map(|one| one.label()).collect();
        format!("state must be one of: {}", known.join(", "))
    })
}

/// Why it is not discarded.
fn refusal(row: &DeliveryRow, only: Option<DeliveryState>) -> String {
    let state = &row.state;
    match (only, DeliveryState::from_label(state)) {
        (Some(only), _) => format!("It was to be discarded only while it is {only}; it is {state}"),
        (None, Some(DeliveryState::Running)) => {
            "An attempt is under way; it can be discarded once that has failed".to_owned()
        }
        (None, _) => {
            format!("Only a delivery that is dead or pending can be discarded; this one is {state}")
        }
    }
}

/// Counts it, and notes who will not be told, for whoever asks later.
fn discarded(site: &Site, row: &DeliveryRow) {
    if let Some(lane) = Lane::from_key(&row.destination) {
        let result = DeliveryResult::Discarded;
        site.metrics.deliveries.inc((lane.kind, result));
    }
    // What follows it may be due.
    site.status.wake_deliveries();
    tracing::warn!(
        delivery = row.id,
        kind = row.kind,
        destination = row.destination,
        match_id = row.match_id,
        was = row.state,
        "an operator discards a delivery"
    );
}
