//! What each listener can be asked.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::domain::change::{Category, Priority};
use crate::domain::delivery::{DeliveryState, Destination};
use crate::http::deliveries::DISCARDABLE;
use crate::http::view;
use crate::telemetry::expose::KeyFigures;
use crate::telemetry::labels::Route;

/// One thing that can be asked.
pub struct Operation {
    /// Where.
    pub route: Route,
    /// `get` or `post`.
    pub method: &'static str,
    /// Its name for tools.
    pub id: &'static str,
    /// Its name for people.
    pub summary: &'static str,
    /// What it can be told beside the body.
    pub parameters: Vec<Value>,
    /// The body that it takes, if it takes one.
    pub takes: Option<Value>,
    /// Every status that it answers with; two bodies with one status are possible.
    pub answers: Vec<(u16, Body)>,
}

/// The body of an answer.
pub enum Body {
    /// JSON of this schema.
    Json(Value),
    /// The Prometheus text format.
    Text,
    /// `OpenMetrics`.
    OpenMetrics,
    /// A problem.
    Problem,
}

impl Operation {
    /// A request without a body. Any can be refused for its head, and where too many answers wait.
    fn get(route: Route, id: &'static str, summary: &'static str, answer: Body) -> Self {
        let answers = vec![(200, answer), (400, Body::Problem), (503, Body::Problem)];
        Self {
            route,
            method: "get",
            id,
            summary,
            parameters: Vec::new(),
            takes: None,
            answers,
        }
    }

    fn post(route: Route, id: &'static str, summary: &'static str, answer: Body) -> Self {
        Self {
            method: "post",
            ..Self::get(route, id, summary, answer)
        }
    }

    fn also(mut self, code: u16, body: Body) -> Self {
        self.answers.push((code, body));
        self
    }

    fn problems(mut self, codes: &[u16]) -> Self {
        let problems = codes.iter().map(|&code| (code, Body::Problem));
        self.answers.extend(problems);
        self
    }

    fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }
}

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Body {
    Body::Json(schemas.subschema_for::<T>().to_value())
}

fn header(name: &str, about: &str, schema: Value) -> Value {
    json!({
        "name": name, "in": "header", "required": false, "description": about, "schema": schema,
    })
}

/// The name of a request, as [`crate::http`] reads it.
fn request_name(name: &str, about: &str) -> Value {
    let schema = json!({
        "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]([ -~]*[!-~])?$",
    });
    header(name, about, schema)
}

fn query(name: &str, about: &str, schema: Value) -> Value {
    json!({
        "name": name, "in": "query", "required": false, "description": about, "schema": schema,
    })
}

fn path_id(schema: Value) -> Value {
    json!({ "name": "id", "in": "path", "required": true, "schema": schema })
}

fn process(schemas: &mut SchemaGenerator) -> Operation {
    let triggered = schemas.subschema_for::<view::Triggered<'static>>();
    let waited = schemas.subschema_for::<view::Waited<'static>>();
    let ignored = schemas.subschema_for::<view::Ignored<'static>>();
    let all = [triggered, waited, ignored].map(schemars::Schema::to_value);
    let answer = Body::Json(json!({ "anyOf": all }));
    let operation = Operation::post(
        Route::Process,
        "process",
        "Ask for a look at the list",
        answer,
    );
    let wait = json!({ "type": "string", "examples": ["wait=20"] });
    let parameters = [
        header(
            "Prefer",
            "wait=N waits up to N seconds for the cycle (RFC 7240)",
            wait,
        ),
        request_name(
            "Idempotency-Key",
            "A name for this request; with the same body again it triggers nothing, with another \
             one it is refused. Ignored where WEBHOOK_AUTH is standard-webhooks or github, which \
             have names of their own",
        ),
        request_name("webhook-id", "The same, as Standard Webhooks calls it"),
        request_name("X-GitHub-Delivery", "The same, as GitHub calls it"),
    ];
    let mut operation = operation
        .problems(&[401, 403, 408, 409, 413, 429])
        .also(429, of::<view::Busy>(schemas))
        .with(parameters);
    operation.takes = Some(json!({
        "required": false,
        "description": "Kept as trigger_data if it is JSON of at most 64 KiB",
        "content": { "application/json": { "schema": {} }, "text/plain": { "schema": { "type": "string" } } },
    }));
    operation
}

/// What clients can ask.
pub fn public(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    let get = Operation::get;
    let health = of::<view::Health>(schemas);
    let unhealthy = of::<view::Health>(schemas);
    let detailed = of::<view::DetailedHealth>(schemas);
    let unhealthy_detailed = of::<view::DetailedHealth>(schemas);
    vec![
        get(
            Route::Root,
            "root",
            "Who is there",
            of::<view::Root>(schemas),
        ),
        process(schemas),
        get(
            Route::Trigger,
            "trigger",
            "What became of a trigger",
            of::<view::TriggerView<'static>>(schemas),
        )
        .problems(&[404])
        .with([path_id(json!({ "type": "string", "minLength": 1 }))]),
        get(Route::Health, "health", "The service as a whole", health).also(503, unhealthy),
        get(
            Route::HealthSimple,
            "healthSimple",
            "The process is there",
            of::<view::Probe>(schemas),
        ),
        get(
            Route::HealthDependencies,
            "healthDependencies",
            "Each neighbour as last probed",
            of::<view::Dependencies>(schemas),
        ),
        get(
            Route::HealthDetailed,
            "healthDetailed",
            "Everything known of the service's health",
            detailed,
        )
        .also(503, unhealthy_detailed),
        get(
            Route::Livez,
            "livez",
            "The process need not be restarted",
            of::<view::Probe>(schemas),
        ),
        get(
            Route::Readyz,
            "readyz",
            "Triggers are taken",
            of::<view::Probe>(schemas),
        ),
        get(
            Route::Status,
            "status",
            "The last few cycles",
            of::<view::Status>(schemas),
        ),
        get(
            Route::StatusDetailed,
            "statusDetailed",
            "The kept history and the settings",
            of::<view::DetailedStatus>(schemas),
        ),
        get(
            Route::Metrics,
            "metrics",
            "Key figures as JSON, or what /metrics/prom tells, as Accept prefers",
            of::<KeyFigures>(schemas),
        )
        .also(200, Body::Text)
        .also(200, Body::OpenMetrics),
        get(
            Route::MetricsProm,
            "metricsProm",
            "Prometheus text, or OpenMetrics 1.0 with exemplars to a client whose Accept prefers it",
            Body::Text,
        )
        .also(200, Body::OpenMetrics),
        this_document(),
    ]
}

fn this_document() -> Operation {
    let object = Body::Json(json!({ "type": "object" }));
    Operation::get(Route::OpenApi, "openapi", "This document", object)
}

fn discard(schemas: &mut SchemaGenerator) -> Operation {
    let states: Vec<_> = DISCARDABLE.iter().map(|one| one.label()).collect();
    let number = json!({ "type": "integer", "format": "int64" });
    Operation::post(
        Route::DeliveryDiscard,
        "discard",
        "End a delivery that is dead or pending: nobody gets it any more",
        of::<view::Discarded>(schemas),
    )
    .problems(&[400, 404, 409])
    .with([
        path_id(number),
        query(
            "state",
            "Only if it is in this state still",
            json!({ "type": "string", "enum": states }),
        ),
    ])
}

/// What operators can ask.
pub fn operators(schemas: &mut SchemaGenerator) -> Vec<Operation> {
    let number = || json!({ "type": "integer", "format": "int64" });
    // In a query an empty value counts as none.
    let or_empty =
        |schema: Value| json!({ "anyOf": [schema, { "type": "string", "maxLength": 0 }] });
    let page = || {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 });
        [
            query("limit", "Rows at most", or_empty(limit)),
            query("before", "Only rows with a lower id", or_empty(number())),
        ]
    };
    let all = |labels: &[&'static str]| {
        let values: Vec<_> = labels.iter().copied().chain([""]).collect();
        json!({ "type": "string", "enum": values })
    };
    let categories: Vec<_> = Category::ALL.iter().map(|one| one.label()).collect();
    let priorities: Vec<_> = Priority::ALL.iter().map(|one| one.label()).collect();
    let states: Vec<_> = DeliveryState::ALL.iter().map(|one| one.label()).collect();
    let kinds: Vec<_> = Destination::ALL.iter().map(|one| one.label()).collect();
    let destination = json!({
        "type": "string",
        "pattern": format!("^(({})(:[A-Za-z0-9._-]+)?)?$", kinds.join("|")),
    });
    let operations = vec![
        Operation::get(
            Route::Changes,
            "changes",
            "What changed, newest first",
            of::<view::Changes>(schemas),
        )
        .with(page())
        .with([
            query("category", "Only this category", all(&categories)),
            query("priority", "Only this priority", all(&priorities)),
            query("match_id", "Only this match", or_empty(number())),
        ]),
        Operation::get(
            Route::Deliveries,
            "deliveries",
            "The outbox, newest first",
            of::<view::DeliveryPage>(schemas),
        )
        .with(page())
        .with([
            query("state", "Only this state", all(&states)),
            query("destination", "Only this destination", destination),
        ]),
        Operation::post(
            Route::DeliveryRetry,
            "retry",
            "Give a dead delivery a new life",
            of::<view::Retried>(schemas),
        )
        .problems(&[404, 409])
        .with([path_id(number())]),
        discard(schemas),
        Operation::post(
            Route::Pause,
            "pause",
            "Stop cycles and deliveries; triggers are accepted all the same",
            of::<view::Paused>(schemas),
        ),
        Operation::post(
            Route::Resume,
            "resume",
            "Let cycles and deliveries go on",
            of::<view::Paused>(schemas),
        ),
        Operation::post(
            Route::SnapshotAccept,
            "acceptSnapshot",
            "Accept the list that is held",
            of::<view::AcceptedList>(schemas),
        )
        .problems(&[409]),
        Operation::post(
            Route::Republish,
            "republish",
            "Tell services again what changed since a moment, or the whole list",
            of::<view::Republished>(schemas),
        )
        .problems(&[400, 409])
        .with([query(
            "since",
            "A moment, RFC 3339; without it the whole list is told",
            json!({ "type": "string", "format": "date-time" }),
        )]),
        this_document(),
    ];
    let guarded = operations.into_iter().map(|one| one.problems(&[401, 403]));
    guarded.collect()
}
