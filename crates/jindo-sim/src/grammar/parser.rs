//! The recursive descent behind [`super::parse_list`]: lists, arithmetic, calls, series and their modifiers.

use std::cmp::Ordering::{Equal, Greater, Less};

use super::cursor::{Cursor, Failure};
use super::{
    Aggregator, Arg, Counting, DEPTH_MAX, Expr, FILL_LIMIT_S, Fill, METRIC_CHARS_MAX, Method,
    Operator, ParseError, Query, Rollup, Selector, scope,
};

/// Parses a comma list of queries.
///
/// # Errors
/// The rule that did not match, in the server's words.
pub(crate) fn parse_list(text: &str) -> Result<Vec<Query>, ParseError> {
    list(&mut Cursor::new(text)).map_err(|Failure { rule, position }| ParseError {
        text: text.to_owned(),
        rule,
        rest: text[position..].chars().take(20).collect(),
        column: text[..position].chars().count() + 1,
    })
}

/// Parses the whole text: at least one query.
fn list(cursor: &mut Cursor<'_>) -> Result<Vec<Query>, Failure> {
    let mut queries = Vec::new();
    loop {
        cursor.skip_space();
        let start = cursor.position;
        let expr = sum(cursor, 0)?;
        queries.push(Query { text: cursor.since(start).trim().to_owned(), expr });
        cursor.skip_space();
        if cursor.peek().is_none() {
            return Ok(queries);
        }
        cursor.expect(',', "query")?;
    }
}

/// Parses terms joined by `+` and `-`.
fn sum(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, Failure> {
    left_associative(cursor, &[Operator::Add, Operator::Subtract], |cursor| {
        left_associative(cursor, &[Operator::Multiply, Operator::Divide], |cursor| {
            term(cursor, depth)
        })
    })
}

/// Parses operands joined by operators of one precedence.
fn left_associative<'a>(
    cursor: &mut Cursor<'a>,
    operators: &[Operator],
    operand: impl Fn(&mut Cursor<'a>) -> Result<Expr, Failure>,
) -> Result<Expr, Failure> {
    let mut left = operand(cursor)?;
    loop {
        cursor.skip_space();
        let found = operators.iter().find(|operator| cursor.take(operator.symbol()));
        let Some(operator) = found else { return Ok(left) };
        let right = Box::new(operand(cursor)?);
        left = Expr::Binary { operator: *operator, left: Box::new(left), right };
    }
}

/// Parses a number, a parenthesis, a negation, a call or a series, `depth` levels below the list.
fn term(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, Failure> {
    cursor.skip_space();
    if depth > DEPTH_MAX {
        return Err(cursor.failure("expr"));
    }
    match cursor.peek() {
        Some('(') => {
            cursor.advance();
            let inner = sum(cursor, depth + 1)?;
            cursor.skip_space();
            cursor.expect(')', "expr")?;
            Ok(inner)
        }
        Some('-') => {
            cursor.advance();
            Ok(Expr::Negate(Box::new(term(cursor, depth + 1)?)))
        }
        Some('0'..='9' | '.') => number(cursor).map(Expr::Number),
        Some('a'..='z' | 'A'..='Z') => named(cursor, depth),
        _ => Err(cursor.failure("expr")),
    }
}

/// Parses a term that starts with a name: a call, or a series with or without an aggregator.
fn named(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, Failure> {
    let start = cursor.position;
    let aggregator = if let Some(condition) = count_if(cursor)? {
        Some(condition)
    } else {
        let name = cursor.take_while(is_name_char);
        match cursor.peek() {
            Some('(') => return call(cursor, name, depth),
            Some(':') => {
                let unknown = Failure { rule: "aggr", position: start };
                Some(aggregator(name).ok_or(unknown)?)
            }
            _ => {
                cursor.position = start;
                None
            }
        }
    };
    let aggregator_text = cursor.since(start).to_owned();
    if aggregator.is_some() {
        cursor.advance(); // the colon
    }
    series(cursor, aggregator, aggregator_text)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// Returns the aggregator of this name; percentiles are 0 to 100 with at most two decimals. (DOC)
fn aggregator(name: &str) -> Option<Aggregator> {
    Some(match name {
        "avg" => Aggregator::Avg,
        "sum" => Aggregator::Sum,
        "min" => Aggregator::Min,
        "max" => Aggregator::Max,
        "count" => Aggregator::Count,
        "stddev" => Aggregator::Stddev,
        _ => {
            let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
            let decimals = name.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            if !(0.0..=100.0).contains(&percent) || decimals > 2 {
                return None;
            }
            Aggregator::Percentile(percent)
        }
    })
}

/// Parses `count(v: v>=0)` up to the colon that must follow; consumes nothing if the text is something else.
fn count_if(cursor: &mut Cursor<'_>) -> Result<Option<Aggregator>, Failure> {
    let start = cursor.position;
    let head = ["count", "(", "v", ":", "v"];
    if !head.iter().all(|part| cursor.take_text(part)) {
        cursor.position = start;
        return Ok(None);
    }
    let comparisons: [(&str, &[_]); 7] = [
        ("<=", &[Less, Equal]),
        (">=", &[Greater, Equal]),
        ("!=", &[Less, Greater]),
        ("==", &[Equal]),
        ("<", &[Less]),
        (">", &[Greater]),
        ("=", &[Equal]),
    ];
    let found = comparisons.into_iter().find(|(symbol, _)| cursor.take_text(symbol));
    let Some((_, orders)) = found else { return Err(cursor.failure("aggr")) };
    cursor.skip_space();
    let sign = if cursor.take('-') { -1.0 } else { 1.0 };
    let bound = sign * number(cursor)?;
    cursor.skip_space();
    cursor.expect(')', "aggr")?;
    cursor.skip_space();
    if cursor.peek() != Some(':') {
        return Err(cursor.failure("aggr"));
    }
    Ok(Some(Aggregator::CountIf(orders, bound)))
}

/// Parses the arguments of a call, from its opening parenthesis.
fn call(cursor: &mut Cursor<'_>, function: &str, depth: usize) -> Result<Expr, Failure> {
    cursor.advance(); // the parenthesis
    let args = cursor.take_list(')', "func", |cursor| {
        Ok(match cursor.peek() {
            Some(quote @ ('\'' | '"')) => Arg::Text(quoted(cursor, quote)?),
            _ => Arg::Expr(sum(cursor, depth + 1)?),
        })
    })?;
    Ok(Expr::Call { function: function.to_owned(), args })
}

/// Parses a text up to the same quote; there are no escapes.
fn quoted(cursor: &mut Cursor<'_>, quote: char) -> Result<String, Failure> {
    cursor.advance();
    let text = cursor.take_while(|c| c != quote).to_owned();
    cursor.expect(quote, "string")?;
    Ok(text)
}

/// Parses a number without a sign. An `e` that no digits follow is left in place.
fn number(cursor: &mut Cursor<'_>) -> Result<f64, Failure> {
    let start = cursor.position;
    cursor.take_while(|c| c.is_ascii_digit() || c == '.');
    let before_exponent = cursor.position;
    if cursor.take('e') || cursor.take('E') {
        if !cursor.take('-') {
            cursor.take('+');
        }
        if cursor.take_while(|c| c.is_ascii_digit()).is_empty() {
            cursor.position = before_exponent;
        }
    }
    let failure = Failure { rule: "number", position: start };
    cursor.since(start).parse().map_err(|_| failure)
}

/// Parses a series from its metric on.
fn series(
    cursor: &mut Cursor<'_>,
    aggregator: Option<Aggregator>,
    aggregator_text: String,
) -> Result<Expr, Failure> {
    let start = cursor.position;
    let metric = cursor.take_while(is_name_char).to_owned();
    if !metric.starts_with(|c: char| c.is_ascii_alphabetic()) || metric.len() > METRIC_CHARS_MAX {
        return Err(Failure { rule: "metric", position: start });
    }
    cursor.expect('{', "scope_expr")?;
    let scope_start = cursor.position;
    let filter = scope::parse(cursor, 0)?;
    cursor.skip_space();
    let filter_text = cursor.since(scope_start).trim().to_owned();
    cursor.expect('}', "scope_expr")?;
    let mut selector = Selector {
        aggregator,
        aggregator_text,
        metric,
        filter,
        filter_text,
        by: group_by(cursor)?,
        rollup: None,
        counting: None,
        fill: None,
        modifiers_text: String::new(),
    };
    modifiers(cursor, &mut selector)?;
    Ok(Expr::Series(Box::new(selector)))
}

/// Parses `by {key,…}`, if it follows; a repeated key counts once.
fn group_by(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Failure> {
    if !cursor.take_word("by") {
        return Ok(Vec::new());
    }
    cursor.skip_space();
    cursor.expect('{', "group_by")?;
    let mut keys = cursor.take_list('}', "group_by", |cursor| {
        let key = cursor.take_while(|c| c.is_alphanumeric() || "_-./@".contains(c));
        if key.is_empty() { Err(cursor.failure("group_by")) } else { Ok(key.to_lowercase()) }
    })?;
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    Ok(keys)
}

/// Parses all modifiers into `selector`. Calendar rollups and a second `.rollup` (nested queries, a preview) are not
/// simulated: they fail as unknown text does.
fn modifiers(cursor: &mut Cursor<'_>, selector: &mut Selector) -> Result<(), Failure> {
    let all = cursor.position;
    while cursor.peek() == Some('.') {
        let position = cursor.position;
        let failure = |rule| Failure { rule, position };
        cursor.advance();
        let name = cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_');
        if !cursor.take('(') {
            return Err(failure("modifier"));
        }
        let args = arguments(cursor)?;
        match (name, args.as_slice()) {
            ("rollup", args) if selector.rollup.is_none() => {
                selector.rollup = Some(rollup(args).ok_or_else(|| failure("rollup"))?);
            }
            ("fill", args) => {
                selector.fill = Some(fill(args).ok_or_else(|| failure("fill"))?);
            }
            ("as_count", []) => selector.counting = Some(Counting::AsCount),
            ("as_rate", []) => selector.counting = Some(Counting::AsRate),
            ("weighted", []) => {}
            _ => return Err(failure("modifier")),
        }
    }
    cursor.since(all).clone_into(&mut selector.modifiers_text);
    Ok(())
}

/// Parses the arguments and the closing parenthesis.
fn arguments<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<&'a str>, Failure> {
    cursor.skip_space();
    if cursor.take(')') {
        return Ok(Vec::new());
    }
    cursor.take_list(')', "args", |cursor| {
        let arg = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if arg.is_empty() { Err(cursor.failure("args")) } else { Ok(arg) }
    })
}

/// Returns `.rollup(method)`, `.rollup(seconds)` or `.rollup(method, seconds)`, seconds at least 1.
fn rollup(args: &[&str]) -> Option<Rollup> {
    let seconds = |text: &str| text.parse::<i64>().ok().filter(|&s| s > 0);
    Some(match args {
        [one] => match seconds(one) {
            Some(interval_s) => Rollup { method: None, interval_s: Some(interval_s) },
            None => Rollup { method: Some(method(one)?), interval_s: None },
        },
        [name, interval] => {
            Rollup { method: Some(method(name)?), interval_s: Some(seconds(interval)?) }
        }
        _ => return None,
    })
}

fn method(name: &str) -> Option<Method> {
    Some(match name {
        "avg" => Method::Avg,
        "sum" => Method::Sum,
        "min" => Method::Min,
        "max" => Method::Max,
        "count" => Method::Count,
        _ => return None,
    })
}

/// Returns `.fill(name)` or `.fill(name, limit in seconds)`.
fn fill(args: &[&str]) -> Option<Fill> {
    let (name, limit_s) = match args {
        [name] => (*name, FILL_LIMIT_S),
        [name, limit] => (*name, limit.parse().ok()?),
        _ => return None,
    };
    Some(match name {
        "null" => Fill::Null,
        "zero" => Fill::Zero,
        "last" => Fill::Last { limit_s },
        "linear" => Fill::Linear { limit_s },
        _ => return None,
    })
}
