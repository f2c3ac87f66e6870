//! Variants of a query that show how far apart its points lie: the query at another interval without filled points, and a count of
//! its samples. Pure.

use super::coarse_query::restate;
use crate::query::ast::{Aggregator, Arg, Expr, Modifier, Node, SeriesExpr, Value};
use crate::query::rewrite::{added_fill, null_fill};
use crate::query::{Interval, Query, QueryText};
use std::collections::BTreeMap;

/// Returns the whole of `query` with points every `interval`, and only those that were reported: fills become `.fill(null)`,
/// `default_zero()` goes. Only its times are used, so it may share calls even where `query` may not.
///
/// `None` where the text is none that jindo sends.
pub fn sample(query: &Query, interval: Interval) -> Option<Query> {
    let mut expr = query.text.sent.expr()?.clone();
    remove_fills(&mut expr);
    let mut restated = Some(());
    expr.for_each_series(&mut |series| {
        restated = restated.and(restate(series, interval));
        without_fill(&mut series.modifiers);
        if added_fill(series) {
            series.modifiers.push(null_fill());
        }
    });
    restated?;
    let text = QueryText::new(query.text.written.as_str(), expr, interval);
    Some(Query { text, weight: query.weight })
}

/// Returns two questions about the sources of `query`: how many samples all of those of a series have every `interval`, and the one
/// with the fewest. The first bounds the points that its series can have; the second shows whether the server counts, or returns values.
///
/// `None` where that is not known to hold: for anything but one plain series, whose points may be others than its samples; for
/// percentiles and other questions about distributions; for `.as_count()` and `.as_rate()`, which change how time is aggregated.
pub fn count_samples(query: &Query, interval: Interval) -> Option<[Query; 2]> {
    let sampled = sample(query, interval)?;
    let counted = |space: Aggregator| {
        let mut expr = sampled.text.sent.expr()?.clone();
        let Node::Series(series) = &mut expr.node else { return None };
        count(series, space)?;
        Some(Query::new(QueryText::new(sampled.text.written.as_str(), expr, interval)))
    };
    Some([counted(Aggregator::Sum)?, counted(Aggregator::Min)?])
}

/// Makes a plain series count its samples, combined over sources by `space`; `None` for other series.
fn count(series: &mut SeriesExpr, space: Aggregator) -> Option<()> {
    match series.aggregator {
        None | Some(Aggregator::Avg | Aggregator::Sum | Aggregator::Min | Aggregator::Max) => {}
        Some(
            Aggregator::Count
            | Aggregator::Stddev
            | Aggregator::Histogram
            | Aggregator::CountIf { .. }
            | Aggregator::Percentile(_),
        ) => return None,
    }
    if !series.modifiers.iter().all(|modifier| matches!(modifier.name.as_str(), "rollup" | "fill"))
    {
        return None;
    }
    series.aggregator = Some(space);
    let rollup = series.modifiers.iter_mut().find(|modifier| modifier.name == "rollup")?;
    let [Arg::Value(Value::Word(method) | Value::Text(method)), Arg::Value(Value::Number(_))] =
        &mut rollup.args[..]
    else {
        return None;
    };
    "count".clone_into(method);
    Some(())
}

/// Removes `default_zero()` and every fill.
fn remove_fills(expr: &mut Expr) {
    if let Node::Call { name, args, modifiers } = &mut expr.node
        && name == "default_zero"
        && let [Arg::Expr(inner)] = &mut args[..]
    {
        let (inner, modifiers) = (Box::new(inner.clone()), std::mem::take(modifiers));
        expr.node = Node::Group { inner, modifiers };
    }
    match &mut expr.node {
        Node::Number(_) | Node::Series(_) => {}
        Node::Call { args, modifiers, .. } => {
            without_fill(modifiers);
            for arg in args {
                if let Arg::Expr(inner) = arg {
                    remove_fills(inner);
                }
            }
        }
        Node::Group { inner, modifiers } => {
            without_fill(modifiers);
            remove_fills(inner);
        }
        Node::Negate(inner) => remove_fills(inner),
        Node::Chain { first, rest } => {
            remove_fills(first);
            for (_, part) in rest {
                remove_fills(part);
            }
        }
    }
}

fn without_fill(modifiers: &mut Vec<Modifier>) {
    modifiers.retain(|modifier| modifier.name != "fill");
}

/// The intervals detected, by the name of the query; the same with every fill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spacings(BTreeMap<String, Interval>);

impl Spacings {
    /// Interval of the sample whose text names a query, in seconds: the default interval.
    const NAMED_AT_S: u32 = 60;

    /// Returns the name under which the interval of `query` is kept, the same at every interval and with every fill; `None` where
    /// [`sample`] has none.
    pub fn name(query: &Query) -> Option<String> {
        Some(sample(query, Interval::from_secs(Self::NAMED_AT_S)?)?.text.sent.to_string())
    }

    /// Returns the interval detected for `query`; `None` where there is none yet.
    pub fn get(&self, query: &Query) -> Option<Interval> {
        self.0.get(&Self::name(query)?).copied()
    }

    pub fn insert(&mut self, name: String, interval: Interval) {
        self.0.insert(name, interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Fill, List, RangeFunctions, RewriteOptions, list, list_spaced};
    use expect_test::{Expect, expect};

    fn secs(secs: u32) -> Interval {
        Interval::from_secs(secs).unwrap()
    }

    fn settings(fill: Fill, range_functions: RangeFunctions) -> RewriteOptions {
        RewriteOptions { resolution: secs(60), variables: BTreeMap::new(), fill, range_functions }
    }

    fn understood(fill: Fill, lines: &[&str], spacings: &Spacings) -> List {
        let text = lines.join("\n");
        let list = list_spaced("list", &text, &settings(fill, RangeFunctions::Allow), spacings);
        assert!(list.refused.is_empty(), "{:?}", list.refused);
        list
    }

    fn check(fill: Fill, lines: &[&str], expected: &Expect) {
        let text = lines.join("\n");
        let list = list("list", &text, &settings(fill, RangeFunctions::Allow));
        assert!(list.refused.is_empty(), "{:?}", list.refused);
        let samples =
            list.queries.iter().map(|query| sample(query, secs(1)).unwrap().text.sent.to_string());
        expected.assert_eq(&samples.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_sample_asks_the_whole_query_and_no_points_that_nobody_reported() {
        let lines = [
            "avg:m{*} by {host}",
            "sum:m{*}.as_count()",
            "avg:m{*}.rollup(max)",
            "p95:m{*}",
            "avg:m{*}.fill(zero)",
            "sum:m{*}.as_count().fill(zero)",
            "default_zero(avg:m{*}) * 2",
            "abs(avg:m{*} / avg:n{*})",
            "(avg:m{*} + avg:n{*}).fill(linear)",
        ];
        let expected = expect![[r#"
            avg:m{*} by {host}.rollup(avg, 1).fill(null)
            sum:m{*}.as_count().rollup(sum, 1)
            avg:m{*}.rollup(max, 1).fill(null)
            p95:m{*}.rollup(1).fill(null)
            avg:m{*}.rollup(avg, 1).fill(null)
            sum:m{*}.as_count().rollup(sum, 1)
            (avg:m{*}.rollup(avg, 1).fill(null)) * 2
            abs(avg:m{*}.rollup(avg, 1).fill(null) / avg:n{*}.rollup(avg, 1).fill(null))
            (avg:m{*}.rollup(avg, 1).fill(null) + avg:n{*}.rollup(avg, 1).fill(null))"#]];
        check(Fill::Null, &lines, &expected);
        check(Fill::Keep, &lines, &expected);
    }

    #[test]
    fn a_count_asks_for_the_samples_of_plain_series_and_of_nothing_else() {
        let lines = [
            "avg:m{*} by {host}",
            "m{env:prod}",
            "max:m{*}.rollup(max)",
            "avg:m{*}.fill(zero)",
            "sum:m{*}.as_count()",
            "p95:m{*}",
            "count:m{*}",
            "count(v: v>=1):m{*}",
            "default_zero(avg:m{*})",
            "abs(avg:m{*})",
            "avg:m{*} / avg:n{*}",
        ];
        let text = lines.join("\n");
        let list = list("list", &text, &settings(Fill::Null, RangeFunctions::Allow));
        let told = list.queries.iter().map(|query| match count_samples(query, secs(600)) {
            Some([total, least]) => format!("{} and {}", total.text.sent, least.text.sent),
            None => "-".to_owned(),
        });
        expect![[r#"
            sum:m{*} by {host}.rollup(count, 600).fill(null) and min:m{*} by {host}.rollup(count, 600).fill(null)
            sum:m{env:prod}.rollup(count, 600).fill(null) and min:m{env:prod}.rollup(count, 600).fill(null)
            sum:m{*}.rollup(count, 600).fill(null) and min:m{*}.rollup(count, 600).fill(null)
            sum:m{*}.rollup(count, 600).fill(null) and min:m{*}.rollup(count, 600).fill(null)
            -
            -
            -
            -
            -
            -
            -"#]].assert_eq(&told.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn each_query_gets_its_own_spacing_and_keeps_what_it_states() {
        let lines =
            ["avg:a{*}", "avg:a{*}.rollup(avg, 60)", "avg:b{*}.rollup(avg, 300)", "avg:c{*}"];
        let before = understood(Fill::Null, &lines, &Spacings::default());
        assert_eq!(before.queries.len(), 3, "at 60 s the first two are one");
        let names: Vec<_> =
            before.unspaced.iter().map(|query| query.text.written.as_str()).collect();
        assert_eq!(names, ["avg:a{*}", "avg:c{*}"]);
        let mut spacings = Spacings::default();
        spacings.insert(Spacings::name(&before.unspaced[0]).unwrap(), secs(10));
        for fill in [Fill::Null, Fill::Keep] {
            let after = understood(fill, &lines, &spacings);
            let intervals: Vec<_> = after.queries.iter().map(|q| q.text.interval.secs()).collect();
            assert_eq!(intervals, [10, 60, 300, 60], "{fill:?}");
            assert_eq!(after.unspaced.len(), 1);
            assert_eq!(spacings.get(&after.queries[0]), Some(secs(10)), "named alike at any");
        }
    }

    #[test]
    fn a_query_that_is_listed_first_with_a_rollup_is_spaced_all_the_same() {
        let lines = ["avg:a{*}.rollup(avg, 60)", "avg:a{*}"];
        let before = understood(Fill::Null, &lines, &Spacings::default());
        assert_eq!((before.queries.len(), before.unspaced.len()), (1, 1));
        let mut spacings = Spacings::default();
        spacings.insert(Spacings::name(&before.unspaced[0]).unwrap(), secs(15));
        let after = understood(Fill::Null, &lines, &spacings);
        let intervals: Vec<_> =
            after.queries.iter().map(|query| query.text.interval.secs()).collect();
        assert_eq!(intervals, [60, 15]);
    }
}
