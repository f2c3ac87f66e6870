//! Datadog's functions by their dependence on the range: some have a value at an instant that changes with what is asked for.
//! A name that is missing here is refused, never guessed.

/// A function's treatment of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Its value at an instant needs that instant only, or another at a fixed distance.
    Pure,
    /// Its value changes with the range; the words go behind the function's name.
    Range(&'static str),
    Unknown,
}

const RANKS: &str = "ranks series over the range asked for";
const PREVIOUS: &str = "compares each point with the one before it";
const SMOOTHS: &str = "smooths over neighbouring points";
const ADDS_UP: &str = "adds up from the start of the range asked for";
const MODELS: &str = "fits a model to the range asked for";

/// The nature of the function `name`.
pub fn nature(name: &str) -> Nature {
    match name {
        "abs" | "log2" | "log10" | "count_nonzero" | "count_not_null" | "exclude_null"
        | "clamp_min" | "clamp_max" | "cutoff_min" | "cutoff_max" | "default_zero"
        | "timeshift" | "calendar_shift" | "hour_before" | "day_before" | "week_before"
        | "month_before" => Nature::Pure,
        "cumsum" | "integral" => Nature::Range(ADDS_UP),
        "dt" | "diff" | "derivative" | "rate" | "monotonic_diff" | "per_second" | "per_minute"
        | "per_hour" => Nature::Range(PREVIOUS),
        "autosmooth" | "moving_rollup" => Nature::Range(SMOOTHS),
        "robust_trend" | "trend_line" | "piecewise_constant" | "anomalies" | "outliers"
        | "forecast" => Nature::Range(MODELS),
        _ if name.starts_with("ewma_") || name.starts_with("median_") => Nature::Range(SMOOTHS),
        _ if name.starts_with("top") || name.starts_with("bottom") => Nature::Range(RANKS),
        _ => Nature::Unknown,
    }
}
