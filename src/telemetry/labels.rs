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

/// Which values of two labels come together: a series with any others would be shown for nothing.
pub trait Beside<B: Label>: Label {
    /// Whether anything can be counted under both.
    #[must_use]
    fn occurs_with(self, _other: B) -> bool {
        true
    }
}

impl Beside<AssetResult> for AssetKind {}

impl Beside<Priority> for Category {
    /// Nobody needs to know of a match that has been played.
    fn occurs_with(self, priority: Priority) -> bool {
        self != Self::AgedOut || priority == Priority::Low
    }
}

impl Beside<DeliveryResult> for Destination {}
impl Beside<AttemptResult> for Destination {}
impl Beside<DeadReason> for Destination {}

impl Beside<DeliveryState> for Destination {
    /// What has come to its end is counted by how; how many rows of it are kept says nothing.
    fn occurs_with(self, state: DeliveryState) -> bool {
        use DeliveryState as S;
        matches!(state, S::Pending | S::Running | S::Dead)
    }
}

impl Beside<TriggerResult> for TriggerSource {
    /// Only a request can be refused for what it is; the others can but find no room. Nobody can ask a
    /// program that runs once.
    fn occurs_with(self, result: TriggerResult) -> bool {
        let of_all = [
            TriggerResult::Accepted,
            TriggerResult::Coalesced,
            TriggerResult::RejectedFull,
            TriggerResult::RejectedStore,
        ];
        match self {
            Self::Webhook => true,
            Self::Schedule | Self::Confirm | Self::Operator => of_all.contains(&result),
            Self::Startup => false,
        }
    }
}

impl Beside<ErrorKind> for Stage {
    /// The list is fetched over HTTP or read from a file; after that there is but the store.
    fn occurs_with(self, kind: ErrorKind) -> bool {
        use ErrorKind as K;
        match self {
            Self::Fetch => !matches!(
                kind,
                K::Refused | K::Rejected | K::NoReceiver | K::Store | K::Template
            ),
            Self::Compare => matches!(kind, K::Invalid | K::Store | K::Internal),
            Self::Plan | Self::Commit => kind == K::Store,
        }
    }
}

impl Beside<CallResult> for Dependency {
    /// Redis and mail servers have no status codes, and only they can refuse without one.
    fn occurs_with(self, result: CallResult) -> bool {
        use CallResult as R;
        match self {
            Self::Redis | Self::Mail => !matches!(
                result,
                R::Redirect | R::RateLimited | R::Status4xx | R::Status5xx | R::TooLarge
            ),
            _ => result != R::Refused,
        }
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
    Timed => "route",
    Closed => "reason",
    TriggerResult => "result",
    Outcome => "outcome",
    Stage => "stage",
    ErrorKind => "error_type",
    Anomaly => "kind",
    AssetKind => "kind",
    AssetResult => "result",
    AttemptResult => "result",
    DeliveryResult => "result",
    DeadReason => "reason",
    Dependency => "dependency" from Dependency::ALWAYS,
    CallResult => "result",
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
    Class => "class" from &[Class::Files],
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

impl Method {
    /// HEAD is GET without the body.
    #[must_use]
    pub const fn read_as(self) -> Self {
        match self {
            Self::Head => Self::Get,
            other => other,
        }
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

impl Route {
    /// Whether it is posted to; else it is read.
    #[must_use]
    pub const fn is_posted(self) -> bool {
        matches!(
            self,
            Self::Process
                | Self::DeliveryRetry
                | Self::DeliveryDiscard
                | Self::Pause
                | Self::Resume
                | Self::SnapshotAccept
                | Self::Republish
        )
    }

    /// What its answers are timed under; none where there is nothing to wait for.
    #[must_use]
    pub const fn timed(self) -> Option<Timed> {
        Some(match self {
            Self::Process => Timed::Process,
            Self::Trigger => Timed::Trigger,
            Self::Health
            | Self::HealthSimple
            | Self::HealthDependencies
            | Self::HealthDetailed
            | Self::Livez
            | Self::Readyz => Timed::Health,
            Self::Metrics | Self::MetricsProm => Timed::Metrics,
            Self::Root | Self::Status | Self::StatusDetailed | Self::OpenApi => Timed::Status,
            Self::Changes
            | Self::Deliveries
            | Self::DeliveryRetry
            | Self::DeliveryDiscard
            | Self::Pause
            | Self::Resume
            | Self::SnapshotAccept
            | Self::Republish => Timed::Admin,
            Self::Unmatched => return None,
        })
    }

    /// The status codes that it answers with.
    #[must_use]
    pub const fn codes(self) -> &'static [u16] {
        match self {
            Self::Process => &[200, 400, 401, 403, 408, 409, 413, 429, 503],
            Self::Trigger => &[200, 404, 503],
            Self::Changes | Self::Deliveries => &[200, 400, 401, 403, 503],
            Self::DeliveryRetry | Self::DeliveryDiscard => &[200, 401, 403, 404, 409, 503],
            Self::SnapshotAccept => &[200, 401, 403, 409, 503],
            Self::Republish => &[200, 400, 401, 403, 409, 503],
            Self::Pause | Self::Resume => &[200, 401, 403, 503],
            // Of both listeners.
            Self::OpenApi => &[200, 401, 403],
            Self::Root | Self::HealthSimple | Self::Livez => &[200],
            Self::Unmatched => &[400, 404],
            Self::Health
            | Self::HealthDependencies
            | Self::HealthDetailed
            | Self::Status
            | Self::StatusDetailed
            | Self::Metrics
            | Self::MetricsProm
            | Self::Readyz => &[200, 503],
        }
    }
}

labels! {
    /// Routes whose answers are timed together, as a histogram has more series than a scrape has room for
    /// per route.
    Timed {
        /// `/process`
        Process => "/process",
        /// `/triggers/{id}`
        Trigger => "/triggers/{id}",
        /// What tells how the daemon is, probes too.
        Health => "health",
        /// Both forms of the metrics.
        Metrics => "metrics",
        /// What tells what the daemon does, and its descriptions.
        Status => "status",
        /// All of the administration listener.
        Admin => "admin",
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
            400 => "400",
            401 => "401",
            403 => "403",
            404 => "404",
            405 => "405",
            408 => "408",
            409 => "409",
            413 => "413",
            429 => "429",
            503 => "503",
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
    /// Destinations whose attempts are timed together.
    Class {
        /// Files for matches.
        Files => "files",
        /// Services that are told what changed.
        Services => "services",
        /// People who are told what changed.
        People => "people",
    }
}

impl From<Destination> for Class {
    fn from(destination: Destination) -> Self {
        match destination {
            Destination::Assets | Destination::Avatars => Self::Files,
            Destination::Redis | Destination::Calendar => Self::Services,
            Destination::Webhook | Destination::Discord | Destination::Mail | Destination::Ntfy => {
                Self::People
            }
        }
    }
}

labels! {
    /// Why a delivery was given up.
    DeadReason {
        /// The other side refused it for good.
        Rejected => "rejected",
        /// Every attempt of the schedule failed.
        Exhausted => "exhausted",
        /// Its last attempt ended with the program or met a defect, or it could not be read.
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
        /// See [`ErrorKind`]; for good, or for want of a receiver, too. Only of Redis and mail servers.
        Refused => "refused",
        /// Anything else.
        Other => "other",
    }
}

impl CallResult {
    /// How a call to a neighbour ended; none is success.
    #[must_use]
    pub fn of(dependency: Dependency, error: Option<ErrorKind>) -> Self {
        let result = error.map_or(Self::Success, Self::from);
        match dependency.occurs_with(result) {
            true => result,
            false => Self::Other,
        }
    }
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
