//! `POST /process` and `GET /triggers/{id}`.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;
use tracing::Span;

use super::admit::Admission;
use super::body::ReadBody;
use super::problem::{not_found, problem, retry_after, unavailable, unreadable};
use super::route::Site;
use super::sift::Asked;
use super::talk::Talk;
use super::view::{Busy, TriggerView, Triggered, Waited};
use super::{Request, Response, json};
use crate::store::{Accepted, CycleRecord, NewTrigger, StoreError, Taken, TriggerState};
use crate::telemetry::labels::{TriggerResult, TriggerSource};
use crate::telemetry::span;

/// The longest wait that `Prefer: wait` can ask for.
const MAX_WAIT: Duration = Duration::from_mins(5);
/// When to come back after a full queue, in seconds.
const RETRY_FULL: u32 = 5;
/// When to come back after the store failed to write, in seconds.
const RETRY_STORE: u32 = 10;

/// Stores a trigger, then says so.
pub async fn process(site: &Site, request: Request, span: &Span, talk: &Talk) -> Response {
    if site.status.is_draining() {
        return refused(
            site,
            TriggerResult::RejectedDraining,
            unavailable("Shutting down", 5),
        );
    }
    let (head, body) = request.into_parts();
    let (wait, inbound) = (preferred_wait(&head.headers), span::inbound(&head.headers));
    let config = site.config.now();
    let mut admission = Admission::begin(site, &config.auth, &head.headers);
    // Without filters the head goes: it holds the buffer that it was read from, and a slow body must
    // not hold two.
    let asked = Asked::of(&config.filters, head);
    let mut body = match site
        .bodies
        .read(body, |piece| admission.update(piece))
        .await
    {
        Ok(body) => body,
        Err(refusal) => return refused(site, TriggerResult::RejectedInvalid, refusal),
    };
    let (name, label) = match admission.end(site, body.whole()) {
        Ok(known) => known,
        Err(refusal) => return refused(site, rejected(&refusal), refusal),
    };
    if let Some(asked) = asked
        && let Err((result, answer)) = asked.judge(site, label, &mut body).await
    {
        return refused(site, result, answer);
    }
    let trigger = NewTrigger {
        source: TriggerSource::Webhook,
        accepted: site.clock.unix(),
        traceparent: span::traceparent_of(&span::send_trigger(span)).or(inbound),
        size: body.size,
        data: trigger_data(body),
    };
    let taken = match name {
        Some(name) => site.store.accept_once(name, trigger).await,
        None => site.store.accept(trigger).await.map(Taken::New),
    };
    match taken {
        Ok(Taken::New(accepted)) => {
            let result = accepted.result();
            site.metrics.triggers.inc((TriggerSource::Webhook, result));
            site.status.wake();
            accept(site, accepted, wait, talk).await
        }
        Ok(Taken::Repeat(accepted)) => repeated(site, accepted, wait, talk).await,
        Ok(Taken::Conflict) => {
            let detail =
                "A request of this name was accepted with another body; nothing was stored";
            let refusal = problem(StatusCode::CONFLICT, detail);
            refused(site, TriggerResult::RejectedConflict, refusal)
        }
        Err(error) => not_stored(site, &error),
    }
}

fn rejected(refusal: &Response) -> TriggerResult {
    match refusal.status() {
        StatusCode::UNAUTHORIZED => TriggerResult::RejectedAuth,
        _ => TriggerResult::RejectedInvalid,
    }
}

/// Answers for the trigger of the first time.
async fn repeated(
    site: &Site,
    accepted: Accepted,
    wait: Option<Duration>,
    talk: &Talk,
) -> Response {
    let result = TriggerResult::Duplicate;
    site.metrics.triggers.inc((TriggerSource::Webhook, result));
    let known = site.store.trigger(&accepted.id).await.ok().flatten();
    let mut response = match known.map(|status| status.processing_id) {
        Some(Some(processing_id)) => served(site, &accepted, wait.is_some(), &processing_id).await,
        Some(None) => accept(site, accepted, wait, talk).await,
        // Served so long ago that only its name is still known.
        None => triggered(site, &accepted.id, (site.status.cycles(), false), None),
    };
    let replayed = http::HeaderName::from_static("idempotent-replayed");
    let value = http::HeaderValue::from_static("true");
    response.headers_mut().insert(replayed, value);
    response
}

fn refused(site: &Site, result: TriggerResult, response: Response) -> Response {
    site.metrics.triggers.inc((TriggerSource::Webhook, result));
    response
}

/// The body if it is JSON; else its size. Nothing a client sends is refused for its form.
fn trigger_data(body: ReadBody) -> Option<Box<str>> {
    if body.size == 0 {
        return None;
    }
    let text = String::from_utf8(body.kept)
        .ok()
        .filter(|text| !text.is_empty() && serde_json::from_str::<&RawValue>(text).is_ok());
    Some(
        text.unwrap_or_else(|| format!("{{\"body_bytes\":{}}}", body.size))
            .into(),
    )
}

async fn accept(site: &Site, accepted: Accepted, wait: Option<Duration>, talk: &Talk) -> Response {
    let cycle = site.status.cycle_for(accepted.seq);
    let record = match wait {
        // A client that is gone looks like one that has only stopped sending. Neither is waited for: a
        // preference need not be heeded.
        Some(wait) => tokio::select! {
            record = site.status.served(&site.store, &accepted, wait) => record,
            () = talk.ended() => None,
        },
        None => None,
    };
    triggered(site, &accepted.id, cycle, record)
}

/// For a trigger whose cycle has ended.
async fn served(site: &Site, accepted: &Accepted, waits: bool, processing_id: &str) -> Response {
    let record = match waits {
        true => site.store.record(processing_id).await.ok().flatten(),
        false => None,
    };
    let number = processing_id.rsplit('_').next();
    let number = number.and_then(|number| number.parse().ok());
    let cycle = (number.unwrap_or_else(|| site.status.cycles()), false);
    triggered(site, &accepted.id, cycle, record)
}

/// The answer, with the record of the cycle if it was waited for.
fn triggered(
    site: &Site,
    trigger_id: &str,
    (processing_count, queued): (u64, bool),
    record: Option<CycleRecord>,
) -> Response {
    if let Some(record) = record {
        let body = Waited {
            message: "Match processing finished",
            processing_count,
            queued,
            trigger_id,
            record,
        };
        let mut response = json(StatusCode::OK, &body);
        let applied = http::HeaderValue::from_static("wait");
        response.headers_mut().insert("preference-applied", applied);
        // A preference need not be heeded, but a trigger that was accepted must not look refused.
        if let Some(response) = site.answers.counted(response) {
            return response;
        }
    }
    let body = Triggered {
        status: "success",
        message: "Match processing triggered",
        processing_count,
        queued,
        trigger_id,
    };
    json(StatusCode::OK, &body)
}

fn not_stored(site: &Site, error: &StoreError) -> Response {
    if let StoreError::QueueFull(waiting) = error {
        let body = Busy {
            status: "busy",
            message: format!("The queue is full: {waiting} triggers wait"),
            processing_count: site.status.cycles(),
        };
        let busy = retry_after(json(StatusCode::TOO_MANY_REQUESTS, &body), RETRY_FULL);
        return refused(site, TriggerResult::RejectedFull, busy);
    }
    let down = unavailable(
        "The trigger could not be stored; nothing was accepted",
        RETRY_STORE,
    );
    refused(site, TriggerResult::RejectedStore, down)
}

/// `wait` of `Prefer` (RFC 7240), in seconds; anything that is not understood is ignored.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let seconds: u64 = preferences
        .flat_map(|value| value.split(','))
        .find_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("wait")
                .then(|| value.trim().trim_matches('"'))
        })?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

/// How far a trigger has come.
pub async fn trigger(site: &Site, id: &str) -> Response {
    let status = match site.shown.trigger(id).await {
        Ok(Some(status)) => status,
        Ok(None) => return not_found(),
        Err(error) => return unreadable(&error),
    };
    let running = status.state == TriggerState::Pending && site.status.is_serving(status.seq);
    let view = TriggerView {
        trigger_id: id,
        status: if running {
            TriggerState::Running
        } else {
            status.state
        },
        accepted: status.accepted,
        processing_id: status.processing_id,
    };
    json(StatusCode::OK, &view)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefer(values: &[&'static str]) -> Option<u64> {
        let values = values.iter().map(|value| {
            (
                http::HeaderName::from_static("prefer"),
                value.parse().unwrap(),
            )
        });
        preferred_wait(&values.collect()).map(|wait| wait.as_secs())
    }

    #[test]
    fn prefer_wait_is_read_as_rfc_7240_writes_it() {
        assert_eq!(prefer(&["wait=20"]), Some(20));
        assert_eq!(prefer(&["respond-async, WAIT = \"7\"; x=y"]), Some(7));
        assert_eq!(prefer(&["handling=lenient", "wait=3"]), Some(3));
        assert_eq!(prefer(&["wait=999999"]), Some(300));
        for odd in ["wait", "wait=", "wait=-1", "wait=soon", "await=5"] {
            assert_eq!(prefer(&[odd]), None, "{odd}");
        }
        assert_eq!(prefer(&[]), None);
    }

    #[test]
    fn only_json_is_kept_of_a_body() {
        let data = |bytes: &[u8]| {
            trigger_data(ReadBody {
                kept: bytes.to_vec(),
                size: bytes.len(),
            })
            .map(String::from)
        };
        assert_eq!(data(b""), None);
        assert_eq!(data(b"{\"a\": 1}").as_deref(), Some("{\"a\": 1}"));
        assert_eq!(data(b"{\"a\": 1").as_deref(), Some("{\"body_bytes\":7}"));
        assert_eq!(data(b"\xff\xfe").as_deref(), Some("{\"body_bytes\":2}"));
        let long = trigger_data(ReadBody {
            kept: Vec::new(),
            size: 70_000,
        });
        assert_eq!(long.as_deref(), Some("{\"body_bytes\":70000}"));
    }
}
