//! HTTP/1.1 as text: request heads read, response heads written. Pure; touches no socket.

use std::fmt::Write as _;

use crate::wire::{Request, Response};

/// Longest request head in bytes: well above the longest query allowed, well below a strain on memory.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// Most header lines in a request.
const HEADERS_MAX: usize = 128;

/// Longest request body in bytes; the API's own limit is far below.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request's head.
#[derive(Debug)]
pub(super) struct Head {
    /// The request, with an empty body.
    pub(crate) request: Request,
    /// Bytes of the buffer that the head takes.
    pub(crate) length_bytes: usize,
    /// Bytes of the body that follows.
    pub(crate) body_bytes: usize,
    pub(crate) persistence: Persistence,
    /// The host that was asked, with its port: of the target, where it is a whole URL, else of the header.
    pub(crate) host: String,
}

/// The state of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    KeepAlive,
    Close,
}

/// Parses the head at the start of `buffer`; `None` when more bytes are needed.
///
/// # Errors
/// The status to answer with before the connection is closed: 400 for text that is not HTTP/1 or names no host, 411 for a chunked body, 413 and 431 for bodies and heads that are too large.
pub(super) fn parse(buffer: &[u8]) -> Result<Option<Head>, u16> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let length_bytes = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(bytes)) if bytes <= HEAD_BYTES_MAX => bytes,
        Ok(httparse::Status::Partial) if buffer.len() <= HEAD_BYTES_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(431),
        Err(_) => return Err(400),
    };
    let request = request(&parsed).ok_or(400_u16)?;
    let of_target = parsed.path.and_then(whole_url).map(|(host, _)| host);
    let host = of_target.or(request.header("host")).ok_or(400_u16)?.to_owned();
    if request.header("transfer-encoding").is_some() {
        return Err(411);
    }
    let body_bytes = match request.header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(bytes)) if bytes <= BODY_BYTES_MAX => bytes,
        Some(Ok(_)) => return Err(413),
        Some(Err(_)) => return Err(400),
    };
    let wish = request.header("connection").unwrap_or_default().to_ascii_lowercase();
    let persistent = parsed.version == Some(1) && !wish.contains("close");
    let persistence = if persistent || wish.contains("keep-alive") {
        Persistence::KeepAlive
    } else {
        Persistence::Close
    };
    Ok(Some(Head { request, length_bytes, body_bytes, persistence, host }))
}

/// Returns the request without its body; `None` when a header is not UTF-8.
fn request(parsed: &httparse::Request<'_, '_>) -> Option<Request> {
    let headers = parsed.headers.iter().map(|header| {
        let value = std::str::from_utf8(header.value).ok()?;
        Some((header.name.to_owned(), value.trim().to_owned()))
    });
    Some(Request {
        method: parsed.method?.to_owned(),
        target: origin_form(parsed.path?).to_owned(),
        headers: headers.collect::<Option<_>>()?,
        body: Vec::new(),
    })
}

/// Returns the path and query of a target that may be a whole URL, which proxies are sent.
fn origin_form(target: &str) -> &str {
    whole_url(target).map_or(target, |(_, path)| path)
}

/// Returns host and path of a target that is a whole URL.
fn whole_url(target: &str) -> Option<(&str, &str)> {
    let rest = target.strip_prefix("http://")?;
    Some(rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash)))
}

/// Returns the head of an answer with a body of `length` bytes; `None` is a chunked body that does not end.
pub(super) fn head(response: &Response, length: Option<usize>, persistence: Persistence) -> String {
    let framing = match length {
        Some(bytes) => format!("Content-Length: {bytes}"),
        None => "Transfer-Encoding: chunked".to_owned(),
    };
    let connection = match persistence {
        Persistence::KeepAlive => "keep-alive",
        Persistence::Close => "close",
    };
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in &response.headers {
        write!(head, "{name}: {value}\r\n").expect("a String grows");
    }
    head + &framing + "\r\nConnection: " + connection + "\r\n\r\n"
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
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
        let whole = b"POST /a?b=c HTTP/1.1\r\nHost: h:1\r\nContent-Length: 2\r\nDD-API-KEY:  k \r\n\r\n{}GET";
        assert!(parse(&whole[..40]).unwrap().is_none());
        let head = parse(whole).unwrap().expect("whole");
        assert_eq!(
            (head.length_bytes, head.body_bytes, head.persistence),
            (whole.len() - 5, 2, Persistence::KeepAlive)
        );
        assert_eq!(head.request.header("dd-api-key"), Some("k"));
        assert_eq!(head.request.target, "/a?b=c");
        assert_eq!(head.host, "h:1");
        let proxied = b"GET http://a:1/x HTTP/1.1\r\nHost: b\r\n\r\n";
        let proxied = parse(proxied).unwrap().expect("whole");
        assert_eq!((&*proxied.host, &*proxied.request.target), ("a:1", "/x"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let status = |text: &str| parse(text.as_bytes()).err();
        assert_eq!(status("hello\r\n\r\n"), Some(400));
        assert_eq!(status("GET / HTTP/2\r\n\r\n"), Some(400));
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), Some(400));
        assert_eq!(
            status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Some(411)
        );
        assert_eq!(
            status("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n"),
            Some(413)
        );
        assert_eq!(status(&"x".repeat(HEAD_BYTES_MAX + 1)), Some(431));
        let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Some(431));
    }

    #[test]
    fn connections_stay_or_close_as_asked() {
        let persistence = |text: &str| parse(text.as_bytes()).unwrap().map(|head| head.persistence);
        assert_eq!(
            persistence("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"),
            Some(Persistence::Close)
        );
        assert_eq!(persistence("GET / HTTP/1.0\r\nHost: h\r\n\r\n"), Some(Persistence::Close));
        assert_eq!(
            persistence("GET http://h/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            Some(Persistence::KeepAlive)
        );
    }
}
