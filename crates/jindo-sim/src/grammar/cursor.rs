//! A position in a query text, and the small steps that all parts of the parser take. Positions are bytes.

/// A rule that did not match.
#[derive(Debug)]
pub(super) struct Failure {
    /// Name of the rule, as in the server's grammar.
    pub(crate) rule: &'static str,
    /// Byte at which it failed.
    pub(crate) position: usize,
}

/// The text and the position of the next character to read.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// Byte at which the next character begins.
    pub(crate) position: usize,
}

impl<'a> Cursor<'a> {
    /// Returns the start of `text`.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// Returns the text between `start` and here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.position]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    /// Returns the next character without taking it.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the next character, if there is one.
    pub(super) fn advance(&mut self) {
        self.position += self.peek().map_or(0, char::len_utf8);
    }

    /// Returns the failure of `rule` here.
    pub(super) fn failure(&self, rule: &'static str) -> Failure {
        Failure { rule, position: self.position }
    }

    pub(super) fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Takes `c` if it is the next character.
    pub(super) fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.advance();
        }
        found
    }

    /// Takes `c`, or fails in `rule`.
    pub(super) fn expect(&mut self, c: char, rule: &'static str) -> Result<(), Failure> {
        if self.take(c) { Ok(()) } else { Err(self.failure(rule)) }
    }

    /// Takes the longest run of `wanted` characters, possibly none.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let start = self.position;
        let rest = self.rest();
        self.position += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.since(start)
    }

    /// Takes white space, and then `text` if it follows.
    pub(super) fn take_text(&mut self, text: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(text);
        if found {
            self.position += text.len();
        }
        found
    }

    /// Takes a whole word in any case, with the white space before it; consumes nothing if another word follows.
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

    /// Takes comma-separated items up to the closing character; at least one. Fails in `rule` between items.
    pub(super) fn take_list<T>(
        &mut self,
        close: char,
        rule: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let mut items = Vec::new();
        loop {
            self.skip_space();
            items.push(item(self)?);
            self.skip_space();
            if self.take(close) {
                return Ok(items);
            }
            self.expect(',', rule)?;
        }
    }
}
