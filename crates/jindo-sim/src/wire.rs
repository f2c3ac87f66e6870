//! HTTP requests and answers as values, without a socket. Knows no route and no metric.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
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
    /// Leaves the headers out: they hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, target, headers, body } = self;
        write!(f, "{method} {target} ({} headers, {} bytes)", headers.len(), body.len())
    }
}

impl Request {
    /// Returns a GET with the default API and application keys.
    pub fn get(target: &str) -> Self {
        let headers = vec![
            ("DD-API-KEY".to_owned(), crate::options::API_KEY.to_owned()),
            ("DD-APPLICATION-KEY".to_owned(), crate::options::APP_KEY.to_owned()),
        ];
        Self { method: "GET".to_owned(), target: target.to_owned(), headers, body: Vec::new() }
    }

    /// Returns a POST with the default API and application keys.
    pub fn post(target: &str, body: &str) -> Self {
        Self { method: "POST".to_owned(), body: body.as_bytes().to_vec(), ..Self::get(target) }
    }

    /// Returns the first header of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Returns the target without its parameters, still escaped.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Returns the first parameter of this name as it stands in the target, still escaped.
    pub(crate) fn raw_parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then_some(value)
        })
    }

    /// Returns the first parameter of this name, decoded; `+` is a space.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.raw_parameter(name).map(|raw| decode(raw).into_owned())
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Decodes escapes and `+`; invalid UTF-8 becomes replacement characters.
pub(crate) fn decode(raw: &str) -> Cow<'_, str> {
    percent_decode_str(&raw.replace('+', " ")).decode_utf8_lossy().into_owned().into()
}

/// One HTTP answer and its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Without `Content-Length` and `Connection`, which follow from the delivery.
    pub headers: Vec<(String, String)>,
    /// As sent: compressed if `Content-Encoding` is among the headers.
    pub body: Vec<u8>,
    /// Time until the first byte is sent.
    pub latency: Duration,
    pub delivery: Delivery,
    /// Points in the body, for the statistics.
    pub points: u64,
}

/// The fate of an answer on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Sends the answer whole.
    Whole,
    /// Resets the connection before the first byte.
    Reset,
    /// Promises the whole body, sends its first bytes, resets the connection.
    ResetAfter { bytes: usize },
    /// Promises the whole body, sends its first bytes, closes the connection in good order.
    CloseAfter { bytes: usize },
    /// Sends the body in pieces of `bytes`, each after a pause.
    Drip { bytes: usize, pause: Duration },
    /// Sends nothing and keeps the connection open.
    Hang,
    /// Sends the body, then white space, and never ends it.
    Endless,
}

impl Response {
    /// Returns a whole answer with this content type.
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

    /// Returns a whole answer of JSON.
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// Compresses the body at level 1, so that clients do not wait for the simulator.
    pub(crate) fn compress(&mut self) {
        let space = Vec::with_capacity(self.body.len() / 3);
        let mut encoder = GzEncoder::new(space, Compression::fast());
        encoder.write_all(&self.body).expect("a Vec grows");
        self.body = encoder.finish().expect("a Vec grows");
        self.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
    }

    /// Returns the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}
