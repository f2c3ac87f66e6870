//! The selection between the braces of a series. Mixes of operators are taken as they are: what they mean is the server's business.

use super::{Parsed, Parser};
use crate::query::syntax::ast::{ScopePart, Tag};
use crate::query::syntax::token::TokenKind;

impl Parser<'_> {
    pub(super) fn scope(&mut self) -> Parsed<()> {
        loop {
            self.operand()?;
            let operator = if self.take(',').is_some() {
                ","
            } else if self.take_word("AND") {
                " AND "
            } else if self.take_word("OR") {
                " OR "
            } else {
                return Ok(());
            };
            self.selection.push(ScopePart::Operator(operator));
        }
    }

    fn operand(&mut self) -> Parsed<()> {
        let operator = if self.take('!').is_some() {
            "!"
        } else if self.take_word("NOT") {
            "NOT "
        } else {
            return self.item();
        };
        self.selection.push(ScopePart::Operator(operator));
        self.nested(Self::operand)
    }

    fn item(&mut self) -> Parsed<()> {
        if let Some(open) = self.take('(') {
            self.selection.push(ScopePart::Operator("("));
            self.nested(Self::scope)?;
            self.selection.push(ScopePart::Operator(")"));
            return self.close(open, "`,`, AND, OR or `)`");
        }
        if self.at_operator() && !self.at_word(0, "NOT") {
            return Err(self.expected("a tag such as `env:prod`"));
        }
        let key = self.spaced_tag()?;
        let operator = if self.take_word("IN") {
            " IN ("
        } else if self.at_word(1, "IN") && self.take_word("NOT") {
            self.next();
            " NOT IN ("
        } else {
            self.selection.push(ScopePart::Tag(key));
            return Ok(());
        };
        let open = self.expect(TokenKind::Symbol('('), "`(` and values")?.span;
        self.selection.extend([ScopePart::Member(key), ScopePart::Operator(operator)]);
        for (index, value) in self.tags("a tag value")?.into_iter().enumerate() {
            self.selection.extend((index > 0).then_some(ScopePart::Operator(",")));
            self.selection.push(ScopePart::Member(value));
        }
        self.selection.push(ScopePart::Operator(")"));
        self.close(open, "`,` or `)`")
    }

    /// A tag, with or without spaces around its colon: the server reads over them, and they are not sent.
    fn spaced_tag(&mut self) -> Parsed<Tag> {
        let mut tag = self.tag("a tag such as `env:prod`")?;
        for _ in 0..2 {
            let next = self.peek();
            let colon_follows = !tag.text.contains(':') && self.slice(next.span).starts_with(':');
            let value_follows = tag.text.ends_with(':') && !self.at_operator();
            if next.kind != TokenKind::Atom || !(colon_follows || value_follows) {
                break;
            }
            self.next();
            tag.text.push_str(self.slice(next.span));
            tag.span = tag.span.to(next.span);
        }
        Ok(tag)
    }

    fn at_operator(&self) -> bool {
        ["AND", "OR", "NOT", "IN"].iter().any(|word| self.at_word(0, word))
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
