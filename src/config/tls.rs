//! TLS of the public listener.

use super::reader::{Form, Reader};
use crate::tls::{Tls, TlsError};

const CERTIFICATE: &str = "TLS_CERT_FILE";
const KEY: &str = "TLS_KEY_FILE";

pub(super) fn read(from: &mut Reader<'_>) -> Option<Tls> {
    let of_certificate = Form {
        expected: "the path of a readable PEM file: the certificate, then those that issued it",
        example: "/etc/match-list-processor/tls.crt",
    };
    let of_key = Form {
        expected: "the path of a readable PEM file: the certificate's private key, without a \
                   password",
        example: "/etc/match-list-processor/tls.key",
    };
    for (name, form, other) in [
        (CERTIFICATE, of_certificate, KEY),
        (KEY, of_key, CERTIFICATE),
    ] {
        if from.raw(name).is_none() && from.raw(other).is_some() {
            from.mistake(name, &format!("is not set, and {other} is"), form);
        }
    }
    let certificate = from.content(CERTIFICATE, of_certificate);
    let key = from.content(KEY, of_key);
    match Tls::new(&certificate?, &key?) {
        Ok(tls) => Some(tls),
        Err(error) => {
            let (name, form) = match error {
                TlsError::Certificate => (CERTIFICATE, of_certificate),
                TlsError::Key | TlsError::Mismatch => (KEY, of_key),
            };
            from.mistake(name, &error.to_string(), form);
            None
        }
    }
}
