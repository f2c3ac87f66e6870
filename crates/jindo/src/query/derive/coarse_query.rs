//! The same query every so much longer: a coarse point is there exactly when a fine one is. Pure; says nothing where that is
//! not certain.

use crate::query::ast::{Aggregator, Arg, Modifier, Node, SeriesExpr, Value};
use crate::query::{Interval, Query, QueryText};

/// `query` with points every `interval`, so that a bucket of it has a point if and only if a bucket of `query` within it has
/// one. `None` where that may not hold:
///
/// - anything but one plain series: functions and arithmetic may make points out of nothing, or nothing out of points;
/// - a fill that invents points, or none at all where the server would interpolate;
/// - aggregations that leave points out (`count(v: v>=1)`, `stddev`);
/// - `interval` is no longer than the query's own, or no multiple of it.
pub fn coarse(query: &Query, interval: Interval) -> Option<Query> {
    let (fine_s, coarse_s) = (query.text.interval.secs(), interval.secs());
    if coarse_s <= fine_s || coarse_s % fine_s != 0 {
        return None;
    }
    let mut expr = query.text.sent.expr()?.clone();
    let Node::Series(series) = &mut expr.node else { return None };
    if !is_plain(series) {
        return None;
    }
    restate(series, interval)?;
    let alone = query.text.alone;
    let text = QueryText { alone, ..QueryText::new(query.text.written.as_str(), expr, interval) };
    Some(Query { text, weight: query.weight })
}

fn is_plain(series: &SeriesExpr) -> bool {
    let aggregator = match series.aggregator {
        Some(Aggregator::Stddev | Aggregator::Histogram | Aggregator::CountIf { .. }) => false,
        Some(
            Aggregator::Avg
            | Aggregator::Sum
            | Aggregator::Min
            | Aggregator::Max
            | Aggregator::Count
            | Aggregator::Percentile(_),
        )
        | None => true,
    };
    let known = |modifier: &Modifier| match modifier.name.as_str() {
        "rollup" | "as_count" | "as_rate" => true,
        "fill" => is_null_fill(modifier),
        _ => false,
    };
    // Without either of these the server draws lines between the points of several sources.
    let uninterpolated =
        |modifier: &Modifier| matches!(modifier.name.as_str(), "fill" | "as_count" | "as_rate");
    aggregator && series.modifiers.iter().all(known) && series.modifiers.iter().any(uninterpolated)
}

fn is_null_fill(fill: &Modifier) -> bool {
    matches!(&fill.args[..], [Arg::Value(Value::Word(word) | Value::Text(word))]
        if word.trim_matches(['\'', '"']) == "null")
}

/// Replaces the seconds of the one rollup; its method stays.
pub(super) fn restate(series: &mut SeriesExpr, interval: Interval) -> Option<()> {
    let mut rollups = series.modifiers.iter_mut().filter(|modifier| modifier.name == "rollup");
    let (Some(rollup), None) = (rollups.next(), rollups.next()) else { return None };
    let seconds = rollup.args.iter_mut().find_map(|arg| match arg {
        Arg::Value(Value::Number(seconds)) => Some(seconds),
        Arg::Value(Value::Word(_) | Value::Text(_)) | Arg::Named(..) | Arg::Expr(_) => None,
    })?;
    *seconds = interval.secs().to_string();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Fill, RangeFunctions, RewriteOptions, list};
    use expect_test::{Expect, expect};

    fn check(fill: Fill, lines: &[&str], expected: &Expect) {
        let settings = RewriteOptions {
            resolution: Interval::from_secs(60).unwrap(),
            variables: std::collections::BTreeMap::new(),
            fill,
            range_functions: RangeFunctions::Refuse,
        };
        let list = list("list", &lines.join("\n"), &settings);
        assert!(list.refused.is_empty(), "{:?}", list.refused);
        let hours = Interval::from_secs(7_200).unwrap();
        let shown: Vec<_> = list
            .queries
            .iter()
            .map(|query| {
                coarse(query, hours).map_or("-".into(), |coarse| coarse.text.sent.to_string())
            })
            .collect();
        expected.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn plain_series_are_asked_coarsely_with_their_own_method() {
        check(
            Fill::Null,
            &[
                "avg:m{*} by {host}",
                "sum:m{env:prod}.as_count()",
                "sum:m{*}.as_rate()",
                "max:m{*}.rollup(max, 300)",
                "p95:m{*} by {service}",
            ],
            &expect![[r#"
                avg:m{*} by {host}.rollup(avg, 7200).fill(null)
                sum:m{env:prod}.as_count().rollup(sum, 7200)
                sum:m{*}.as_rate().rollup(sum, 7200)
                max:m{*}.rollup(max, 7200).fill(null)
                p95:m{*} by {service}.rollup(7200).fill(null)"#]],
        );
    }

    #[test]
    fn where_absence_proves_nothing_nothing_is_asked() {
        check(
            Fill::Null,
            &[
                "abs(avg:m{*})",
                "avg:m{*} / avg:n{*}",
                "avg:m{*}.fill(zero)",
                "default_zero(avg:m{*})",
                "count(v: v>=100):m{*}",
                "avg:m{*}.rollup(avg, 43200)",
                "avg:m{*}.rollup(avg, 7200)",
            ],
            &expect![[r#"
                -
                -
                -
                -
                -
                -
                -"#]],
        );
        check(Fill::Keep, &["avg:m{*}"], &expect!["-"]);
    }
}
