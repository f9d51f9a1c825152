//! `sign` and `verify`: the headers of a trigger, made and judged without a daemon.

use std::path::PathBuf;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::output::print;
use super::settings;
use super::trigger::read;
use crate::app::Failure;
use crate::auth::{self, Headers, Refusal, Scheme};
use crate::clock::Clock;
use crate::config::Config;

/// How `sign` is used.
pub const SIGN: &str = "\
Prints the headers with which WEBHOOK_AUTH lets a request trigger, one per
line, made with the first secret that counts now.

Examples:
  match-list-processor sign body.json
  match-list-processor sign body.json | curl -H @- \\
      --data-binary @body.json localhost:8000/process

Exit codes: 0 done; 2 the file cannot be read; 78 mistakes in the settings, or
no secret counts now.";

/// How `verify` is used.
pub const VERIFY: &str = "\
Judges a request as the daemon would, and says which secret it was, or what is
wrong.

Examples:
  match-list-processor verify body.json --header 'X-Hub-Signature-256: sha256=…'
  match-list-processor verify body.json --header 'Authorization: Bearer …' \\
      --at 1796083200

Exit codes: 0 it may trigger; 1 it may not; 2 the command line, or the file
cannot be read; 78 mistakes in the settings.";

/// What is signed.
#[derive(Debug, Args)]
pub struct SignArguments {
    /// The body; - is the standard input
    file: PathBuf,
    /// The message's name (Standard Webhooks), the same at every retry [default: a new one]
    #[arg(long, value_name = "ID", value_parser = message_id)]
    id: Option<String>,
}

/// What is judged.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The body as it was sent; - is the standard input
    file: PathBuf,
    /// A header of the request; as often as there are some
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// As if it were this time, in Unix seconds [default: now]
    #[arg(long, value_name = "SECONDS", value_parser = moment)]
    at: Option<f64>,
}

/// Prints the headers for a body.
///
/// # Errors
/// When there is no body, or no secret.
pub fn sign(arguments: &SignArguments) -> Result<(), Failure> {
    let config = settings()?;
    let body = read(&arguments.file)?;
    let headers = headers(&config, arguments.id.as_deref(), &body)?;
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"));
    print(&lines.collect::<String>())
}

/// The headers with which the settings let a body trigger.
///
/// # Errors
/// When no secret counts now.
pub fn headers(config: &Config, id: Option<&str>, body: &[u8]) -> Result<Headers, Failure> {
    let made = format!("msg_{:032x}", fastrand::u128(..));
    let now = Clock::system().unix();
    auth::sign(&config.auth, id.unwrap_or(&made), body, now).ok_or_else(|| {
        Failure::Unusable(
            "no secret of WEBHOOK_SECRETS counts now: not_before and not_after say when".to_owned(),
        )
    })
}

/// Judges a request.
///
/// # Errors
/// When it may not trigger.
pub fn verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    let config = settings()?;
    let body = read(&arguments.file)?;
    let headers: HeaderMap = {
        let mut all = HeaderMap::new();
        for (name, value) in arguments.headers.clone() {
            all.append(name, value);
        }
        all
    };
    let now = arguments.at.unwrap_or_else(|| Clock::system().unix());
    let judged = config.auth.claim(&headers, now).and_then(|mut claim| {
        claim.update(&body);
        claim.verify()
    });
    match judged {
        Ok(Some(label)) => print(&format!("It may trigger: secret {label}.\n")),
        Ok(None) => print("It may trigger: WEBHOOK_AUTH is none.\n"),
        Err(refusal) => Err(Failure::Refused(format!(
            "it may not trigger: {}",
            reason(refusal, config.auth.scheme)
        ))),
    }
}

fn reason(refusal: Refusal, scheme: Scheme) -> String {
    let wanted = match scheme {
        Scheme::None => "no header",
        Scheme::StandardWebhooks => "webhook-id, webhook-timestamp and webhook-signature",
        Scheme::Github => "X-Hub-Signature-256: sha256=…",
        Scheme::Bearer => "Authorization: Bearer …",
        Scheme::Basic => "Authorization: Basic …",
    };
    match refusal {
        Refusal::Missing => format!("a header is missing or empty; {scheme} wants {wanted}"),
        Refusal::Repeated => format!("a header is there twice; {scheme} wants {wanted} once"),
        Refusal::Malformed => format!("a header is not of its form; {scheme} wants {wanted}"),
        Refusal::Stale => "it was sent too long ago (WEBHOOK_TOLERANCE_SECONDS)".to_owned(),
        Refusal::Future => "it was sent in the future (WEBHOOK_TOLERANCE_SECONDS)".to_owned(),
        Refusal::Expired => "its secret does not count at that time".to_owned(),
        Refusal::Mismatch => "no secret leads to what it shows, or the body is another".to_owned(),
    }
}

/// A header of the command line.
pub(super) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let told = || "expected NAME: VALUE".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(told)?;
    let name = name.trim().parse().map_err(|_| told())?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| told())?;
    Ok((name, value))
}

fn moment(text: &str) -> Result<f64, String> {
    let moment = text.parse().ok().filter(|moment: &f64| moment.is_finite());
    moment.ok_or_else(|| "expected seconds since 1970".to_owned())
}

fn message_id(text: &str) -> Result<String, String> {
    let is_fit = |byte: u8| byte.is_ascii_graphic() && byte != b'.';
    let fits = (1..=256).contains(&text.len()) && text.bytes().all(is_fit);
    match fits {
        true => Ok(text.to_owned()),
        false => Err(
            "expected 1 to 256 printable characters of ASCII without spaces and dots".to_owned(),
        ),
    }
}
