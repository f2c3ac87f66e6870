//! Text → tokens with their places. Knows two alphabets: outside braces (words, numbers, operators) and within them (tags).
//! Decides nothing about meaning, and never reads past the end of one line.

use super::ast::Aggregator;
use super::lookalikes::lookalike;
use crate::query::{QueryError, Reason, Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Outside braces: a metric, function, aggregator or bare argument.
    Word,
    Number,
    /// A time of day or a day of the month, as calendar rollups take them: `12am`, `12:30am`, `1st`.
    Moment,
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
    let mut scanner = Scanner { text, at: 0, open: None, parentheses: Vec::new() };
    let mut found = Vec::new();
    loop {
        let token = scanner.token()?;
        found.push(token);
        if token.kind == TokenKind::End {
            return Ok(found);
        }
    }
}

/// True if `text` is exactly one tag, key or value, which cannot break out of a scope.
pub(in crate::query) fn is_atom(text: &str) -> bool {
    let mut scanner = Scanner { text, at: 0, open: Some(0), parentheses: Vec::new() };
    let one = scanner.token();
    let whole = one.is_ok_and(|token| token.kind == TokenKind::Atom && token.span.start == 0);
    whole && scanner.at == text.len() && !text.contains(['$', '"', '\'', '<', '>', '='])
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Place of the brace that opened the scope being read.
    open: Option<usize>,
    /// Places of the parentheses that are open in that scope.
    parentheses: Vec<usize>,
}

impl Scanner<'_> {
    fn token(&mut self) -> Result<Token, QueryError> {
        self.skip(char::is_whitespace);
        let start = self.at;
        let kind = match (self.peek(), self.open) {
            (None, Some(open)) => return Err(refused(open, '{', Reason::Unclosed('{'))),
            (None, None) => TokenKind::End,
            (Some(first @ (',' | '(' | ')' | '!' | '}')), Some(_)) => {
                self.pair(first)?;
                self.symbol(first)
            }
            (Some(_), Some(_)) => self.atom()?,
            (Some(first), None) => self.outside(first)?,
        };
        Ok(Token { kind, span: Span { start, end: self.at } })
    }

    fn outside(&mut self, first: char) -> Result<TokenKind, QueryError> {
        match first {
            '#' => Ok(TokenKind::End),
            'a'..='z' | 'A'..='Z' | '_' => {
                self.skip(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
                Ok(TokenKind::Word)
            }
            '0'..='9' => Ok(self.moment().unwrap_or_else(|| self.number())),
            '.' if self.at_fraction() => Ok(self.number()),
            '"' | '\'' => self.quoted(first).map(|()| TokenKind::Text),
            '<' | '>' | '=' | '!' => {
                let symbol = self.symbol(first);
                let paired = self.peek() == Some('=');
                self.at += usize::from(paired);
                let compares = paired || matches!(first, '<' | '>');
                Ok(if compares { TokenKind::Compare } else { symbol })
            }
            '(' | ')' | ',' | ':' | '.' | '+' | '-' | '*' | '/' | '{' | '}' => {
                Ok(self.symbol(first))
            }
            '$' => Err(refused(self.at, first, Reason::VariableOutside)),
            _ => Err(self
                .unreadable(first)
                .unwrap_or_else(|| refused(self.at, first, Reason::Stray(first)))),
        }
    }

    /// Refuses a character that no query holds, by its name.
    fn unreadable(&self, c: char) -> Option<QueryError> {
        if invisible(c) {
            return Some(refused(self.at, c, Reason::Invisible(c)));
        }
        let (name, plain) = lookalike(c)?;
        Some(refused(self.at, c, Reason::Lookalike { found: c, name, plain }))
    }

    /// Checks a bracket within braces against those that are open.
    fn pair(&mut self, bracket: char) -> Result<(), QueryError> {
        match bracket {
            '(' => self.parentheses.push(self.at),
            ')' if self.parentheses.pop().is_none() => {
                let reason = Reason::Mismatched { open: '{', close: '}', found: ')' };
                return Err(refused(self.at, bracket, reason));
            }
            '}' => {
                if let Some(open) = self.parentheses.pop() {
                    return Err(refused(open, '(', Reason::Unclosed('(')));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn symbol(&mut self, symbol: char) -> TokenKind {
        match symbol {
            '{' => self.open = Some(self.at),
            '}' => self.open = None,
            _ => {}
        }
        self.at += symbol.len_utf8();
        TokenKind::Symbol(symbol)
    }

    /// True at a dot that begins a number: behind a closing bracket it begins a modifier.
    fn at_fraction(&self) -> bool {
        let after_close = self.text[..self.at].trim_end().ends_with([')', '}']);
        !after_close && self.text[self.at + 1..].starts_with(|c: char| c.is_ascii_digit())
    }

    fn atom(&mut self) -> Result<TokenKind, QueryError> {
        let start = self.at;
        let before = self.text[..start].trim_end();
        while let Some(c) = self.peek() {
            let so_far = &self.text[start..self.at];
            match c {
                ',' | '(' | ')' | '!' | '}' => break,
                '{' => return Err(self.second_brace()),
                '"' | '\'' if so_far.is_empty() || so_far.ends_with(':') => {
                    self.quoted(c)?;
                    break;
                }
                // A comparison such as `duration:>=100`.
                '<' | '>' | '=' if so_far.ends_with([':', '<', '>']) => self.at += 1,
                // With a space behind the colon.
                '<' | '>' if so_far.is_empty() && before.ends_with(':') => self.at += 1,
                '"' | '\'' | '<' | '>' | '=' | '&' | '|' | '^' => {
                    return Err(refused(self.at, c, Reason::NotInTag(c)));
                }
                _ if c.is_whitespace() => break,
                _ => match self.unreadable(c) {
                    Some(refusal) => return Err(refusal),
                    None => self.at += c.len_utf8(),
                },
            }
        }
        Ok(TokenKind::Atom)
    }

    /// Refuses a `{` within braces: a new series or grouping shows that the first one was not closed; else it is a placeholder.
    fn second_brace(&self) -> QueryError {
        let open = self.open.unwrap_or(self.at);
        let inside = self.text[open + 1..self.at].trim_end();
        let mut words = inside.rsplit(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')'));
        let (word, before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let series = |(aggregator, metric): (&str, &str)| {
            Aggregator::from_name(aggregator).is_some() && !metric.is_empty()
        };
        let begins = word.eq_ignore_ascii_case("by")
            || word.split_once(':').is_some_and(series)
            || matches!(before, "+" | "-" | "*" | "/") && !word.is_empty();
        if begins {
            let gap = if word.eq_ignore_ascii_case("by") { " " } else { "" };
            let next = format!("{word}{gap}{{");
            return refused(open, '{', Reason::UnclosedBefore { next });
        }
        refused(self.at, '{', Reason::Placeholder)
    }

    /// A time of day or a day of the month; `None`, and nothing taken, for other numbers.
    fn moment(&mut self) -> Option<TokenKind> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let rest = &self.text[self.at..];
        let hour = digits(rest);
        let minute = rest[hour..].strip_prefix(':').map(digits).filter(|length| *length == 2);
        let length = hour + minute.map_or(0, |length| length + 1);
        let unit = rest.get(length..length + 2)?.to_ascii_lowercase();
        let is_unit = matches!(unit.as_str(), "am" | "pm" | "st" | "nd" | "rd" | "th");
        let goes_on = |c: char| c.is_alphanumeric() || c == '_';
        if hour > 2 || !is_unit || rest[length + 2..].starts_with(goes_on) {
            return None;
        }
        self.at += length + 2;
        Some(TokenKind::Moment)
    }

    /// Digits with at most one dot, and an exponent only where digits follow it.
    fn number(&mut self) -> TokenKind {
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
        TokenKind::Number
    }

    fn quoted(&mut self, quote: char) -> Result<(), QueryError> {
        let start = self.at;
        let body = &self.text[start + 1..];
        let Some(length) = body.find(quote) else {
            return Err(refused(start, quote, Reason::Unclosed(quote)));
        };
        if let Some((at, bad)) = body[..length].char_indices().find(|(_, c)| invisible(*c)) {
            return Err(refused(start + 1 + at, bad, Reason::Invisible(bad)));
        }
        // No tag holds them; other texts may.
        let bad = body[..length].char_indices().find_map(|(at, c)| Some((at, c, lookalike(c)?)));
        if let Some((at, found, (name, plain))) = bad.filter(|_| self.open.is_some()) {
            return Err(refused(start + 1 + at, found, Reason::Lookalike { found, name, plain }));
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
}

fn refused(at: usize, c: char, reason: Reason) -> QueryError {
    QueryError::new(Span { start: at, end: at + c.len_utf8() }, reason)
}

/// True for invisible characters: they would make two queries that look the same differ.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}')
}
