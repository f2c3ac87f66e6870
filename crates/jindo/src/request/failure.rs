//! Failures of a call, named by what a job does about them. The only place that knows which calls may be repeated.

use super::Rate;
use crate::parse::{self, server_words};
use crate::query::Interval;
use crate::secret::{Secrets, unescaped};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// A call that brought no data.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// 429: wait for the reset; without headers as long as `Retry-After` says, or a while, doubling.
    Limited { rate: Option<Rate>, retry_after: Option<SignedDuration> },
    /// Broken on the way or inside the server: ask again.
    Transient { what: String },
    /// A 200 that cannot be used: ask again. Where that goes on, one query of the list may be the cause.
    Unusable { what: String },
    /// An answer of something else than a metrics API: a page, a redirect, a path that is not there. The address is wrong, or
    /// something stands in between: ask again, but not for long before anything has worked.
    NotAnApi { words: String },
    /// The API says that there is no such thing (404, with words of its own): there is none, of things that are asked for by name.
    NotFound { words: String },
    /// The server ran out of time: ask again, then ask for less.
    TimedOut { what: String },
    /// The server will not answer this: find out whether a query, the number of queries or the window is to blame.
    Refused { words: String },
    /// The URL is too long (414, or 431 where a server counts it among the headers): shorter lists from now on.
    UrlTooLong,
    /// More than `BODY_BYTES_MAX` decoded bytes, or an answer that takes more memory than one may: ask for less.
    TooLarge,
    /// Points further apart or closer than asked: the cap on points is lower than assumed, or the interval is not on offer.
    OtherInterval {
        /// All queries with a series at another interval.
        others: Vec<parse::Other>,
        /// Some series of the same answer had points at the interval asked.
        others_fine: bool,
    },
    /// The keys are not, or no longer, good: stop at once.
    Forbidden { words: String },
}

/// Characters of a server's words that are kept.
const WORDS_CHARS_MAX: usize = 300;

/// Bytes of a body that are read as text, where it is not the JSON of an error: enough for so many characters between the tags of a
/// page, each in an escape.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Classifies an answer that is no 200 by its status and the words in its body, and hides secrets in them.
pub fn classify(status: u16, body: &[u8], rate: Option<Rate>, secrets: &Secrets) -> Failure {
    let words = words(status, body, secrets);
    match status {
        401 | 403 => Failure::Forbidden { words },
        414 | 431 => Failure::UrlTooLong,
        413 => Failure::TooLarge,
        429 => Failure::Limited { rate, retry_after: None },
        408 | 504 => Failure::TimedOut { what: words },
        400..=599 if holds(&words, TIME_OUT) => Failure::TimedOut { what: words },
        400 | 422 => Failure::Refused { words },
        // What there is of a body is no answer; its data is no reason.
        200..=299 => Failure::Transient { what: format!("status {status} instead of 200") },
        // No query can make its endpoint vanish: `GET /api/v1/query` documents 400, 403 and 429.
        404 if api_words(body, secrets).is_some() => Failure::NotFound { words },
        300..=399 | 404 | 405 | 410 => Failure::NotAnApi { words },
        _ => Failure::Transient { what: words },
    }
}

impl Failure {
    /// One word for the run's log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Limited { .. } => "limited",
            Self::Transient { .. } => "transient",
            Self::Unusable { .. } => "unusable",
            Self::NotAnApi { .. } => "not-an-api",
            Self::NotFound { .. } => "not-found",
            Self::TimedOut { .. } => "timed-out",
            Self::Refused { .. } => "refused",
            Self::UrlTooLong => "url-too-long",
            Self::TooLarge => "too-large",
            Self::OtherInterval { .. } => "other-interval",
            Self::Forbidden { .. } => "forbidden",
        }
    }

    /// Returns whether the call may have asked for too much.
    pub fn may_be_size(&self) -> bool {
        match self {
            Self::TimedOut { .. }
            | Self::Refused { .. }
            | Self::UrlTooLong
            | Self::TooLarge
            | Self::OtherInterval { .. } => true,
            Self::Limited { .. }
            | Self::Transient { .. }
            | Self::Unusable { .. }
            | Self::NotAnApi { .. }
            | Self::NotFound { .. }
            | Self::Forbidden { .. } => false,
        }
    }

    /// The words behind it, where there are any.
    pub fn words(&self) -> Option<String> {
        match self {
            Self::Transient { what: words }
            | Self::TimedOut { what: words }
            | Self::Unusable { what: words }
            | Self::Refused { words }
            | Self::NotAnApi { words }
            | Self::NotFound { words }
            | Self::Forbidden { words } => Some(words.clone()),
            Self::OtherInterval { others, .. } => {
                let got: BTreeSet<_> = others.iter().map(|other| other.got).collect();
                let got: Vec<_> = got.iter().map(Interval::to_string).collect();
                Some(format!("points came back every {}", got.join(", ")))
            }
            Self::Limited { .. } | Self::UrlTooLong | Self::TooLarge => None,
        }
    }

    /// Classifies an answer of status 200 that could not be used.
    pub fn of_answer(error: parse::Error, secrets: &Secrets) -> Self {
        let shorten = |text: &str| shorten(text, secrets);
        match error {
            parse::Error::Refused { message } if holds(&message, TIME_OUT) => {
                Self::TimedOut { what: shorten(&message) }
            }
            parse::Error::Refused { message } if holds(&message, PASSING) => {
                Self::Transient { what: shorten(&message) }
            }
            parse::Error::Refused { message } => Self::Refused { words: shorten(&message) },
            parse::Error::Interval { others, others_fine, .. } => {
                Self::OtherInterval { others, others_fine }
            }
            parse::Error::TooLarge => Self::TooLarge,
            parse::Error::Page => {
                Self::NotAnApi { words: "a page of HTML instead of JSON".to_owned() }
            }
            other @ (parse::Error::Garbled { .. } | parse::Error::Inconsistent { .. }) => {
                Self::Unusable { what: shorten(&other.to_string()) }
            }
        }
    }

    /// A redirect, which is never followed: it would carry the keys to another host. What follows a `?` stays untold.
    pub fn redirected(status: u16, location: &str, secrets: &Secrets) -> Self {
        let place = location.split(['?', '#']).next().unwrap_or_default();
        let words = format!("it redirects to {place} (status {status})");
        Self::NotAnApi { words: shorten(&words, secrets) }
    }
}

/// Datadog's words for a query that took too long [reported: datadog-agent#10781].
const TIME_OUT: &[&str] = &["timed out", "timeout", "time-out"];

/// Words inside a 200 that speak of the server and not of the query.
const PASSING: &[&str] = &["try again", "internal", "unavailable", "overloaded", "temporar"];

/// True if the words hold one of the signs, in letters of any case.
fn holds(words: &str, signs: &[&str]) -> bool {
    let words = words.to_ascii_lowercase();
    signs.iter().any(|sign| words.contains(sign))
}

/// The server's own words: the JSON `errors`/`error` where there are any, else the beginning of the body as text.
fn words(status: u16, body: &[u8], secrets: &Secrets) -> String {
    let text = shorten(&api_words(body, secrets).unwrap_or_else(|| plain_text(body)), secrets);
    if text.is_empty() {
        format!("status {status}, empty body")
    } else {
        format!("{text} (status {status})")
    }
}

/// Returns the words of an API's error; `None` for a body without any.
fn api_words(body: &[u8], secrets: &Secrets) -> Option<String> {
    server_words(body, secrets).filter(|text| !text.is_empty())
}

/// The beginning of a body that is no JSON, or not the expected, without its HTML tags and JSON's escapes. With secrets, and as many
/// lines as it has.
fn plain_text(body: &[u8]) -> String {
    let head = &body[..body.len().min(HEAD_BYTES_MAX)];
    let mut inside_tag = false;
    unescaped(&String::from_utf8_lossy(head))
        .chars()
        .map(|c| {
            let kept = !inside_tag && c != '<';
            inside_tag = (inside_tag || c == '<') && c != '>';
            if kept { c } else { ' ' }
        })
        .collect()
}

/// One line of bounded length: the words end up in a terminal and in CSV files.
fn shorten(text: &str, secrets: &Secrets) -> String {
    secrets.words(text, WORDS_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(status: u16, body: &str, expected: &Expect) {
        expected.assert_eq(&format!(
            "{:?}",
            classify(status, body.as_bytes(), None, &Secrets::default())
        ));
    }

    #[test]
    fn answers_are_classified_by_what_is_to_be_done() {
        check(
            403,
            r#"{"status":"error","code":403,"errors":["Forbidden"]}"#,
            &expect![[r#"Forbidden { words: "Forbidden (status 403)" }"#]],
        );
        check(
            400,
            r#"{"errors":["Error parsing query: unable to parse"]}"#,
            &expect![[r#"Refused { words: "Error parsing query: unable to parse (status 400)" }"#]],
        );
        check(
            400,
            "<html><body><h1>400 Bad request</h1></body></html>",
            &expect![[r#"Refused { words: "400 Bad request (status 400)" }"#]],
        );
        check(
            400,
            r#"{"errors":["Query timed out"]}"#,
            &expect![[r#"TimedOut { what: "Query timed out (status 400)" }"#]],
        );
        check(429, "", &expect!["Limited { rate: None, retry_after: None }"]);
        check(502, "", &expect![[r#"Transient { what: "status 502, empty body" }"#]]);
        check(504, "", &expect![[r#"TimedOut { what: "status 504, empty body" }"#]]);
        check(302, "", &expect![[r#"NotAnApi { words: "status 302, empty body" }"#]]);
        check(
            404,
            r#"{"errors":["metric_name not found"]}"#,
            &expect![[r#"NotFound { words: "metric_name not found (status 404)" }"#]],
        );
        check(
            400,
            r#"{"errors":[{"status":"400","title":"Bad Request","detail":"no such window"}]}"#,
            &expect![[r#"Refused { words: "Bad Request; no such window (status 400)" }"#]],
        );
        check(
            422,
            r#"{"error":{"code":422,"message":"no"}}"#,
            &expect![[r#"Refused { words: "no (status 422)" }"#]],
        );
        check(
            404,
            "<h1>Not Found</h1>",
            &expect![[r#"NotAnApi { words: "Not Found (status 404)" }"#]],
        );
        check(414, "", &expect!["UrlTooLong"]);
        check(431, "", &expect!["UrlTooLong"]);
    }

    #[test]
    fn a_redirect_names_the_place_and_none_of_its_secrets() {
        let found =
            Failure::redirected(302, "https://login.example/in?token=abc#def", &Secrets::default());
        let words = "it redirects to https://login.example/in (status 302)".to_owned();
        assert_eq!(found, Failure::NotAnApi { words });
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn said(status: u16, body: &str) -> String {
        let secrets = Secrets::new([crate::secret::Secret::new(KEY)]);
        classify(status, body.as_bytes(), None, &secrets).words().unwrap()
    }

    #[test]
    fn keys_that_a_server_repeats_are_hidden_after_decoding() {
        let escaped = KEY.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat();
        let (start, end) = KEY.split_at(9);
        for key in [KEY, &KEY.to_uppercase(), &escaped, &format!("{start}\u{7}\u{202e}{end}")] {
            for status in [400, 403, 404, 500] {
                let expected = format!("bad [secret] ! (status {status})");
                let body =
                    format!(r#"{{"errors":["bad {}","!"]}}"#, key.replace('\u{7}', "\\u0007"));
                assert_eq!(said(status, &body), expected.replace(" !", "; !"), "{body}");
                // Other JSON, no JSON, half of it.
                for body in [format!("bad {key} !"), format!("<p>bad</p>{key}<br>!")] {
                    assert_eq!(said(status, &body), expected, "{body}");
                }
                let words = said(status, &format!(r#"{{"errors":["bad {key} !"#));
                assert!(words.contains("bad [secret] !"), "{words}");
            }
        }
        let long = format!("{}{KEY}", "x".repeat(WORDS_CHARS_MAX - 20));
        assert!(!said(400, &long).contains(&KEY[..8]), "a cut through a key shows none of it");
        let secrets = Secrets::new([crate::secret::Secret::new(KEY)]);
        let elsewhere = Failure::redirected(302, &format!("https://x/{KEY}"), &secrets);
        let words = "it redirects to https://x/[secret] (status 302)";
        assert_eq!(elsewhere.words().as_deref(), Some(words));
    }

    #[test]
    fn of_many_words_only_what_is_shown_is_kept() {
        let many = format!(r#"{{"errors":[{}"first"],"error":"last"}}"#, r#""","#.repeat(100_000));
        assert_eq!(said(400, &many), "first; last (status 400)");
        let long = said(400, &format!(r#"{{"errors":["{}"]}}"#, "wörd ".repeat(100_000)));
        assert_eq!(long.chars().count(), WORDS_CHARS_MAX + "… (status 400)".chars().count());
    }
}
