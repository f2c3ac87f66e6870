//! How long the article's job takes, on a virtual clock: the rate limit is used up and never overdrawn.

pub(crate) mod clockwork;

use clockwork::{ARTICLE, Outcome, Rounding, Setting, run};

#[test]
fn table() {
    for setting in [
        ARTICLE,
        Setting { limit: 1_600, ..ARTICLE },
        Setting { limit: 10, period_s: 10, ..ARTICLE },
        Setting { limit: 10, period_s: 10, rounding: Rounding::Up, ..ARTICLE },
        Setting { limit: 10, period_s: 10, rounding: Rounding::Down, ..ARTICLE },
        Setting { starts_ms: 1_234_567, ..ARTICLE },
        Setting { starts_ms: 3_595_000, ..ARTICLE },
        Setting { interval_s: 10, ..ARTICLE },
        Setting { others_percent: 30, ..ARTICLE },
        Setting { limit: 5, period_s: 1, latency_ms: (3_000, 9_000), ..ARTICLE },
    ] {
        println!("{:?} {:?}", (setting.limit, setting.period_s, setting.starts_ms, setting.rounding), run(&setting));
    }
}
