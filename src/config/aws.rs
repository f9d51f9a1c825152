//! The credentials of a bucket. They are not kept here: the library that talks to the bucket reads
//! them from the environment by itself, and says little of what is missing.

use super::reader::{Form, Reader};
use super::source::Origin;

/// What a bucket needs on a machine without a role of its own.
pub const MISSING: &str = "no credentials are set: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
     unless this machine has a role that may write";

const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
const WEB_IDENTITY: [&str; 2] = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"];
const POD: [&str; 2] = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
const TASK: [&str; 1] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
const ANONYMOUS: [&str; 1] = ["AWS_SKIP_SIGNATURE"];

/// Half a pair of keys is a mistake. None at all may be right, so it is only told.
pub fn check(from: &mut Reader<'_>) {
    let [id, secret] = KEYS.map(|name| is_set(from, name));
    if id != secret {
        let [missing, there] = if id { [KEYS[1], KEYS[0]] } else { KEYS };
        let form = Form {
            expected: "both, or neither",
            example: "the two parts of one access key",
        };
        from.mistake(missing, &format!("is not set, and {there} is"), form);
        return;
    }
    let others: [&[&str]; 4] = [&WEB_IDENTITY, &POD, &TASK, &ANONYMOUS];
    let other = others.map(|names| names.iter().all(|name| is_set(from, name)));
    if !id && !other.contains(&true) {
        from.warnings
            .push(format!("ASSET_STORE_URL is a bucket, and {MISSING}"));
    }
}

fn is_set(from: &mut Reader<'_>, name: &str) -> bool {
    match from.raw(name) {
        Some((_, Origin::Environment)) => true,
        Some((_, origin)) => {
            from.warnings.push(format!(
                "{name} is set in {}, where it is not read: set it in the environment",
                origin.label()
            ));
            false
        }
        None => false,
    }
}
