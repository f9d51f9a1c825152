//! The mail server and the other channels.

use std::fmt;

use url::{Host, Url};

use super::super::secret::Secret;
use super::fields::Fields;
use super::files::Files;
use super::values::{DISCORD_WEBHOOK, choice, http_url, is_mailbox, may_be_discord_webhook};
use crate::auth::{Key, Scheme, Validity};
use crate::client::{Barred, Reach};
use crate::domain::notify::Language;
use crate::domain::routing::{Channel, ChannelKind, MAIL};

/// The server of ntfy that its makers run.
const NTFY: &str = "https://ntfy.sh";
/// What a `[[channel]]` can be.
const KINDS: [ChannelKind; 3] = [
    ChannelKind::Discord,
    ChannelKind::Webhook,
    ChannelKind::Ntfy,
];
/// How a certificate in PEM begins.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const URL: (&str, &str) = ("url", "url_file");
const SECRET: (&str, &str) = ("secret", "secret_file");
const PASSWORD: (&str, &str) = ("password", "password_file");

crate::labels! {
    /// How a connection to a mail server is protected.
    Security {
        /// By TLS, once it is asked for.
        Starttls => "starttls",
        /// By TLS from the start.
        Tls => "tls",
        /// Not at all.
        None => "none",
    }
}

/// The mail server. Its `Debug` form shows neither addresses nor credentials.
#[derive(Clone)]
pub struct SmtpConfig {
    /// Its name or address.
    pub host: String,
    /// Its port: 587, 465 with `tls`, 25 with `none`.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Certificates in PEM of whoever issued the server's; none for those that the system trusts.
    pub authorities: Option<Vec<u8>>,
    /// User and password; none where it asks for none.
    pub login: Option<(Secret, Secret)>,
    /// The sender: an address, or `Name <address>`.
    pub from: String,
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// A channel that is no mail server.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// Its name.
    pub name: String,
    /// Where it leads.
    pub way: Way,
}

/// Where a channel leads. The `Debug` form shows the kind only: who knows the URL may write there.
#[derive(Clone)]
pub enum Way {
    /// A webhook of Discord.
    Discord {
        /// Its URL.
        url: Url,
    },
    /// Another program.
    Webhook {
        /// Its URL.
        url: Url,
        /// With which calls are signed, all at once; empty if they are not.
        keys: Vec<Key>,
        /// Whether the URL may lead to an address that is not public.
        allow_private: bool,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The server.
        url: Url,
        /// The topic; who knows its name may read it.
        topic: Secret,
        /// An access token.
        token: Option<Secret>,
    },
}

impl Way {
    /// What kind of channel it is.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Discord { .. } => ChannelKind::Discord,
            Self::Webhook { .. } => ChannelKind::Webhook,
            Self::Ntfy { .. } => ChannelKind::Ntfy,
        }
    }

    /// Whether it leads to the same receiver, with whatever credentials.
    pub(super) fn leads_where(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Discord { url }, Self::Discord { url: others })
            | (Self::Webhook { url, .. }, Self::Webhook { url: others, .. }) => url == others,
            (
                Self::Ntfy { url, topic, .. },
                Self::Ntfy {
                    url: others,
                    topic: same,
                    ..
                },
            ) => (url, topic) == (others, same),
            _ => false,
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(***)", self.kind())
    }
}

/// Reads `[smtp]`; none after a mistake.
pub(super) fn smtp(fields: &mut Fields<'_>, files: &mut Files) -> Option<SmtpConfig> {
    fields.rename("smtp".to_owned());
    let is_host = |text: &str| Host::parse(text).ok().map(|_| text.to_owned());
    fields.require("host");
    let host = fields.parsed("host", "the name or the address of a mail server", is_host);
    let security = fields.label("security", Security::ALL, Security::from_label);
    let security = security.unwrap_or(Security::Starttls);
    let port = fields.port("port").unwrap_or(match security {
        Security::Starttls => 587,
        Security::Tls => 465,
        Security::None => 25,
    });
    let is_near = host.as_deref().is_some_and(is_this_machine);
    let login = login(fields, files, security == Security::None && !is_near);
    let authorities = authorities(fields, files);
    fields.require("from");
    let mailbox = |text: &str| is_mailbox(text).then(|| text.to_owned());
    let from = fields.parsed("from", "an address, or \"Name <address>\"", mailbox);
    Some(SmtpConfig {
        host: host?,
        port,
        security,
        authorities,
        login,
        from: from?,
    })
}

fn authorities(fields: &mut Fields<'_>, files: &mut Files) -> Option<Vec<u8>> {
    let path = fields.text("ca_file")?;
    let read = files
        .read(&path)
        .and_then(|text| match text.contains(CERTIFICATE) {
            true => Ok(text.into_bytes()),
            false => Err(format!("{path} holds no certificate in PEM")),
        });
    read.map_err(|problem| fields.problem(&format!("ca_file: {problem}")))
        .ok()
}

fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn login(
    fields: &mut Fields<'_>,
    files: &mut Files,
    in_plain_text: bool,
) -> Option<(Secret, Secret)> {
    let user = fields.text("user");
    if user.is_some() {
        fields.require_secret(PASSWORD);
    }
    let password = fields.secret(PASSWORD, files);
    match (user, password) {
        (Some(_), Some(_)) if in_plain_text => {
            let problem = "security is none, and the password would go over the network in plain \
                           text; it must be starttls or tls";
            fields.problem(problem);
            None
        }
        (Some(user), Some(password)) => Some((Secret::new(user), password)),
        (_, None) => None,
        (None, Some(_)) => {
            fields.problem("has a password and no user");
            None
        }
    }
}

/// Reads a `[[channel]]`: how it is called, and where it leads unless there was a mistake.
pub(super) fn channel(
    fields: &mut Fields<'_>,
    default: Language,
    files: &mut Files,
) -> (Option<Channel>, Option<ChannelConfig>) {
    let name = fields.name("channel", "name");
    if name.as_deref() == Some(MAIL) {
        fields.problem("this is what the mail server of [smtp] is called; take another name");
    }
    let language = fields.label("language", Language::ALL, Language::from_label);
    let kind = |text: &str| ChannelKind::from_label(text).filter(|kind| KINDS.contains(kind));
    let expected = format!("{}; mail is what [smtp] is for", choice(&KINDS));
    fields.require("kind");
    let kind = fields.parsed("kind", &expected, kind);
    let way = match kind {
        Some(ChannelKind::Discord) => discord(fields, files),
        Some(ChannelKind::Webhook) => webhook(fields, files),
        Some(ChannelKind::Ntfy) => ntfy(fields, files),
        Some(ChannelKind::Mail) | None => {
            // Which keys it may have is not known.
            fields.leave();
            None
        }
    };
    let channel = name.map(|name| Channel {
        name,
        kind: kind.unwrap_or(ChannelKind::Webhook),
        language: language.unwrap_or(default),
    });
    let config = channel.clone().zip(way);
    (
        channel,
        config.map(|(channel, way)| ChannelConfig {
            name: channel.name,
            way,
        }),
    )
}

fn discord(fields: &mut Fields<'_>, files: &mut Files) -> Option<Way> {
    let url = url(fields, files)?;
    if !may_be_discord_webhook(&url) {
        let problem =
            format!("url is a link of Discord's and no webhook; it must be {DISCORD_WEBHOOK}");
        fields.problem(&problem);
        return None;
    }
    Some(Way::Discord { url })
}

fn webhook(fields: &mut Fields<'_>, files: &mut Files) -> Option<Way> {
    let url = url(fields, files);
    let mut keys = Vec::new();
    for (n, secret) in fields.secrets(SECRET, files).iter().enumerate() {
        let label = format!("secret {}", n + 1);
        let (scheme, always) = (Scheme::StandardWebhooks, Validity::default());
        match Key::new(scheme, &label, secret.expose(), always) {
            Ok(key) => keys.push(key),
            Err(error) => {
                let expected = "it must be whsec_ and 24 to 64 bytes in Base64";
                fields.problem(&format!("{label} {error}; {expected}"));
            }
        }
    }
    let allow_private = fields.boolean("allow_private", false);
    if !allow_private && url.as_ref().is_some_and(is_out_of_reach) {
        let problem = "url is an address that is none of the public internet, which is never called; \
                       if it is meant, set allow_private = true";
        fields.problem(problem);
        return None;
    }
    Some(Way::Webhook {
        url: url?,
        keys,
        allow_private,
    })
}

/// Whether no call to this URL is ever made, without a look at what its name stands for.
pub(super) fn is_out_of_reach(url: &Url) -> bool {
    Reach::Public.check(url) == Err(Barred::Address)
}

fn ntfy(fields: &mut Fields<'_>, files: &mut Files) -> Option<Way> {
    let url = match fields.has("url") {
        true => fields.parsed("url", "an http or https URL", http_url),
        false => http_url(NTFY),
    };
    fields.require("topic");
    let topic = fields.text("topic");
    // Who knows the topic may read it, so that a wrong one is not shown either.
    if topic.as_deref().is_some_and(|topic| !is_topic(topic)) {
        fields.problem("topic must be 1 to 64 of a-z A-Z 0-9 _ -");
    }
    let token = fields.secret(("token", "token_file"), files);
    let is_token = |token: &Secret| token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if token.as_ref().is_some_and(|token| !is_token(token)) {
        fields.problem("token has characters that a header cannot carry");
    }
    Some(Way::Ntfy {
        url: url?,
        topic: Secret::new(topic?),
        token,
    })
}

fn is_topic(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// A URL that is a secret: who knows it may write there.
fn url(fields: &mut Fields<'_>, files: &mut Files) -> Option<Url> {
    fields.require_secret(URL);
    let secret = fields.secret(URL, files)?;
    let url = http_url(secret.expose());
    if url.is_none() {
        fields.problem("url must be an http or https URL");
    }
    url
}
