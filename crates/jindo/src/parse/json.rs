//! Walks through a body's JSON from left to right: structure and points by hand, since they are nearly all of it, numbers
//! by the standard library (exact to the bit), all other values by serde. Knows JSON, not Datadog. No text leaves it with a secret in it.

use super::Error;
use super::held::HELD_BYTES_MAX;
use crate::secret::Secrets;
use serde::Deserialize;

/// A place in a body.
pub(super) struct Reader<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
    secrets: &'a Secrets,
    /// Memory of what was made of them, in bytes.
    held: usize,
}

impl<'a> Reader<'a> {
    /// JSON is UTF-8, which is checked once, here: slices of it are then texts at no cost.
    pub(super) fn new(body: &'a [u8], secrets: &'a Secrets) -> Result<Self, Error> {
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Self { text, at: 0, secrets, held: 0 }),
            Err(error) => Err(Error::Garbled { what: "it is no UTF-8", at: error.valid_up_to() }),
        }
    }

    /// Counts memory of what was made of the body.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond [`HELD_BYTES_MAX`].
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        self.held = self.held.saturating_add(bytes);
        if self.held > HELD_BYTES_MAX { Err(Error::TooLarge) } else { Ok(()) }
    }

    /// Returns the memory that was counted.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The next byte that is no space, without taking it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
        None
    }

    /// Takes the next byte that is no space if it is this one, and says so.
    #[must_use]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    /// Takes this byte, or returns the error for what stands in its place.
    pub(super) fn expect(&mut self, byte: u8, wanted: &str) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    /// Nothing but space is left.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.peek().map_or(Ok(()), |_| Err(self.garbled("it goes on after its end")))
    }

    /// `{…}`; `field` takes each value, given its key.
    pub(super) fn object(
        &mut self,
        wanted: &str,
        mut field: impl FnMut(&mut Self, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.expect(b'{', wanted)?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            self.punctuation(b':')?;
            field(self, &key)?;
            if !self.take(b',') {
                return self.punctuation(b'}');
            }
        }
    }

    /// `[…]`; `element` takes each value. A list of `()` takes no memory.
    pub(super) fn list<T>(
        &mut self,
        wanted: &str,
        mut element: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.expect(b'[', wanted)?;
        let mut list = Vec::new();
        if self.take(b']') {
            return Ok(list);
        }
        loop {
            list.push(element(self)?);
            if !self.take(b',') {
                return self.punctuation(b']').map(|()| list);
            }
        }
    }

    /// Reads a name: a tag, a metric, a unit. See [`Secrets::hide`].
    pub(super) fn name(&mut self) -> Result<String, Error> {
        Ok(self.secrets.hide(self.value()?))
    }

    /// Reads words, as [`Secrets::words`] leaves them; `null` says nothing.
    pub(super) fn words(&mut self, chars_max: usize) -> Result<String, Error> {
        let said: Option<String> = self.value()?;
        Ok(said.map(|said| self.secrets.words(&said, chars_max)).unwrap_or_default())
    }

    pub(super) fn float(&mut self) -> Result<f64, Error> {
        self.value()
    }

    pub(super) fn null(&mut self) -> Result<(), Error> {
        self.value()
    }

    /// Any value, by serde.
    fn value<T: Deserialize<'a>>(&mut self) -> Result<T, Error> {
        // Named by its first character: serde's error would quote it, in its own escapes.
        let found = match self.peek() {
            Some(b'"') => "a text",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'n') => "null",
            Some(b't' | b'f') => "true or false",
            _ => "a number",
        };
        let rest = &self.text[self.at..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<T>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(value)
            }
            Some(Err(error)) if error.is_data() => {
                Err(self.inconsistent(&format!("{found} stands where another value is expected")))
            }
            Some(Err(error)) if !error.is_eof() => Err(self.garbled("it is no JSON")),
            Some(Err(_)) | None => Err(self.cut_off()),
        }
    }

    /// `null`, or what `read` takes.
    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.peek() == Some(b'n') {
            return self.null().map(|()| None);
        }
        read(self).map(Some)
    }

    /// Reads over any value, without a stack: `serde_json` keeps a byte for each level that it is nested.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        self.value::<serde::de::IgnoredAny>().map(drop)
    }

    /// A number as it is written; `None`, and nothing taken, where something else stands.
    pub(super) fn number(&mut self) -> Result<Option<&'a str>, Error> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Ok(None);
        }
        let rest = &self.text[self.at..];
        let Some(length) = number_length(rest.as_bytes()) else {
            // serde knows whether it was cut off or never was a number.
            self.skip()?;
            return Err(self.garbled("it is no JSON"));
        };
        self.at += length;
        Ok(Some(&rest[..length]))
    }

    /// Takes thirteen digits and nothing else before a comma: every Unix time in milliseconds from 2001 to 2286, quicker
    /// than a number of any length.
    pub(super) fn thirteen_digits(&mut self) -> Option<i64> {
        self.peek();
        let (digits, rest) = self.text.as_bytes()[self.at..].split_first_chunk::<13>()?;
        // JSON knows no leading zero.
        let plain = digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit);
        if !plain || rest.first() != Some(&b',') {
            return None;
        }
        self.at += digits.len();
        Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    /// Something is not as the API promises; JSON it is.
    pub(super) fn inconsistent(&self, what: &str) -> Error {
        Error::Inconsistent { what: format!("{what} (byte {})", self.at) }
    }

    /// Returns the error for what stands in place of `wanted`.
    pub(super) fn unexpected(&mut self, wanted: &str) -> Error {
        match self.peek() {
            None => self.cut_off(),
            Some(
                b'"' | b',' | b'[' | b']' | b'{' | b'}' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9',
            ) => self.inconsistent(&format!("{wanted} is missing")),
            Some(_) => self.garbled("it is no JSON"),
        }
    }

    fn key(&mut self) -> Result<String, Error> {
        if self.peek() == Some(b'"') { self.value() } else { Err(self.out_of_place()) }
    }

    fn punctuation(&mut self, byte: u8) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { Err(self.out_of_place()) }
    }

    fn out_of_place(&mut self) -> Error {
        self.peek().map_or_else(|| self.cut_off(), |_| self.garbled("it is no JSON"))
    }

    fn cut_off(&self) -> Error {
        Error::Garbled { what: "it ends in the middle", at: self.text.len() }
    }

    pub(super) fn garbled(&self, what: &'static str) -> Error {
        Error::Garbled { what, at: self.at }
    }
}

/// Bytes of the number at the start of `text`, by JSON's grammar; the standard library would also take `1.` and `inf`.
fn number_length(text: &[u8]) -> Option<usize> {
    let start = usize::from(text.first() == Some(&b'-'));
    let mut end = after_digits(text, start)?;
    if text[start] == b'0' && end > start + 1 {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        end = after_digits(text, end + 1)?;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = after_digits(text, end + 1 + sign)?;
    }
    Some(end)
}

/// Returns the end of the digits from `start` on; `None` without any.
fn after_digits(text: &[u8], start: usize) -> Option<usize> {
    let mut end = start;
    while text.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    (end > start).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_utf8_is_garbled() {
        let found = Reader::new(b"{\"status\xff", &Secrets::default()).err();
        assert_eq!(found, Some(Error::Garbled { what: "it is no UTF-8", at: 8 }));
    }

    #[test]
    fn keys_are_read_with_their_escapes() {
        let mut keys = Vec::new();
        let body = br#" {"plain":1, "\u0073eries" :[2], "a\"b":{"c":3}} "#;
        let secrets = Secrets::default();
        let mut json = Reader::new(body, &secrets).unwrap();
        let read = json.object("an object", |json, key| {
            keys.push(key.to_owned());
            json.skip()
        });
        assert_eq!(read.and_then(|()| json.end()), Ok(()));
        assert_eq!(keys, ["plain", "series", "a\"b"]);
    }

    proptest! {
        /// Numbers are told from other text as serde_json does, which reads by the same grammar.
        #[test]
        fn numbers_are_those_of_json(text in "-?[0-9]{0,3}[.]?[0-9]{0,2}([eE][-+]?[0-9]{0,2})?[-.,e]?") {
            let secrets = Secrets::default();
            let mut json = Reader::new(text.as_bytes(), &secrets).unwrap();
            let whole = json.number() == Ok(Some(text.as_str()));
            prop_assert_eq!(whole, serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
        }

        /// The short way and the long way read the same times.
        #[test]
        fn thirteen_digits_are_a_number(text in "[0-9]{12,14}") {
            let written = format!("{text},");
            let secrets = Secrets::default();
            let mut json = Reader::new(written.as_bytes(), &secrets).unwrap();
            let expected = (text.len() == 13 && !text.starts_with('0')).then(|| text.parse().unwrap());
            prop_assert_eq!(json.thirteen_digits(), expected);
        }
    }
}
