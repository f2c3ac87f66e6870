//! One case of the matrix: what the wire shows, and who is asked where.

use super::peer::{Act, Asked, Script, Truth, framed, head};
use super::tls::Identity;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// A query of three groups.
pub(crate) const GROUPED: &str = "avg:system.cpu.user{*} by {host}";

/// A query of one series: the one that a fault may be about.
pub(crate) const LONE: &str = "avg:odd.values{*}";

/// By which `LONE` is known in a list, and in an answer.
pub(crate) const LONE_METRIC: &str = "odd.values";

/// Where jindo asks.
pub(crate) enum Place {
    Plain,
    Tls(Identity),
    /// `https://`, and the server speaks no TLS.
    TlsNone,
    /// Where nobody answers.
    Url(String),
}

/// A row of docs/faults.md as it happens.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) arguments: Vec<&'static str>,
    pub(crate) script: Script,
}

impl Case {
    pub(crate) fn new(
        name: &'static str,
        script: impl Fn(&Asked, &Truth) -> Option<Vec<Act>> + Send + Sync + 'static,
    ) -> Self {
        Self { name, place: Place::Plain, arguments: Vec::new(), script: Arc::new(script) }
    }

    /// The second of the three calls meets the fault.
    pub(crate) fn once(
        name: &'static str,
        acts: impl Fn(&Truth) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |asked, truth| (asked.nth == 2).then(|| acts(truth)))
    }

    /// So many calls in a row meet the fault, from the second on.
    pub(crate) fn times(
        name: &'static str,
        times: u64,
        acts: impl Fn(&Truth) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |asked, truth| {
            (2..2 + times).contains(&asked.nth).then(|| acts(truth))
        })
    }

    /// From the second call on every one meets the fault.
    pub(crate) fn later(
        name: &'static str,
        acts: impl Fn(&Truth) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::times(name, 1_000_000, acts)
    }

    /// Every query call meets the fault.
    pub(crate) fn first(
        name: &'static str,
        acts: impl Fn(&Truth) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |asked, truth| (asked.nth > 0).then(|| acts(truth)))
    }

    /// Every call with the lone query in its list meets the fault.
    pub(crate) fn about_one(
        name: &'static str,
        acts: impl Fn(&Truth) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |asked, truth| {
            (asked.nth > 0 && asked.names(LONE_METRIC)).then(|| acts(truth))
        })
    }

    /// Every call with both queries in its list meets the fault.
    pub(crate) fn about_both(
        name: &'static str,
        acts: impl Fn(&Truth) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |asked, truth| {
            let both = asked.names(LONE_METRIC) && asked.names("system.cpu.user");
            (asked.nth > 0 && both).then(|| acts(truth))
        })
    }

    /// Every call is asked of another place, which answers well if it answers at all.
    pub(crate) fn at(name: &'static str, place: Place) -> Self {
        Self { place, ..Self::new(name, |_, _| None) }
    }

    pub(crate) fn with(mut self, arguments: &[&'static str]) -> Self {
        self.arguments.extend_from_slice(arguments);
        self
    }
}

/// A status with a JSON body.
pub(crate) fn json(status: &'static str, body: &'static str) -> impl Fn(&Truth) -> Vec<Act> {
    with_type(status, "application/json", body)
}

/// A status with a page.
pub(crate) fn html(status: &'static str) -> impl Fn(&Truth) -> Vec<Act> {
    with_type(status, "text/html", "<html><body><h1>nginx says no</h1></body></html>")
}

/// A status with nothing.
pub(crate) fn bare(status: &'static str) -> impl Fn(&Truth) -> Vec<Act> {
    with_type(status, "text/plain", "")
}

fn with_type(
    status: &'static str,
    content_type: &'static str,
    body: &'static str,
) -> impl Fn(&Truth) -> Vec<Act> {
    move |_| vec![framed(status, &[header("Content-Type", content_type)], body.as_bytes())]
}

/// A status with these headers and an empty body.
pub(crate) fn headed(
    status: &'static str,
    headers: &'static [(&'static str, &'static str)],
) -> impl Fn(&Truth) -> Vec<Act> {
    move |_| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| header(name, value)).collect();
        vec![framed(status, &headers, b"")]
    }
}

/// The right answer with other rate headers.
pub(crate) fn paced(lines: &'static [(&'static str, &'static str)]) -> impl Fn(&Truth) -> Vec<Act> {
    move |truth| {
        let plain = truth
            .headers
            .iter()
            .filter(|(name, _)| !name.to_ascii_lowercase().starts_with("x-ratelimit"));
        let lines = lines.iter().map(|(name, value)| header(name, value));
        let headers: Vec<_> = plain.cloned().chain(lines).collect();
        vec![framed("200 OK", &headers, truth.body.as_bytes())]
    }
}

/// A 200 with another body.
pub(crate) fn body(change: impl Fn(&str) -> String) -> impl Fn(&Truth) -> Vec<Act> {
    move |truth| vec![framed("200 OK", &truth.headers, change(&truth.body).as_bytes())]
}

/// A 200 whose body is this text wherever `from` stood in the right one; fails where it stood nowhere.
pub(crate) fn replaced(from: &'static str, to: &'static str) -> impl Fn(&Truth) -> Vec<Act> {
    body(move |text| {
        assert!(text.contains(from), "no `{from}` in {}", &text[..text.len().min(2_000)]);
        text.replace(from, to)
    })
}

/// A 200 whose series are changed one by one, and put back where they were.
pub(crate) fn series(change: impl Fn(&mut Vec<Value>)) -> impl Fn(&Truth) -> Vec<Act> {
    body(move |text| {
        let mut answer: Value = serde_json::from_str(text).unwrap();
        change(answer["series"].as_array_mut().unwrap());
        answer.to_string()
    })
}

/// Bytes as they are.
pub(crate) fn bytes(text: &'static [u8], then: &[Act]) -> impl Fn(&Truth) -> Vec<Act> + use<> {
    let then = then.to_vec();
    move |_| [Act::Send(text.to_vec())].into_iter().chain(then.clone()).collect()
}

/// Status line and headers of the right answer, as far as the empty line, and what comes after.
pub(crate) fn headers_then(
    more: impl Fn(&Truth) -> (String, Vec<Act>),
) -> impl Fn(&Truth) -> Vec<Act> {
    move |truth| {
        let (framing, acts) = more(truth);
        let mut text = head("200 OK", &truth.headers);
        text.extend_from_slice(framing.as_bytes());
        [Act::Send(text)].into_iter().chain(acts).collect()
    }
}

/// `Content-Length` of the whole body, and so much of it.
pub(crate) fn half_then(then: &[Act]) -> impl Fn(&Truth) -> Vec<Act> + use<> {
    let then = then.to_vec();
    headers_then(move |truth| {
        let framing = format!("Content-Length: {}\r\n\r\n", truth.body.len());
        let half = truth.body.as_bytes()[..truth.body.len() / 2].to_vec();
        (framing, [Act::Send(half)].into_iter().chain(then.clone()).collect())
    })
}

/// The right answer in gzip, damaged.
pub(crate) fn gzipped(damage: impl Fn(Vec<u8>) -> Vec<u8>) -> impl Fn(&Truth) -> Vec<Act> {
    move |truth| encoded(truth, "gzip", &damage(compressed(truth.body.as_bytes())))
}

/// A body in whatever the header calls it.
pub(crate) fn encoded(truth: &Truth, encoding: &str, body: &[u8]) -> Vec<Act> {
    let mut headers = truth.headers.clone();
    headers.push(header("Content-Encoding", encoding));
    vec![framed("200 OK", &headers, body)]
}

/// 200 MB of white space and an answer, in 200 kB.
pub(crate) fn bomb(truth: &Truth) -> Vec<Act> {
    let spaces = vec![b' '; 1 << 20];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..200 {
        encoder.write_all(&spaces).unwrap();
    }
    encoder.write_all(truth.body.as_bytes()).unwrap();
    encoded(truth, "gzip", &encoder.finish().unwrap())
}

pub(crate) fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// The right answer, some bytes at a time.
pub(crate) fn dripped(pieces: usize, pause: Duration) -> impl Fn(&Truth) -> Vec<Act> {
    headers_then(move |truth| {
        let body = truth.body.clone().into_bytes();
        let some = body.len() / pieces + 1;
        (format!("Content-Length: {}\r\n\r\n", body.len()), vec![Act::Drip(body, some, pause)])
    })
}

pub(crate) fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
