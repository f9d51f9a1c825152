//! What rules look at of a request, so that nothing else of it is worked out.

use std::collections::BTreeSet;

use http::HeaderName;

/// What rules look at of a request's head. Of the body each rule notes by itself whether it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each variable")]
pub struct Looks {
    /// At the method.
    pub method: bool,
    /// At the parameters of the query.
    pub query: bool,
    /// At the client's address.
    pub source: bool,
    /// At the label of the secret that was shown.
    pub authenticated: bool,
    /// At headers.
    pub headers: Headers,
}

/// Which headers rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Headers {
    /// None.
    #[default]
    None,
    /// Those of these names, if there are any.
    Named(Vec<HeaderName>),
    /// All, whatever they are called.
    All,
}

impl Looks {
    /// At all that there is.
    #[must_use]
    pub fn everywhere() -> Self {
        Self {
            method: true,
            query: true,
            source: true,
            authenticated: true,
            headers: Headers::All,
        }
    }
}

/// What the checker has seen of one expression.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By the names of variables.
    variables: BTreeSet<String>,
    /// The names with which headers are asked for.
    headers: BTreeSet<String>,
    /// How often the headers are named, and how often by the name of one.
    all: usize,
    named: usize,
}

impl Seen {
    /// It names a variable.
    pub fn variable(&mut self, name: &str) {
        self.all += usize::from(name == "headers");
        self.variables.insert(name.to_owned());
    }

    /// It asks the headers, which it also tells by [`Self::variable`], for this one.
    pub fn header(&mut self, name: &str) {
        self.named += 1;
        self.headers.insert(name.to_owned());
    }

    /// Whether it looks at a variable.
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains(name)
    }

    /// Adds what it looks at.
    pub fn add_to(&self, looks: &mut Looks) {
        looks.method |= self.has("method");
        looks.query |= self.has("query");
        looks.source |= self.has("source");
        looks.authenticated |= self.has("authenticated");
        if self.all > self.named {
            looks.headers = Headers::All;
        } else if self.all > 0 {
            self.name_headers(&mut looks.headers);
        }
    }

    fn name_headers(&self, headers: &mut Headers) {
        if matches!(headers, Headers::None) {
            *headers = Headers::Named(Vec::new());
        }
        let Headers::Named(names) = headers else {
            return;
        };
        for name in &self.headers {
            // One with other letters is the name of none: they are in lower case.
            if let Ok(name) = HeaderName::from_lowercase(name.as_bytes())
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
    }
}
