//! The administration endpoints: they show personal data and change things.

use std::str::FromStr;

use http::StatusCode;

use super::problem::{problem, unavailable};
use super::route::Site;
use super::view::{AcceptedList, Changes, Paused};
use super::{Response, json};
use crate::domain::change::{Category, Priority};
use crate::store::{ChangeQuery, NewTrigger, StoreError};
use crate::telemetry::labels::TriggerSource;

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

    pub(super) fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, String> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("{name} must be a whole number"))
            })
            .transpose()
    }

    pub(super) fn limit(&self) -> Result<usize, String> {
        match self.number("limit")? {
            None => Ok(PAGE),
            Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
            Some(_) => Err(format!("limit must be a whole number from 1 to {MAX_PAGE}")),
        }
    }

    pub(super) fn label<L: Copy + std::fmt::Display>(
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
