//! The recursive descent behind [`super::parse_list`]. Positions are bytes inside, characters in what it reports.

use super::{
    Aggregator, Arg, Comparison, Counting, DEPTH_MAX, Expr, Fill, METRIC_CHARS_MAX, Method,
    Operator, ParseError, Query, Rollup, Selector, scope,
};

/// Interpolation and fills reach this far when the query does not say. (DOC)
pub(crate) const FILL_LIMIT_S: i64 = 300;

/// A rule that did not match, and where (in bytes).
#[derive(Debug)]
pub(super) struct Failure {
    rule: &'static str,
    position: usize,
}

/// Reads a comma list of queries.
pub(crate) fn parse_list(text: &str) -> Result<Vec<Query>, ParseError> {
    let mut cursor = Cursor { text, position: 0 };
    list(&mut cursor).map_err(|failure| ParseError {
        text: text.to_owned(),
        rule: failure.rule,
        rest: text[failure.position..].chars().take(20).collect(),
        column: text[..failure.position].chars().count() + 1,
    })
}

fn list(cursor: &mut Cursor<'_>) -> Result<Vec<Query>, Failure> {
    let mut queries = Vec::new();
    loop {
        cursor.skip_space();
        let start = cursor.position;
        let expr = sum(cursor, 0)?;
        queries.push(Query { text: cursor.text[start..cursor.position].trim().to_owned(), expr });
        cursor.skip_space();
        if cursor.rest().is_empty() {
            return Ok(queries);
        }
        if !cursor.take(',') {
            return Err(cursor.failure("query"));
        }
    }
}

fn sum(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, Failure> {
    let mut left = product(cursor, depth)?;
    loop {
        cursor.skip_space();
        let operator = match cursor.peek() {
            Some('+') => Operator::Add,
            Some('-') => Operator::Subtract,
            _ => return Ok(left),
        };
        cursor.advance();
        let right = Box::new(product(cursor, depth)?);
        left = Expr::Binary { operator, left: Box::new(left), right };
    }
}

fn product(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, Failure> {
    let mut left = term(cursor, depth)?;
    loop {
        cursor.skip_space();
        let operator = match cursor.peek() {
            Some('*') => Operator::Multiply,
            Some('/') => Operator::Divide,
            _ => return Ok(left),
        };
        cursor.advance();
        let right = Box::new(term(cursor, depth)?);
        left = Expr::Binary { operator, left: Box::new(left), right };
    }
}

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
            if cursor.take(')') { Ok(inner) } else { Err(cursor.failure("expr")) }
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

/// What starts with a name: a call, or a series with or without its aggregator.
fn named(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, Failure> {
    let start = cursor.position;
    if let Some(condition) = count_if(cursor)? {
        let text = cursor.text[start..cursor.position - 1].to_owned();
        return series(cursor, Some((condition, text)));
    }
    let name = cursor.take_while(name_char);
    if cursor.peek() == Some('(') {
        cursor.advance();
        return call(cursor, name.to_owned(), depth);
    }
    if cursor.peek() == Some(':') {
        let Some(aggregator) = aggregator(name) else {
            return Err(cursor.failure_at("aggr", start));
        };
        cursor.advance();
        return series(cursor, Some((aggregator, name.to_owned())));
    }
    cursor.position = start;
    series(cursor, None)
}

fn name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

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

/// `count(v: v>=0):`, colon included; nothing is consumed when something else stands here.
fn count_if(cursor: &mut Cursor<'_>) -> Result<Option<Aggregator>, Failure> {
    let start = cursor.position;
    let head = ["count", "(", "v", ":", "v"];
    if !head.iter().all(|part| cursor.take_text(part)) {
        cursor.position = start;
        return Ok(None);
    }
    let comparisons = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("!=", Comparison::NotEqual),
        ("==", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        ("=", Comparison::Equal),
    ];
    let found = comparisons.into_iter().find(|(symbol, _)| cursor.take_text(symbol));
    let Some((_, comparison)) = found else { return Err(cursor.failure("aggr")) };
    cursor.skip_space();
    let sign = if cursor.take('-') { -1.0 } else { 1.0 };
    let bound = sign * number(cursor)?;
    if !(cursor.take_text(")") && cursor.take_text(":")) {
        return Err(cursor.failure("aggr"));
    }
    Ok(Some(Aggregator::CountIf(comparison, bound)))
}

fn call(cursor: &mut Cursor<'_>, function: String, depth: usize) -> Result<Expr, Failure> {
    let mut args = Vec::new();
    loop {
        cursor.skip_space();
        args.push(match cursor.peek() {
            Some('\'' | '"') => Arg::Text(quoted(cursor)?),
            _ => Arg::Expr(sum(cursor, depth + 1)?),
        });
        cursor.skip_space();
        if cursor.take(')') {
            return Ok(Expr::Call { function, args });
        }
        if !cursor.take(',') {
            return Err(cursor.failure("func"));
        }
    }
}

fn quoted(cursor: &mut Cursor<'_>) -> Result<String, Failure> {
    let quote = cursor.peek().ok_or_else(|| cursor.failure("string"))?;
    cursor.advance();
    let text = cursor.take_while(|c| c != quote).to_owned();
    if cursor.take(quote) { Ok(text) } else { Err(cursor.failure("string")) }
}

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
    let text = &cursor.text[start..cursor.position];
    text.parse().map_err(|_| cursor.failure_at("number", start))
}

fn series(
    cursor: &mut Cursor<'_>,
    aggregator: Option<(Aggregator, String)>,
) -> Result<Expr, Failure> {
    let start = cursor.position;
    let metric = cursor.take_while(name_char).to_owned();
    if !metric.starts_with(|c: char| c.is_ascii_alphabetic()) || metric.len() > METRIC_CHARS_MAX {
        return Err(cursor.failure_at("metric", start));
    }
    if !cursor.take('{') {
        return Err(cursor.failure("scope_expr"));
    }
    let scope_start = cursor.position;
    let filter = scope::parse(cursor, 0)?;
    cursor.skip_space();
    let filter_text = cursor.text[scope_start..cursor.position].trim().to_owned();
    if !cursor.take('}') {
        return Err(cursor.failure("scope_expr"));
    }
    let by = group_by(cursor)?;
    let (aggregator, aggregator_text) = match aggregator {
        Some((aggregator, text)) => (Some(aggregator), text),
        None => (None, String::new()),
    };
    let mut selector = Selector {
        aggregator,
        aggregator_text,
        metric,
        filter,
        filter_text,
        by,
        rollup: None,
        counting: None,
        fill: None,
        modifiers_text: String::new(),
    };
    modifiers(cursor, &mut selector)?;
    Ok(Expr::Series(Box::new(selector)))
}

fn group_by(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Failure> {
    if !cursor.take_word("by") {
        return Ok(Vec::new());
    }
    cursor.skip_space();
    if !cursor.take('{') {
        return Err(cursor.failure("group_by"));
    }
    let mut keys = Vec::new();
    loop {
        cursor.skip_space();
        let key = cursor.take_while(|c| c.is_alphanumeric() || "_-./@".contains(c)).to_lowercase();
        if key.is_empty() {
            return Err(cursor.failure("group_by"));
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
        cursor.skip_space();
        if cursor.take('}') {
            return Ok(keys);
        }
        if !cursor.take(',') {
            return Err(cursor.failure("group_by"));
        }
    }
}

/// Calendar rollups and a second `.rollup` (nested queries, a preview) are not simulated: they fail as unknown text does.
fn modifiers(cursor: &mut Cursor<'_>, selector: &mut Selector) -> Result<(), Failure> {
    let all = cursor.position;
    while cursor.peek() == Some('.') {
        let start = cursor.position;
        cursor.advance();
        let name = cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_').to_owned();
        if !cursor.take('(') {
            return Err(cursor.failure_at("modifier", start));
        }
        let args = arguments(cursor)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        match (name.as_str(), args.as_slice()) {
            ("rollup", args) if selector.rollup.is_none() => {
                selector.rollup =
                    Some(rollup(args).ok_or_else(|| cursor.failure_at("rollup", start))?);
            }
            ("fill", args) => {
                selector.fill = Some(fill(args).ok_or_else(|| cursor.failure_at("fill", start))?);
            }
            ("as_count", []) => selector.counting = Some(Counting::AsCount),
            ("as_rate", []) => selector.counting = Some(Counting::AsRate),
            ("weighted", []) => {}
            _ => return Err(cursor.failure_at("modifier", start)),
        }
    }
    cursor.text[all..cursor.position].clone_into(&mut selector.modifiers_text);
    Ok(())
}

fn arguments(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Failure> {
    let mut args = Vec::new();
    cursor.skip_space();
    if cursor.take(')') {
        return Ok(args);
    }
    loop {
        cursor.skip_space();
        let arg = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        if arg.is_empty() {
            return Err(cursor.failure("args"));
        }
        args.push(arg);
        cursor.skip_space();
        if cursor.take(')') {
            return Ok(args);
        }
        if !cursor.take(',') {
            return Err(cursor.failure("args"));
        }
    }
}

fn rollup(args: &[&str]) -> Option<Rollup> {
    let seconds = |text: &str| text.parse::<i64>().ok().filter(|&s| s > 0);
    Some(match args {
        [one] => match seconds(one) {
            Some(interval_s) => Rollup { method: None, interval_s: Some(interval_s) },
            None => Rollup { method: Some(method(one)?), interval_s: None },
        },
        [how, interval] => {
            Rollup { method: Some(method(how)?), interval_s: Some(seconds(interval)?) }
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

fn fill(args: &[&str]) -> Option<Fill> {
    let (how, limit_s) = match args {
        [how] => (*how, FILL_LIMIT_S),
        [how, limit] => (*how, limit.parse().ok()?),
        _ => return None,
    };
    Some(match how {
        "null" => Fill::Null,
        "zero" => Fill::Zero,
        "last" => Fill::Last { limit_s },
        "linear" => Fill::Linear { limit_s },
        _ => return None,
    })
}

/// A place in the text.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) {
        self.position += self.peek().map_or(0, char::len_utf8);
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn back_to(&mut self, position: usize) {
        self.position = position;
    }

    pub(super) fn failure(&self, rule: &'static str) -> Failure {
        self.failure_at(rule, self.position)
    }

    #[expect(clippy::unused_self, reason = "reads as a property of the place")]
    fn failure_at(&self, rule: &'static str, position: usize) -> Failure {
        Failure { rule, position }
    }

    pub(super) fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(super) fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    /// Takes `text` where it stands, after white space.
    fn take_text(&mut self, text: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(text);
        if found {
            self.position += text.len();
        }
        found
    }

    /// Takes a whole word in any case, with the white space before it; nothing is consumed when it is not there.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let start = self.position;
        self.skip_space();
        let found = self.take_while(|c| c.is_alphanumeric() || "_:-./*".contains(c));
        if found.eq_ignore_ascii_case(word) {
            return true;
        }
        self.position = start;
        false
    }

    pub(super) fn take_words(&mut self, first: &str, second: &str) -> bool {
        let start = self.position;
        if self.take_word(first) && self.take_word(second) {
            return true;
        }
        self.position = start;
        false
    }
}
