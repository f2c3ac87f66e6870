//! Tokens → expressions, by recursive descent. Knows how a query is written, not what it means: it fills in nothing and
//! refuses nothing that has a shape. Hostile text costs linear time and bounded stack.
//!
//! ```
//! let query = jindo::query::grammar::parse("avg:system.cpu.user{env:prod}by{ host , az }")?;
//! assert_eq!(query.to_string(), "avg:system.cpu.user{env:prod} by {az,host}");
//! # Ok::<(), jindo::query::QueryError>(())
//! ```

use super::ast::{Aggregator, Arg, Expr, Modifier, Node, ScopeExpr, SeriesExpr, Tag, Value};
use super::token::{Token, TokenKind, tokens};
use crate::query::{QueryError, Reason, Span};

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
        self.chain(Self::product, ['+', '-'])
    }

    fn product(&mut self) -> Result<Expr, QueryError> {
        self.chain(Self::factor, ['*', '/'])
    }

    fn chain(
        &mut self,
        part: fn(&mut Self) -> Result<Expr, QueryError>,
        operators: [char; 2],
    ) -> Result<Expr, QueryError> {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let TokenKind::Symbol(operator) = self.peek().kind
            && operators.contains(&operator)
        {
            self.next();
            rest.push((operator, part(self)?));
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
        if token.kind == TokenKind::Word {
            return self.word(token);
        }
        if token.kind == TokenKind::Number {
            self.next();
            return Ok(Expr { node: Node::Number(self.words(token.span)), span: token.span });
        }
        let Some(open) = self.take('(') else {
            return Err(self.expected("a query such as `avg:metric{*}`"));
        };
        let inner = Box::new(self.nested(Self::sum)?);
        self.close(')', open)?;
        let modifiers = self.modifiers()?;
        Ok(self.since(token, Node::Group { inner, modifiers }))
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

    fn call(&mut self, word: Token) -> Result<Expr, QueryError> {
        let name = self.words(word.span);
        let args = self.nested(Self::arguments)?;
        if self.peek().kind == TokenKind::Symbol(':') && Aggregator::from_name(&name).is_some() {
            return Err(QueryError::new(word.span.to(self.peek().span), Reason::Monitor));
        }
        let modifiers = self.modifiers()?;
        Ok(self.since(word, Node::Call { name, args, modifiers }))
    }

    /// True if `count(v: v` follows, which is no call.
    fn at_condition(&self, word: Token) -> bool {
        let condition =
            [TokenKind::Word, TokenKind::Symbol(':'), TokenKind::Word, TokenKind::Compare];
        self.slice(word.span) == "count"
            && (1..).map(|ahead| self.ahead(ahead)).take(4).eq(condition)
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
        let mut keys = self.tags("a tag key")?;
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
        if self.peek().kind == TokenKind::Word && self.ahead(1) == TokenKind::Symbol('=') {
            let name = self.next().span;
            self.next();
            let wanted = "a number, a word or a quoted text";
            let value = self.value().ok_or_else(|| self.expected(wanted))?;
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
        let sign = if self.take('-').is_some() { "-" } else { "" };
        let token = self.next();
        let ends = matches!(self.peek().kind, TokenKind::Symbol(',' | ')') | TokenKind::End);
        let text = self.words(token.span);
        // The sign and the digits may stand apart.
        if ends && token.kind == TokenKind::Number {
            return Some(Value::Number(format!("{sign}{text}")));
        }
        if ends && sign.is_empty() && token.kind == TokenKind::Text {
            return Some(Value::Text(text));
        }
        if ends && sign.is_empty() && token.kind == TokenKind::Word {
            return Some(Value::Word(text));
        }
        self.at = start;
        None
    }

    fn tag(&mut self, wanted: &'static str) -> Result<Tag, QueryError> {
        let span = self.expect(TokenKind::Atom, wanted)?.span;
        Ok(Tag { text: self.words(span), span })
    }

    /// Tags between commas: at least one.
    fn tags(&mut self, wanted: &'static str) -> Result<Vec<Tag>, QueryError> {
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

/// Scopes: comma lists, AND, OR, NOT, IN and parentheses, mixed as they are in the wild. Commas bind loosest, then OR, AND, NOT;
/// what is written is kept, so that the server decides what a mixture means.
impl Parser<'_> {
    fn scope(&mut self) -> Result<ScopeExpr, QueryError> {
        self.operands(|parser| parser.take(',').is_some(), Self::or, ScopeExpr::Commas)
    }

    fn or(&mut self) -> Result<ScopeExpr, QueryError> {
        self.operands(|parser| parser.take_word("OR"), Self::and, ScopeExpr::Or)
    }

    fn and(&mut self) -> Result<ScopeExpr, QueryError> {
        self.operands(|parser| parser.take_word("AND"), Self::not, ScopeExpr::And)
    }

    /// A lone part, or several with an operator between them.
    fn operands(
        &mut self,
        take_operator: fn(&mut Self) -> bool,
        part: fn(&mut Self) -> Result<ScopeExpr, QueryError>,
        several: fn(Vec<ScopeExpr>) -> ScopeExpr,
    ) -> Result<ScopeExpr, QueryError> {
        let first = part(self)?;
        if !take_operator(self) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while take_operator(self) {
            parts.push(part(self)?);
        }
        Ok(several(parts))
    }

    fn not(&mut self) -> Result<ScopeExpr, QueryError> {
        let operator = if self.take('!').is_some() {
            "!"
        } else if self.take_word("NOT") {
            "NOT "
        } else {
            return self.item();
        };
        let inner = Box::new(self.nested(Self::not)?);
        Ok(ScopeExpr::Not { operator, inner })
    }

    fn item(&mut self) -> Result<ScopeExpr, QueryError> {
        if let Some(open) = self.take('(') {
            let inner = self.nested(Self::scope)?;
            self.close(')', open)?;
            return Ok(ScopeExpr::Group(Box::new(inner)));
        }
        if ["AND", "OR", "IN"].iter().any(|word| self.at_word(0, word)) {
            return Err(self.expected("a tag such as `env:prod`"));
        }
        let key = self.tag("a tag such as `env:prod`")?;
        if key.text.ends_with(':') && self.at_value() {
            let value = self.peek().span;
            let fix = format!("{}{}", key.text, self.slice(value));
            return Err(QueryError::new(key.span.to(value), Reason::SpaceInTag { fix }));
        }
        let operator = if self.take_word("IN") {
            "IN"
        } else if self.at_word(0, "NOT") && self.at_word(1, "IN") {
            self.next();
            self.next();
            "NOT IN"
        } else {
            return Ok(ScopeExpr::Tag(key));
        };
        let open = self.expect(TokenKind::Symbol('('), "`(` and values")?.span;
        let values = self.tags("a tag value")?;
        self.close(')', open)?;
        Ok(ScopeExpr::In { key, operator, values })
    }

    /// True if something follows a tag that is neither an operator nor the end of it.
    fn at_value(&self) -> bool {
        let operator = ["AND", "OR", "NOT", "IN"].iter().any(|word| self.at_word(0, word));
        self.peek().kind == TokenKind::Atom && !operator
    }

    fn take_word(&mut self, word: &str) -> bool {
        let here = self.at_word(0, word);
        if here {
            self.next();
        }
        here
    }

    fn at_word(&self, ahead: usize, word: &str) -> bool {
        let token = self.tokens.get(self.at + ahead);
        token.is_some_and(|token| {
            token.kind == TokenKind::Atom && self.slice(token.span).eq_ignore_ascii_case(word)
        })
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
