//! Answers that say no, in one line that says what to do.

use reqwest::StatusCode;
use serde::Deserialize;

use super::output::printable;
use super::remote::{Answer, Listener, Remote};
use crate::app::Failure;

/// What an answer other than 200 says.
pub fn refused(remote: &Remote, answer: &Answer) -> Failure {
    let (place, detail) = (remote.place(), detail(answer));
    let told = format!("{place}: {detail}");
    match answer.status {
        StatusCode::UNAUTHORIZED => Failure::Denied(format!("{place}: {}", login(remote))),
        StatusCode::FORBIDDEN => Failure::Denied(told),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = answer.retry_after.unwrap_or(5);
            Failure::Unavailable(format!("{told}; try again in {seconds} s"))
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Failure::Unavailable(format!(
            "{place}: this is not the {} listener of a match-list-processor; {} names another \
             address",
            match remote.listener {
                Listener::Public => "public",
                Listener::Admin => "administration",
            },
            remote.listener.option()
        )),
        status if status.is_client_error() => Failure::Refused(told),
        status => Failure::Unavailable(format!(
            "{place}: the answer {} is not that of a match-list-processor; {} names another address",
            status.as_u16(),
            remote.listener.option()
        )),
    }
}

/// What the daemon says in its own words.
pub fn detail(answer: &Answer) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Problem {
        detail: Option<String>,
        message: Option<String>,
    }
    let problem: Problem = serde_json::from_str(&answer.body).unwrap_or_default();
    let told = problem.detail.or(problem.message);
    let told = told
        .map(|text| printable(&text))
        .filter(|text| !text.is_empty());
    told.unwrap_or_else(|| format!("the answer is {}", answer.status.as_u16()))
}

fn login(remote: &Remote) -> &'static str {
    match (remote.listener, remote.has_token()) {
        (Listener::Admin, false) => {
            "a token is needed; set ADMIN_TOKEN or ADMIN_TOKEN_FILE as the daemon has it"
        }
        (Listener::Admin, true) => {
            "the token is not the daemon's; is ADMIN_TOKEN (or ADMIN_TOKEN_FILE) right?"
        }
        (Listener::Public, _) => {
            "the daemon does not let this program trigger; set WEBHOOK_AUTH and its secret as the \
             daemon has them"
        }
    }
}
