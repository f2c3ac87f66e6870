//! Names of query directories: a pure function of (query as sent, interval). Touches no disk.
//!
//! A readable name is used only where it can be read back to the very same query, so no two queries share one; all others
//! carry a hash behind `~`, which no readable name holds. Queries that differ only in `by {…}` share a directory: their
//! files differ by the names of the keys.

use super::names::{encode, finish, hashed, tag_name};
use crate::case_fold::is_own_fold;
use crate::query::ast::{Aggregator, Arg, Expr, Part, ScopePart, SeriesExpr};
use crate::query::{Interval, MetricTypes, SentText, default_method, depends_on_type};
use std::fmt::{self, Display, Formatter};

/// Seconds per point that a name does not mention.
const USUAL_S: i64 = 60;

/// Characters of a slug, at most: enough to recognise a query, and the hash still shows in a listing.
const SLUG_CHARS_MAX: usize = 80;

/// Stands where a query has no aggregator; no metric's name can hold its hyphen.
const NO_AGGREGATOR: &str = "no-aggregator";

/// Returns the directory of a query, below `csv/`: one safe part of a path for any text.
pub(super) fn query_directory(sent: &SentText, interval: Interval) -> String {
    let Some(mut expr) = sent.expr().cloned() else {
        return slugged(&slug(sent), sent, interval);
    };
    let [Part::Series(series)] = &mut expr.parts[..] else {
        return slugged(&metrics(&expr), sent, interval);
    };
    // Keys in another spelling than the server's would give two queries the same files.
    if series.by.iter().any(|key| !is_own_fold(&key.text)) {
        return slugged(&series.metric.clone(), sent, interval);
    }
    series.by.clear();
    let series = series.clone();
    let identity = expr.to_string();
    let Some(parts) = Parts::of(&series, interval) else {
        return slugged(&readable(&series, interval), &identity, interval);
    };
    let name = parts.to_string();
    if Parts::read(&name).as_ref() == Some(&parts) {
        finish(&name, &exact(&identity, interval))
    } else {
        slugged(&name, &identity, interval)
    }
}

/// A series in the words of its directory's name.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    metric: String,
    aggregator: String,
    /// `key=value,key=value`, encoded; empty for `{*}`.
    scope: String,
    /// `as_count`, `rollup=max`, `fill=zero`: what differs from what jindo would state by itself, in this order.
    modifiers: Vec<String>,
    interval_s: i64,
}

impl Parts {
    /// `None` for a series that these words cannot say exactly: two series never have the same parts.
    fn of(series: &SeriesExpr, interval: Interval) -> Option<Self> {
        let metric = series.metric.clone();
        let aggregator = aggregator_word(series.aggregator.as_ref())?;
        let scope = scope_words(&series.scope)?;
        let modifiers = modifier_words(series, interval)?;
        Some(Self { metric, aggregator, scope, modifiers, interval_s: interval.secs() })
    }

    /// Reads a name as a reader would. A plain name wins, unless it ends like an aggregator with what follows it.
    fn read(name: &str) -> Option<Self> {
        let shown = name.rsplit_once('@').and_then(|(body, tail)| Some((body, seconds(tail)?)));
        let (body, interval_s) = shown.unwrap_or((name, USUAL_S));
        // The last aggregator before the scope: metrics' names end in `.sum` too.
        let head = &body[..body.find(['=', ',', '%']).unwrap_or(body.len())];
        let named = head.rmatch_indices('.').find_map(|(dot, _)| {
            aggregators(&body[dot + 1..]).find_map(|(aggregator, tail)| {
                let (scope, modifiers) = tail_words(tail)?;
                let bare = scope.is_empty() && modifiers.is_empty();
                let [metric, aggregator, scope] =
                    [&body[..dot], aggregator, scope].map(str::to_owned);
                (!bare || shown.is_some()).then_some(Self {
                    metric,
                    aggregator,
                    scope,
                    modifiers,
                    interval_s,
                })
            })
        });
        let plain = body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        let [metric, aggregator, scope] = [body, "avg", ""].map(str::to_owned);
        let plain =
            plain.then_some(Self { metric, aggregator, scope, modifiers: Vec::new(), interval_s });
        named.or(plain)
    }
}

impl Display for Parts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        let bare = self.scope.is_empty() && self.modifiers.is_empty();
        let plain = bare && self.aggregator == "avg";
        if !plain {
            write!(f, ".{}", self.aggregator)?;
        }
        let scope = (!self.scope.is_empty()).then_some(&self.scope);
        scope.into_iter().chain(&self.modifiers).try_for_each(|word| write!(f, ".{word}"))?;
        // `m.sum` is the plain name of the metric `m.sum`.
        if self.interval_s != USUAL_S || (bare && !plain) {
            write!(f, "@{}s", self.interval_s)?;
        }
        Ok(())
    }
}

fn aggregator_word(aggregator: Option<&Aggregator>) -> Option<String> {
    match aggregator {
        None => Some(NO_AGGREGATOR.to_owned()),
        Some(Aggregator::CountIf { compare, bound }) => {
            let (_, word) = COMPARISONS.iter().find(|(sign, _)| sign == compare)?;
            let whole = bound.bytes().all(|b| b.is_ascii_digit());
            whole.then(|| format!("{COUNT_IF}{word}-{bound}"))
        }
        Some(named) => Some(named.to_string()),
    }
}

const COUNT_IF: &str = "count-v-";
const COMPARISONS: [(&str, &str); 6] =
    [(">=", "ge"), (">", "gt"), ("<=", "le"), ("<", "lt"), ("==", "eq"), ("!=", "ne")];

/// Returns the aggregators with which a name may go on after its metric, the longest first, each with the rest of the name.
fn aggregators(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut dots = rest.match_indices('.').map(|(at, _)| at);
    let (first, second) = (dots.next(), dots.next());
    // Only a percentile has a dot of its own: `p99.9`.
    let two = first.map(|_| second.unwrap_or(rest.len()));
    let one = Some(first.unwrap_or(rest.len()));
    let ends = [two, one].into_iter().flatten();
    ends.map(|end| rest.split_at(end)).filter(|(word, _)| {
        *word == NO_AGGREGATOR
            || word.starts_with(COUNT_IF)
            || Aggregator::from_name(word).is_some()
    })
}

/// Tags joined by commas; other scopes have no words.
fn scope_words(scope: &[ScopePart]) -> Option<String> {
    if matches!(scope, [ScopePart::Tag(all)] if all.text == "*") {
        return Some(String::new());
    }
    let word = |part: &ScopePart| match part {
        ScopePart::Tag(tag) => tag.text.contains(':').then(|| tag_name(&tag.text)),
        ScopePart::Operator(text) => (*text == ",").then(|| ",".to_owned()),
        ScopePart::Member(_) => None,
    };
    scope.iter().map(word).collect()
}

/// Units, then the rollup of this very interval, then the fill; any other order or argument has no words.
fn modifier_words(series: &SeriesExpr, interval: Interval) -> Option<Vec<String>> {
    let mut rest = series.modifiers.iter().peekable();
    let mut words = Vec::new();
    while let Some(unit) = rest.next_if(|modifier| UNITS.contains(&modifier.name.as_str())) {
        words.push(unit.args.is_empty().then(|| unit.name.clone())?);
    }
    let rollup = rest.next().filter(|modifier| modifier.name == "rollup")?;
    let (method, number) = match rollup.args.as_slice() {
        [Arg::Word(method), Arg::Number(number)] => (Some(method.as_str()), number),
        [Arg::Number(number)] => (None, number),
        _ => return None,
    };
    if *number != interval.secs().to_string() {
        return None;
    }
    if method != default_method(series, &MetricTypes::new()) {
        words.push(known(&ROLLUPS, "rollup", method.unwrap_or("none"))?);
    }
    let adds = !depends_on_type(series);
    match rest.next() {
        None if adds => words.push("fill=keep".to_owned()),
        None => {}
        Some(fill) => {
            let ("fill", [Arg::Word(word)]) = (&*fill.name, &fill.args[..]) else {
                return None;
            };
            if !(adds && word == "null") {
                words.push(known(&FILLS, "fill", word)?);
            }
        }
    }
    rest.next().is_none().then_some(words)
}

const UNITS: [&str; 3] = ["as_count", "as_rate", "weighted"];
const ROLLUPS: [&str; 6] = ["avg", "sum", "min", "max", "count", "none"];
/// `keep` says that nothing was added where something would have been.
const FILLS: [&str; 4] = ["null", "zero", "last", "linear"];

fn known(words: &[&str], name: &str, word: &str) -> Option<String> {
    words.contains(&word).then(|| format!("{name}={word}"))
}

/// Scope and modifiers behind an aggregator: `.scope.modifier.modifier`, each part optional.
fn tail_words(tail: &str) -> Option<(&str, Vec<String>)> {
    let mut scope = tail;
    let mut modifiers = Vec::new();
    while let Some((before, word)) = scope.rsplit_once('.')
        && is_modifier(word)
    {
        modifiers.insert(0, word.to_owned());
        scope = before;
    }
    if scope.is_empty() {
        return Some((scope, modifiers));
    }
    let scope = scope.strip_prefix('.')?;
    scope.contains('=').then_some((scope, modifiers))
}

fn is_modifier(word: &str) -> bool {
    let value = |name| word.strip_prefix(name);
    UNITS.contains(&word)
        || value("rollup=").is_some_and(|word| ROLLUPS.contains(&word))
        || value("fill=").is_some_and(|word| word == "keep" || FILLS.contains(&word))
}

/// The `60` of `60s`.
fn seconds(tail: &str) -> Option<i64> {
    let digits = tail.strip_suffix('s')?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok())?
}

/// Returns the identity of the data, of which hashes are made.
fn exact(identity: &str, interval: Interval) -> String {
    format!("{identity}\n{}", interval.secs())
}

fn slugged(slug: &str, identity: &str, interval: Interval) -> String {
    let exact = exact(identity, interval);
    let exact = exact.as_bytes();
    match interval.secs() {
        USUAL_S => hashed(slug, exact),
        other if slug.ends_with(&format!("@{other}s")) => hashed(slug, exact),
        other => hashed(&format!("{slug}@{other}s"), exact),
    }
}

/// Close to the words of a name, for a series that they cannot say exactly.
fn readable(series: &SeriesExpr, interval: Interval) -> String {
    let aggregator =
        series.aggregator.as_ref().map_or(NO_AGGREGATOR.to_owned(), ToString::to_string);
    let modifiers = modifier_words(series, interval).unwrap_or_else(|| {
        let names = series.modifiers.iter().map(|modifier| modifier.name.as_str());
        names.filter(|name| UNITS.contains(name)).map(str::to_owned).collect()
    });
    let scope: String = series.scope.iter().map(ToString::to_string).collect();
    let words = [slug(&aggregator), slug(&scope)].into_iter().chain(modifiers);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("{}.{}", series.metric, words.join("."))
}

/// The metrics of an expression, each once, in its order.
fn metrics(expr: &Expr) -> String {
    let mut names: Vec<&str> = Vec::new();
    for series in expr.series() {
        if !names.contains(&series.metric.as_str()) {
            names.push(&series.metric);
        }
    }
    names.truncate(METRICS_MAX);
    encode(&names.join("-"))
}

/// Metrics named in a slug, at most: more do not fit into a name.
const METRICS_MAX: usize = 8;

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(SLUG_CHARS_MAX) {
        if c.is_alphanumeric() || c == '_' {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    encode(slug.trim_end_matches('-'))
}
