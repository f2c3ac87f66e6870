//! Scopes, the selection between the braces: comma lists, AND, OR, NOT, IN and parentheses, mixed as they are in the wild.
//! Commas bind loosest, then OR, AND, NOT; what is written is kept, so that the server decides what a mixture means.

use super::Parser;

use crate::query::ast::{Membership, Negation, ScopeExpr, Tag};
use crate::query::syntax::token::TokenKind;
use crate::query::{QueryError, Reason};

impl Parser<'_> {
    pub(super) fn scope(&mut self) -> Result<ScopeExpr, QueryError> {
        let first = self.or()?;
        if self.peek().kind != TokenKind::Symbol(',') {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(',').is_some() {
            parts.push(self.or()?);
        }
        Ok(ScopeExpr::Commas(parts))
    }

    fn or(&mut self) -> Result<ScopeExpr, QueryError> {
        let mut parts = vec![self.and()?];
        while self.take_word("OR") {
            parts.push(self.and()?);
        }
        Ok(only_or(parts, ScopeExpr::Or))
    }

    fn and(&mut self) -> Result<ScopeExpr, QueryError> {
        let mut parts = vec![self.not()?];
        while self.take_word("AND") {
            parts.push(self.not()?);
        }
        Ok(only_or(parts, ScopeExpr::And))
    }

    fn not(&mut self) -> Result<ScopeExpr, QueryError> {
        let notation = if self.take('!').is_some() {
            Negation::Mark
        } else if self.take_word("NOT") {
            Negation::Word
        } else {
            return self.item();
        };
        let inner = Box::new(self.nested(Self::not)?);
        Ok(ScopeExpr::Not { notation, inner })
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
        let negated = if self.take_word("IN") {
            Membership::In
        } else if self.at_word(0, "NOT") && self.at_word(1, "IN") {
            self.next();
            self.next();
            Membership::NotIn
        } else {
            return Ok(ScopeExpr::Tag(key));
        };
        let values = self.values()?;
        Ok(ScopeExpr::In { key, negated, values })
    }

    fn values(&mut self) -> Result<Vec<Tag>, QueryError> {
        let open = self.expect(TokenKind::Symbol('('), "`(` and values")?.span;
        let mut values = vec![self.tag("a tag value")?];
        while self.take(',').is_some() {
            values.push(self.tag("a tag value")?);
        }
        self.close(')', open)?;
        Ok(values)
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

fn only_or(mut parts: Vec<ScopeExpr>, many: fn(Vec<ScopeExpr>) -> ScopeExpr) -> ScopeExpr {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}
