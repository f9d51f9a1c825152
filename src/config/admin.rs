//! The administration listener.

use super::http::LISTEN;
use super::reader::{Form, Reader};
use super::secret::Secret;
use crate::auth::{Key, Scheme, Validity};
use crate::socket::Address;

/// The same as of a bearer token that may trigger: this one opens more.
const TOKEN: Form = Form {
    expected: "16 to 1024 characters of ASCII without spaces that nobody can guess",
    example: "$(head -c 32 /dev/urandom | base64)",
};

/// The administration listener.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// None: there is no such listener.
    pub listen: Option<Address>,
    /// The bearer token; needed on anything but loopback.
    pub token: Option<Secret>,
}

impl AdminConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let default = "127.0.0.1:8001";
        let form = Form {
            expected: "an address and a port, unix: and the absolute path of a socket, or off",
            ..LISTEN
        };
        let off_or = |text: &str| match text.eq_ignore_ascii_case("off") {
            true => Some(None),
            false => Address::parse(text).map(Some),
        };
        let listen = from.value("ADMIN_LISTEN", default, form, off_or, None);
        let token = from.secret("ADMIN_TOKEN");
        if let Some(token) = &token {
            let key = Key::new(Scheme::Bearer, "admin", token.expose(), Validity::default());
            if let Err(error) = key {
                from.wrong_secret("ADMIN_TOKEN", &error.to_string(), TOKEN);
            }
        }
        let open = listen.as_ref().is_some_and(|address| !address.is_local()) && token.is_none();
        if open
            && !from
                .mistakes
                .iter()
                .any(|mistake| mistake.name.starts_with("ADMIN_"))
        {
            let form = Form {
                expected: "a loopback address or a Unix socket, or ADMIN_TOKEN (or ADMIN_TOKEN_FILE) set as well",
                example: "127.0.0.1:8001",
            };
            from.mistake("ADMIN_LISTEN", "is not on loopback and has no token", form);
        }
        Self { listen, token }
    }
}
