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
    /// The same of two queries or more. Of one query alone it is not documented.
    InstantOfTwo,
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

const RANKS: &str = "ranks series over the range asked for";
const PREVIOUS: &str = "compares each point with the one before it";
const SMOOTHS: &str = "smooths over neighbouring points";
const ADDS_UP: &str = "adds up from the start of the range asked for";
const MODELS: &str = "fits a model to the range asked for";

/// Functions with a name of their own, by the page below <https://docs.datadoghq.com/> that documents them.
const PAGES: &[(&str, &[(&str, Nature)])] = &[
    (
        "dashboards/functions/algorithms",
        &[
            ("anomalies", Nature::Range(MODELS)),
            ("outliers", Nature::Range(MODELS)),
            ("forecast", Nature::Range(MODELS)),
        ],
    ),
    (
        "dashboards/functions/arithmetic",
        &[
            ("abs", Nature::Instant),
            ("pow", Nature::Instant),
            ("log2", Nature::Instant),
            ("log10", Nature::Instant),
            ("cumsum", Nature::Range(ADDS_UP)),
            ("integral", Nature::Range(ADDS_UP)),
        ],
    ),
    (
        "dashboards/functions/count",
        &[
            ("count_nonzero", Nature::Instant),
            ("count_nonzero_finite", Nature::Instant),
            ("count_not_null", Nature::Instant),
        ],
    ),
    (
        "dashboards/functions/exclusion",
        &[
            ("exclude_null", Nature::Instant),
            ("clamp_min", Nature::Instant),
            ("clamp_max", Nature::Instant),
            ("cutoff_min", Nature::Instant),
            ("cutoff_max", Nature::Instant),
        ],
    ),
    (
        "dashboards/functions/interpolation",
        &[("fill", Nature::Modifier), ("default_zero", Nature::Instant)],
    ),
    (
        "dashboards/functions/rate",
        &[
            ("per_second", Nature::LooksBack(PREVIOUS)),
            ("per_minute", Nature::LooksBack(PREVIOUS)),
            ("per_hour", Nature::LooksBack(PREVIOUS)),
            ("dt", Nature::LooksBack(PREVIOUS)),
            ("diff", Nature::LooksBack(PREVIOUS)),
            ("monotonic_diff", Nature::LooksBack(PREVIOUS)),
            ("derivative", Nature::LooksBack(PREVIOUS)),
            // It divides by the seconds of the bucket.
            ("throughput", Nature::Instant),
        ],
    ),
    (
        "dashboards/functions/regression",
        &[
            ("robust_trend", Nature::Range(MODELS)),
            ("trend_line", Nature::Range(MODELS)),
            ("piecewise_constant", Nature::Range(MODELS)),
        ],
    ),
    (
        "dashboards/functions/rollup",
        &[("rollup", Nature::Modifier), ("moving_rollup", Nature::LooksBack(SMOOTHS))],
    ),
    (
        "dashboards/functions/smoothing",
        &[("autosmooth", Nature::Range(SMOOTHS)), ("weighted", Nature::Modifier)],
    ),
    (
        "dashboards/functions/timeshift",
        &[
            ("timeshift", Nature::Shift),
            ("calendar_shift", Nature::Shift),
            ("hour_before", Nature::Shift),
            ("day_before", Nature::Shift),
            ("week_before", Nature::Shift),
            ("month_before", Nature::Shift),
        ],
    ),
    (
        "graphing/miscellaneous/functions",
        &[
            // Older names, of `default_zero` and `per_second`.
            ("default", Nature::Instant),
            ("rate", Nature::LooksBack(PREVIOUS)),
        ],
    ),
    (
        "metrics/custom_metrics/type_modifiers",
        &[("as_count", Nature::Modifier), ("as_rate", Nature::Modifier)],
    ),
    (
        "dashboards/querying",
        &[
            // Of two queries, point by point; and the time of each point, in Unix seconds.
            ("max", Nature::InstantOfTwo),
            ("min", Nature::InstantOfTwo),
            ("time", Nature::Instant),
        ],
    ),
    (
        "metrics/nested_queries",
        &[
            // 1 or 0 for each point.
            ("is_greater", Nature::Instant),
            ("is_less", Nature::Instant),
            ("is_between", Nature::Instant),
        ],
    ),
    (
        "opentelemetry/guide/combining_otel_and_datadog_metrics",
        &[
            // A metric and its twin, as one.
            ("equiv_otel", Nature::Instant),
        ],
    ),
];

/// Names before the `_` and the number of points that a function looks back over: functions/smoothing, functions/beta.
const SMOOTHING_FAMILIES: [&str; 3] = ["ewma", "median", "rollingavg"];

/// Names before the number of series that a function leaves: functions/rank.
const RANK_FAMILIES: [&str; 2] = ["top", "bottom"];

/// Returns the nature of the function `name`.
pub fn nature(name: &str) -> Nature {
    let mut known = PAGES.iter().flat_map(|(_, functions)| *functions);
    if let Some((_, nature)) = known.find(|(known, _)| *known == name) {
        return *nature;
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

    /// Every function that the reference names, page by page, in the reference's own order, read in November 2026. `#` stands for each of
    /// the numbers that the page gives; modifiers have a dot, as they are written.
    const REFERENCE: [(&str, &str); 17] = [
        ("dashboards/functions/algorithms", "anomalies outliers forecast"),
        ("dashboards/functions/arithmetic", "abs pow log2 log10 cumsum integral"),
        ("dashboards/functions/count", "count_nonzero count_nonzero_finite count_not_null"),
        (
            "dashboards/functions/exclusion",
            "exclude_null clamp_min clamp_max cutoff_min cutoff_max",
        ),
        ("dashboards/functions/interpolation", ".fill default_zero"),
        (
            "dashboards/functions/rank",
            "top top# bottom# top#_mean top#_min top#_max top#_last top#_area top#_l2norm bottom#_mean bottom#_min bottom#_max bottom#_last \
             bottom#_area bottom#_l2norm",
        ),
        (
            "dashboards/functions/rate",
            "per_second per_minute per_hour dt diff monotonic_diff derivative throughput",
        ),
        ("dashboards/functions/regression", "robust_trend trend_line piecewise_constant"),
        ("dashboards/functions/rollup", ".rollup moving_rollup"),
        (
            "dashboards/functions/smoothing",
            "autosmooth ewma_3 ewma_5 ewma_7 ewma_10 ewma_20 median_3 median_5 median_7 median_9 .weighted",
        ),
        (
            "dashboards/functions/timeshift",
            "timeshift calendar_shift hour_before day_before week_before month_before",
        ),
        ("dashboards/functions/beta", "rollingavg_5 rollingavg_13 rollingavg_21 rollingavg_29"),
        ("graphing/miscellaneous/functions", "default rate"),
        ("metrics/custom_metrics/type_modifiers", ".as_count .as_rate"),
        ("dashboards/querying", "max min time"),
        ("metrics/nested_queries", "is_greater is_less is_between"),
        ("opentelemetry/guide/combining_otel_and_datadog_metrics", "equiv_otel"),
    ];

    #[test]
    fn every_function_of_the_reference_is_classified_at_its_page_and_no_other() {
        for (page, names) in REFERENCE {
            for name in names.split_whitespace() {
                let written = name.trim_start_matches('.');
                for number in ["5", "10", "15", "20"] {
                    let nature = nature(&written.replace('#', number));
                    assert_ne!(nature, Nature::Unknown, "{page}: {name}");
                    assert_eq!(nature == Nature::Modifier, name.starts_with('.'), "{page}: {name}");
                }
            }
        }
        for (address, functions) in PAGES {
            let (_, named) = REFERENCE.iter().find(|(page, _)| page == address).unwrap();
            let named: Vec<_> =
                named.split_whitespace().map(|n| n.trim_start_matches('.')).collect();
            for (name, _) in *functions {
                assert!(named.contains(name), "{address} does not name {name}");
            }
        }
        for stranger in ["", "topology", "top_offset", "ewma", "ewma_", "median_x", "Abs", "sin"] {
            assert_eq!(nature(stranger), Nature::Unknown, "{stranger}");
        }
    }
}
