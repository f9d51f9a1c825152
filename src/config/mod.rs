//! The settings: environment, then `.env`, then the TOML file, then defaults; every mistake is found
//! before the first one is reported.

mod access;
mod admin;
mod assets;
mod auth;
mod aws;
mod cycle;
mod dot_env;
mod filter;
mod http;
mod live;
mod log;
mod mistake;
mod mode;
mod notifications;
mod otel;
mod otlp;
mod pace;
mod pairs;
mod reader;
mod schedule;
mod secret;
mod services;
mod source;
mod store;
mod templates;
mod tls;
mod typo;
mod upstream;

#[cfg(test)]
mod listen_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

pub use access::{AccessConfig, Networks, Rate};
pub use admin::AdminConfig;
pub use assets::{AssetStore, AssetsConfig, AvatarSource};
pub use aws::MISSING as NO_BUCKET_CREDENTIALS;
pub use cycle::CycleConfig;
pub use http::HttpConfig;
pub use live::Live;
pub use log::{LogConfig, LogFormat};
pub use mistake::{ConfigErrors, Mistake};
pub use mode::{ModeConfig, ProcessorMode, RunMode};
pub use notifications::{ChannelConfig, NotificationsConfig, Security, SmtpConfig, Way};
pub use otel::{OtelConfig, SERVICE_NAME as OTEL_SERVICE_NAME};
pub use otlp::{OtlpExporter, OtlpProtocol};
pub use pace::PaceConfig;
pub use pairs::all_decoded;
pub use reader::Setting;
pub use schedule::ScheduleConfig;
pub use secret::{Secret, redacted};
pub use services::{RedisConfig, RedisDelivery, ServicesConfig};
pub use source::{Origin, Source};
pub use store::StoreConfig;
pub use upstream::{UpstreamConfig, UpstreamUrl};

use crate::auth::{Auth, Scheme};
use crate::domain::notify::Template;
use crate::filter::Filters;
use crate::socket::Address;
use reader::{Form, Reader};

/// Every setting, validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the program runs.
    pub mode: ModeConfig,
    /// The public listener.
    pub http: HttpConfig,
    /// From where, and how often, may be triggered.
    pub access: AccessConfig,
    /// Who may trigger.
    pub auth: Auth,
    /// Which requests trigger.
    pub filters: Filters,
    /// The administration listener.
    pub admin: AdminConfig,
    /// The data folder.
    pub store: StoreConfig,
    /// The match list.
    pub upstream: UpstreamConfig,
    /// The files for matches.
    pub assets: AssetsConfig,
    /// Comparison and held lists.
    pub cycle: CycleConfig,
    /// How fast cycles follow triggers and one another.
    pub pace: PaceConfig,
    /// Cycles by the calendar.
    pub schedule: ScheduleConfig,
    /// Log lines.
    pub log: LogConfig,
    /// Traces.
    pub otel: OtelConfig,
    /// Services that are told of changes.
    pub services: ServicesConfig,
    /// Who is told of changes.
    pub notifications: NotificationsConfig,
    /// What is in the templates of `MESSAGE_TEMPLATES`; they compile.
    pub message_templates: BTreeMap<Template, String>,
    /// For a shutdown as a whole.
    pub shutdown_deadline: Duration,
    /// Between two probes of a neighbour that is well.
    pub probe_interval: Duration,
    /// For how long something has to be wrong before people are told.
    pub alert_after: Duration,
    /// What is odd; names nobody, see [`public_warnings`](Self::public_warnings).
    pub warnings: Vec<String>,
    /// What is odd about who is told and how: it names stakeholders, whose ids may be people's names, and is
    /// for whoever has the settings.
    pub private_warnings: Vec<String>,
    settings: Vec<Setting>,
    files: Vec<PathBuf>,
}

const PORT_OF_ITS_OWN: Form = Form {
    expected: "a port of its own",
    example: "127.0.0.1:9100",
};
const PATH_OF_ITS_OWN: Form = Form {
    expected: "a path of its own",
    example: "unix:/run/match-list-processor/metrics.sock",
};

/// Settings that take effect while the program runs. Not `WEBHOOK_AUTH`, nor the
/// networks: a file that is cut off or gone for a moment must not open the door.
const LIVE: &[&str] = &[
    "DEBOUNCE_MAX_SECONDS",
    "DEBOUNCE_SECONDS",
    "MIN_CYCLE_INTERVAL_SECONDS",
    "QUIET_HOURS",
    "RATE_LIMIT_PER_CLIENT",
    "RATE_LIMIT_TOTAL",
    "SCHEDULE",
    "SCHEDULE_TZ",
    "FILTERS",
    "FILTERS_FILE",
    "TLS_CERT_FILE",
    "TLS_KEY_FILE",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_FILE",
    "WEBHOOK_SECRETS",
    "WEBHOOK_SECRETS_FILE",
    "WEBHOOK_TOLERANCE_SECONDS",
];

/// How the public listener is asked.
#[derive(Debug)]
pub struct Door {
    /// Where it is.
    pub listen: Address,
    /// Whether it speaks TLS, be the certificate as it may.
    pub is_secured: bool,
    /// Who comes through proxies, among others.
    pub access: AccessConfig,
}

impl Config {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn from_env() -> Result<Self, ConfigErrors> {
        Self::load(&Source::from_process())
    }

    /// How the public listener of this process is asked, whatever mistakes the settings have: a daemon
    /// that runs may have left them aside.
    #[must_use]
    pub fn door_from_env() -> Door {
        let source = Source::from_process();
        let mut from = Reader::new(&source);
        Door {
            listen: HttpConfig::read(&mut from).listen,
            is_secured: from.raw("TLS_CERT_FILE").is_some(),
            access: AccessConfig::read(&mut from),
        }
    }

    /// Reads the settings from `source`.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn load(source: &Source) -> Result<Self, ConfigErrors> {
        let mut from = Reader::new(source);
        let seconds = Form {
            expected: "seconds, from 1 to 3600",
            example: "30",
        };
        let patience = Form {
            expected: "seconds, from 0 to 86400",
            example: "300",
        };
        let mode = ModeConfig::read(&mut from);
        let mut config = Self {
            http: HttpConfig::read(&mut from),
            access: AccessConfig::read(&mut from),
            auth: auth::read(&mut from),
            filters: filter::read(&mut from),
            admin: AdminConfig::read(&mut from),
            store: StoreConfig::read(&mut from),
            upstream: UpstreamConfig::read(&mut from),
            assets: AssetsConfig::read(&mut from),
            cycle: CycleConfig::read(&mut from),
            pace: PaceConfig::read(&mut from, &mode),
            schedule: ScheduleConfig::read(&mut from, &mode),
            log: LogConfig::read(&mut from),
            otel: OtelConfig::read(&mut from),
            services: ServicesConfig::read(&mut from),
            notifications: NotificationsConfig::read(&mut from),
            message_templates: templates::read(&mut from),
            shutdown_deadline: from.seconds("SHUTDOWN_DEADLINE_SECONDS", 30, 1..=3600, seconds),
            probe_interval: from.seconds("PROBE_INTERVAL_SECONDS", 15, 1..=3600, seconds),
            alert_after: from.seconds("ALERT_AFTER_SECONDS", 300, 0..=86_400, patience),
            mode,
            warnings: Vec::new(),
            private_warnings: Vec::new(),
            settings: Vec::new(),
            files: Vec::new(),
        };
        config.check_addresses(&mut from);
        from.finish();
        if !from.mistakes.is_empty() {
            return Err(ConfigErrors(from.mistakes));
        }
        if config.is_open() {
            from.warnings.push(format!(
                "WEBHOOK_AUTH is none and {} is no loopback address: everybody who reaches it can \
                 trigger",
                config.http.listen
            ));
        }
        config.warnings = from.warnings;
        config.private_warnings = from.private_warnings;
        config.settings = from.settings;
        config.files = source.files();
        config.files.extend(from.files);
        Ok(config)
    }

    /// What is odd, for the log and for everybody: of what names people only how much there is, and where
    /// it is told.
    #[must_use]
    pub fn public_warnings(&self) -> Vec<String> {
        let hint = match self.private_warnings.len() {
            0 => return self.warnings.clone(),
            1 => {
                "one thing about stakeholders or channels is odd: check-config tells it".to_owned()
            }
            count => format!(
                "{count} things about stakeholders or channels are odd: check-config tells them"
            ),
        };
        [&self.warnings[..], &[hint]].concat()
    }

    fn check_addresses(&self, from: &mut Reader<'_>) {
        let public = match self.http.listen_settings {
            "LISTEN" => "LISTEN",
            _ => "PORT",
        };
        let mut taken = vec![(public, &self.http.listen)];
        let others = [
            ("ADMIN_LISTEN", &self.admin.listen),
            ("METRICS_LISTEN", &self.http.metrics_listen),
        ];
        for (name, address) in others {
            let Some(address) = address else { continue };
            let clash = taken.iter().find(|(_, other)| address.overlaps(other));
            if let Some((other, _)) = clash {
                let (what, form) = match address {
                    Address::Tcp(_) => ("port", PORT_OF_ITS_OWN),
                    Address::Unix(_) => ("path", PATH_OF_ITS_OWN),
                };
                from.mistake(name, &format!("has the same {what} as {other}"), form);
            }
            taken.push((name, address));
        }
    }

    /// Whether everybody who reaches the public listener over a network may trigger.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.auth.scheme == Scheme::None && !self.mode.is_oneshot() && !self.http.listen.is_local()
    }

    /// The names of the settings that are not the same in `other`.
    #[must_use]
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let by_name = |config: &Self| -> BTreeMap<String, blake3::Hash> {
            let settings = config.settings.iter();
            settings.map(|s| (s.name.clone(), s.digest)).collect()
        };
        let (ours, theirs) = (by_name(self), by_name(other));
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let differ = |name: &&String| ours.get(*name) != theirs.get(*name);
        names.into_iter().filter(differ).cloned().collect()
    }

    /// The same of those that need a restart.
    #[must_use]
    pub fn fixed_changes(&self, other: &Self) -> Vec<String> {
        // A file that is cut off or gone for a moment must not have the daemon speak plain text.
        let secured = self.http.tls.is_some() == other.http.tls.is_some();
        // Nor let everything through.
        let opened = other.filters.open_what_was_closed(&self.filters);
        // Nor take away limits.
        let is_default = |config: &Self, name: &str| {
            let setting = config.settings.iter().find(|one| one.name == name);
            setting.is_some_and(|one| one.origin == Origin::Default)
        };
        let is_gone = |name: &str| !is_default(self, name) && is_default(other, name);
        let is_fixed = |name: &String| {
            !Self::is_live(name)
                || (!secured && name.starts_with("TLS_"))
                || (opened && name.starts_with("FILTERS"))
                || (name.starts_with("RATE_LIMIT_") && is_gone(name))
        };
        let changes = self.changes(other).into_iter();
        changes.filter(is_fixed).collect()
    }

    /// Whether a setting may change while the program runs.
    #[must_use]
    pub fn is_live(name: &str) -> bool {
        LIVE.contains(&name)
    }

    /// The files that were read for them.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Every setting as it takes effect, without secrets.
    #[must_use]
    pub fn effective(&self) -> Vec<Setting> {
        self.settings.clone()
    }

    /// The same as a table for people.
    #[must_use]
    pub fn effective_table(&self) -> String {
        use std::fmt::Write;
        let width = |f: fn(&Setting) -> usize| self.settings.iter().map(f).max().unwrap_or(0);
        let (names, values) = (
            width(|s| s.name.len()),
            width(|s| s.value.chars().count()).min(60),
        );
        let mut table = String::new();
        for setting in &self.settings {
            let Setting {
                name,
                value,
                origin,
                ..
            } = setting;
            let _ = writeln!(table, "{name:names$}  {value:values$}  {}", origin.label());
        }
        table
    }
}
