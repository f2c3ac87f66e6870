//! The rate limit: 429 in every shape, and headers that make no sense.

use crate::faults::case::{Case, bare, headed, html, json, paced};

const USED_UP: &[(&str, &str)] = &[
    ("X-RateLimit-Limit", "100"),
    ("X-RateLimit-Period", "10"),
    ("X-RateLimit-Remaining", "0"),
    ("X-RateLimit-Reset", "1"),
    ("X-RateLimit-Name", "burst"),
];

/// The server's clock, and a second later as a date and in seconds since 1970.
const DATE: (&str, &str) = ("Date", "Mon, 23 Nov 2026 08:00:00 GMT");
const LATER: &str = "Mon, 23 Nov 2026 08:00:01 GMT";
const LATER_S: &str = "1795420801";

pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![
        Case::once("429-headers", headed("429 Too Many Requests", USED_UP)),
        Case::once("429-bare", json("429 Too Many Requests", r#"{"errors":["Rate limit"]}"#)),
        Case::once("429-empty", bare("429 Too Many Requests")),
        Case::once("429-html", html("429 Too Many Requests")),
        Case::once("429-retry-after", headed("429 Too Many Requests", &[("Retry-After", "1")])),
        Case::once(
            "429-retry-date",
            headed("429 Too Many Requests", &[DATE, ("Retry-After", LATER)]),
        ),
        Case::once(
            "429-reset-moment",
            headed("429 Too Many Requests", &[DATE, ("X-RateLimit-Reset", LATER_S)]),
        ),
        Case::later("429-later", bare("429 Too Many Requests")).with(&["--give-up-after", "2s"]),
        Case::later("429-for-ever", headed("429 Too Many Requests", USED_UP))
            .with(&["--give-up-after", "2s"]),
        Case::later("429-retry-for-ever", headed("429 Too Many Requests", &[("Retry-After", "1")]))
            .with(&["--give-up-after", "2s"]),
    ];
    cases.extend(oddities());
    cases
}

fn oddities() -> Vec<Case> {
    vec![
        Case::first("rate-absent", paced(&[])),
        Case::once(
            "rate-negative",
            paced(&[
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-period", "1"),
                ("x-ratelimit-remaining", "-3"),
                ("x-ratelimit-reset", "-1"),
            ]),
        ),
        Case::once(
            "rate-fraction",
            paced(&[
                ("X-RATELIMIT-LIMIT", "100.5"),
                ("X-RATELIMIT-PERIOD", "1.5"),
                ("X-RATELIMIT-REMAINING", "0.25"),
                ("X-RATELIMIT-RESET", "0.75"),
            ]),
        ),
        Case::once(
            "rate-nonsense",
            paced(&[
                ("X-RateLimit-Limit", "many"),
                ("X-RateLimit-Period", ""),
                ("X-RateLimit-Remaining", "NaN"),
                ("X-RateLimit-Reset", "Mon, 23 Nov 2026 08:00:00 GMT"),
            ]),
        ),
        Case::once(
            "rate-twice",
            paced(&[
                ("X-RateLimit-Limit", "100, 90"),
                ("X-RateLimit-Limit", "80"),
                ("X-RateLimit-Period", "1, 1"),
                ("X-RateLimit-Remaining", "7"),
                ("X-RateLimit-Remaining", "5"),
                ("X-RateLimit-Reset", "1"),
                ("X-RateLimit-Reset", "1"),
            ]),
        ),
        Case::once(
            "rate-moment",
            paced(&[
                DATE,
                ("X-RateLimit-Limit", "100"),
                ("X-RateLimit-Period", "3600"),
                ("X-RateLimit-Remaining", "0"),
                ("X-RateLimit-Reset", LATER_S),
            ]),
        ),
        Case::once(
            "rate-huge",
            paced(&[
                ("X-RateLimit-Limit", "1e308"),
                ("X-RateLimit-Period", "1e308"),
                ("X-RateLimit-Remaining", "1e308"),
                ("X-RateLimit-Reset", "1e308"),
            ]),
        ),
        Case::once(
            "rate-zero",
            paced(&[
                ("X-RateLimit-Limit", "0"),
                ("X-RateLimit-Period", "0"),
                ("X-RateLimit-Remaining", "0"),
                ("X-RateLimit-Reset", "0"),
            ]),
        ),
    ]
}
