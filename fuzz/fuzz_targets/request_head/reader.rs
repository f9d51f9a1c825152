//! A second reader of a connection, as strict as RFC 9112 allows: another server or proxy that must
//! never see a request where the program sees none, nor the other way round.

/// What the strict reader says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good, and all of it is there.
    Whole,
    /// Its head is good, its body is not whole or no body: what comes behind is no request.
    Open,
    /// Its head does not end.
    Unfinished,
    /// It must not be served.
    Refused(&'static str),
}

/// One request.
#[derive(Debug)]
pub struct Told {
    pub is_head: bool,
    /// Whether the connection may end with the answer: it waits for no body that is not needed, and
    /// HTTP/1.0 keeps connections as a favour.
    pub may_end: bool,
    pub verdict: Verdict,
}

/// The requests on a connection, up to the first behind which there can be none.
pub fn requests(bytes: &[u8]) -> Vec<Told> {
    let mut found = Vec::new();
    let mut rest = bytes;
    loop {
        while let Some(behind) = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.strip_prefix(b"\n"))
        {
            rest = behind;
        }
        if rest.is_empty() {
            return found;
        }
        let is_head = rest.starts_with(b"HEAD ");
        let (mut next, mut may_end) = (None, false);
        let verdict = match head(rest) {
            None => Verdict::Unfinished,
            Some((lines, behind)) => match Head::read(&lines) {
                Err(why) => Verdict::Refused(why),
                Ok(head) => {
                    may_end = !head.is_11 || !matches!(head.body, Body::Bytes(0));
                    let behind = head.body.behind(behind);
                    next = behind.filter(|_| head.is_kept);
                    behind.map_or(Verdict::Open, |_| Verdict::Whole)
                }
            },
        };
        found.push(Told {
            is_head,
            may_end,
            verdict,
        });
        match next {
            Some(behind) => rest = behind,
            None => return found,
        }
    }
}

/// The lines up to the empty one, and what is behind that.
fn head(bytes: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (mut lines, mut rest) = (Vec::new(), bytes);
    loop {
        let (line, behind) = line(rest)?;
        rest = behind;
        if line.is_empty() {
            return Some((lines, rest));
        }
        lines.push(line);
    }
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

/// How the end of a body is told.
enum Body {
    Bytes(u64),
    Chunks,
}

struct Head {
    body: Body,
    is_11: bool,
    /// Whether another request may follow.
    is_kept: bool,
}

impl Head {
    fn read(lines: &[&[u8]]) -> Result<Self, &'static str> {
        let (first, lines) = lines.split_first().ok_or("nothing")?;
        let (target, is_11) = request_line(first)?;
        let fields = lines
            .iter()
            .map(|line| field(line))
            .collect::<Result<Vec<_>, _>>()?;
        let all = |name: &str| {
            let named = fields
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
            named.map(|(_, value)| *value).collect::<Vec<_>>()
        };
        hosts(&all("host"), target, is_11)?;
        let body = body(&all("content-length"), &all("transfer-encoding"), is_11)?;
        let connection = all("connection").join(&b","[..]).to_ascii_lowercase();
        let says = |word: &[u8]| {
            connection
                .split(|&b| b == b',')
                .any(|one| one.trim_ascii() == word)
        };
        let is_kept = !says(b"close") && (is_11 || says(b"keep-alive"));
        Ok(Self {
            body,
            is_11,
            is_kept,
        })
    }
}

/// The target, and whether this is HTTP/1.1.
fn request_line(line: &[u8]) -> Result<(&[u8], bool), &'static str> {
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = parts[..] else {
        return Err("a request line has three parts");
    };
    if method == b"CONNECT" {
        return Err("CONNECT");
    }
    if !is_token(method) || target.is_empty() || target.iter().any(u8::is_ascii_control) {
        return Err("no method or no target");
    }
    match version {
        b"HTTP/1.1" => Ok((target, true)),
        b"HTTP/1.0" => Ok((target, false)),
        _ => Err("another version"),
    }
}

fn field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let colon = line
        .iter()
        .position(|&byte| byte == b':')
        .ok_or("a line without a colon")?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err("a name that is none");
    }
    if value
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Err("a control character");
    }
    Ok((name, value.trim_ascii()))
}

fn is_token(bytes: &[u8]) -> bool {
    let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_one)
}

fn hosts(hosts: &[&[u8]], target: &[u8], is_11: bool) -> Result<(), &'static str> {
    if hosts.len() > 1 || (is_11 && hosts.is_empty()) {
        return Err("not one Host");
    }
    let text = String::from_utf8_lossy(target);
    let authority = text.split_once("://").filter(|_| !text.starts_with('/'));
    let authority = authority.map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    let odd = |host: &[u8]| {
        host.iter()
            .any(|byte| b"@/?#\\ \t".contains(byte) || *byte >= 0x80)
    };
    if hosts.iter().any(|host| odd(host)) || authority.is_some_and(|host| odd(host.as_bytes())) {
        return Err("a host that is none");
    }
    Ok(())
}

fn body(lengths: &[&[u8]], codings: &[&[u8]], is_11: bool) -> Result<Body, &'static str> {
    match (lengths, codings) {
        ([], [coding]) if is_11 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunks),
        ([], []) => Ok(Body::Bytes(0)),
        (lengths, []) => {
            let lengths: Option<Vec<u64>> =
                lengths.iter().map(|length| number(length, 10)).collect();
            let lengths = lengths.ok_or("a length that is none")?;
            if lengths.iter().any(|length| *length != lengths[0]) {
                return Err("two lengths");
            }
            Ok(Body::Bytes(lengths[0]))
        }
        ([], _) => Err("a transfer coding that is not chunked"),
        _ => Err("a length and a transfer coding"),
    }
}

/// Digits and nothing else; `from_str_radix` would take a sign.
fn number(text: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    digits.then(|| u64::from_str_radix(text, radix).ok())?
}

impl Body {
    /// What comes behind the body, if all of it is there and as it must be.
    fn behind(self, bytes: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Bytes(length) => bytes.get(usize::try_from(length).ok()?..),
            Self::Chunks => chunks(bytes),
        }
    }
}

fn chunks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (size, behind) = exact_line(rest)?;
        let digits = size.split(|&byte| byte == b';').next()?;
        let size = usize::try_from(number(digits.trim_ascii_end(), 16)?).ok()?;
        if size == 0 {
            let mut rest = behind;
            loop {
                let (trailer, behind) = exact_line(rest)?;
                rest = behind;
                if trailer.is_empty() {
                    return Some(rest);
                }
            }
        }
        rest = behind.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// A line that ends with CR LF and holds neither.
fn exact_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes
        .iter()
        .position(|byte| matches!(byte, b'\r' | b'\n'))?;
    let behind = bytes[end..].strip_prefix(b"\r\n")?;
    Some((&bytes[..end], behind))
}
