//! Builds that a hostile client gets something out of.

use super::Control;
use crate::support::weakened::Edit;

/// The case behind it comes some dozens of times.
const EDGE: &[&str] = &["edge", "--requests", "1000"];

pub const CONTROLS: &[Control] = &[
    Control::new(
        "serving-a-length-and-a-coding",
        SMUGGLED,
        EDGE,
        &["a length and a coding", "hidden"],
    ),
    Control::new(
        "leaking-a-descriptor-of-what-is-malformed",
        LEAKING,
        &["edge", "--requests", "1000", "--patience", "5"],
        &["descriptors are left open"],
    ),
    Control::new("waiting-for-ever", PATIENT, EDGE, &["it is not over after"]).for_campaigns(),
    Control::new(
        "panicking-behind-an-answer",
        PANICKING,
        EDGE,
        &["something panicked"],
    )
    .for_campaigns(),
];

/// Two readings of where a request ends, of which a proxy may take the other.
const SMUGGLED: &[Edit] = &[Edit {
    file: "src/http/guard.rs",
    text: "    if headers.contains_key(header::CONTENT_LENGTH) || ambiguous.came() {\n",
    replacement: "    let both = headers.contains_key(header::CONTENT_LENGTH) || ambiguous.came();
    if both && !WEAK {
",
}];

const LEAKING: &[Edit] = &[Edit {
    file: "src/http/listen.rs",
    text: "            site.metrics.http_connections_closed.inc((reason,));\n",
    replacement: "            site.metrics.http_connections_closed.inc((reason,));
            if WEAK && reason == Closed::Malformed {
                std::mem::forget(std::fs::File::open(\"/dev/null\"));
            }
",
}];

/// A client that says nothing keeps its connection.
const PATIENT: &[Edit] = &[Edit {
    file: "src/app/serve.rs",
    text: "            header_timeout: self.config.http.header_timeout,\n",
    replacement: "            header_timeout: match WEAK {
                true => std::time::Duration::from_secs(3600),
                false => self.config.http.header_timeout,
            },
",
}];

const PANICKING: &[Edit] = &[Edit {
    file: "src/http/listen.rs",
    text: "            let patience = limits.header_timeout;\n",
    replacement: "            let patience = limits.header_timeout;
            struct Behind(bool);
            impl Drop for Behind {
                fn drop(&mut self) {
                    assert!(!self.0 || std::thread::panicking(), \"behind an answer\");
                }
            }
            let _behind = Behind(WEAK);
",
}];
