//! What the filters say of a request, asked where it holds up no others.

use std::sync::Arc;

use http::{StatusCode, request::Parts};
use tokio::sync::Semaphore;

use super::body::ReadBody;
use super::peer::Peer;
use super::problem::{problem, unavailable};
use super::route::Site;
use super::view::Ignored;
use super::{Response, json};
use crate::filter::{Action, Filters, Judge, Malformed, Request, RuleErrorKind, Verdict};
use crate::telemetry::labels::TriggerResult;

/// Work, in bytes of the body times walks over it, that is done at once where requests are served.
/// More takes a thread from those for work that blocks.
const AT_ONCE: usize = 32 * 1024;
/// Requests that are judged on such threads at a time, so that others find some free.
const JUDGED: usize = 2;
/// Requests that may wait for that.
const WAITING: usize = 64;

/// Room for judging what takes its time.
#[derive(Debug)]
pub struct Sieve {
    judged: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Sieve {
    fn default() -> Self {
        Self {
            judged: Arc::new(Semaphore::new(JUDGED)),
            waiting: Arc::new(Semaphore::new(WAITING)),
        }
    }
}

/// A request that filters must let through. What they see of its head is made of it once it is known
/// who sent it: a stranger has nothing worked out.
pub struct Asked {
    filters: Filters,
    head: Parts,
}

impl Asked {
    /// Of a request, unless every one is let through.
    pub fn of(filters: &Filters, head: Parts) -> Option<Self> {
        (!filters.let_all_through()).then(|| Self {
            filters: filters.clone(),
            head,
        })
    }

    /// Judges it, once it is known who sent it and its body is there. An `Err` is the answer to send
    /// instead, and what to count.
    pub async fn judge(
        self,
        site: &Site,
        label: Option<Arc<str>>,
        body: &mut ReadBody,
    ) -> Result<(), (TriggerResult, Response)> {
        let Self { filters, head } = self;
        let query = head.uri.query().unwrap_or_default();
        let looks = filters.looks();
        let mut request = Request::of(looks, &head.method, &head.headers, query);
        if let Some(Peer::Ip(address)) = head.extensions.get::<Peer>()
            && looks.source
        {
            request.source = address.to_string();
        }
        if looks.authenticated {
            request.authenticated = label.as_deref().unwrap_or_default().to_owned();
        }
        let kept = std::mem::take(&mut body.kept);
        let is_whole = kept.len() == body.size;
        request.body = is_whole.then_some(kept);
        let size = body.size.max(request.head_bytes());
        let judging = Judging { filters, request };
        let judged = match size.saturating_mul(judging.filters.work()) <= AT_ONCE || !is_whole {
            true => judging.judged(),
            false => judging.judged_elsewhere(&site.sieve).await?,
        };
        body.kept = judged.request.body.unwrap_or_default();
        for kind in judged.erred {
            site.metrics.filter_errors.inc((kind,));
        }
        match judged.verdict {
            Ok(verdict) => answer(site, &verdict),
            Err(malformed) => Err(malformed_answer(malformed)),
        }
    }
}

/// A request as the filters see it, and the filters.
struct Judging {
    filters: Filters,
    request: Request,
}

impl Judging {
    fn judged(self) -> Judged {
        let mut erred = Vec::new();
        let judge = Judge::new(&self.filters, &self.request);
        let verdict = judge.verdict(|kind| erred.push(kind));
        Judged {
            verdict,
            erred,
            request: self.request,
        }
    }

    async fn judged_elsewhere(self, sieve: &Sieve) -> Result<Judged, (TriggerResult, Response)> {
        let busy = || {
            let answer = unavailable("Too many requests are being judged by filters", 1);
            (TriggerResult::RejectedFull, answer)
        };
        let (waiting, judging) = (Arc::clone(&sieve.waiting), Arc::clone(&sieve.judged));
        let waits = waiting.try_acquire_owned().map_err(|_| busy())?;
        let judges = judging.acquire_owned().await.map_err(|_| busy())?;
        // Judging goes on when its client is gone, and keeps its place until it is done. It catches
        // its own panics; the pool refuses only when the program ends.
        let judged = tokio::task::spawn_blocking(move || {
            let judged = self.judged();
            drop((waits, judges));
            judged
        });
        let judged = judged.await;
        judged.map_err(|_| busy())
    }
}

struct Judged {
    verdict: Result<Verdict, Malformed>,
    erred: Vec<RuleErrorKind>,
    request: Request,
}

fn answer(site: &Site, verdict: &Verdict) -> Result<(), (TriggerResult, Response)> {
    let rule = &*verdict.rule;
    match verdict.action {
        Action::Trigger => Ok(()),
        Action::Ignore => {
            let ignored = Ignored {
                status: "ignored",
                message: "A filter ignores this request; nothing was triggered",
                rule,
                processing_count: site.status.cycles(),
            };
            Err((TriggerResult::Filtered, json(StatusCode::OK, &ignored)))
        }
        Action::Refuse => {
            let detail = format!("A filter refuses this request: rule {rule}");
            let refusal = problem(StatusCode::FORBIDDEN, &detail);
            Err((TriggerResult::RejectedFilter, refusal))
        }
    }
}

fn malformed_answer(malformed: Malformed) -> (TriggerResult, Response) {
    let status = match malformed {
        Malformed::NoJson => StatusCode::BAD_REQUEST,
        Malformed::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
    };
    let refusal = problem(status, &malformed.to_string());
    (TriggerResult::RejectedInvalid, refusal)
}
