//! Bodies that cannot be read: compressed wrongly, without an end, or no text at all.

use crate::faults::case::{Case, body, bomb, compressed, encoded, gzipped, headers_then};
use crate::faults::peer::{Act, framed};

pub(crate) fn all() -> Vec<Case> {
    let mut cases = packed();
    cases.extend(unreadable());
    cases
}

fn packed() -> Vec<Case> {
    vec![
        Case::once("gzip", gzipped(|whole| whole)),
        Case::once("gzip-cut", gzipped(|whole| whole[..whole.len() * 2 / 3].to_vec())),
        Case::once("gzip-cut-tail", gzipped(|whole| whole[..whole.len() - 8].to_vec())),
        Case::once(
            "gzip-bad-sum",
            gzipped(|mut whole| {
                let end = whole.len();
                whole[end - 6] ^= 1;
                whole
            }),
        ),
        Case::once(
            "gzip-flipped",
            gzipped(|mut whole| {
                let middle = whole.len() / 2;
                whole[middle] ^= 0x55;
                whole
            }),
        ),
        Case::once("gzip-not", |truth| encoded(truth, "gzip", truth.body.as_bytes())),
        Case::once("gzip-empty", |truth| encoded(truth, "gzip", b"")),
        Case::once("gzip-unsaid", |truth| {
            vec![framed("200 OK", &truth.headers, &compressed(truth.body.as_bytes()))]
        }),
        Case::once("gzip-two-members", gzipped(|whole| [whole, compressed(b"   ")].concat())),
        Case::once("encoding-unknown", |truth| encoded(truth, "br", &[0xff; 300])),
        Case::once("bomb-once", bomb),
        Case::about_both("bomb-list", bomb),
    ]
}

fn unreadable() -> Vec<Case> {
    vec![
        Case::once(
            "endless",
            headers_then(|truth| {
                let body = truth.body.clone().into_bytes();
                let spaces = vec![b' '; 1 << 20];
                (
                    "Connection: close\r\n\r\n".into(),
                    vec![Act::Send(body), Act::Repeat(spaces, 1_000)],
                )
            }),
        ),
        Case::once("empty", body(|_| String::new())),
        Case::once("spaces", body(|_| " \r\n ".into())),
        Case::once("html-once", body(|_| "<!DOCTYPE html><title>Sign in</title>".into())),
        Case::first("html-first", body(|_| "<!DOCTYPE html><title>Sign in</title>".into())),
        Case::once("text", body(|_| "upstream connect error".into())),
        Case::once("bom", body(|text| format!("\u{feff}{text}"))),
        Case::once("latin-1", |truth| {
            let mut body = truth.body.clone().into_bytes();
            body[12] = 0xe9;
            vec![framed("200 OK", &truth.headers, &body)]
        }),
    ]
}
