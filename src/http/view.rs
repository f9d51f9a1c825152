//! The bodies of answers, as types, so that the document about them is made from the same source.
//!
//! Names and types of the fields are the contract with clients. Times are Unix seconds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Scheme;
use crate::config::ProcessorMode;
use crate::cycle::Planned;
use crate::domain::delivery::DeliveryState;
use crate::health::{DependencyStatus, Level};
use crate::store::CycleRecord;

/// Who is there.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Root {
    /// `match-list-processor`.
    pub service_name: &'static str,
    /// Of the program.
    pub version: &'static str,
    pub mode: ProcessorMode,
    /// `running` or `stopping`.
    pub status: &'static str,
    /// Whether a cycle runs.
    pub processing: bool,
    /// Cycles completed, failed ones too.
    pub processing_count: u64,
    /// When the last cycle ended.
    pub last_processing_time: Option<f64>,
    /// Whether an operator has paused cycles and deliveries.
    pub paused: bool,
}

/// A request that a filter ignores.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ignored<'a> {
    /// `ignored`.
    pub status: &'static str,
    pub message: &'static str,
    /// The rule that decided, or `default`.
    pub rule: &'a str,
    /// Cycles completed, failed ones too.
    pub processing_count: u64,
}

/// A probe's answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Probe {
    /// A word such as `healthy`.
    pub status: &'static str,
}

/// The service as a whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// `match-list-processor`.
    pub service_name: &'static str,
    pub status: Level,
    pub mode: ProcessorMode,
    /// Whether a cycle runs.
    pub processing: bool,
    /// Cycles completed, failed ones too.
    pub processing_count: u64,
    /// When the last cycle ended.
    pub last_processing_time: Option<f64>,
    /// Each neighbour as last probed: `healthy`, `unhealthy`, `unknown`, …
    pub dependencies: BTreeMap<&'static str, &'static str>,
    /// Whether an operator has paused cycles and deliveries.
    pub paused: bool,
    /// Why a list is held, if one is.
    pub held: Option<String>,
    /// How a sender shows that it may trigger.
    pub authentication: Scheme,
    /// What is odd in the settings.
    pub warnings: Vec<String>,
    /// Now.
    pub timestamp: f64,
}

/// Each neighbour, as it was when it was last asked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Dependencies {
    pub dependencies: BTreeMap<&'static str, DependencyStatus>,
}

/// Everything that is known without asking anybody.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DetailedHealth {
    /// `match-list-processor`.
    pub service_name: &'static str,
    /// Of the program.
    pub version: &'static str,
    pub status: Level,
    pub mode: ProcessorMode,
    /// Whether a cycle runs.
    pub processing: bool,
    /// Cycles completed, failed ones too.
    pub processing_count: u64,
    /// When the last cycle ended.
    pub last_processing_time: Option<f64>,
    /// When a cycle last succeeded.
    pub last_success_time: Option<f64>,
    pub dependencies: BTreeMap<&'static str, DependencyStatus>,
    pub store: StoreHealth,
    pub queue: Queue,
    /// Until when no cycle begins, whatever comes; null if one may begin now.
    pub next_cycle_not_before: Option<f64>,
    /// The cycles that the calendar asks for; null if it asks for none.
    pub schedule: Option<Planned>,
    /// Entries of the outbox in each state; null while the store cannot be read.
    pub deliveries: Option<BTreeMap<DeliveryState, usize>>,
    /// Why a list is held, if one is.
    pub held: Option<String>,
    /// Whether an operator has paused cycles and deliveries.
    pub paused: bool,
    pub authentication: Authentication,
    /// What is odd in the settings.
    pub warnings: Vec<String>,
    /// Now.
    pub timestamp: f64,
}

/// How the store is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StoreHealth {
    /// Whether the last write went through.
    pub writable: bool,
}

/// The triggers that wait.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Queue {
    /// How many.
    pub waiting: usize,
    /// How many may.
    pub capacity: usize,
    /// When the oldest of them was accepted.
    pub oldest: Option<f64>,
}

/// Who may trigger.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Authentication {
    pub scheme: Scheme,
    pub secrets: Vec<SecretState>,
}

/// A secret, without its value.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecretState {
    /// What people call it.
    pub label: String,
    /// Whether it counts now.
    pub valid: bool,
    /// From when on.
    pub not_before: Option<f64>,
    /// Until when.
    pub not_after: Option<f64>,
}

/// The last cycles.
#[expect(clippy::struct_field_names, reason = "clients know it by this name")]
#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    /// Cycles completed, failed ones too.
    pub processing_count: u64,
    /// When the last cycle ended.
    pub last_processing_time: Option<f64>,
    /// Whether the last cycle found changes.
    pub last_changes_detected: bool,
    /// Oldest first.
    pub processing_history: Vec<CycleRecord>,
    /// `ready` or `stopping`.
    pub service_status: &'static str,
    pub currently_processing: bool,
    /// Why a list is held, if one is.
    pub held: Option<String>,
    /// Whether an operator has paused cycles and deliveries.
    pub paused: bool,
}

/// The whole history that is kept, and the settings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DetailedStatus {
    #[serde(flatten)]
    pub status: Status,
    /// Settings by their names in lower case, without secrets.
    pub configuration: BTreeMap<String, String>,
}

/// A trigger that is stored.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Triggered<'a> {
    /// `success`.
    pub status: &'static str,
    /// For people.
    pub message: &'static str,
    /// The number of the cycle that serves it.
    pub processing_count: u64,
    /// Whether another cycle runs before that.
    pub queued: bool,
    /// For `/triggers/{id}`.
    pub trigger_id: &'a str,
}

/// A trigger whose cycle has ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Waited<'a> {
    /// For people.
    pub message: &'static str,
    /// The number of the cycle that served it.
    pub processing_count: u64,
    /// Whether another cycle ran before that.
    pub queued: bool,
    /// For `/triggers/{id}`.
    pub trigger_id: &'a str,
    #[serde(flatten)]
    pub record: CycleRecord,
}

/// Nothing was accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Busy {
    /// `busy`.
    pub status: &'static str,
    /// For people.
    pub message: String,
    /// Cycles completed, failed ones too.
    pub processing_count: u64,
}

/// How far a trigger has come.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TriggerView<'a> {
    pub trigger_id: &'a str,
    pub status: crate::store::TriggerState,
    /// When it was stored.
    pub accepted: f64,
    /// The cycle that served it.
    pub processing_id: Option<String>,
}

/// Changes, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changes {
    pub changes: Vec<crate::store::ChangeRow>,
    /// The `before` of the next page; null where there is none.
    pub next: Option<i64>,
}

/// The outbox, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeliveryPage {
    pub deliveries: Vec<crate::store::DeliveryRow>,
    /// The `before` of the next page; null where there is none.
    pub next: Option<i64>,
}

/// A delivery that is no longer dead.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Retried {
    /// `success`.
    pub status: &'static str,
    pub id: i64,
    /// `pending`; `superseded` if another delivery tells what it would have told, where that is still news.
    pub state: DeliveryState,
}

/// A delivery that will not be made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Discarded {
    /// `success`.
    pub status: &'static str,
    pub id: i64,
    pub state: DeliveryState,
}

/// Whether cycles and deliveries rest.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Paused {
    /// `success`.
    pub status: &'static str,
    pub paused: bool,
}

/// What services are told again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Republished {
    /// `success`.
    pub status: &'static str,
    /// Which services, as `/deliveries` calls them.
    pub destinations: Vec<String>,
    /// How many changes; none if they are told the whole list.
    pub changes: Option<usize>,
}

/// A held list that will be taken.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AcceptedList {
    /// `success`.
    pub status: &'static str,
    /// The trigger that has it looked at again.
    pub trigger_id: String,
}
