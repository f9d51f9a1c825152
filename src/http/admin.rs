//! The administration endpoints: they show personal data and change things.

use std::str::FromStr;

use http::StatusCode;

use super::problem::{not_found, problem, unavailable};
use super::route::Site;
use super::view::{AcceptedList, Changes, DeliveryPage, Discarded, Paused, Retried};
use super::{Response, json};
use crate::domain::change::{Category, Priority};
use crate::domain::delivery::{DeliveryState, Destination, Lane};
use crate::store::{ChangeQuery, DeliveryQuery, DeliveryRow, Discard, NewTrigger, StoreError};
use crate::telemetry::labels::{DeliveryResult, TriggerSource};

/// Rows of one page, unless asked for otherwise.
const PAGE: usize = 100;
/// Rows of one page at most.
const MAX_PAGE: usize = 1000;

/// Changes, newest first.
pub async fn changes(site: &Site, query: Option<&str>) -> Response {
    let parameters = Parameters::new(query);
    let parse = || -> Result<ChangeQuery, String> {
        Ok(ChangeQuery {
            limit: parameters.limit()?,
            before: parameters.number("before")?,
            category: parameters.label("category", Category::from_label, Category::ALL)?,
            priority: parameters.label("priority", Priority::from_label, Priority::ALL)?,
            match_id: parameters.number("match_id")?,
        })
    };
    let query = match parse() {
        Ok(query) => query,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, &detail),
    };
    let limit = query.limit;
    match site.store.changes(query).await {
        Ok(rows) => {
            let next = (rows.len() == limit).then(|| rows.last().map(|row| row.id));
            json(
                StatusCode::OK,
                &Changes {
                    changes: rows,
                    next: next.flatten(),
                },
            )
        }
        Err(error) => failed(&error),
    }
}

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
pub async fn deliveries(site: &Site, query: Option<&str>) -> Response {
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

/// Gives a dead delivery a new life.
pub async fn retry(site: &Site, id: &str) -> Response {
    let Ok(id) = id.parse::<i64>() else {
        return not_found();
    };
    match site.store.retry_dead(id, site.clock.steady()).await {
        Ok(true) => {
            site.status.wake_deliveries();
            tracing::info!(delivery = id, "an operator retries a dead delivery");
            json(
                StatusCode::OK,
                &Retried {
                    status: "success",
                    id,
                    state: DeliveryState::Pending,
                },
            )
        }
        Ok(false) => match site.store.delivery(id).await {
            Ok(Some(row)) => {
                let detail = format!(
                    "Only a dead delivery can be retried; this one is {}",
                    row.state
                );
                problem(StatusCode::CONFLICT, &detail)
            }
            Ok(None) => not_found(),
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

/// Ends a delivery that nobody is to have any more.
pub async fn discard(site: &Site, id: &str) -> Response {
    let Ok(id) = id.parse::<i64>() else {
        return not_found();
    };
    match site.store.discard(id, site.clock.unix()).await {
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
            let detail = match DeliveryState::from_label(&row.state) {
                Some(DeliveryState::Running) => {
                    "An attempt is under way; it can be discarded once that has failed".to_owned()
                }
                _ => format!(
                    "Only a delivery that is dead or pending can be discarded; this one is {}",
                    row.state
                ),
            };
            problem(StatusCode::CONFLICT, &detail)
        }
        Ok(None) => not_found(),
        Err(error) => failed(&error),
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

/// Pauses or resumes cycles and deliveries. Triggers are accepted all the same.
pub async fn pause(site: &Site, paused: bool) -> Response {
    if let Err(error) = site.store.set_paused(paused).await {
        return failed(&error);
    }
    site.status.set_paused(paused);
    site.metrics.paused.set((), i64::from(paused));
    let done = if paused { "paused" } else { "resumed" };
    tracing::info!(paused, "an operator {done} cycles and deliveries");
    json(
        StatusCode::OK,
        &Paused {
            status: "success",
            paused,
        },
    )
}

/// Accepts the held list: the next look takes it if it is still the same.
pub async fn accept_snapshot(site: &Site) -> Response {
    match site.store.accept_held().await {
        Ok(true) => {}
        Ok(false) => return problem(StatusCode::CONFLICT, "No list is held"),
        Err(error) => return failed(&error),
    }
    tracing::info!("an operator accepted the held list");
    let trigger = NewTrigger {
        source: TriggerSource::Operator,
        accepted: site.clock.unix(),
        traceparent: None,
        data: None,
        size: 0,
    };
    match site.store.accept(trigger).await {
        Ok(accepted) => {
            let result = accepted.result();
            site.metrics.triggers.inc((TriggerSource::Operator, result));
            site.status.hurry();
            json(
                StatusCode::OK,
                &AcceptedList {
                    status: "success",
                    trigger_id: accepted.id,
                },
            )
        }
        Err(error) => {
            let refused = (TriggerSource::Operator, error.result());
            site.metrics.triggers.inc(refused);
            failed(&error)
        }
    }
}

pub(super) fn failed(error: &StoreError) -> Response {
    match error {
        StoreError::QueueFull(_) => unavailable("The queue is full", 5),
        _ => unavailable("The store failed; nothing was changed", 10),
    }
}

/// The query of a request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn new(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// An empty value counts as none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, String> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("{name} must be a whole number"))
            })
            .transpose()
    }

    fn limit(&self) -> Result<usize, String> {
        match self.number("limit")? {
            None => Ok(PAGE),
            Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
            Some(_) => Err(format!("limit must be a whole number from 1 to {MAX_PAGE}")),
        }
    }

    fn label<L: Copy + std::fmt::Display>(
        &self,
        name: &str,
        from: impl Fn(&str) -> Option<L>,
        all: &[L],
    ) -> Result<Option<L>, String> {
        let known = || {
            all.iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        self.text(name)
            .map(|text| from(text).ok_or_else(|| format!("{name} must be one of: {}", known())))
            .transpose()
    }
}
