//! The closed sets of label values. Nothing that a client or a neighbour sends becomes a label.

use http::StatusCode;

use crate::auth::{Refusal, Scheme};
use crate::domain::change::{Category, Priority};
use crate::domain::delivery::{DeliveryState, Destination};
use crate::domain::plan::AssetKind;
use crate::filter::RuleErrorKind;
use crate::labels;

/// A value that can stand in a label: its label's name and all its values.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;

    /// Every value, so that each series exists from the start.
    fn all() -> &'static [Self];

    /// The value as text.
    fn text(self) -> &'static str;

    /// Its place among all values.
    fn index(self) -> usize;

    /// The values whose series exist from the start; the others come with the part that they stand
    /// for.
    #[must_use]
    fn at_start() -> &'static [Self] {
        Self::all()
    }
}

macro_rules! label_names {
    ($($set:ty => $name:literal $(from $at_start:expr)?),+ $(,)?) => {
        $(impl Label for $set {
            const NAME: &'static str = $name;
            fn all() -> &'static [Self] { Self::ALL }
            fn text(self) -> &'static str { self.label() }
            fn index(self) -> usize { self as usize }
            $(fn at_start() -> &'static [Self] { $at_start })?
        })+
    };
}

label_names! {
    Method => "method",
    Route => "route",
    Closed => "reason",
    TriggerResult => "result",
    Outcome => "outcome",
    Stage => "stage",
    ErrorKind => "error_type" from ErrorKind::COMMON,
    Anomaly => "kind",
    AssetKind => "kind",
    AssetResult => "result",
    AttemptResult => "result",
    DeliveryResult => "result",
    DeadReason => "reason",
    Dependency => "dependency" from Dependency::ALWAYS,
    CallResult => "result" from CallResult::COMMON,
    StoreError => "operation",
    Previous => "previous",
    Level => "level",
    TriggerSource => "source",
    Refusal => "reason",
    Scheme => "scheme",
    RuleErrorKind => "kind",
    Category => "category",
    Priority => "priority",
    Destination => "destination" from Destination::ALWAYS,
    DeliveryState => "state",
}

labels! {
    /// The request method.
    Method {
        /// GET.
        Get => "GET",
        /// HEAD.
        Head => "HEAD",
        /// POST.
        Post => "POST",
        /// Any other, as OpenTelemetry names it.
        Other => "_OTHER",
    }
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        match *method {
            http::Method::GET => Self::Get,
            http::Method::HEAD => Self::Head,
            http::Method::POST => Self::Post,
            _ => Self::Other,
        }
    }
}

labels! {
    /// The route that served a request.
    Route {
        /// `/`
        Root => "/",
        /// `/process`
        Process => "/process",
        /// `/health`
        Health => "/health",
        /// `/health/simple`
        HealthSimple => "/health/simple",
        /// `/health/dependencies`
        HealthDependencies => "/health/dependencies",
        /// `/health/detailed`
        HealthDetailed => "/health/detailed",
        /// `/status`
        Status => "/status",
        /// `/status/detailed`
        StatusDetailed => "/status/detailed",
        /// `/metrics`
        Metrics => "/metrics",
        /// `/metrics/prom`
        MetricsProm => "/metrics/prom",
        /// `/triggers/{id}`
        Trigger => "/triggers/{id}",
        /// `/livez`
        Livez => "/livez",
        /// `/readyz`
        Readyz => "/readyz",
        /// `/openapi.json`
        OpenApi => "/openapi.json",
        /// `/changes`
        Changes => "/changes",
        /// `/deliveries`
        Deliveries => "/deliveries",
        /// `/deliveries/{id}/retry`
        DeliveryRetry => "/deliveries/{id}/retry",
        /// `/deliveries/{id}/discard`
        DeliveryDiscard => "/deliveries/{id}/discard",
        /// `/pause`
        Pause => "/pause",
        /// `/resume`
        Resume => "/resume",
        /// `/snapshot/accept`
        SnapshotAccept => "/snapshot/accept",
        /// `/republish`
        Republish => "/republish",
        /// No route at all.
        Unmatched => "unmatched",
    }
}

/// A status code of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub StatusCode);

impl Code {
    /// The code as a label; `other` for one that this server does not send.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self.0.as_u16() {
            200 => "200",
            202 => "202",
            304 => "304",
            400 => "400",
            401 => "401",
            403 => "403",
            404 => "404",
            405 => "405",
            408 => "408",
            409 => "409",
            413 => "413",
            414 => "414",
            417 => "417",
            421 => "421",
            429 => "429",
            431 => "431",
            500 => "500",
            501 => "501",
            503 => "503",
            505 => "505",
            _ => "other",
        }
    }
}

labels! {
    /// Why a connection was closed.
    Closed {
        /// Both sides were done.
        Normal => "normal",
        /// The head of a request, or the TLS handshake before it, did not come in time.
        HeaderTimeout => "header_timeout",
        /// The client did not read its answer in time.
        WriteTimeout => "write_timeout",
        /// There was no TLS handshake that both sides accept.
        Tls => "tls",
        /// What came was not HTTP that this server accepts.
        Malformed => "malformed",
        /// The client went away in the middle.
        Reset => "reset",
        /// The header of a trusted proxy was missing, malformed or late.
        ProxyHeader => "proxy_header",
        /// Too many connections were open.
        Limit => "limit",
        /// The daemon stopped.
        Shutdown => "shutdown",
    }
}

labels! {
    /// Who asked for a cycle.
    TriggerSource {
        /// `POST /process`.
        Webhook => "webhook",
        /// The service interval.
        Schedule => "schedule",
        /// A start of the program, or its one cycle in oneshot mode.
        Startup => "startup",
        /// The second look at a held list.
        Confirm => "confirm",
        /// A person, on the administration listener.
        Operator => "operator",
    }
}

labels! {
    /// What became of a request for a cycle.
    TriggerResult {
        /// Stored; no other was waiting.
        Accepted => "accepted",
        /// Stored; joins others that wait for the same cycle.
        Coalesced => "coalesced",
        /// Ignored by a filter.
        Filtered => "filtered",
        /// A repeat of one that was accepted before.
        Duplicate => "duplicate",
        /// Refused: the name of one that was accepted before, with another body.
        RejectedConflict => "rejected_conflict",
        /// Refused: the queue is full, or too many requests are being judged by filters.
        RejectedFull => "rejected_full",
        /// Refused: more requests than the limits allow.
        RejectedRate => "rejected_rate",
        /// Refused: from a network that is not allowed.
        RejectedNetwork => "rejected_network",
        /// Refused: not authenticated.
        RejectedAuth => "rejected_auth",
        /// Refused by a filter.
        RejectedFilter => "rejected_filter",
        /// Refused: not understood.
        RejectedInvalid => "rejected_invalid",
        /// Refused: the daemon is stopping.
        RejectedDraining => "rejected_draining",
        /// Refused: the store cannot write.
        RejectedStore => "rejected_store",
    }
}

labels! {
    /// How a cycle ended.
    Outcome {
        /// The list was read, and what it changed is committed.
        Success => "success",
        /// Something failed; nothing was changed.
        Failure => "failure",
        /// The list cannot be true; the snapshot stays.
        Held => "held",
        /// The daemon stopped first; its triggers wait for the next start.
        Cancelled => "cancelled",
    }
}

labels! {
    /// A stage of a cycle.
    Stage {
        /// The list is asked for and read.
        Fetch => "fetch",
        /// It is held against the snapshot.
        Compare => "compare",
        /// What must be made and told is worked out.
        Plan => "plan",
        /// All of it is written in one transaction.
        Commit => "commit",
    }
}

labels! {
    /// What went wrong, for any error at all.
    ErrorKind {
        /// No connection could be made.
        Connect => "connect",
        /// It took too long.
        Timeout => "timeout",
        /// The connection broke, or the answer ended too early.
        Reset => "reset",
        /// A redirect, which is never followed.
        Redirect => "redirect",
        /// 401 or 403.
        Unauthorized => "unauthorized",
        /// 429.
        RateLimited => "rate_limited",
        /// 410.
        Gone => "gone",
        /// Any other 4xx.
        Status4xx => "status_4xx",
        /// 5xx.
        Status5xx => "status_5xx",
        /// More bytes than allowed.
        TooLarge => "too_large",
        /// An answer that makes no sense.
        Invalid => "invalid_response",
        /// The other side answered that it cannot now, in a protocol without these codes.
        Refused => "refused",
        /// The same, but for good.
        Rejected => "rejected",
        /// It was taken, but nobody was there to receive it.
        NoReceiver => "no_receiver",
        /// The store failed.
        Store => "store",
        /// A file or folder failed.
        File => "file",
        /// A template failed.
        Template => "template",
        /// A defect of this program.
        Internal => "internal",
    }
}

labels! {
    /// What is odd in a list.
    Anomaly {
        /// A second entry with an id that was there already.
        Duplicate => "duplicate",
        /// An entry without an id.
        NoId => "no_id",
        /// An entry that is no object.
        NotObject => "not_object",
        /// An entry in the short form.
        Short => "short",
    }
}

labels! {
    /// What became of a file.
    AssetResult {
        /// Stored where it belongs.
        Stored => "stored",
        /// The same as before: nothing to do.
        Unchanged => "unchanged",
        /// Too few referees.
        Skipped => "skipped",
        /// Could not be made or stored; it is retried or in the dead letters.
        Failed => "failed",
    }
}

labels! {
    /// How one attempt to deliver ended.
    AttemptResult {
        /// Delivered.
        Success => "success",
        /// Failed; there will be another.
        Retry => "retry",
        /// Failed for good.
        Dead => "dead",
    }
}

labels! {
    /// How a delivery ended.
    DeliveryResult {
        /// Delivered.
        Delivered => "delivered",
        /// Replaced by a newer state.
        Superseded => "superseded",
        /// Given up.
        Dead => "dead",
        /// Not to be delivered, as a person decided.
        Discarded => "discarded",
    }
}

labels! {
    /// Why a delivery was given up.
    DeadReason {
        /// The other side refused it for good.
        Rejected => "rejected",
        /// Every attempt of the schedule failed.
        Exhausted => "exhausted",
        /// It brought the program down, or could not be read.
        Poisoned => "poisoned",
    }
}

labels! {
    /// A service that this one depends on.
    Dependency {
        /// The match list.
        ApiClient => "api_client",
        /// The avatar service.
        AvatarService => "avatar_service",
        /// Where files go.
        StorageService => "storage_service",
        /// Redis.
        Redis => "redis",
        /// The calendar service.
        Calendar => "calendar",
        /// The receivers of webhooks.
        Webhook => "webhook",
        /// Discord.
        Discord => "discord",
        /// The mail server.
        Mail => "mail",
        /// The servers of ntfy.
        Ntfy => "ntfy",
    }
}

impl Dependency {
    /// Those whose series exist in every daemon.
    pub const ALWAYS: &'static [Self] =
        &[Self::ApiClient, Self::AvatarService, Self::StorageService];
}

labels! {
    /// How a call to a neighbour ended: `success`, or the kind of the error.
    CallResult {
        /// A usable answer.
        Success => "success",
        /// See [`ErrorKind`].
        Connect => "connect",
        /// See [`ErrorKind`].
        Timeout => "timeout",
        /// See [`ErrorKind`].
        Reset => "reset",
        /// See [`ErrorKind`].
        Redirect => "redirect",
        /// See [`ErrorKind`].
        Unauthorized => "unauthorized",
        /// See [`ErrorKind`].
        RateLimited => "rate_limited",
        /// 4xx other than the above.
        Status4xx => "status_4xx",
        /// See [`ErrorKind`].
        Status5xx => "status_5xx",
        /// See [`ErrorKind`].
        TooLarge => "too_large",
        /// See [`ErrorKind`].
        Invalid => "invalid_response",
        /// See [`ErrorKind`]; for good, or for want of a receiver, too.
        Refused => "refused",
        /// Anything else.
        Other => "other",
    }
}

impl ErrorKind {
    /// Those whose series exist from the start; the others come with the first of their kind. No alert
    /// reads them, and a scrape has its budget.
    pub const COMMON: &'static [Self] = &[
        Self::Connect,
        Self::Timeout,
        Self::Reset,
        Self::Unauthorized,
        Self::Status5xx,
        Self::Invalid,
        Self::Store,
        Self::Internal,
    ];
}

impl CallResult {
    /// Those whose series exist from the start, as with [`ErrorKind::COMMON`].
    pub const COMMON: &'static [Self] = &[
        Self::Success,
        Self::Connect,
        Self::Timeout,
        Self::Status4xx,
        Self::Status5xx,
    ];
}

impl From<ErrorKind> for CallResult {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Connect => Self::Connect,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Reset => Self::Reset,
            ErrorKind::Redirect => Self::Redirect,
            ErrorKind::Unauthorized => Self::Unauthorized,
            ErrorKind::RateLimited => Self::RateLimited,
            ErrorKind::Gone | ErrorKind::Status4xx => Self::Status4xx,
            ErrorKind::Status5xx => Self::Status5xx,
            ErrorKind::TooLarge => Self::TooLarge,
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::Refused | ErrorKind::Rejected | ErrorKind::NoReceiver => Self::Refused,
            ErrorKind::Store | ErrorKind::File | ErrorKind::Template | ErrorKind::Internal => {
                Self::Other
            }
        }
    }
}

labels! {
    /// What the store was doing when it failed.
    StoreError {
        /// Reading.
        Read => "read",
        /// Writing.
        Write => "write",
        /// Committing.
        Commit => "commit",
        /// Rewriting the exported list.
        Export => "export",
        /// Finding an exported list that somebody else changed.
        ForeignExport => "foreign_export",
    }
}

labels! {
    /// How the run before this one ended.
    Previous {
        /// In order.
        Clean => "clean",
        /// By a crash, a kill or a power cut.
        Unclean => "unclean",
    }
}

labels! {
    /// A log level.
    Level {
        /// Something failed and a person should look.
        Error => "error",
        /// Something is odd.
        Warn => "warn",
        /// The course of things.
        Info => "info",
        /// Details.
        Debug => "debug",
        /// Every step.
        Trace => "trace",
    }
}
