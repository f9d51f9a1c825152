//! Which endpoint serves a request, and what is counted of it.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, header};
use tracing::Instrument;

use super::answers::Answers;
use super::body::Bodies;
use super::gate::Gate;
use super::guard;
use super::metrics::Scrapes;
use super::problem::{and_close, method_not_allowed, not_found, unavailable};
use super::sift::Sieve;
use super::talk::Talk;
use super::{
    Request, Response, admin, deliveries, health, metrics, openapi, process, republish, status,
};
use crate::clock::Clock;
use crate::config::Live;
use crate::cycle::Status;
use crate::health::Health;
use crate::store::{Audience, Store};
use crate::telemetry::family::{Answer, Endpoint};
use crate::telemetry::labels::{Method as MethodLabel, Route};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;
use crate::tls::Tls;

/// Which endpoints a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    /// The contract with clients.
    Public,
    /// What only operators may see and do.
    Admin,
    /// Metrics and probes alone.
    Metrics,
}

/// What the endpoints of one listener work with.
#[derive(Debug)]
pub struct Site {
    /// Which endpoints it has.
    pub kind: SiteKind,
    /// The settings.
    pub config: Live,
    /// The durable state.
    pub store: Store,
    /// The same, for what anybody may ask over and over.
    pub shown: Store,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The wall clock.
    pub clock: Clock,
    /// What the cycles are doing.
    pub status: Arc<Status>,
    /// How the neighbours are.
    pub health: Arc<Health>,
    /// Who may knock, and how often.
    pub gate: Gate,
    /// Memory and time for bodies.
    pub bodies: Bodies,
    /// Memory for answers.
    pub answers: Answers,
    /// The text that scrapers share.
    pub scrapes: Scrapes,
    /// Room for filters that take their time.
    pub sieve: Sieve,
}

impl Site {
    /// One listener's site.
    #[must_use]
    pub fn new(
        kind: SiteKind,
        config: Live,
        store: Store,
        metrics: Arc<Metrics>,
        clock: Clock,
        status: Arc<Status>,
        health: Arc<Health>,
    ) -> Self {
        let settings = config.now();
        let limits = &settings.http;
        let gate = Gate::new(&settings.access, &clock);
        let bodies = Bodies::new(limits.max_body_bytes, limits.body_timeout);
        Self {
            kind,
            config,
            store: store.read_for(Audience::Answers),
            shown: store.read_for(Audience::Crowd),
            metrics,
            clock,
            status,
            health,
            gate,
            bodies,
            answers: Answers::default(),
            scrapes: Scrapes::default(),
            sieve: Sieve::default(),
        }
    }

    /// What its connections are secured with, as it is now.
    #[must_use]
    pub fn tls(&self) -> Option<Tls> {
        match self.kind {
            SiteKind::Public => self.config.now().http.tls.clone(),
            SiteKind::Admin | SiteKind::Metrics => None,
        }
    }

    /// Answers one request and counts it.
    pub(super) async fn handle(&self, request: Request, talk: &Talk) -> Response {
        let begun = Instant::now();
        let _in_flight = self.metrics.http_requests_in_flight.guard(());
        let method = MethodLabel::from(request.method());
        let (route, parameter) = self.route(request.uri().path());
        let parameter = parameter.to_owned();
        let reads_body = route == Route::Process && request.method() == Method::POST;
        // Chunks that nobody looks at may hold what two servers read differently.
        let unseen = !reads_body && request.headers().contains_key(header::TRANSFER_ENCODING);
        let (response, counted) = match guard::malformed(&request, talk.ambiguous()) {
            // Whatever its path is, it did not come to a route.
            Some(refusal) => (refusal, Route::Unmatched),
            None => (self.dispatch(request, route, &parameter, talk).await, route),
        };
        let response = match unseen {
            true => and_close(response),
            false => response,
        };
        let answer = Answer::of(method, counted, response.status());
        self.metrics.http_requests.inc(answer);
        if let Some(endpoint) = Endpoint::serving(method, counted) {
            let traced = response.extensions().get().copied();
            self.metrics
                .http_request_duration
                .observe(endpoint, begun.elapsed(), traced);
        }
        response
    }

    fn route<'a>(&self, path: &'a str) -> (Route, &'a str) {
        let route = match self.kind {
            SiteKind::Public => public(path),
            SiteKind::Admin => operators(path),
            SiteKind::Metrics => probes(path).map(|route| (route, "")),
        };
        route.unwrap_or((Route::Unmatched, ""))
    }

    async fn dispatch(
        &self,
        request: Request,
        route: Route,
        parameter: &str,
        talk: &Talk,
    ) -> Response {
        let post = route.is_posted();
        let allowed = match *request.method() {
            Method::POST => post,
            Method::GET | Method::HEAD => !post,
            _ => false,
        };
        if route == Route::Unmatched {
            return not_found();
        }
        if !allowed {
            return method_not_allowed(if post { "POST" } else { "GET, HEAD" });
        }
        let response = match self.kind {
            SiteKind::Admin => self.admin(request, route, parameter).await,
            _ => self.endpoint(request, route, parameter, talk).await,
        };
        self.answers
            .counted(response)
            .unwrap_or_else(|| unavailable("Too many answers wait for their clients", 1))
    }

    async fn endpoint(
        &self,
        mut request: Request,
        route: Route,
        parameter: &str,
        talk: &Talk,
    ) -> Response {
        match route {
            Route::Process => {
                let told = match self.gate.judge(self, &mut request) {
                    Ok(told) => told,
                    Err(refusal) => return refusal,
                };
                let span = span::server("POST", route.label(), request.headers());
                let answer = process::process(self, request, &span, talk);
                let mut response = told.tell(answer.instrument(span.clone()).await);
                span::served(&span, response.status().as_u16());
                if let Some(traced) = span::sampled(&span) {
                    response.extensions_mut().insert(traced);
                }
                response
            }
            Route::Root => status::root(self),
            Route::Health => health::health(self),
            Route::HealthSimple => health::simple(),
            Route::HealthDependencies => health::dependencies(self),
            Route::HealthDetailed => health::detailed(self).await,
            Route::Livez => health::live(),
            Route::Readyz => health::ready(self),
            Route::Status => status::status(self).await,
            Route::StatusDetailed => status::detailed(self).await,
            Route::Metrics => metrics::negotiated(self, request.headers()).await,
            Route::MetricsProm => metrics::prometheus(self, request.headers()).await,
            Route::Trigger => process::trigger(self, parameter).await,
            Route::OpenApi => openapi::document(self.kind),
            _ => not_found(),
        }
    }

    async fn admin(&self, request: Request, route: Route, parameter: &str) -> Response {
        let refused = guard::not_admitted(&request, self.config.now().admin.token.as_ref());
        if let Some(refusal) = refused {
            return refusal;
        }
        match route {
            Route::Changes => admin::changes(self, request.uri().query()).await,
            Route::Deliveries => deliveries::list(self, request.uri().query()).await,
            Route::DeliveryRetry => deliveries::retry(self, parameter).await,
            Route::DeliveryDiscard => {
                deliveries::discard(self, parameter, request.uri().query()).await
            }
            Route::Pause => admin::pause(self, true).await,
            Route::Resume => admin::pause(self, false).await,
            Route::SnapshotAccept => admin::accept_snapshot(self).await,
            Route::Republish => republish::republish(self, request.uri().query()).await,
            Route::OpenApi => openapi::document(self.kind),
            _ => not_found(),
        }
    }
}

fn probes(path: &str) -> Option<Route> {
    Some(match path {
        "/metrics" => Route::Metrics,
        "/metrics/prom" => Route::MetricsProm,
        "/health/simple" => Route::HealthSimple,
        "/livez" => Route::Livez,
        "/readyz" => Route::Readyz,
        _ => return None,
    })
}

fn public(path: &str) -> Option<(Route, &str)> {
    if let Some(id) = path.strip_prefix("/triggers/") {
        return (!id.is_empty() && !id.contains('/')).then_some((Route::Trigger, id));
    }
    let route = match path {
        "/" => Route::Root,
        "/process" => Route::Process,
        "/health" => Route::Health,
        "/health/dependencies" => Route::HealthDependencies,
        "/health/detailed" => Route::HealthDetailed,
        "/status" => Route::Status,
        "/status/detailed" => Route::StatusDetailed,
        "/openapi.json" => Route::OpenApi,
        other => return probes(other).map(|route| (route, "")),
    };
    Some((route, ""))
}

fn operators(path: &str) -> Option<(Route, &str)> {
    if let Some(rest) = path.strip_prefix("/deliveries/") {
        let (id, order) = rest.split_once('/')?;
        let route = match order {
            "retry" => Route::DeliveryRetry,
            "discard" => Route::DeliveryDiscard,
            _ => return None,
        };
        return (!id.is_empty()).then_some((route, id));
    }
    let route = match path {
        "/changes" => Route::Changes,
        "/deliveries" => Route::Deliveries,
        "/pause" => Route::Pause,
        "/resume" => Route::Resume,
        "/snapshot/accept" => Route::SnapshotAccept,
        "/republish" => Route::Republish,
        "/openapi.json" => Route::OpenApi,
        _ => return None,
    };
    Some((route, ""))
}
