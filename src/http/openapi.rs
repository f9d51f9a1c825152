//! The contract in a form that tools read, built from the table of routes.

use std::sync::OnceLock;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Response, answer};
use crate::telemetry::labels::Route;

/// One operation: its route, a sentence, and the status codes that it answers with.
struct Operation(Route, &'static str, &'static [u16]);

const OPERATIONS: &[Operation] = &[
    Operation(Route::Root, "Who is there", &[200]),
    Operation(
        Route::Process,
        "Ask for a look at the list",
        &[200, 400, 408, 413, 429, 503],
    ),
    Operation(Route::Trigger, "What became of a trigger", &[200, 404, 503]),
    Operation(Route::Health, "The service as a whole", &[200, 503]),
    Operation(Route::HealthSimple, "The process is there", &[200]),
    Operation(
        Route::HealthDependencies,
        "Each neighbour as last probed",
        &[200, 503],
    ),
    Operation(
        Route::HealthDetailed,
        "Everything known of the service's health",
        &[200, 503],
    ),
    Operation(Route::Livez, "The process need not be restarted", &[200]),
    Operation(Route::Readyz, "Triggers are taken", &[200, 503]),
    Operation(Route::Status, "The last few cycles", &[200, 503]),
    Operation(
        Route::StatusDetailed,
        "The kept history and the settings",
        &[200, 503],
    ),
    Operation(
        Route::Metrics,
        "Key figures as JSON, or Prometheus text",
        &[200],
    ),
    Operation(Route::MetricsProm, "Prometheus text", &[200]),
    Operation(Route::OpenApi, "This document", &[200]),
];

/// The parser answers what it refuses by itself, before this program sees a request.
const DESCRIPTION: &str = "Watches a match list and tells what changed. An error is a problem \
     (RFC 9457), but for what cannot be read as HTTP: the answer to that is 400, or 431 to a head \
     that is too large, without a body, and the connection is closed.";

/// `GET /openapi.json`.
pub fn document() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let bytes =
        DOCUMENT.get_or_init(|| Bytes::from(serde_json::to_vec(&build()).unwrap_or_default()));
    answer(StatusCode::OK, "application/json", bytes.clone())
}

fn build() -> Value {
    let paths: Map<String, Value> = OPERATIONS
        .iter()
        .map(|Operation(route, summary, codes)| {
            let method = if *route == Route::Process {
                "post"
            } else {
                "get"
            };
            (
                route.label().to_owned(),
                json!({ method: operation(*route, summary, codes) }),
            )
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "match-list-processor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": { "schemas": { "Problem": problem_schema() } },
    })
}

fn operation(route: Route, summary: &str, codes: &[u16]) -> Value {
    let responses: Map<String, Value> = codes
        .iter()
        .map(|&code| (code.to_string(), response(route, code)))
        .collect();
    let mut operation = json!({ "summary": summary, "responses": responses });
    if route == Route::Trigger {
        operation["parameters"] = json!([{
            "name": "id", "in": "path", "required": true, "schema": { "type": "string" },
        }]);
    }
    if route == Route::Process {
        operation["parameters"] = json!([{
            "name": "Prefer", "in": "header", "required": false,
            "description": "wait=N waits up to N seconds for the cycle (RFC 7240)",
            "schema": { "type": "string" },
        }]);
        operation["requestBody"] = json!({
            "required": false,
            "description": "Kept as trigger_data if it is JSON of at most 64 KiB",
            "content": { "*/*": { "schema": {} } },
        });
    }
    operation
}

fn response(route: Route, code: u16) -> Value {
    let description = StatusCode::from_u16(code)
        .ok()
        .and_then(|code| code.canonical_reason())
        .unwrap_or("Answer");
    let busy = route == Route::Process && code == 429;
    let unhealthy = matches!(route, Route::Health | Route::HealthDetailed) && code == 503;
    if code >= 400 && !busy && !unhealthy {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        return json!({
            "description": description,
            "content": { "application/problem+json": { "schema": schema } },
        });
    }
    let json_body = json!({ "schema": { "type": "object" } });
    let text_body = json!({ "schema": { "type": "string" } });
    let content = match route {
        Route::MetricsProm => json!({ "text/plain": text_body }),
        Route::Metrics => json!({ "application/json": json_body, "text/plain": text_body }),
        _ => json!({ "application/json": json_body }),
    };
    json!({ "description": description, "content": content })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "request_id"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "request_id": { "type": "string" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_route_is_described() {
        let document = build();
        let admin = [
            Route::Changes,
            Route::Deliveries,
            Route::DeliveryRetry,
            Route::Pause,
            Route::Resume,
            Route::SnapshotAccept,
            Route::Unmatched,
        ];
        for route in Route::ALL.iter().filter(|route| !admin.contains(route)) {
            assert!(
                document["paths"][route.label()].is_object(),
                "{route} is missing"
            );
        }
    }
}
