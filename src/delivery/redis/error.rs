//! What an error of the Redis library says, in our terms. Its own text may hold what was sent.

use ::redis::{ErrorKind as Kind, RedisError};

use crate::client::CallError;
use crate::telemetry::labels::ErrorKind;

/// Characters of the longest code that a server is known to answer, and some.
const LONGEST_CODE: usize = 24;

/// An error on a connection that came about.
pub(super) fn failure(error: &RedisError) -> CallError {
    let of = |kind, message: &str| CallError::of(kind, message);
    let Some(code) = error.code() else {
        return match error.kind() {
            Kind::AuthenticationFailed => refused_login(),
            Kind::Io if error.is_timeout() => of(ErrorKind::Timeout, "no answer in time"),
            Kind::Io => of(
                ErrorKind::Reset,
                "the connection to Redis broke before the answer was whole",
            ),
            _ => of(ErrorKind::Invalid, "Redis's answer cannot be understood"),
        };
    };
    match code {
        "NOAUTH" | "WRONGPASS" => refused_login(),
        "NOPERM" => of(
            ErrorKind::Unauthorized,
            "Redis does not allow this user the command or the channel (see its ACL)",
        ),
        "WRONGTYPE" => of(
            ErrorKind::Refused,
            "Redis has something else than a stream under that name",
        ),
        "LOADING" => of(ErrorKind::Refused, "Redis is still starting"),
        "READONLY" => of(
            ErrorKind::Refused,
            "Redis is a replica, which takes no messages",
        ),
        code => of(
            ErrorKind::Refused,
            &format!("Redis answered the error {}", shown(code)),
        ),
    }
}

fn refused_login() -> CallError {
    CallError::of(
        ErrorKind::Unauthorized,
        "Redis refuses the login (are user and password in its URL right?)",
    )
}

/// A code as Redis has them, upper-case letters; anything else is not shown.
fn shown(code: &str) -> &str {
    let is_code = code.len() <= LONGEST_CODE && code.bytes().all(|b| b.is_ascii_uppercase());
    if is_code {
        code
    } else {
        "that it has no code for"
    }
}
