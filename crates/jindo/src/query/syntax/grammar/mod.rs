//! Tokens → expressions, by recursive descent. Knows how a query is written, not what it means: it fills in nothing and
//! refuses nothing that has a shape. Hostile text costs linear time and bounded stack.
//!
//! ```
//! let query = jindo::query::grammar::parse("avg:system.cpu.user{env:prod}by{ host , az }")?;
//! assert_eq!(query.to_string(), "avg:system.cpu.user{env:prod} by {az,host}");
//! # Ok::<(), jindo::query::QueryError>(())
//! ```

mod scope;

use super::ast::{Aggregator, Arg, Expr, Modifier, Part, ScopePart, SeriesExpr, Tag};
use super::lookalikes::other_space;
use super::token::{Token, TokenKind, tokens};
use crate::query::{QueryError, Reason, Span};
use std::mem::take;

/// Parentheses, calls and negations within each other, at most: deeper than any dashboard, shallow enough for any stack.
pub const DEPTH_MAX: usize = 64;

/// Bytes of one line, comma lists included, at most: four times what a request line may hold, a hundred times what people write.
pub const LINE_BYTES_MAX: usize = 32 * 1024;

/// One query.
pub fn parse(text: &str) -> Result<Expr, QueryError> {
    let mut all = parse_list(text)?;
    let first = all.swap_remove(0);
    if all.is_empty() {
        return Ok(first);
    }
    let after = Span { start: first.span.end, end: first.span.end };
    Err(QueryError::new(after, expected("one query", "a list")))
}

/// The queries of a top-level comma list: at least one.
pub fn parse_list(text: &str) -> Result<Vec<Expr>, QueryError> {
    if text.len() > LINE_BYTES_MAX {
        let all = Span { start: 0, end: text.len() };
        return Err(QueryError::new(all, Reason::TooLong { max: LINE_BYTES_MAX }));
    }
    let tokens = tokens(text)?;
    let mut parser =
        Parser { text, tokens, at: 0, depth: 0, parts: Vec::new(), selection: Vec::new() };
    let mut found = vec![parser.query()?];
    while parser.take(',').is_some() {
        found.push(parser.query()?);
    }
    if parser.peek().kind != TokenKind::End {
        return Err(parser.expected("an operator, `,` or the end of the query"));
    }
    Ok(found)
}

const A_VALUE: &str = "a number, a word or a quoted text";

type Parsed<T> = Result<T, QueryError>;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// The query so far.
    parts: Vec<Part>,
    /// The scope so far, while one is read.
    selection: Vec<ScopePart>,
}

impl<'a> Parser<'a> {
    fn query(&mut self) -> Parsed<Expr> {
        let start = self.peek();
        self.chain()?;
        Ok(Expr { parts: take(&mut self.parts), span: self.since(start) })
    }

    /// Factors with operators between them.
    fn chain(&mut self) -> Parsed<()> {
        self.factor()?;
        while let TokenKind::Symbol(operator @ ('+' | '-' | '*' | '/')) = self.peek().kind {
            self.next();
            self.say(&format!(" {operator} "));
            self.factor()?;
        }
        Ok(())
    }

    fn factor(&mut self) -> Parsed<()> {
        let token = self.peek();
        if token.kind == TokenKind::Word {
            return self.word(token);
        }
        if self.take('-').is_some() {
            self.say("-");
            return self.nested(Self::factor);
        }
        if token.kind == TokenKind::Number {
            self.next();
            self.say(self.slice(token.span));
            return Ok(());
        }
        let Some(open) = self.take('(') else {
            return Err(self.expected("a query such as `avg:metric{*}`"));
        };
        self.say("(");
        self.nested(Self::chain)?;
        self.close(open, "an operator or `)`")?;
        self.outer_modifiers()
    }

    /// Adds normal text to the query.
    fn say(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// A series with or without aggregator, or a call.
    fn word(&mut self, word: Token) -> Parsed<()> {
        self.next();
        let next = self.peek().kind;
        if next == TokenKind::Symbol('(') && self.at_condition(word) {
            let aggregator = self.condition()?;
            self.series(word, Some(aggregator))
        } else if next == TokenKind::Symbol('(') {
            self.call(word)
        } else if next == TokenKind::Symbol(':') {
            let name = self.slice(word.span);
            let unknown = || Reason::Aggregator { found: name.to_owned() };
            let aggregator =
                Aggregator::from_name(name).ok_or_else(|| QueryError::new(word.span, unknown()))?;
            self.next();
            self.series(word, Some(aggregator))
        } else {
            self.at -= 1;
            self.series(word, None)
        }
    }

    fn call(&mut self, word: Token) -> Parsed<()> {
        let name = self.words(word.span);
        let may_be_monitor = Aggregator::from_name(&name).is_some();
        self.parts.push(Part::Function { name, span: word.span });
        self.nested(Self::arguments)?;
        if self.peek().kind == TokenKind::Symbol(':') && may_be_monitor {
            return Err(QueryError::new(word.span.to(self.peek().span), Reason::Monitor));
        }
        self.outer_modifiers()
    }

    /// Modifiers behind a closing parenthesis.
    fn outer_modifiers(&mut self) -> Parsed<()> {
        self.say(")");
        let modifiers = self.modifiers()?;
        self.parts.extend(modifiers.into_iter().map(Part::Modifier));
        Ok(())
    }

    /// True if `count(v: v` follows, which is no call.
    fn at_condition(&self, word: Token) -> bool {
        let condition =
            [TokenKind::Word, TokenKind::Symbol(':'), TokenKind::Word, TokenKind::Compare];
        self.slice(word.span) == "count"
            && (1..).map(|ahead| self.ahead(ahead)).take(4).eq(condition)
    }

    fn condition(&mut self) -> Parsed<Aggregator> {
        let open = self.next().span;
        let variable = self.next();
        self.next();
        let again = self.peek();
        if self.slice(again.span) != self.slice(variable.span) {
            return Err(self.expected("the same letter again, as in `count(v: v>=1)`"));
        }
        self.next();
        let compare = self.next();
        let sign = if self.take('-').is_some() { "-" } else { "" };
        let bound = self.expect(TokenKind::Number, "a number, as in `count(v: v>=1)`")?;
        self.close(open, "`)`")?;
        self.expect(TokenKind::Symbol(':'), "`:` and a metric")?;
        let (compare, bound) = (self.words(compare.span), self.slice(bound.span));
        Ok(Aggregator::CountIf { compare, bound: format!("{sign}{bound}") })
    }

    /// From the metric on. Modifiers before `by` are taken too: they are printed where the server wants them.
    fn series(&mut self, start: Token, aggregator: Option<Aggregator>) -> Parsed<()> {
        let metric = self.expect(TokenKind::Word, "a metric's name")?;
        let TokenKind::Symbol('{') = self.peek().kind else {
            return Err(self.bare_metric(start, metric, aggregator));
        };
        let open = self.next().span;
        if let Some(close) = self.take('}') {
            return Err(QueryError::new(open.to(close), Reason::EmptyScope));
        }
        self.scope()?;
        let scope = take(&mut self.selection);
        self.expect(TokenKind::Symbol('}'), "`,`, AND, OR or `}`")?;
        let mut modifiers = self.modifiers()?;
        let by = self.by()?;
        modifiers.extend(self.modifiers()?);
        let (metric, span) = (self.words(metric.span), self.since(start));
        let series = SeriesExpr { aggregator, metric, scope, by, modifiers, span };
        self.parts.push(Part::Series(series));
        Ok(())
    }

    fn by(&mut self) -> Parsed<Vec<Tag>> {
        let word = self.peek();
        if word.kind != TokenKind::Word || !self.slice(word.span).eq_ignore_ascii_case("by") {
            return Ok(Vec::new());
        }
        self.next();
        if self.take('{').is_none() {
            return Err(self.keys_without_braces(word));
        }
        let mut keys = self.tags("a tag key")?;
        self.expect(TokenKind::Symbol('}'), "`,` or `}`")?;
        sort_keys(&mut keys);
        Ok(keys)
    }

    fn modifiers(&mut self) -> Parsed<Vec<Modifier>> {
        let mut found = Vec::new();
        while let Some(dot) = self.take('.') {
            let name = self.expect(TokenKind::Word, "a modifier such as `rollup(avg, 60)`")?;
            if self.peek().kind != TokenKind::Symbol('(') {
                return Err(self.expected("`(`"));
            }
            let args = self.nested(Self::values)?;
            let span = dot.to(self.last());
            found.push(Modifier { name: self.words(name.span), args, span });
        }
        Ok(found)
    }

    /// Arguments of a modifier: values alone.
    fn values(&mut self) -> Parsed<Vec<Arg>> {
        let (open, mut args) = (self.next().span, Vec::new());
        if self.take(')').is_some() {
            return Ok(args);
        }
        loop {
            let start = self.peek();
            let Some(arg) = self.argument()?.or_else(|| self.zone()) else {
                self.chain()?;
                let span = self.since(start);
                return Err(QueryError::new(span, expected(A_VALUE, self.slice(span))));
            };
            args.push(arg);
            if self.take(',').is_none() {
                return self.close(open, "`,` or `)`").map(|()| args);
            }
        }
    }

    /// Arguments of a function: values and expressions.
    fn arguments(&mut self) -> Parsed<()> {
        let open = self.next().span;
        if self.take(')').is_some() {
            return Ok(());
        }
        loop {
            match self.argument()? {
                Some(arg) => self.say(&arg.to_string()),
                None => self.chain()?,
            }
            if self.take(',').is_none() {
                return self.close(open, "an operator, `,` or `)`");
            }
            self.say(", ");
        }
    }

    /// An argument with a value; `None`, and nothing taken, where an expression follows.
    fn argument(&mut self) -> Parsed<Option<Arg>> {
        if self.peek().kind == TokenKind::Word && self.ahead(1) == TokenKind::Symbol('=') {
            let name = self.next().span;
            self.next();
            let value = self.value().ok_or_else(|| self.expected(A_VALUE))?;
            return Ok(Some(Arg::Named(format!("{}={value}", self.slice(name)))));
        }
        Ok(self.value())
    }

    /// A value, unless what follows goes on as an expression.
    fn value(&mut self) -> Option<Arg> {
        let start = self.at;
        let sign = if self.take('-').is_some() { "-" } else { "" };
        let token = self.next();
        let ends = matches!(self.peek().kind, TokenKind::Symbol(',' | ')') | TokenKind::End);
        let text = self.words(token.span);
        // The sign and the digits may stand apart.
        if ends && token.kind == TokenKind::Number {
            return Some(Arg::Number(format!("{sign}{text}")));
        }
        if ends && sign.is_empty() && token.kind == TokenKind::Text {
            return Some(Arg::Text(text));
        }
        if ends && sign.is_empty() && matches!(token.kind, TokenKind::Word | TokenKind::Moment) {
            return Some(Arg::Word(text));
        }
        self.at = start;
        None
    }

    /// A zone without its quotes, as in `.rollup(sum, daily, 12am, America/Denver)`.
    fn zone(&mut self) -> Option<Arg> {
        let start = self.peek();
        let alternates = |(at, token): &(usize, &Token)| match at % 2 {
            0 => token.kind == TokenKind::Word,
            _ => token.kind == TokenKind::Symbol('/'),
        };
        let rest = self.tokens[self.at..].iter().enumerate();
        let length = rest.take_while(alternates).count();
        let ends = matches!(self.ahead(length), TokenKind::Symbol(',' | ')'));
        if length < 3 || length % 2 == 0 || !ends {
            return None;
        }
        self.at += length;
        Some(Arg::Word(self.words(self.since(start))))
    }

    fn tag(&mut self, wanted: &'static str) -> Parsed<Tag> {
        let span = self.expect(TokenKind::Atom, wanted)?.span;
        Ok(Tag { text: self.words(span), span })
    }

    /// Tags between commas: at least one.
    fn tags(&mut self, wanted: &'static str) -> Parsed<Vec<Tag>> {
        let mut tags = vec![self.tag(wanted)?];
        while self.take(',').is_some() {
            tags.push(self.tag(wanted)?);
        }
        Ok(tags)
    }

    fn bare_metric(
        &self,
        start: Token,
        metric: Token,
        aggregator: Option<Aggregator>,
    ) -> QueryError {
        let glued = |word: &&Token| {
            let between = Span { start: metric.span.end, end: word.span.start };
            self.slice(between) == "-" && matches!(word.kind, TokenKind::Word | TokenKind::Number)
        };
        if let Some(word) = self.tokens.get(self.at + 1).filter(glued) {
            let whole = metric.span.to(word.span);
            return QueryError::new(whole, Reason::Hyphen { name: self.words(whole) });
        }
        let name = self.slice(metric.span);
        let fix = format!("{}:{name}{{*}}", aggregator.unwrap_or(Aggregator::Avg));
        QueryError::new(start.span.to(metric.span), Reason::BareMetric { fix })
    }

    fn nested<T>(&mut self, inner: fn(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            return Err(QueryError::new(self.peek().span, Reason::TooDeep { max: DEPTH_MAX }));
        }
        self.depth += 1;
        let found = inner(self);
        self.depth -= 1;
        found
    }

    fn take(&mut self, symbol: char) -> Option<Span> {
        (self.peek().kind == TokenKind::Symbol(symbol)).then(|| self.next().span)
    }

    fn expect(&mut self, kind: TokenKind, wanted: &'static str) -> Parsed<Token> {
        if self.peek().kind == kind { Ok(self.next()) } else { Err(self.expected(wanted)) }
    }

    /// A closing parenthesis; where none follows, the opening one is to blame.
    fn close(&mut self, open: Span, wanted: &'static str) -> Parsed<()> {
        let next = self.peek();
        if next.kind == TokenKind::Symbol('}') {
            let reason = Reason::Mismatched { open: '(', close: ')', found: '}' };
            return Err(QueryError::new(next.span, reason));
        }
        if next.kind != TokenKind::Symbol(')') && !self.closes_later() {
            return Err(QueryError::new(open, Reason::Unclosed('(')));
        }
        self.expect(TokenKind::Symbol(')'), wanted).map(|_| ())
    }

    /// True if what follows closes one parenthesis more than it opens.
    fn closes_later(&self) -> bool {
        let mut open = 1_usize;
        self.tokens[self.at..].iter().any(|token| {
            if token.kind == TokenKind::Symbol('(') {
                open += 1;
            } else if token.kind == TokenKind::Symbol(')') {
                open -= 1;
            }
            open == 0
        })
    }

    /// Refuses `by host`, with the keys in braces.
    fn keys_without_braces(&mut self, by: Token) -> QueryError {
        self.take('(');
        let first = self.peek();
        if first.kind != TokenKind::Word {
            return self.expected("`{` and tag keys");
        }
        self.next();
        let begins_query = |kind| matches!(kind, TokenKind::Symbol(':' | '{' | '(' | '.'));
        while self.peek().kind == TokenKind::Symbol(',')
            && self.ahead(1) == TokenKind::Word
            && !begins_query(self.ahead(2))
        {
            self.at += 2;
        }
        let keys = self.since(first);
        let fix = format!("by {{{}}}", self.slice(keys));
        QueryError::new(by.span.to(keys), Reason::KeysWithoutBraces { fix })
    }

    fn expected(&self, wanted: &'static str) -> QueryError {
        let token = self.peek();
        // A space that is none parts what was meant as one.
        let gap = self.last().end..token.span.start;
        let other = self.text.get(gap.clone()).into_iter().flat_map(str::char_indices);
        if let Some((at, c)) = other.into_iter().find(|(_, c)| other_space(*c).is_some()) {
            let start = gap.start + at;
            let span = Span { start, end: start + c.len_utf8() };
            return QueryError::new(span, Reason::OtherSpace(c));
        }
        let found = if token.kind == TokenKind::End {
            "the end".to_owned()
        } else {
            format!("`{}`", self.slice(token.span))
        };
        QueryError::new(token.span, Reason::Expected { wanted, found })
    }

    fn peek(&self) -> Token {
        self.tokens[self.at]
    }

    fn ahead(&self, count: usize) -> TokenKind {
        self.tokens.get(self.at + count).map_or(TokenKind::End, |token| token.kind)
    }

    /// Stays at the end, which is always there.
    fn next(&mut self) -> Token {
        let token = self.tokens[self.at];
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// The token taken last.
    fn last(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    fn since(&self, start: Token) -> Span {
        start.span.to(self.last())
    }

    fn slice(&self, span: Span) -> &'a str {
        &self.text[span.start..span.end]
    }

    fn words(&self, span: Span) -> String {
        self.slice(span).to_owned()
    }
}

/// A grouping is a set: `by {b,a}` and `by {a,b}` are one.
pub(in crate::query) fn sort_keys(keys: &mut Vec<Tag>) {
    keys.sort_by(|a, b| a.text.cmp(&b.text));
    keys.dedup();
}

fn expected(wanted: &'static str, found: &str) -> Reason {
    Reason::Expected { wanted, found: format!("`{found}`") }
}
