//! Telling services again.

use http::StatusCode;
use jiff::Timestamp;

use super::admin::{Parameters, failed};
use super::problem::problem;
use super::route::Site;
use super::view::Republished;
use super::{Response, json};
use crate::domain::delivery::Lane;
use crate::notify::{self, Extent, RepublishError};

/// Tells what changed since a moment, or all there is.
pub async fn republish(site: &Site, query: Option<&str>) -> Response {
    let parameters = Parameters::new(query);
    let extent = match parameters.text("since").map(str::parse::<Timestamp>) {
        None => Extent::Everything,
        Some(Ok(moment)) => Extent::Since(moment),
        Some(Err(_)) => {
            let detail = "since must be a moment such as 2030-05-01T12:00:00Z";
            return problem(StatusCode::BAD_REQUEST, detail);
        }
    };
    let lanes = site.config.now().services.lanes();
    match notify::republish(extent, &lanes, &site.store, &site.clock).await {
        Ok(changes) => {
            site.status.wake_deliveries();
            tracing::info!(changes, "an operator has services told again");
            let told = Republished {
                status: "success",
                destinations: lanes.iter().map(Lane::key).collect(),
                changes: (extent != Extent::Everything).then_some(changes),
            };
            json(StatusCode::OK, &told)
        }
        Err(RepublishError::Store(error)) => failed(&error),
        Err(error) => problem(StatusCode::CONFLICT, &error.to_string()),
    }
}
