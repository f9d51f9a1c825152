//! Reads what came back as RFC 9112 writes it, and accepts nothing else.

use serde_json::Value;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub closes: bool,
    pub body: Vec<u8>,
}

/// The final answers in `bytes`; `is_head(n)` tells whether the nth belongs to a HEAD.
///
/// # Errors
/// What is not as it must be.
pub fn read(
    bytes: &[u8],
    is_head: impl Fn(usize) -> bool,
    continues: bool,
) -> Result<Vec<Answer>, String> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut rest = bytes;
    let mut interim = 0;
    while !rest.is_empty() {
        if answers.last().is_some_and(|last| last.closes) {
            return Err("bytes behind an answer that closes".to_owned());
        }
        let (head, behind) = split_head(rest)?;
        let (status, fields) = head;
        if status < 200 {
            interim += 1;
            if status != 100 || !continues || interim > 1 {
                return Err(format!("an interim answer {status} that nobody asked for"));
            }
            rest = behind;
            continue;
        }
        let length = length(&fields)?;
        let length = if is_head(answers.len()) { 0 } else { length };
        let (body, behind) = behind
            .split_at_checked(length)
            .ok_or_else(|| format!("a body of {} instead of {length} bytes", behind.len()))?;
        let answer = Answer {
            status,
            closes: closes(&fields),
            body: body.to_vec(),
        };
        if !is_head(answers.len()) {
            promised(&answer, one(&fields, "content-type")?)?;
        }
        answers.push(answer);
        rest = behind;
    }
    Ok(answers)
}

type Fields = Vec<(String, String)>;

fn split_head(bytes: &[u8]) -> Result<((u16, Fields), &[u8]), String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| format!("a head without an end in {} bytes", bytes.len()))?;
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is no text")?;
    let mut lines = text.split("\r\n");
    let status = status(lines.next().unwrap_or_default())?;
    let fields = lines.map(field).collect::<Result<Fields, String>>()?;
    if status >= 200 && one(&fields, "date")?.is_none() {
        return Err("an answer without Date".to_owned());
    }
    Ok(((status, fields), &bytes[end + 4..]))
}

fn status(line: &str) -> Result<u16, String> {
    let bad = || format!("the status line {line:?}");
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "));
    let (code, reason) = rest.and_then(|rest| rest.split_once(' ')).ok_or_else(bad)?;
    let readable = reason
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) || !readable {
        return Err(bad());
    }
    code.parse().map_err(|_| bad())
}

fn field(line: &str) -> Result<(String, String), String> {
    let bad = || format!("the header line {line:?}");
    let (name, value) = line.split_once(':').ok_or_else(bad)?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if name.is_empty() || !name.bytes().all(token) || !value.bytes().all(visible) {
        return Err(bad());
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn one<'a>(fields: &'a Fields, name: &str) -> Result<Option<&'a str>, String> {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    let first = found.next().map(|(_, value)| value.as_str());
    match found.next() {
        Some(_) => Err(format!("{name} twice")),
        None => Ok(first),
    }
}

fn length(fields: &Fields) -> Result<usize, String> {
    if one(fields, "transfer-encoding")?.is_some() {
        return Err("a transfer coding, though every answer is whole".to_owned());
    }
    let length = one(fields, "content-length")?.ok_or("an answer without Content-Length")?;
    length
        .parse()
        .map_err(|_| format!("Content-Length: {length:?}"))
}

fn closes(fields: &Fields) -> bool {
    let value = fields.iter().find(|(name, _)| name == "connection");
    value.is_some_and(|(_, value)| value.eq_ignore_ascii_case("close"))
}

/// JSON is JSON, and an error is a problem document. What is refused before it is a request at
/// all, and a queue that is full, have the forms of their own that the contract gives them.
fn promised(answer: &Answer, content_type: Option<&str>) -> Result<(), String> {
    let status = answer.status;
    if answer.body.is_empty() && content_type.is_none() && [400, 414, 431].contains(&status) {
        return Ok(());
    }
    let content_type = content_type.ok_or_else(|| format!("a {status} without a type"))?;
    let expected = match status {
        429 => "application/json",
        400.. => "application/problem+json",
        _ if content_type.starts_with("text/plain; version=0.0.4") => return Ok(()),
        _ => "application/json",
    };
    if content_type != expected {
        return Err(format!("a {status} of type {content_type}"));
    }
    let body: Value = serde_json::from_slice(&answer.body)
        .map_err(|_| format!("a {status} whose body is no JSON"))?;
    let told = body["status"] == status
        && ["type", "title", "detail", "request_id"]
            .iter()
            .all(|name| body[name].is_string());
    if expected == "application/problem+json" && !told {
        return Err(format!("a {status} that is no problem document: {body}"));
    }
    Ok(())
}
