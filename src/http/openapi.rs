//! The contract in a form that tools read: `OpenAPI` 3.1, made from the types of the answers.

mod operations;

use std::sync::OnceLock;

use bytes::Bytes;
use http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::route::SiteKind;
use super::{Response, answer};
use operations::{Body, Operation, operators, public};

/// The parser answers what it refuses by itself, before this program sees a request.
const DESCRIPTION: &str = "Watches a match list and tells what changed. An error is a problem \
     (RFC 9457), but for what cannot be read as HTTP: the answer to that is 400, or 431 to a head \
     that is too large, without a body, and the connection is closed. HEAD works where GET does.";

/// `GET /openapi.json`.
pub fn document(kind: SiteKind) -> Response {
    static DOCUMENTS: [OnceLock<Bytes>; 2] = [OnceLock::new(), OnceLock::new()];
    let (document, kind) = match kind {
        SiteKind::Admin => (&DOCUMENTS[1], SiteKind::Admin),
        SiteKind::Public | SiteKind::Metrics => (&DOCUMENTS[0], SiteKind::Public),
    };
    let written = || Bytes::from(serde_json::to_vec(&build(kind)).unwrap_or_default());
    let bytes = document.get_or_init(written);
    answer(StatusCode::OK, "application/json", bytes.clone())
}

/// The document about a listener.
fn build(kind: SiteKind) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .for_serialize();
    let mut schemas = SchemaGenerator::new(settings);
    let operations = match kind {
        SiteKind::Admin => operators(&mut schemas),
        SiteKind::Public | SiteKind::Metrics => public(&mut schemas),
    };
    let problem = schemas.subschema_for::<Problem<'static>>().to_value();
    let mut paths = Map::new();
    for operation in operations {
        let path = operation.route.label().to_owned();
        let written = json!({ operation.method: written(operation, &problem) });
        paths.insert(path, written);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "match-list-processor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": { "schemas": schemas.take_definitions(true) },
    });
    if kind == SiteKind::Admin {
        document["components"]["securitySchemes"] = json!({
            "token": { "type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN" },
        });
        // Without a token in the settings, local programs need none.
        document["security"] = json!([{}, { "token": [] }]);
    }
    document
}

fn written(operation: Operation, problem: &Value) -> Value {
    let mut answers: Map<String, Value> = Map::new();
    for (code, body) in operation.answers {
        let description = StatusCode::from_u16(code).ok();
        let description = description.and_then(|code| code.canonical_reason());
        let answer = answers.entry(code.to_string()).or_insert_with(
            || json!({ "description": description.unwrap_or("Answer"), "content": {} }),
        );
        if let Some(headers) = headers(operation.id, code) {
            answer["headers"] = headers;
        }
        let content = &mut answer["content"];
        match body {
            Body::Json(schema) => content["application/json"] = json!({ "schema": schema }),
            Body::Text => content["text/plain"] = json!({ "schema": { "type": "string" } }),
            Body::OpenMetrics => {
                content["application/openmetrics-text"] = json!({ "schema": { "type": "string" } });
            }
            Body::Problem => {
                content["application/problem+json"] = json!({ "schema": problem });
            }
        }
    }
    let mut written = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": answers,
    });
    if !operation.parameters.is_empty() {
        written["parameters"] = operation.parameters.into();
    }
    if let Some(body) = operation.takes {
        written["requestBody"] = body;
    }
    written
}

const POLICY: &str = "Where there are limits: how many requests (q) in how many seconds (w)";
const LEFT: &str = "How many requests are left (r), and in how many seconds there are more (t)";

/// The headers of an answer that a client may want to look at.
fn headers(operation: &str, code: u16) -> Option<Value> {
    let header = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    match (operation, code) {
        ("process", 200) => Some(json!({
            "Idempotent-Replayed": header("true where the trigger is that of an earlier request"),
            "Preference-Applied": header("wait where the answer is the cycle's record"),
            "RateLimit-Policy": header(POLICY),
            "RateLimit": header(LEFT),
        })),
        ("process", 429) => Some(json!({
            "Retry-After": header("Seconds after which to come back"),
            "RateLimit-Policy": header(POLICY),
            "RateLimit": header(LEFT),
        })),
        (_, 401) => Some(json!({
            "WWW-Authenticate": header("The one scheme that counts"),
        })),
        (_, 429 | 503) => Some(json!({
            "Retry-After": header("Seconds after which to come back, where that helps"),
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::Route;

    const RENEW: &str = "UPDATE_DOCS=1 cargo test --lib openapi";

    fn paths(kind: SiteKind) -> Vec<String> {
        let document = build(kind);
        let paths = document["paths"].as_object().unwrap();
        paths.keys().cloned().collect()
    }

    #[test]
    fn every_route_is_described_where_it_is_served() {
        let (public, admin) = (paths(SiteKind::Public), paths(SiteKind::Admin));
        for route in Route::ALL
            .iter()
            .filter(|route| **route != Route::Unmatched)
        {
            let path = route.label().to_owned();
            assert!(
                public.contains(&path) || admin.contains(&path),
                "{path} is missing"
            );
        }
        let both: Vec<_> = public.iter().filter(|path| admin.contains(path)).collect();
        assert_eq!(both, ["/openapi.json"]);
    }

    #[test]
    fn the_documents_in_docs_are_these() {
        for (kind, name) in [
            (SiteKind::Public, "openapi.json"),
            (SiteKind::Admin, "openapi-admin.json"),
        ] {
            let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
            let made = serde_json::to_string_pretty(&build(kind)).unwrap() + "\n";
            if std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(&path, &made).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                kept == made,
                "docs/{name} is not what the code says; run {RENEW}"
            );
        }
    }
}
