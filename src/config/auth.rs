//! Who may trigger.

use jiff::Timestamp;

use super::reader::{Form, Reader};
use super::secret::Secret;
use super::source::Origin;
use crate::auth::{Auth, Key, Scheme, Validity, is_label};
use crate::clock::unix_seconds;
use crate::file;

/// Secrets at a time: the one in use, the one before it, the next one, and some for more senders.
const MAX_SECRETS: usize = 16;
/// What people call a secret that stands alone.
const ONLY: &str = "default";

const MODES: Form = Form {
    expected: "none, standard-webhooks, github, bearer or basic",
    example: "standard-webhooks",
};
const TABLE: Form = Form {
    expected: "TOML: for each secret a table [[secret]] with label, value or file, and if wanted \
               not_before and not_after",
    // On one line, and TOML even so.
    example: "secret = [{ label = \"autumn\", file = \"/run/secrets/autumn\", \
              not_after = 2027-01-01T00:00:00Z }]",
};

pub(super) fn read(from: &mut Reader<'_>) -> Auth {
    let scheme = scheme(from);
    let form = Form {
        expected: "seconds, from 1 to 3600",
        example: "300",
    };
    let tolerance = from.seconds("WEBHOOK_TOLERANCE_SECONDS", 300, 1..=3600, form);
    let one = from.secret("WEBHOOK_SECRET");
    let several = from.secret("WEBHOOK_SECRETS");
    // What a secret must be, the scheme says.
    let keys = scheme.map(|scheme| keys(from, scheme, one, several));
    Auth {
        scheme: scheme.unwrap_or(Scheme::None),
        tolerance,
        keys: keys.unwrap_or_default(),
    }
}

/// None after a mistake. Its value is not shown: it may be a secret that got into the wrong place.
fn scheme(from: &mut Reader<'_>) -> Option<Scheme> {
    let (text, origin) = from
        .raw("WEBHOOK_AUTH")
        .unwrap_or(("none", Origin::Default));
    let scheme = Scheme::from_label(&text.to_ascii_lowercase());
    match scheme {
        Some(scheme) => from.show("WEBHOOK_AUTH", scheme.label(), origin),
        None => from.mistake("WEBHOOK_AUTH", "names no scheme", MODES),
    }
    scheme
}

fn keys(
    from: &mut Reader<'_>,
    scheme: Scheme,
    one: Option<Secret>,
    several: Option<Secret>,
) -> Vec<Key> {
    let told = |name: &str| name.starts_with("WEBHOOK_SECRET");
    let is_told = from.mistakes.iter().any(|mistake| told(&mistake.name));
    match (scheme, one, several) {
        (_, Some(_), Some(_)) => {
            let form = Form {
                expected: "one of the two",
                example: "WEBHOOK_SECRETS_FILE alone, with every secret in it",
            };
            from.mistake("WEBHOOK_SECRET", "is set, and so is WEBHOOK_SECRETS", form);
        }
        (Scheme::None, None, None) => {}
        (Scheme::None, ..) => {
            let problem = "is none, and a secret is set that nobody would be asked for";
            from.mistake("WEBHOOK_AUTH", problem, MODES);
        }
        (scheme, None, None) if !is_told => {
            let form = Form {
                expected: "set as well: WEBHOOK_SECRET, WEBHOOK_SECRETS, or one of them with _FILE",
                example: "WEBHOOK_SECRET_FILE=/run/secrets/webhook",
            };
            let problem = format!("is not set, and WEBHOOK_AUTH is {scheme}");
            from.mistake("WEBHOOK_SECRET", &problem, form);
        }
        (_, None, None) => {}
        (scheme, Some(secret), None) => return only(from, scheme, &secret),
        (scheme, None, Some(table)) => return table_of(from, scheme, &table),
    }
    Vec::new()
}

fn form(scheme: Scheme) -> Form {
    match scheme {
        Scheme::StandardWebhooks => Form {
            expected: "whsec_ and 24 to 64 bytes in Base64",
            example: "whsec_$(head -c 32 /dev/urandom | base64)",
        },
        Scheme::Basic => Form {
            expected: "user:password, the password of 8 to 1024 characters",
            example: "alertmanager:$(head -c 24 /dev/urandom | base64)",
        },
        Scheme::None | Scheme::Github | Scheme::Bearer => Form {
            expected: "16 to 1024 characters that nobody can guess",
            example: "$(head -c 32 /dev/urandom | base64)",
        },
    }
}

fn only(from: &mut Reader<'_>, scheme: Scheme, secret: &Secret) -> Vec<Key> {
    match Key::new(scheme, ONLY, secret.expose(), Validity::default()) {
        Ok(key) => vec![key],
        Err(error) => {
            from.wrong_secret("WEBHOOK_SECRET", &error.to_string(), form(scheme));
            vec![]
        }
    }
}

fn table_of(from: &mut Reader<'_>, scheme: Scheme, text: &Secret) -> Vec<Key> {
    let place = from.place_of("WEBHOOK_SECRETS");
    let mut wrong = |problem: &str| from.mistake(&place, problem, TABLE);
    // The library's message would show the line, which may hold a secret.
    let Ok(mut table) = text.expose().parse::<toml::Table>() else {
        wrong("is not valid TOML");
        return vec![];
    };
    let Some(toml::Value::Array(entries)) = table.remove("secret") else {
        wrong("has no [[secret]]");
        return vec![];
    };
    if !table.is_empty() {
        wrong("has something beside [[secret]]");
    }
    if entries.is_empty() || entries.len() > MAX_SECRETS {
        wrong(&format!(
            "has {} secrets; 1 to {MAX_SECRETS} are possible",
            entries.len()
        ));
        return vec![];
    }
    let mut keys: Vec<Key> = Vec::new();
    let (mut files, mut contents) = (Vec::new(), blake3::Hasher::new());
    let mut content = |path: &str| {
        files.push(path.into());
        let read = file::read_text(path.as_ref(), file::SMALL)?;
        contents.update(blake3::hash(read.as_bytes()).as_bytes());
        Ok(read)
    };
    for (n, entry) in entries.into_iter().enumerate() {
        match one_of(scheme, entry, &mut content) {
            Ok(key) if keys.iter().any(|other| other.label == key.label) => {
                wrong(&format!("has the label {} twice", key.label));
            }
            Ok(key) => keys.push(key),
            Err(problem) => wrong(&format!("secret {}: {problem}", n + 1)),
        }
    }
    from.files.extend(files);
    from.add_to("WEBHOOK_SECRETS", &contents.finalize());
    keys
}

/// One entry of the table. No message holds the value.
fn one_of(
    scheme: Scheme,
    entry: toml::Value,
    content: &mut impl FnMut(&str) -> std::io::Result<String>,
) -> Result<Key, String> {
    let toml::Value::Table(mut entry) = entry else {
        return Err("is no table".to_owned());
    };
    let label = match entry.remove("label") {
        Some(toml::Value::String(label)) if is_label(&label) => label,
        Some(_) => return Err("label must be 1 to 64 of a-z A-Z 0-9 . _ -".to_owned()),
        None => return Err("label is missing".to_owned()),
    };
    let in_label = |problem: String| format!("{label}: {problem}");
    let value = match (entry.remove("value"), entry.remove("file")) {
        (Some(toml::Value::String(value)), None) => value,
        (None, Some(toml::Value::String(path))) => {
            content(&path).map_err(|error| in_label(format!("file cannot be read: {error}")))?
        }
        (Some(_), Some(_)) => return Err(in_label("has value and file".to_owned())),
        (None, None) => return Err(in_label("has neither value nor file".to_owned())),
        _ => return Err(in_label("value and file are texts".to_owned())),
    };
    let moment = |name: &str, value: Option<toml::Value>| match value {
        None => Ok(None),
        Some(toml::Value::Datetime(moment)) => match moment.to_string().parse::<Timestamp>() {
            Ok(moment) => Ok(Some(unix_seconds(moment))),
            Err(_) => Err(in_label(format!("{name} needs an offset, such as Z"))),
        },
        Some(_) => Err(in_label(format!(
            "{name} is no time, such as 2027-01-01T00:00:00Z"
        ))),
    };
    let validity = Validity {
        from: moment("not_before", entry.remove("not_before"))?,
        until: moment("not_after", entry.remove("not_after"))?,
    };
    if let (Some(from), Some(until)) = (validity.from, validity.until)
        && from >= until
    {
        return Err(in_label("not_before is not before not_after".to_owned()));
    }
    if let Some(name) = entry.keys().next() {
        // A key that somebody mistook for a value would be shown; its first characters are not.
        let known = is_label(name) && name.len() <= 16;
        let name = if known { name } else { "one of its keys" };
        return Err(in_label(format!("{name} is not known")));
    }
    Key::new(scheme, &label, value.trim(), validity).map_err(|error| in_label(error.to_string()))
}
