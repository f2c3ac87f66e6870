//! How long jobs take: the real machine and budget on a simulated clock, in one process, in seconds. Prints one table;
//! asserts nothing (the tests of the same name do), measures no CPU.
//!
//! `cargo bench -p jindo --bench virtual_time`

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

#[path = "../tests/it/virtual_time/clockwork.rs"]
mod clockwork;
#[path = "../tests/it/virtual_time/sparse.rs"]
mod sparse;
#[path = "../tests/it/virtual_time/temper.rs"]
mod temper;

use clockwork::{ARTICLE, Outcome, Rounding, Setting, run};
use jindo::request::Reserve;
use sparse::run_sparse;
use temper::tempers;

/// The known script asks for four hours of one metric a call.
const SCRIPT_CALLS_A_DAY: u64 = 6;

/// Of the days of each query, so many per cent have data in a sparse organisation.
const SPARSE_ACTIVE_PERCENT: u64 = 30;

fn main() {
    println!(
        "{:<66} {:>10} {:>11} {:>6} {:>10} {:>6} {:>4} {:>10} {:>6}",
        "", "limit", "latency", "calls", "time", "used", "429", "script", "ratio"
    );
    for (name, setting) in settings() {
        println!("{name:<66} {}", row(&setting, &run(&setting)));
    }
    for (name, setting) in sparse_settings() {
        println!("{name:<66} {}", row(&setting, &run(&setting)));
        let probed = run_sparse(&setting, SPARSE_ACTIVE_PERCENT);
        println!("{:<66} {}", "  70 % of query-days empty, probed first", row(&setting, &probed));
        println!("{:<66} {:>29}", "  calls that its data alone would fill", probed.needed);
    }
    println!("\n{:<66} {:>6} {:>6} {:>8} {:>7}", "", "calls", "needed", "learning", "percent");
    for (name, temper) in tempers() {
        for queries in [105, 579] {
            let outcome = run(&Setting { queries, days: 100, temper, ..ARTICLE });
            println!(
                "{:<66} {:>6} {:>6} {:>8} {:>6.1}%",
                format!("{queries} queries, 100 days: {name}"),
                outcome.calls,
                outcome.needed,
                i64::try_from(outcome.calls).unwrap_or(i64::MAX)
                    - i64::try_from(outcome.needed).unwrap_or(i64::MAX),
                outcome.learning_percent(),
            );
        }
    }
}

fn settings() -> Vec<(&'static str, Setting)> {
    let short = Setting { limit: 10, period_s: 10, ..ARTICLE };
    let shared = Setting { others_percent: 30, ..ARTICLE };
    vec![
        ("579 queries, 96 days, a point a minute, all of the limit", ARTICLE),
        ("  a tenth left to others, as by default", Setting { reserve: Reserve::USUAL, ..ARTICLE }),
        ("  quick answers", Setting { latency_ms: (50, 500), ..ARTICLE }),
        ("  slow answers", Setting { latency_ms: (10_000, 20_000), concurrency: 32, ..ARTICLE }),
        ("  the article's limit", Setting { limit: 1_600, ..ARTICLE }),
        ("  begun 20 minutes into the hour", Setting { starts_ms: 1_200_000, ..ARTICLE }),
        ("  begun 5 s before the hour", Setting { starts_ms: 3_595_000, ..ARTICLE }),
        ("  windows of 10 s", short.clone()),
        (
            "  windows of 10 s, reset rounded up",
            Setting { rounding: Rounding::Up, ..short.clone() },
        ),
        (
            "  windows of 10 s, reset rounded down",
            Setting { rounding: Rounding::Down, ..short.clone() },
        ),
        ("  windows of 1 s, shorter than an answer", Setting { limit: 5, period_s: 1, ..ARTICLE }),
        ("  30 % taken by others", shared.clone()),
        ("  30 % taken by others, 1,600 an hour", Setting { limit: 1_600, ..shared.clone() }),
        ("579 queries, 96 days, a point every 10 s", Setting { interval_s: 10, ..ARTICLE }),
        ("  30 % taken by others", Setting { interval_s: 10, ..shared.clone() }),
        (
            "  30 % taken by others, a reserve of 2 %",
            Setting {
                interval_s: 10,
                reserve: Reserve::percent(2.0).expect("less than all"),
                ..shared
            },
        ),
    ]
}

fn sparse_settings() -> [(&'static str, Setting); 2] {
    let fine = Setting { interval_s: 10, ..ARTICLE };
    [
        ("579 queries, 96 days, a point a minute, all", ARTICLE),
        ("579 queries, 96 days, a point every 10 s, all", fine),
    ]
}

fn row(setting: &Setting, outcome: &Outcome) -> String {
    let days = u64::try_from(setting.days).expect("some days");
    let windows = days * SCRIPT_CALLS_A_DAY * u64::from(60 / setting.interval_s.min(60));
    let script_calls = setting.queries as u64 * windows;
    // At the same pace: what is left of the limit by others.
    let free = f64::from(100 - setting.others_percent) / 100.0;
    let rate = f64::from(setting.limit) * free / f64::from(setting.period_s);
    #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
    let script_s = script_calls as f64 / rate;
    let (least, most) = setting.latency_ms;
    format!(
        "{:>10} {:>11} {:>6} {:>10} {:>5.1}% {:>4} {:>10} {:>5.0}x",
        format!("{}/{} s", setting.limit, setting.period_s),
        format!("{}-{} s", seconds(least), seconds(most)),
        outcome.calls,
        clock(outcome.seconds),
        outcome.share * 100.0,
        outcome.refused,
        clock(script_s),
        script_s / outcome.seconds,
    )
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

/// `27 min 15 s`, `92.6 h`.
fn clock(seconds: f64) -> String {
    if seconds >= 3.0 * 3_600.0 {
        return format!("{:.1} h", seconds / 3_600.0);
    }
    let minutes = (seconds / 60.0).floor();
    format!("{minutes:.0} min {:02.0} s", seconds - minutes * 60.0)
}
