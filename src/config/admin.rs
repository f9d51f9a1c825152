//! The administration listener.

use std::net::SocketAddr;

use super::http::{LISTEN, socket};
use super::reader::{Form, Reader};
use super::secret::Secret;

/// The administration listener.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// None: there is no such listener.
    pub listen: Option<SocketAddr>,
    /// The bearer token; needed on anything but loopback.
    pub token: Option<Secret>,
}

impl AdminConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let default = "127.0.0.1:8001";
        let form = Form {
            expected: "an address and a port, or off",
            ..LISTEN
        };
        let off_or = |text: &str| match text.eq_ignore_ascii_case("off") {
            true => Some(None),
            false => socket(text).map(Some),
        };
        let listen = from.value("ADMIN_LISTEN", default, form, off_or, None);
        let token = from.secret("ADMIN_TOKEN");
        let open = listen.is_some_and(|address| !address.ip().is_loopback()) && token.is_none();
        if open
            && !from
                .mistakes
                .iter()
                .any(|mistake| mistake.name.starts_with("ADMIN_"))
        {
            let form = Form {
                expected: "a loopback address, or ADMIN_TOKEN (or ADMIN_TOKEN_FILE) set as well",
                example: "127.0.0.1:8001",
            };
            from.mistake("ADMIN_LISTEN", "is not on loopback and has no token", form);
        }
        Self { listen, token }
    }
}
