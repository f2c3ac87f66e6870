//! Datadog's functions by their treatment of time: the value of some at an instant changes with the range that is asked for. A name
//! that is missing here is refused, never guessed.
//!
//! Source: the function reference <https://docs.datadoghq.com/dashboards/functions/> with all of its pages, and the pages named
//! beside those that stand elsewhere (read in November 2026).

/// Effect of a function on a point, as far as it matters to a range that is asked in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A point is made of the values of its own instant.
    Instant,
    /// A point is that of another instant, at a distance that does not depend on the range.
    Shift,
    /// A point is made of points before it, too; the words go behind the function's name.
    LooksBack(&'static str),
    /// A point is made of the whole range.
    Range(&'static str),
    /// The range decides which series there are.
    Selection(&'static str),
    /// A modifier, written behind a series: `.fill(zero)`.
    Modifier,
    Unknown,
}

/// A function of the reference.
#[derive(Debug, Clone, Copy)]
struct Function {
    name: &'static str,
    nature: Nature,
}

const RANKS: &str = "ranks series over the range asked for";
const PREVIOUS: &str = "compares each point with the one before it";
const SMOOTHS: &str = "smooths over neighbouring points";
const ADDS_UP: &str = "adds up from the start of the range asked for";
const MODELS: &str = "fits a model to the range asked for";

const fn instant(name: &'static str) -> Function {
    Function { name, nature: Nature::Instant }
}

const fn shift(name: &'static str) -> Function {
    Function { name, nature: Nature::Shift }
}

const fn looks_back(name: &'static str, why: &'static str) -> Function {
    Function { name, nature: Nature::LooksBack(why) }
}

const fn range(name: &'static str, why: &'static str) -> Function {
    Function { name, nature: Nature::Range(why) }
}

const fn modifier(name: &'static str) -> Function {
    Function { name, nature: Nature::Modifier }
}

/// Functions with a name of their own, by the page that documents them.
const FUNCTIONS: &[Function] = &[
    // functions/algorithms
    range("anomalies", MODELS),
    range("outliers", MODELS),
    range("forecast", MODELS),
    // functions/arithmetic
    instant("abs"),
    instant("pow"),
    instant("log2"),
    instant("log10"),
    range("cumsum", ADDS_UP),
    range("integral", ADDS_UP),
    // functions/count
    instant("count_nonzero"),
    instant("count_nonzero_finite"),
    instant("count_not_null"),
    // functions/exclusion
    instant("exclude_null"),
    instant("clamp_min"),
    instant("clamp_max"),
    instant("cutoff_min"),
    instant("cutoff_max"),
    // functions/interpolation; `default` is the older form of `default_zero` (graphing/miscellaneous/functions)
    modifier("fill"),
    instant("default_zero"),
    instant("default"),
    // functions/rate
    looks_back("per_second", PREVIOUS),
    looks_back("per_minute", PREVIOUS),
    looks_back("per_hour", PREVIOUS),
    looks_back("dt", PREVIOUS),
    looks_back("diff", PREVIOUS),
    looks_back("monotonic_diff", PREVIOUS),
    looks_back("derivative", PREVIOUS),
    // An older name of `per_second` (graphing/miscellaneous/functions).
    looks_back("rate", PREVIOUS),
    // It divides by the seconds of the bucket.
    instant("throughput"),
    // functions/regression
    range("robust_trend", MODELS),
    range("trend_line", MODELS),
    range("piecewise_constant", MODELS),
    // functions/rollup
    modifier("rollup"),
    looks_back("moving_rollup", SMOOTHS),
    // functions/smoothing
    range("autosmooth", SMOOTHS),
    modifier("weighted"),
    // functions/timeshift
    shift("timeshift"),
    shift("calendar_shift"),
    shift("hour_before"),
    shift("day_before"),
    shift("week_before"),
    shift("month_before"),
    // metrics/custom_metrics/type_modifiers
    modifier("as_count"),
    modifier("as_rate"),
    // dashboards/querying: of two queries, point by point; and the time of each point, in Unix seconds
    instant("max"),
    instant("min"),
    instant("time"),
    // metrics/nested_queries: 1 or 0 for each point
    instant("is_greater"),
    instant("is_less"),
    instant("is_between"),
    // opentelemetry/guide/combining_otel_and_datadog_metrics: a metric and its twin, as one
    instant("equiv_otel"),
];

/// Names before the `_` and the number of points that a function looks back over: functions/smoothing, functions/beta.
const SMOOTHING_FAMILIES: [&str; 3] = ["ewma", "median", "rollingavg"];

/// Names before the number of series that a function leaves: functions/rank.
const RANK_FAMILIES: [&str; 2] = ["top", "bottom"];

/// Returns the nature of the function `name`.
pub fn nature(name: &str) -> Nature {
    if let Some(known) = FUNCTIONS.iter().find(|function| function.name == name) {
        return known.nature;
    }
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let span =
        |family: &&str| name.strip_prefix(family)?.strip_prefix('_').filter(|s| !s.is_empty());
    if SMOOTHING_FAMILIES.iter().find_map(span).is_some_and(is_number) {
        return Nature::LooksBack(SMOOTHS);
    }
    // `top`, `top10`, `bottom5_mean`.
    let rank = |family: &&str| name.strip_prefix(family);
    let number = |rest: &str| {
        let (number, method) = rest.split_once('_').unwrap_or((rest, ""));
        is_number(number) && (!number.is_empty() || method.is_empty())
    };
    if RANK_FAMILIES.iter().find_map(rank).is_some_and(number) {
        return Nature::Selection(RANKS);
    }
    Nature::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function that the reference names, page by page, in the reference's own order. `#` stands for each of the numbers that the
    /// page gives; modifiers stand with a dot, as they are written.
    const REFERENCE: [(&str, &str); 16] = [
        ("functions/algorithms", "anomalies outliers forecast"),
        ("functions/arithmetic", "abs pow log2 log10 cumsum integral"),
        ("functions/count", "count_nonzero count_nonzero_finite count_not_null"),
        ("functions/exclusion", "exclude_null clamp_min clamp_max cutoff_min cutoff_max"),
        ("functions/interpolation", ".fill default_zero"),
        (
            "functions/rank",
            "top top# bottom# top#_mean top#_min top#_max top#_last top#_area top#_l2norm bottom#_mean bottom#_min bottom#_max bottom#_last \
             bottom#_area bottom#_l2norm",
        ),
        (
            "functions/rate",
            "per_second per_minute per_hour dt diff monotonic_diff derivative throughput",
        ),
        ("functions/regression", "robust_trend trend_line piecewise_constant"),
        ("functions/rollup", ".rollup moving_rollup"),
        (
            "functions/smoothing",
            "autosmooth ewma_3 ewma_5 ewma_7 ewma_10 ewma_20 median_3 median_5 median_7 median_9 .weighted",
        ),
        (
            "functions/timeshift",
            "timeshift calendar_shift hour_before day_before week_before month_before",
        ),
        ("functions/beta", "rollingavg_5 rollingavg_13 rollingavg_21 rollingavg_29"),
        ("metrics/custom_metrics/type_modifiers", ".as_count .as_rate"),
        ("dashboards/querying", "max min time"),
        ("metrics/nested_queries", "is_greater is_less is_between"),
        ("opentelemetry/guide/combining_otel_and_datadog_metrics", "equiv_otel"),
    ];

    /// Names of the reference's older pages that dashboards still hold.
    const OLDER: [&str; 2] = ["default", "rate"];

    #[test]
    fn every_function_of_the_reference_is_classified_and_no_other() {
        let mut named: Vec<&str> = OLDER.to_vec();
        for (page, names) in REFERENCE {
            for name in names.split_whitespace() {
                let written = name.trim_start_matches('.');
                named.push(written);
                for number in ["5", "10", "15", "20"] {
                    let nature = nature(&written.replace('#', number));
                    assert_ne!(nature, Nature::Unknown, "{page}: {name}");
                    assert_eq!(nature == Nature::Modifier, name.starts_with('.'), "{page}: {name}");
                }
            }
        }
        let unnamed = FUNCTIONS.iter().filter(|function| !named.contains(&function.name));
        assert_eq!(unnamed.map(|function| function.name).collect::<Vec<_>>(), [""; 0]);
        for stranger in ["", "topology", "top_offset", "ewma", "ewma_", "median_x", "Abs", "sin"] {
            assert_eq!(nature(stranger), Nature::Unknown, "{stranger}");
        }
    }
}
