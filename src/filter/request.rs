//! A request as rules see it.

use std::collections::HashSet;

use http::HeaderMap;

use super::looks::{Headers, Looks};

/// Parameters of a query that are looked at.
const MAX_QUERY: usize = 256;

/// A request as rules see it. Its `Debug` form would show headers and body; it has none.
#[derive(Clone, Default)]
pub struct Request {
    /// Such as POST.
    pub method: String,
    /// By their names in lower case; one that comes several times is joined by ", ".
    pub headers: Vec<(String, String)>,
    /// The first of each name, of the first 256.
    pub query: Vec<(String, String)>,
    /// The client's address without a port, or nothing if it has none.
    pub source: String,
    /// The label of the secret that it showed, or nothing.
    pub authenticated: String,
    /// As it came, if it is small enough to be looked at. Nothing but no bytes is `null`.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// What the head of a request tells, as far as somebody looks at it.
    #[must_use]
    pub fn of(looks: &Looks, method: &http::Method, headers: &HeaderMap, query: &str) -> Self {
        Self {
            method: match looks.method {
                true => method.to_string(),
                false => String::new(),
            },
            headers: seen_headers(looks, headers),
            query: match looks.query {
                true => first_of_each(query),
                false => Vec::new(),
            },
            ..Self::default()
        }
    }

    /// Bytes of headers and query, which rules can walk over like a body.
    #[must_use]
    pub fn head_bytes(&self) -> usize {
        let pairs = self.headers.iter().chain(&self.query);
        pairs.map(|(name, value)| name.len() + value.len()).sum()
    }
}

fn seen_headers(looks: &Looks, headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |name: &http::HeaderName| (name.as_str().to_owned(), joined(headers, name));
    match &looks.headers {
        Headers::None => Vec::new(),
        Headers::All => headers.keys().map(pair).collect(),
        Headers::Named(names) => {
            let there = names.iter().filter(|name| headers.contains_key(*name));
            there.map(pair).collect()
        }
    }
}

fn joined(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut values = headers.get_all(name).iter().map(text);
    let first = values.next().unwrap_or_default();
    values.fold(first, |joined, value| joined + ", " + &value)
}

fn first_of_each(query: &str) -> Vec<(String, String)> {
    let mut seen = HashSet::new();
    let pairs = url::form_urlencoded::parse(query.as_bytes()).take(MAX_QUERY);
    let first = pairs.filter(|(name, _)| seen.insert(name.clone()));
    first
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_headers_are_joined_and_the_first_of_a_query_counts() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("X-Env", "a"), ("x-env", "b"), ("Other", "\u{e5}")] {
            let name: http::HeaderName = name.parse().unwrap();
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(name, value);
        }
        let all = Looks::everywhere();
        let of = |looks| {
            let query = "n=1&t=%C3%85by+IF&n=2&&x";
            Request::of(looks, &http::Method::POST, &headers, query)
        };
        let request = of(&all);
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        assert_eq!(request.method, "POST");
        let headers = [("x-env", "a, b"), ("other", "\u{e5}")].map(pair);
        assert_eq!(request.headers, headers);
        let query = [("n", "1"), ("t", "\u{c5}by IF"), ("x", "")].map(pair);
        assert_eq!(request.query, query);
        let none = Looks::default();
        let nothing = of(&none);
        assert_eq!(nothing.head_bytes() + nothing.method.len(), 0);
        let names = ["x-env", "x-none"].map(http::HeaderName::from_static);
        let one = Looks {
            headers: Headers::Named(names.into()),
            ..Looks::default()
        };
        assert_eq!(of(&one).headers, headers[..1]);
    }
}
