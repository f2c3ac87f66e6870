//! HTTP/1.1 as text: the head of a request read, the head of an answer written. Pure; touches no socket.

use std::fmt::Write as _;

use crate::wire::{Request, Response};

/// A request's head beyond this is refused: well above the longest query allowed, well below trouble.
pub(super) const HEAD_BYTES_MAX: usize = 256 * 1024;

/// A body beyond this is not read; the API's own limit is far below.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The head of a request and how much of the buffer belongs to it and its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) request: Request,
    pub(super) used_bytes: usize,
    pub(super) body_bytes: usize,
    pub(super) after: After,
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    KeepAlive,
    Close,
}

/// What the bytes so far hold.
#[derive(Debug)]
pub(super) enum Parsed {
    /// More bytes are needed.
    Incomplete,
    Head(Box<Head>),
    /// No HTTP, or more than is read; the status to answer with before closing.
    Refused(u16),
}

/// Looks for a request's head at the start of `buffer`.
pub(super) fn parse(buffer: &[u8]) -> Parsed {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if buffer.len() > HEAD_BYTES_MAX {
            Parsed::Refused(431)
        } else {
            Parsed::Incomplete
        };
    };
    if end > HEAD_BYTES_MAX {
        return Parsed::Refused(431);
    }
    let Ok(text) = std::str::from_utf8(&buffer[..end]) else { return Parsed::Refused(400) };
    let mut lines = text.split("\r\n");
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version @ ("HTTP/1.1" | "HTTP/1.0")] = first.as_slice() else {
        return Parsed::Refused(400);
    };
    let mut headers = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { return Parsed::Refused(400) };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let request = Request {
        method: (*method).to_owned(),
        target: origin_form(target).to_owned(),
        headers,
        body: Vec::new(),
    };
    if request.header("transfer-encoding").is_some() {
        return Parsed::Refused(411);
    }
    let body_bytes = match request.header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(bytes)) if bytes <= BODY_BYTES_MAX => bytes,
        Some(Ok(_)) => return Parsed::Refused(413),
        Some(Err(_)) => return Parsed::Refused(400),
    };
    let wish = request.header("connection").unwrap_or_default().to_ascii_lowercase();
    let after = match *version {
        "HTTP/1.1" if !wish.contains("close") => After::KeepAlive,
        _ if wish.contains("keep-alive") => After::KeepAlive,
        _ => After::Close,
    };
    Parsed::Head(Box::new(Head { request, used_bytes: end + 4, body_bytes, after }))
}

/// Through a proxy the target is a whole URL; the simulator answers for any host.
fn origin_form(target: &str) -> &str {
    let Some(rest) = target.strip_prefix("http://") else { return target };
    rest.find('/').map_or("/", |slash| &rest[slash..])
}

/// How an answer's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Known(usize),
    /// Chunked, for a body that does not end.
    Chunked,
}

/// The head of an answer.
pub(super) fn head(response: &Response, length: Length, after: After) -> String {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in &response.headers {
        line(&mut head, name, value);
    }
    match length {
        Length::Known(bytes) => line(&mut head, "Content-Length", &bytes.to_string()),
        Length::Chunked => line(&mut head, "Transfer-Encoding", "chunked"),
    }
    line(&mut head, "Connection", if after == After::KeepAlive { "keep-alive" } else { "close" });
    head.push_str("\r\n");
    head
}

fn line(head: &mut String, name: &str, value: &str) {
    write!(head, "{name}: {value}\r\n").expect("a String grows");
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        411 => "Length Required",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_once_it_is_whole() {
        let whole = b"POST /a?b=c HTTP/1.1\r\nContent-Length: 2\r\nDD-API-KEY:  k \r\n\r\n{}GET";
        assert!(matches!(parse(&whole[..40]), Parsed::Incomplete));
        let Parsed::Head(head) = parse(whole) else { panic!("whole") };
        assert_eq!(
            (head.used_bytes, head.body_bytes, head.after),
            (whole.len() - 5, 2, After::KeepAlive)
        );
        assert_eq!(head.request.header("dd-api-key"), Some("k"));
        assert_eq!(head.request.target, "/a?b=c");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let status = |text: &str| match parse(text.as_bytes()) {
            Parsed::Refused(status) => status,
            Parsed::Incomplete | Parsed::Head(_) => 0,
        };
        assert_eq!(status("hello\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/2\r\n\r\n"), 400);
        assert_eq!(status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 411);
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"), 413);
        assert_eq!(status(&"x".repeat(HEAD_BYTES_MAX + 1)), 431);
    }

    #[test]
    fn connections_stay_or_close_as_asked() {
        let after = |text: &str| match parse(text.as_bytes()) {
            Parsed::Head(head) => Some(head.after),
            Parsed::Incomplete | Parsed::Refused(_) => None,
        };
        assert_eq!(after("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"), Some(After::Close));
        assert_eq!(after("GET / HTTP/1.0\r\n\r\n"), Some(After::Close));
        assert_eq!(
            after("GET http://h/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            Some(After::KeepAlive)
        );
    }
}
