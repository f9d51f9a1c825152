//! `explain-filter`: what the filters say of a request, without a daemon.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::output::{print, printable};
use super::settings;
use super::sign::header;
use super::table::View;
use super::trigger::read;
use crate::app::Failure;
use crate::filter::{Action, Filters, Judge, Looks, Malformed, Request, RuleError, Verdict};

/// How it is used.
pub const HELP: &str = "\
Asks every rule of FILTERS about a request, also those behind the one that
decides, and says what becomes of it. Whether the sender may trigger at all is
another question: see `verify`.

Examples:
  match-list-processor explain-filter --body alert.json
  match-list-processor explain-filter --header 'X-GitHub-Event: ping' \\
      --query team=north
  match-list-processor explain-filter --body - --source 192.0.2.7 \\
      --authenticated autumn

Exit codes: 0 it triggers; 1 it is ignored or refused; 2 the command line, or
the file cannot be read; 78 mistakes in the settings.";

/// Bytes of a body that the daemon shows to filters.
const KEPT_BYTES: usize = crate::http::KEPT_BYTES;

/// The request that is asked about.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The body [default: none]; - is the standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A header; as often as there are some
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The method
    #[arg(long, default_value_t = Method::POST)]
    method: Method,
    /// A parameter of the query; as often as there are some
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    query: Vec<(String, String)>,
    /// The address of the client
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// The label of the secret that it showed
    #[arg(long, value_name = "LABEL")]
    authenticated: Option<String>,
}

/// Asks the filters of the settings.
///
/// # Errors
/// When the request triggers nothing.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let request = request(arguments)?;
    let rows = rows(&config.filters, &request);
    if !rows.is_empty() {
        print(&View::new(&config).table(&["rule", "then", "now"], rows))?;
    }
    match Judge::new(&config.filters, &request).verdict(|_| ()) {
        Ok(Verdict { action, rule }) => match action {
            Action::Trigger => print(&format!("It triggers: {rule}.\n")),
            Action::Ignore => Err(Failure::Refused(format!("it is ignored: {rule}"))),
            Action::Refuse => Err(Failure::Refused(format!("it is refused: {rule}"))),
        },
        Err(malformed) => {
            let code = match malformed {
                Malformed::NoJson => 400,
                Malformed::TooLarge => 413,
            };
            let told = malformed.to_string();
            Err(Failure::Refused(format!(
                "it is refused with {code}: {told}"
            )))
        }
    }
}

fn request(arguments: &Arguments) -> Result<Request, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in arguments.headers.clone() {
        headers.append(name, value);
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&arguments.query);
    let body = arguments.body.as_deref().map(read).transpose()?;
    let body = body.unwrap_or_default();
    Ok(Request {
        source: arguments
            .source
            .map_or_else(String::new, |ip| ip.to_canonical().to_string()),
        authenticated: arguments.authenticated.clone().unwrap_or_default(),
        body: (body.len() <= KEPT_BYTES).then_some(body),
        ..Request::of(
            &Looks::everywhere(),
            &arguments.method,
            &headers,
            &query.finish(),
        )
    })
}

/// For each rule its name, what it leads to, and what it says of the request.
fn rows(filters: &Filters, request: &Request) -> Vec<Vec<String>> {
    let mut decided = false;
    let judge = Judge::new(filters, request);
    let each = judge.each().map(|(rule, answer)| {
        let mut told = told(&answer);
        if decided {
            told.push_str(" (not asked: a rule above decides)");
        }
        decided |= matches!(answer, Ok(Ok(true)) | Err(_));
        vec![rule.rule.to_string(), rule.action.to_string(), told]
    });
    each.collect()
}

fn told(answer: &Result<Result<bool, RuleError>, Malformed>) -> String {
    match answer {
        Ok(Ok(true)) => "matches".to_owned(),
        Ok(Ok(false)) => "does not match".to_owned(),
        Ok(Err(error)) => printable(&format!("cannot be asked ({}): {error}", error.kind)),
        Err(malformed) => malformed.to_string(),
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (name, value) = pair.ok_or_else(|| "expected NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}
