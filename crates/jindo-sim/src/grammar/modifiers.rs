//! The modifiers after a selector: `.rollup(…)`, `.fill(…)`, `.as_count()`, `.as_rate()`, `.weighted()`.

use super::cursor::{Cursor, Failure};
use super::{Counting, FILL_LIMIT_S, Fill, Method, Rollup, Selector};

const RULE: &str = "args";

/// Parses all modifiers into `selector`. Calendar rollups and a second `.rollup` (nested queries, a preview) are not
/// simulated: they fail as unknown text does.
pub(super) fn parse(cursor: &mut Cursor<'_>, selector: &mut Selector) -> Result<(), Failure> {
    let all = cursor.position();
    while cursor.peek() == Some('.') {
        let position = cursor.position();
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
    cursor.take_list(')', RULE, |cursor| {
        let arg = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if arg.is_empty() { Err(cursor.failure(RULE)) } else { Ok(arg) }
    })
}

/// Returns `.rollup(method)`, `.rollup(seconds)` or `.rollup(method, seconds)`, seconds at least 1.
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
