//! `GET /`, `/status` and `/status/detailed`.

use std::collections::BTreeMap;

use http::StatusCode;

use super::problem::unreadable;
use super::route::Site;
use super::view::{DetailedStatus, Root, Status};
use super::{Response, json};
use crate::store::StoreError;

/// Records that `/status` shows.
const RECENT: usize = 5;

/// The name under which clients know the service.
pub const SERVICE_NAME: &str = "match-list-processor";

/// Who is there.
pub fn root(site: &Site) -> Response {
    let state = if site.status.is_draining() {
        "stopping"
    } else {
        "running"
    };
    let body = Root {
        service_name: SERVICE_NAME,
        version: env!("CARGO_PKG_VERSION"),
        mode: site.config.now().mode.mode,
        status: state,
        processing: site.status.is_processing(),
        processing_count: site.status.cycles(),
        last_processing_time: site.status.last_end(),
        paused: site.status.is_paused(),
    };
    json(StatusCode::OK, &body)
}

/// The last few cycles.
pub async fn status(site: &Site) -> Response {
    match common(site, RECENT).await {
        Ok(body) => json(StatusCode::OK, &body),
        Err(error) => unreadable(&error),
    }
}

/// The whole history that is kept, and the settings without secrets.
pub async fn detailed(site: &Site) -> Response {
    let config = site.config.now();
    let status = match common(site, config.store.history_limit).await {
        Ok(status) => status,
        Err(error) => return unreadable(&error),
    };
    let settings = config.effective();
    let mut configuration: BTreeMap<String, String> = settings
        .into_iter()
        .map(|setting| (setting.name.to_lowercase(), setting.value))
        .collect();
    // One setting under both names that clients know, whichever of them it was set by.
    let names = ["api_base_url", "fogis_api_client_url"];
    let set = names.iter().find_map(|name| configuration.get(*name));
    let set = set.cloned().unwrap_or_default();
    for name in names {
        configuration.insert(name.to_owned(), set.clone());
    }
    let body = DetailedStatus {
        status,
        configuration,
    };
    json(StatusCode::OK, &body)
}

async fn common(site: &Site, records: usize) -> Result<Status, StoreError> {
    Ok(Status {
        processing_history: site.shown.history(records).await?,
        processing_count: site.status.cycles(),
        last_processing_time: site.status.last_end(),
        last_changes_detected: site.status.last_changed(),
        service_status: if site.status.is_draining() {
            "stopping"
        } else {
            "ready"
        },
        currently_processing: site.status.is_processing(),
        held: site.status.held(),
        paused: site.status.is_paused(),
    })
}
