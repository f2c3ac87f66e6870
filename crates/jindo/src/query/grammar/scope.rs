//! What stands between the braces: comma lists, AND, OR, NOT, IN and parentheses, mixed as they are in the wild.
//! Commas bind loosest, then OR, AND, NOT; what is written is kept, so that the server decides what a mixture means.

use super::Parser;

use crate::query::ast::{Membership, Negation, Scope, Tag};
use crate::query::token::Kind;
use crate::query::{Reason, Refused};

impl Parser<'_> {
    pub(super) fn scope(&mut self) -> Result<Scope, Refused> {
        let first = self.or()?;
        if self.peek().kind != Kind::Symbol(',') {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(',').is_some() {
            parts.push(self.or()?);
        }
        Ok(Scope::Commas(parts))
    }

    fn or(&mut self) -> Result<Scope, Refused> {
        let mut parts = vec![self.and()?];
        while self.take_word("OR") {
            parts.push(self.and()?);
        }
        Ok(only_or(parts, Scope::Or))
    }

    fn and(&mut self) -> Result<Scope, Refused> {
        let mut parts = vec![self.not()?];
        while self.take_word("AND") {
            parts.push(self.not()?);
        }
        Ok(only_or(parts, Scope::And))
    }

    fn not(&mut self) -> Result<Scope, Refused> {
        let notation = if self.take('!').is_some() {
            Negation::Mark
        } else if self.take_word("NOT") {
            Negation::Word
        } else {
            return self.item();
        };
        let inner = Box::new(self.nested(Self::not)?);
        Ok(Scope::Not { notation, inner })
    }

    fn item(&mut self) -> Result<Scope, Refused> {
        if let Some(open) = self.take('(') {
            let inner = self.nested(Self::scope)?;
            self.close(')', open)?;
            return Ok(Scope::Group(Box::new(inner)));
        }
        if ["AND", "OR", "IN"].iter().any(|word| self.at_word(0, word)) {
            return Err(self.expected("a tag such as `env:prod`"));
        }
        let key = self.tag("a tag such as `env:prod`")?;
        if key.text.ends_with(':') && self.at_value() {
            let value = self.peek().span;
            let fix = format!("{}{}", key.text, self.slice(value));
            return Err(Refused::new(key.span.to(value), Reason::SpaceInTag { fix }));
        }
        let negated = if self.take_word("IN") {
            Membership::In
        } else if self.at_word(0, "NOT") && self.at_word(1, "IN") {
            self.next();
            self.next();
            Membership::NotIn
        } else {
            return Ok(Scope::Tag(key));
        };
        let values = self.values()?;
        Ok(Scope::In { key, negated, values })
    }

    fn values(&mut self) -> Result<Vec<Tag>, Refused> {
        let open = self.expect(Kind::Symbol('('), "`(` and values")?.span;
        let mut values = vec![self.tag("a tag value")?];
        while self.take(',').is_some() {
            values.push(self.tag("a tag value")?);
        }
        self.close(')', open)?;
        Ok(values)
    }

    /// Whether something follows a tag that is neither an operator nor the end of it.
    fn at_value(&self) -> bool {
        let operator = ["AND", "OR", "NOT", "IN"].iter().any(|word| self.at_word(0, word));
        self.peek().kind == Kind::Atom && !operator
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
            token.kind == Kind::Atom && self.slice(token.span).eq_ignore_ascii_case(word)
        })
    }
}

fn only_or(mut parts: Vec<Scope>, many: fn(Vec<Scope>) -> Scope) -> Scope {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}
