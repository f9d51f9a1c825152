//! A receiver of OTLP over HTTP that keeps what is sent as it stands, and reads of it what other
//! receivers do not tell.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::wire::{Asked, answer, serve};

/// A running receiver.
pub struct Receiver {
    endpoint: String,
    got: Arc<Mutex<Vec<Asked>>>,
}

impl Receiver {
    pub fn start() -> Self {
        Self::answering(Vec::new())
    }

    /// One that answers 200 with this body.
    pub fn answering(body: Vec<u8>) -> Self {
        let got = Arc::<Mutex<Vec<Asked>>>::default();
        let theirs = Arc::clone(&got);
        let address = serve(move |mut stream| {
            if let Some(asked) = Asked::read(&stream) {
                theirs.lock().unwrap().push(asked);
                let headers = "Content-Type: application/x-protobuf\r\n";
                let _ = stream.write_all(&answer("200 OK", headers, &body));
            }
        });
        let endpoint = format!("http://{address}");
        Self { endpoint, got }
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// The values of a header, which is named in lower case, in all requests.
    pub fn header(&self, name: &str) -> Vec<Option<String>> {
        let got = self.got.lock().unwrap();
        got.iter().map(|asked| asked.header(name)).collect()
    }

    /// The bodies that were sent to a path.
    pub fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        let begin = format!("POST {path} ");
        let got = self.got.lock().unwrap();
        let those = got.iter().filter(|asked| asked.head.starts_with(&begin));
        those.map(|asked| asked.body.clone()).collect()
    }

    /// The attributes of the resource that was told to a path, in order: those of the first export.
    pub fn resource(&self, path: &str) -> Vec<(String, String)> {
        let bodies = self.bodies(path);
        let body = bodies
            .first()
            .unwrap_or_else(|| panic!("nothing came to {path}"));
        let of_resource = field(body, 1).remove(0);
        let resource = field(of_resource, 1).remove(0);
        let pair = |pair: &[u8]| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let value = field(pair, 2).remove(0);
            (text(field(pair, 1)[0]), text(field(value, 1)[0]))
        };
        let mut pairs: Vec<_> = field(resource, 1).into_iter().map(pair).collect();
        pairs.sort();
        pairs
    }
}

/// What stands in the fields with this number of a protobuf message: texts and messages.
fn field(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)).unwrap(),
            5 => 4,
            other => panic!("no wire type {other}"),
        };
        let (content, rest) = message.split_at(length);
        if tag >> 3 == number && tag & 7 == 2 {
            found.push(content);
        }
        message = rest;
    }
    found
}

fn varint(from: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first().expect("more bytes");
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
