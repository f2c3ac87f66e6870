//! Tokens → expressions, by recursive descent. Knows how a query is written, not what it means: it fills in nothing and
//! refuses nothing that has a shape. Hostile text costs linear time and bounded stack.
//!
//! ```
//! let query = jindo::query::grammar::parse("avg:system.cpu.user{env:prod}by{ host , az }")?;
//! assert_eq!(query.to_string(), "avg:system.cpu.user{env:prod} by {az,host}");
//! # Ok::<(), jindo::query::QueryError>(())
//! ```

use super::ast::{Aggregator, Arg, Expr, Modifier, Node, Operator, SeriesExpr, Tag, Value};
use super::token::{Token, TokenKind, tokens};
use crate::query::{QueryError, Reason, Span};

mod scope;

/// Parentheses, calls and negations within each other, at most: deeper than any dashboard, shallow enough for any stack.
pub const DEPTH_MAX: usize = 64;

/// Bytes of one line, comma lists included, at most: four times what a request line may hold, a hundred times what people write.
pub const LINE_BYTES_MAX: usize = 32 * 1024;

/// One query.
pub fn parse(text: &str) -> Result<Expr, QueryError> {
    let mut all = parse_list(text)?;
    match (all.pop(), all.first()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(first)) => {
            let after = Span { start: first.span.end, end: first.span.end };
            Err(QueryError::new(after, expected("one query", "a list")))
        }
        (None, _) => Err(QueryError::new(Span::default(), Reason::NoSeries)),
    }
}

/// The queries of a top-level comma list: at least one.
pub fn parse_list(text: &str) -> Result<Vec<Expr>, QueryError> {
    if text.len() > LINE_BYTES_MAX {
        let all = Span { start: 0, end: text.len() };
        return Err(QueryError::new(all, Reason::TooLong { max: LINE_BYTES_MAX }));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0 };
    let mut found = vec![parser.sum()?];
    while parser.take(',').is_some() {
        found.push(parser.sum()?);
    }
    if parser.peek().kind != TokenKind::End {
        return Err(parser.expected("an operator, `,` or the end of the query"));
    }
    Ok(found)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Expr, QueryError> {
        self.chain(Self::product, &[('+', Operator::Add), ('-', Operator::Subtract)])
    }

    fn product(&mut self) -> Result<Expr, QueryError> {
        self.chain(Self::factor, &[('*', Operator::Multiply), ('/', Operator::Divide)])
    }

    fn chain(
        &mut self,
        part: fn(&mut Self) -> Result<Expr, QueryError>,
        operators: &[(char, Operator)],
    ) -> Result<Expr, QueryError> {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Some((_, operator)) =
            operators.iter().find(|(symbol, _)| self.peek().kind == TokenKind::Symbol(*symbol))
        {
            self.next();
            rest.push((*operator, part(self)?));
        }
        let Some((_, last)) = rest.last() else { return Ok(first) };
        let span = first.span.to(last.span);
        Ok(Expr { node: Node::Chain { first: Box::new(first), rest }, span })
    }

    fn factor(&mut self) -> Result<Expr, QueryError> {
        if let Some(minus) = self.take('-') {
            let inner = self.nested(Self::factor)?;
            let span = minus.to(inner.span);
            return Ok(Expr { node: Node::Negate(Box::new(inner)), span });
        }
        let token = self.peek();
        match token.kind {
            TokenKind::Number => {
                self.next();
                Ok(Expr { node: Node::Number(self.words(token.span)), span: token.span })
            }
            TokenKind::Symbol('(') => {
                self.next();
                let inner = Box::new(self.nested(Self::sum)?);
                self.close(')', token.span)?;
                let modifiers = self.modifiers()?;
                Ok(self.since(token, Node::Group { inner, modifiers }))
            }
            TokenKind::Word => self.word(token),
            TokenKind::Text
            | TokenKind::Atom
            | TokenKind::Compare
            | TokenKind::Symbol(_)
            | TokenKind::End => Err(self.expected("a query such as `avg:metric{*}`")),
        }
    }

    /// A series with or without aggregator, or a call.
    fn word(&mut self, word: Token) -> Result<Expr, QueryError> {
        self.next();
        let next = self.peek().kind;
        if next == TokenKind::Symbol('(') && self.at_condition(word) {
            let aggregator = self.condition()?;
            self.series(word, Some(aggregator))
        } else if next == TokenKind::Symbol('(') {
            self.call(word)
        } else if next == TokenKind::Symbol(':') {
            let name = self.slice(word.span);
            let Some(aggregator) = Aggregator::from_name(name) else {
                return Err(QueryError::new(
                    word.span,
                    Reason::Aggregator { found: name.to_owned() },
                ));
            };
            self.next();
            self.series(word, Some(aggregator))
        } else {
            self.at -= 1;
            self.series(word, None)
        }
    }

    fn call(&mut self, word: Token) -> Result<Expr, QueryError> {
        let name = self.words(word.span);
        let args = self.nested(Self::arguments)?;
        let monitor =
            self.peek().kind == TokenKind::Symbol(':') && Aggregator::from_name(&name).is_some();
        if monitor {
            return Err(QueryError::new(word.span.to(self.peek().span), Reason::Monitor));
        }
        let modifiers = self.modifiers()?;
        Ok(self.since(word, Node::Call { name, args, modifiers }))
    }

    /// True if `count(v: v` follows, which is no call.
    fn at_condition(&self, word: Token) -> bool {
        let kind = |ahead: usize| self.tokens.get(self.at + ahead).map(|token| token.kind);
        self.slice(word.span) == "count"
            && kind(1) == Some(TokenKind::Word)
            && kind(2) == Some(TokenKind::Symbol(':'))
            && kind(3) == Some(TokenKind::Word)
            && kind(4) == Some(TokenKind::Compare)
    }

    fn condition(&mut self) -> Result<Aggregator, QueryError> {
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
        self.close(')', open)?;
        self.expect(TokenKind::Symbol(':'), "`:` and a metric")?;
        let (compare, bound) = (self.words(compare.span), self.slice(bound.span));
        Ok(Aggregator::CountIf { compare, bound: format!("{sign}{bound}") })
    }

    /// From the metric on. Modifiers before `by` are taken too: they are printed where the server wants them.
    fn series(&mut self, start: Token, aggregator: Option<Aggregator>) -> Result<Expr, QueryError> {
        let metric = self.expect(TokenKind::Word, "a metric's name")?;
        let TokenKind::Symbol('{') = self.peek().kind else {
            return Err(self.bare_metric(start, metric, aggregator));
        };
        let open = self.next().span;
        if let Some(close) = self.take('}') {
            return Err(QueryError::new(open.to(close), Reason::EmptyScope));
        }
        let scope = self.scope()?;
        self.expect(TokenKind::Symbol('}'), "`,`, AND, OR or `}`")?;
        let mut modifiers = self.modifiers()?;
        let by = self.by()?;
        modifiers.extend(self.modifiers()?);
        let metric = self.words(metric.span);
        Ok(self.since(start, Node::Series(SeriesExpr { aggregator, metric, scope, by, modifiers })))
    }

    fn by(&mut self) -> Result<Vec<Tag>, QueryError> {
        let word = self.peek();
        if word.kind != TokenKind::Word || !self.slice(word.span).eq_ignore_ascii_case("by") {
            return Ok(Vec::new());
        }
        self.next();
        self.expect(TokenKind::Symbol('{'), "`{` and tag keys")?;
        let mut keys = vec![self.tag("a tag key")?];
        while self.take(',').is_some() {
            keys.push(self.tag("a tag key")?);
        }
        self.expect(TokenKind::Symbol('}'), "`,` or `}`")?;
        sort_keys(&mut keys);
        Ok(keys)
    }

    fn modifiers(&mut self) -> Result<Vec<Modifier>, QueryError> {
        let mut found = Vec::new();
        while let Some(dot) = self.take('.') {
            let name = self.expect(TokenKind::Word, "a modifier such as `rollup(avg, 60)`")?;
            if self.peek().kind != TokenKind::Symbol('(') {
                return Err(self.expected("`(`"));
            }
            let args = self.nested(Self::arguments)?;
            if let Some(Arg::Expr(expr)) = args.iter().find(|arg| matches!(arg, Arg::Expr(_))) {
                let reason = expected("a number, a word or a quoted text", self.slice(expr.span));
                return Err(QueryError::new(expr.span, reason));
            }
            let span = dot.to(self.last());
            found.push(Modifier { name: self.words(name.span), args, span });
        }
        Ok(found)
    }

    fn arguments(&mut self) -> Result<Vec<Arg>, QueryError> {
        let open = self.next().span;
        let mut args = Vec::new();
        if self.take(')').is_some() {
            return Ok(args);
        }
        loop {
            args.push(self.argument()?);
            if self.take(',').is_none() {
                self.close(')', open)?;
                return Ok(args);
            }
        }
    }

    fn argument(&mut self) -> Result<Arg, QueryError> {
        let named = self.peek().kind == TokenKind::Word && self.ahead(1) == TokenKind::Symbol('=');
        if named {
            let name = self.next().span;
            self.next();
            let Some(value) = self.value() else {
                return Err(self.expected("a number, a word or a quoted text"));
            };
            return Ok(Arg::Named(self.words(name), value));
        }
        match self.value() {
            Some(value) => Ok(Arg::Value(value)),
            None => Ok(Arg::Expr(self.sum()?)),
        }
    }

    /// A value, unless what follows goes on as an expression.
    fn value(&mut self) -> Option<Value> {
        let start = self.at;
        let minus = self.take('-');
        let token = self.next();
        let text = || self.words(minus.unwrap_or(token.span).to(token.span));
        let value = match token.kind {
            // The sign and the digits may stand apart.
            TokenKind::Number if minus.is_some() => {
                Some(Value::Number(format!("-{}", self.slice(token.span))))
            }
            TokenKind::Number => Some(Value::Number(text())),
            TokenKind::Text if minus.is_none() => Some(Value::Text(text())),
            TokenKind::Word if minus.is_none() => Some(Value::Word(text())),
            TokenKind::Word
            | TokenKind::Text
            | TokenKind::Atom
            | TokenKind::Compare
            | TokenKind::Symbol(_)
            | TokenKind::End => None,
        };
        let ends = matches!(self.peek().kind, TokenKind::Symbol(',' | ')') | TokenKind::End);
        if value.is_none() || !ends {
            self.at = start;
            return None;
        }
        value
    }

    fn tag(&mut self, wanted: &'static str) -> Result<Tag, QueryError> {
        let span = self.expect(TokenKind::Atom, wanted)?.span;
        Ok(Tag { text: self.words(span), span })
    }

    fn bare_metric(
        &self,
        start: Token,
        metric: Token,
        aggregator: Option<Aggregator>,
    ) -> QueryError {
        let (dash, word) = (self.peek(), self.tokens.get(self.at + 1));
        let glued = |word: &&Token| {
            metric.span.end == dash.span.start
                && dash.span.end == word.span.start
                && matches!(word.kind, TokenKind::Word | TokenKind::Number)
        };
        if dash.kind == TokenKind::Symbol('-')
            && let Some(word) = word.filter(glued)
        {
            let whole = metric.span.to(word.span);
            return QueryError::new(whole, Reason::Hyphen { name: self.words(whole) });
        }
        let name = self.slice(metric.span);
        let fix = format!("{}:{name}{{*}}", aggregator.unwrap_or(Aggregator::Avg));
        QueryError::new(start.span.to(metric.span), Reason::BareMetric { fix })
    }

    fn nested<T>(
        &mut self,
        inner: fn(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
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

    fn expect(&mut self, kind: TokenKind, wanted: &'static str) -> Result<Token, QueryError> {
        if self.peek().kind == kind { Ok(self.next()) } else { Err(self.expected(wanted)) }
    }

    /// A closing bracket; at the end of the text the opening one is to blame.
    fn close(&mut self, symbol: char, open: Span) -> Result<(), QueryError> {
        if self.peek().kind == TokenKind::End {
            return Err(QueryError::new(open, Reason::Unclosed('(')));
        }
        self.expect(TokenKind::Symbol(symbol), "an operator, `,` or `)`").map(|_| ())
    }

    fn expected(&self, wanted: &'static str) -> QueryError {
        let token = self.peek();
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

    fn since(&self, start: Token, node: Node) -> Expr {
        Expr { node, span: start.span.to(self.last()) }
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
