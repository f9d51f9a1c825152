//! A request as rules see it.

use http::HeaderMap;

/// A request as rules see it. Its `Debug` form would show headers and body; it has none.
#[derive(Clone, Default)]
pub struct Request {
    /// Such as POST.
    pub method: String,
    /// By their names in lower case; one that comes several times is joined by ", ".
    pub headers: Vec<(String, String)>,
    /// The first of each name.
    pub query: Vec<(String, String)>,
    /// The client's address without a port, or nothing if it has none.
    pub source: String,
    /// The label of the secret that it showed, or nothing.
    pub authenticated: String,
    /// As it came, if it is small enough to be looked at. Nothing but no bytes is `null`.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// What the head of a request tells.
    #[must_use]
    pub fn of(method: &http::Method, headers: &HeaderMap, query: &str) -> Self {
        let joined = |name: &http::HeaderName| {
            let values = headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            values.collect::<Vec<_>>().join(", ")
        };
        let headers = headers.keys().map(|name| (name.to_string(), joined(name)));
        let mut first: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if first.iter().all(|(other, _)| *other != name) {
                first.push((name.into_owned(), value.into_owned()));
            }
        }
        Self {
            method: method.to_string(),
            headers: headers.collect(),
            query: first,
            ..Self::default()
        }
    }
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
        let request = Request::of(&http::Method::POST, &headers, "n=1&t=%C3%85by+IF&n=2&&x");
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        assert_eq!(request.method, "POST");
        let headers = [("x-env", "a, b"), ("other", "\u{e5}")].map(pair);
        assert_eq!(request.headers, headers);
        let query = [("n", "1"), ("t", "\u{c5}by IF"), ("x", "")].map(pair);
        assert_eq!(request.query, query);
    }
}
