//! The query of a metric monitor: `avg(last_5m):avg:m{*} by {host} > 3` watches `avg:m{*} by {host}`. Written from the documented
//! query types of monitors (docs.datadoghq.com, API reference, "Create a monitor"). Pure.

use super::line::blanked;
use super::placeholder;
use crate::query::Span;
use crate::text::one_line;

/// Functions that judge a window of time, in front of a metric monitor's query.
const WATCHERS: [&str; 7] = ["avg", "sum", "min", "max", "percentile", "change", "pct_change"];

/// Functions that judge a series by its past or by its neighbours: in a monitor they are the judgement and not the query.
const JUDGES: [&str; 3] = ["anomalies", "outliers", "forecast"];

/// Comparisons of a monitor, the longer ones first.
const COMPARISONS: [&str; 6] = [">=", "<=", "==", "!=", ">", "<"];

/// Characters shown of a part that is left out, at most.
const SHOWN_CHARS_MAX: usize = 60;

/// A monitor's text with spaces in place of all that is not its query.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) query: String,
    /// Parts that are left out, in their order: `avg(last_5m):` and `> 3`.
    pub(super) left_out: Vec<String>,
}

/// Returns the query of a metric monitor; `None` for any other text.
pub(super) fn monitor(text: &str) -> Option<Monitor> {
    let head = head(text)?;
    let tail = comparison(text, head.end);
    let body = Span { start: head.end, end: tail.map_or(text.len(), |tail| tail.start) };
    let judge = judge(text, body);
    let shown = |span: Span| one_line(&text[span.start..span.end], SHOWN_CHARS_MAX);
    let judged = judge.as_ref().map(|[call, _]| format!("{}…)", shown(*call)));
    let left_out = [Some(shown(head)), judged, tail.map(shown)].into_iter().flatten().collect();
    let judge = judge.into_iter().flatten();
    let stretches: Vec<_> = [head].into_iter().chain(judge).chain(tail).collect();
    Some(Monitor { query: blanked(text, &stretches), left_out })
}

/// The function over a window of time and the colon behind it.
fn head(text: &str) -> Option<Span> {
    let open = text.find('(')?;
    let close = closing(text, open)?;
    let colon = close + 1 + text[close + 1..].find(|c: char| !c.is_whitespace())?;
    let is_head = WATCHERS.contains(&text[..open].trim())
        && text[colon..].starts_with(':')
        // It is shown.
        && text[..colon].chars().all(|c| c.is_ascii_graphic() || c == ' ');
    is_head.then_some(Span { start: 0, end: colon + 1 })
}

/// The comparison with a threshold at the end, outside all brackets.
fn comparison(text: &str, from: usize) -> Option<Span> {
    let start =
        from + outside(&text[from..], |rest| COMPARISONS.iter().any(|one| rest.starts_with(one)))?;
    let operator = COMPARISONS.iter().find(|one| text[start..].starts_with(**one))?;
    let threshold = text[start + operator.len()..].trim();
    let is_number = threshold.parse::<f64>().is_ok();
    (is_number || placeholder::is_whole(threshold)).then_some(Span { start, end: text.len() })
}

/// The two parts of a judging function around the query within: its name with the bracket, and its other arguments.
fn judge(text: &str, body: Span) -> Option<[Span; 2]> {
    let inner = &text[body.start..body.end];
    let open = body.start + inner.find('(')?;
    let close = closing(text, open)?;
    let is_judge = JUDGES.contains(&text[body.start..open].trim())
        && text.get(close + 1..body.end)?.trim().is_empty();
    let arguments = &text[open + 1..close];
    let end = outside(arguments, |rest| rest.starts_with(',')).unwrap_or(arguments.len());
    let start = body.end - inner.trim_start().len();
    let call = Span { start, end: open + 1 };
    is_judge.then_some([call, Span { start: open + 1 + end, end: close + 1 }])
}

/// The bracket that closes the one at `open`.
fn closing(text: &str, open: usize) -> Option<usize> {
    let within = &text[open + 1..];
    outside(within, |rest| rest.starts_with(')')).map(|at| open + 1 + at)
}

/// The first place outside quotes, braces and parentheses at which the rest of the text is wanted.
fn outside(text: &str, is_wanted: impl Fn(&str) -> bool) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, _) if depth == 0 && is_wanted(&text[at..]) => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '{') => depth += 1,
            (None, ')' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Option<(String, String)> {
        let Monitor { query, left_out } = monitor(text)?;
        assert_eq!(query.len(), text.len(), "all keeps its place: {text}");
        Some((query.trim().to_owned(), left_out.join(" | ")))
    }

    #[test]
    fn the_query_of_a_monitor_is_what_is_watched() {
        for (text, query, left_out) in [
            ("avg(last_5m):avg:q{*} by {host} > 3", "avg:q{*} by {host}", "avg(last_5m): | > 3"),
            (
                "sum( last_1h ) : sum:q{*}.as_count()>=1e3",
                "sum:q{*}.as_count()",
                "sum( last_1h ) : | >=1e3",
            ),
            ("min(last_1w):q{a:b} < -0.5", "q{a:b}", "min(last_1w): | < -0.5"),
            ("max(current_1d):max:q{*} == 0", "max:q{*}", "max(current_1d): | == 0"),
            ("avg(current_1mo):avg:q{*} != 1", "avg:q{*}", "avg(current_1mo): | != 1"),
            (
                "percentile(last_5m):p95:q{*} by {a} <= .5",
                "p95:q{*} by {a}",
                "percentile(last_5m): | <= .5",
            ),
            (
                "change(avg(last_5m),last_1h):avg:q{*} > 25",
                "avg:q{*}",
                "change(avg(last_5m),last_1h): | > 25",
            ),
            (
                "pct_change(min(last_1m), 5m_ago):q{*} > 1",
                "q{*}",
                "pct_change(min(last_1m), 5m_ago): | > 1",
            ),
            ("avg(last_5m):avg:q{d:>=5} / avg:r{*}", "avg:q{d:>=5} / avg:r{*}", "avg(last_5m):"),
            (
                "avg(last_5m):(q{*}.rollup(sum, 60) - count(v: v>1):r{*}) > 1",
                "(q{*}.rollup(sum, 60) - count(v: v>1):r{*})",
                "avg(last_5m): | > 1",
            ),
            (
                "avg(last_4h):anomalies(avg:q{*} by {a,b}, 'agile', 2, direction='above') >= 1",
                "avg:q{*} by {a,b}",
                "avg(last_4h): | anomalies(…) | >= 1",
            ),
            (
                "avg(last_4h):outliers(abs(q{*}), 'DBSCAN', 3) > 0",
                "abs(q{*})",
                "avg(last_4h): | outliers(…) | > 0",
            ),
            (
                "max(next_1w):forecast(q{*}, 'linear', 1) >= 3",
                "q{*}",
                "max(next_1w): | forecast(…) | >= 3",
            ),
            (
                "avg(last_5m):anomalies(q{*}, 'basic', 2) - 1 > 0",
                "anomalies(q{*}, 'basic', 2) - 1",
                "avg(last_5m): | > 0",
            ),
            ("avg(last_5m):q{*} > ${var.critical}", "q{*}", "avg(last_5m): | > ${var.critical}"),
            (
                "avg(last_${var.minutes}m):q{*} > {{ high }}",
                "q{*}",
                "avg(last_${var.minutes}m): | > {{ high }}",
            ),
        ] {
            assert_eq!(taken(text), Some((query.to_owned(), left_out.to_owned())), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_monitors() {
        for text in [
            "",
            "avg:q{*}",
            "count(v: v>=1):q{*}",
            "abs(q{*})",
            "top(last_5m):q{*}",
            "avg(last_5m",
            "avg(last_5m)",
            "avg(\u{1b}):q{*}",
            "(avg(last_5m)):q{*}",
        ] {
            assert!(monitor(text).is_none(), "{text}");
        }
        // Not a threshold: the grammar says what is wrong.
        assert_eq!(taken("avg(last_5m):q{*} > r{*}").unwrap().0, "q{*} > r{*}");
    }
}
