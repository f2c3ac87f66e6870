//! Requests and answers as values: what a socket carries, without the socket. Knows no route and no metric.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// One HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query as sent: `/api/v1/query?from=…`.
    pub target: String,
    /// Names in any case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    /// Headers are left out: they hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, target, headers, body } = self;
        write!(f, "{method} {target} ({} headers, {} bytes)", headers.len(), body.len())
    }
}

impl Request {
    /// A GET with both of a calm server's keys.
    pub fn get(target: &str) -> Self {
        let headers = vec![
            ("DD-API-KEY".to_owned(), crate::options::API_KEY.to_owned()),
            ("DD-APPLICATION-KEY".to_owned(), crate::options::APP_KEY.to_owned()),
        ];
        Self { method: "GET".to_owned(), target: target.to_owned(), headers, body: Vec::new() }
    }

    /// A POST with both of a calm server's keys.
    pub fn post(target: &str, body: &str) -> Self {
        Self { method: "POST".to_owned(), body: body.as_bytes().to_vec(), ..Self::get(target) }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// A parameter as it stands in the target, still escaped.
    pub(crate) fn raw_parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then_some(value)
        })
    }

    /// A parameter, decoded; `+` is a space.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.raw_parameter(name).map(|raw| decode(raw).into_owned())
    }
}

/// Escapes and `+` undone; bytes that are no UTF-8 become replacement characters.
pub(crate) fn decode(raw: &str) -> Cow<'_, str> {
    let spaced: Cow<'_, str> =
        if raw.contains('+') { raw.replace('+', " ").into() } else { raw.into() };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned().into()
}

/// One HTTP answer and how it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Without `Content-Length`, which follows from the delivery.
    pub headers: Vec<(String, String)>,
    /// As sent: compressed where the headers say so.
    pub body: Vec<u8>,
    /// How long the server takes before it sends the first byte.
    pub latency: Duration,
    pub delivery: Delivery,
    /// Points in the body, for the statistics.
    pub points: u64,
}

/// What a connection does with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Sends it.
    Whole,
    /// Resets the connection instead.
    Reset,
    /// Promises the whole body, sends so many of its bytes, resets the connection.
    ResetAfter { bytes: usize },
    /// Promises the whole body, sends so many of its bytes, closes the connection in good order.
    CloseAfter { bytes: usize },
    /// Sends the body in pieces of so many bytes, each after a pause.
    Drip { bytes: usize, pause: Duration },
    /// Sends nothing and keeps the connection open.
    Hang,
    /// Sends the body, then white space, and never ends it.
    Endless,
}

impl Response {
    /// A whole answer with this content type.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: body.into(),
            latency: Duration::ZERO,
            delivery: Delivery::Whole,
            points: 0,
        }
    }

    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// The value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}
