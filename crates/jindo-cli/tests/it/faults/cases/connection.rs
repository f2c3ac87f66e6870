//! What breaks before an answer has begun, or between its bytes: names, connections, TLS, HTTP itself.

use crate::faults::case::{Case, Place, bytes, dripped, half_then, headers_then};
use crate::faults::peer::{Act, whole};
use crate::faults::tls::Identity;
use std::time::Duration;

/// What a call waits for at most, in the cases about waiting.
const PATIENCE: [&str; 2] = ["--give-up-after", "2s"];

pub(crate) fn all() -> Vec<Case> {
    let mut cases = places();
    cases.extend(breaks());
    cases.extend(silences());
    cases.extend(no_http());
    cases
}

fn places() -> Vec<Case> {
    vec![
        // Port 1 of this machine has been nobody's for decades.
        Case::at("refused-first", Place::Url("http://127.0.0.1:1".into())),
        Case::once("refused-later", |_| vec![Act::Away(2)]),
        Case::at("dns", Place::Url("https://nothing.invalid".into())),
        Case::at("tls-private", Place::Tls(Identity::Good)).with(&["--ca-file", "authority.pem"]),
        Case::at("tls-unknown", Place::Tls(Identity::Good)),
        Case::at("tls-expired", Place::Tls(Identity::Expired))
            .with(&["--ca-file", "authority.pem"]),
        Case::at("tls-other-host", Place::Tls(Identity::OtherHost))
            .with(&["--ca-file", "authority.pem"]),
        Case::at("tls-none", Place::TlsNone),
    ]
}

fn breaks() -> Vec<Case> {
    vec![
        Case::once("reset-before", |_| vec![Act::Reset]),
        Case::once("reset-headers", bytes(b"HTTP/1.1 200 OK\r\nContent-T", &[Act::Reset])),
        Case::once(
            "reset-after-headers",
            headers_then(|_| ("Content-Length: 100000\r\n\r\n".into(), vec![Act::Reset])),
        ),
        Case::once("reset-body", half_then(&[Act::Reset])),
        Case::once("close-before", |_| vec![Act::Close]),
        Case::once("close-headers", bytes(b"HTTP/1.1 200 OK\r\nContent-T", &[Act::Close])),
        Case::once(
            "close-after-headers",
            headers_then(|_| ("Content-Length: 100000\r\n\r\n".into(), vec![Act::Close])),
        ),
        Case::once("half-length", half_then(&[Act::Close])),
        Case::once(
            "half-chunked",
            headers_then(|truth| {
                let half = &truth.body[..truth.body.len() / 2];
                let chunk = format!("{:x}\r\n{half}\r\n", half.len());
                let acts = vec![Act::Send(chunk.into_bytes()), Act::Close];
                ("Transfer-Encoding: chunked\r\n\r\n".into(), acts)
            }),
        ),
        Case::once(
            "half-unframed",
            headers_then(|truth| {
                let half = truth.body.as_bytes()[..truth.body.len() / 2].to_vec();
                ("Connection: close\r\n\r\n".into(), vec![Act::Send(half), Act::Close])
            }),
        ),
        Case::once(
            "whole-unframed",
            headers_then(|truth| {
                let body = truth.body.clone().into_bytes();
                ("Connection: close\r\n\r\n".into(), vec![Act::Send(body), Act::Close])
            }),
        ),
        Case::once(
            "length-too-short",
            headers_then(|truth| {
                let body = truth.body.clone().into_bytes();
                let framing = format!("Content-Length: {}\r\n\r\n", body.len() - 100);
                (framing, vec![Act::Send(body), Act::Close])
            }),
        ),
        Case::once(
            "length-too-long",
            headers_then(|truth| {
                let framing = format!("Content-Length: {}\r\n\r\n", u64::MAX - 1);
                (framing, vec![Act::Send(truth.body.clone().into_bytes()), Act::Close])
            }),
        ),
        Case::once("bytes-after", |truth| {
            vec![whole(truth), Act::Send(b"HTTP/1.1 200 OK\r\n\r\nmore".to_vec())]
        }),
    ]
}

fn silences() -> Vec<Case> {
    vec![
        Case::once("silence-once", |_| vec![Act::Silence]).with(&PATIENCE),
        Case::later("silence-later", |_| vec![Act::Silence]).with(&PATIENCE),
        Case::once("silence-headers", bytes(b"HTTP/1.1 200 OK\r\n", &[Act::Silence]))
            .with(&PATIENCE),
        Case::once("silence-body", half_then(&[Act::Silence])).with(&PATIENCE),
        Case::once("drip-slow", dripped(10, Duration::from_millis(30))),
        Case::once("drip-for-ever", dripped(5_000, Duration::from_millis(10))).with(&PATIENCE),
        Case::about_both("drip-list", dripped(5_000, Duration::from_millis(10)))
            .with(&["--give-up-after", "8s"]),
        Case::times("frozen", 2, |_| vec![Act::Freeze(Duration::from_secs(3)), Act::Close])
            .with(&PATIENCE),
    ]
}

fn no_http() -> Vec<Case> {
    vec![
        Case::once("banner", bytes(b"SSH-2.0-OpenSSH_9.6\r\n", &[Act::Close])),
        Case::once("bare-body", |truth| {
            vec![Act::Send(truth.body.clone().into_bytes()), Act::Close]
        }),
        Case::once(
            "two-lengths",
            headers_then(|truth| {
                let body = truth.body.clone().into_bytes();
                let framing =
                    format!("Content-Length: {}\r\nContent-Length: 7\r\n\r\n", body.len());
                (framing, vec![Act::Send(body), Act::Close])
            }),
        ),
        Case::once(
            "bad-chunk",
            headers_then(|_| {
                let acts = vec![Act::Send(b"fffffffffffffffff\r\nx\r\n".to_vec()), Act::Close];
                ("Transfer-Encoding: chunked\r\n\r\n".into(), acts)
            }),
        ),
        Case::once("early-hints", |truth| {
            let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec();
            vec![Act::Send(hints), whole(truth)]
        }),
        Case::once("switching", bytes(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", &[Act::Close])),
        Case::once("endless-headers", |_| {
            let line = b"X-More: of the same, and of the same again\r\n".repeat(100);
            vec![Act::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Act::Repeat(line, 100_000)]
        }),
    ]
}
