//! Text → tokens with their places. Knows two alphabets: outside braces (words, numbers, operators) and within them (tags).
//! Decides nothing about meaning, and never reads past the end of one line.

use crate::query::{QueryError, Reason, Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Outside braces: a metric, function, aggregator or bare argument.
    Word,
    Number,
    /// A quoted argument, quotes included.
    Text,
    /// Within braces: a tag, a tag key, a tag value or AND, OR, NOT, IN.
    Atom,
    /// `>`, `>=`, `<`, `<=`, `==` or `!=`, outside braces.
    Compare,
    Symbol(char),
    /// Of the text, or the start of a comment.
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// All tokens of a line; the last one is always `End`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut scanner = Scanner { text, at: 0, open: None };
    let mut found: Vec<Token> = Vec::new();
    loop {
        let after_close =
            matches!(found.last(), Some(Token { kind: TokenKind::Symbol(')' | '}'), .. }));
        let token = scanner.token(after_close)?;
        found.push(token);
        if token.kind == TokenKind::End {
            return Ok(found);
        }
    }
}

/// True if `text` is exactly one tag, key or value, which cannot break out of a scope.
pub(in crate::query) fn is_atom(text: &str) -> bool {
    let mut scanner = Scanner { text, at: 0, open: Some(0) };
    let one = scanner.token(false);
    let whole = one.is_ok_and(|token| token.kind == TokenKind::Atom && token.span.start == 0);
    whole && scanner.at == text.len() && !text.contains(['$', '"', '\'', '<', '>', '='])
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Place of the brace that opened the scope being read.
    open: Option<usize>,
}

impl Scanner<'_> {
    fn token(&mut self, after_close: bool) -> Result<Token, QueryError> {
        self.skip(char::is_whitespace);
        let start = self.at;
        let Some(first) = self.peek() else {
            return match self.open {
                Some(open) => Err(refused(open, open + 1, Reason::Unclosed('{'))),
                None => Ok(self.since(start, TokenKind::End)),
            };
        };
        match self.open {
            Some(_) => self.inside(start, first),
            None => self.outside(start, first, after_close),
        }
    }

    fn outside(
        &mut self,
        start: usize,
        first: char,
        after_close: bool,
    ) -> Result<Token, QueryError> {
        let digit_next =
            self.text[start + first.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        match first {
            '#' => Ok(self.since(start, TokenKind::End)),
            'a'..='z' | 'A'..='Z' | '_' => {
                self.skip(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
                Ok(self.since(start, TokenKind::Word))
            }
            '0'..='9' => Ok(self.number(start)),
            '.' if digit_next && !after_close => Ok(self.number(start)),
            '"' | '\'' => {
                self.quoted(first)?;
                Ok(self.since(start, TokenKind::Text))
            }
            '<' | '>' | '=' | '!' => {
                self.at += 1;
                if self.peek() == Some('=') {
                    self.at += 1;
                    return Ok(self.since(start, TokenKind::Compare));
                }
                let kind = if first == '<' || first == '>' {
                    TokenKind::Compare
                } else {
                    TokenKind::Symbol(first)
                };
                Ok(self.since(start, kind))
            }
            '{' => {
                self.open = Some(start);
                self.at += 1;
                Ok(self.since(start, TokenKind::Symbol('{')))
            }
            '(' | ')' | ',' | ':' | '.' | '+' | '-' | '*' | '/' | '}' => {
                self.at += 1;
                Ok(self.since(start, TokenKind::Symbol(first)))
            }
            '$' => Err(refused(start, start + 1, Reason::VariableOutside)),
            other => Err(refused(start, start + other.len_utf8(), unfit(other, Reason::Stray))),
        }
    }

    fn inside(&mut self, start: usize, first: char) -> Result<Token, QueryError> {
        match first {
            ',' | '(' | ')' | '!' => {
                self.at += 1;
                Ok(self.since(start, TokenKind::Symbol(first)))
            }
            '}' => {
                self.open = None;
                self.at += 1;
                Ok(self.since(start, TokenKind::Symbol('}')))
            }
            '{' => Err(refused(start, start + 1, Reason::Placeholder)),
            _ => self.atom(start),
        }
    }

    fn atom(&mut self, start: usize) -> Result<Token, QueryError> {
        while let Some(c) = self.peek() {
            let here = self.at;
            let so_far = &self.text[start..here];
            match c {
                ',' | '(' | ')' | '!' | '}' => break,
                '{' => return Err(refused(here, here + 1, Reason::Placeholder)),
                '"' | '\'' if so_far.is_empty() || so_far.ends_with(':') => {
                    self.quoted(c)?;
                    break;
                }
                // A comparison such as `duration:>=100`.
                '<' | '>' | '=' if so_far.ends_with([':', '<', '>']) => self.at += 1,
                '"' | '\'' | '<' | '>' | '=' | '&' | '|' | '^' => {
                    return Err(refused(here, here + 1, Reason::NotInTag(c)));
                }
                c if c.is_whitespace() => break,
                c if invisible(c) => {
                    return Err(refused(here, here + c.len_utf8(), Reason::Invisible(c)));
                }
                c => self.at += c.len_utf8(),
            }
        }
        Ok(self.since(start, TokenKind::Atom))
    }

    /// Digits with at most one dot, and an exponent only where digits follow it.
    fn number(&mut self, start: usize) -> Token {
        self.skip(|c| c.is_ascii_digit());
        if self.text[self.at..].starts_with('.') {
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
        }
        let rest = &self.text[self.at..];
        if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.starts_with(|c: char| c.is_ascii_digit()) {
                self.at += rest.len() - digits.len();
                self.skip(|c| c.is_ascii_digit());
            }
        }
        self.since(start, TokenKind::Number)
    }

    fn quoted(&mut self, quote: char) -> Result<(), QueryError> {
        let start = self.at;
        let body = &self.text[start + 1..];
        let Some(length) = body.find(quote) else {
            return Err(refused(start, start + 1, Reason::Unclosed(quote)));
        };
        if let Some((at, bad)) = body[..length].char_indices().find(|(_, c)| invisible(*c)) {
            let at = start + 1 + at;
            return Err(refused(at, at + bad.len_utf8(), Reason::Invisible(bad)));
        }
        self.at = start + 1 + length + 1;
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn since(&self, start: usize, kind: TokenKind) -> Token {
        Token { kind, span: Span { start, end: self.at } }
    }
}

fn refused(start: usize, end: usize, reason: Reason) -> QueryError {
    QueryError::new(Span { start, end }, reason)
}

fn unfit(c: char, otherwise: fn(char) -> Reason) -> Reason {
    if invisible(c) { Reason::Invisible(c) } else { otherwise(c) }
}

/// True for invisible characters: they would make two queries that look the same differ.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}')
}
