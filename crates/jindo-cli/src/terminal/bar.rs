//! A bar in the last rows of a terminal: text that is erased and written again. Pure.
//!
//! The cursor stays behind its last row, and columns stay free there, so that a `^C` that the terminal echoes goes with the row.

/// Columns that stay free behind a row, for an echoed `^C`.
pub(super) const FREE_COLUMNS: usize = 3;

/// State of the bar on stderr.
#[derive(Debug)]
pub(super) enum Bar {
    Absent,
    Shown(Vec<String>),
    /// It was taken away for good.
    Over,
}

impl Bar {
    /// Returns what replaces the rows that are shown, if any; nothing once it is over.
    pub(super) fn show(&mut self, rows: Vec<String>) -> String {
        if matches!(self, Self::Over) {
            return String::new();
        }
        let drawn = self.around("") + &rows.join("\n");
        *self = Self::Shown(rows);
        drawn
    }

    /// Returns what takes it off the terminal.
    pub(super) fn end(&mut self, then: Self) -> String {
        let erased = self.erased();
        *self = then;
        erased
    }

    /// Returns a text as it is written above the bar, which is drawn anew below it where `text` is not empty.
    pub(super) fn around(&self, text: &str) -> String {
        match self {
            Self::Shown(rows) if !text.is_empty() => self.erased() + text + &rows.join("\n"),
            Self::Shown(_) | Self::Absent | Self::Over => self.erased() + text,
        }
    }

    fn erased(&self) -> String {
        let Self::Shown(rows) = self else { return String::new() };
        let above = "\u{1b}[1A\r\u{1b}[K".repeat(rows.len().saturating_sub(1));
        format!("\r\u{1b}[K{above}")
    }
}

/// Returns a bar of so many columns of which a share is done.
pub(super) fn drawn(done: u64, all: u64, columns: usize, characters: [char; 2]) -> String {
    let columns_done = u128::from(done.min(all)) * columns as u128 / u128::from(all.max(1));
    let columns_done = usize::try_from(columns_done).unwrap_or(columns);
    let of = |character: char, count: usize| std::iter::repeat_n(character, count);
    of(characters[0], columns_done).chain(of(characters[1], columns - columns_done)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_erased_before_anything_else_is_written() {
        let mut bar = Bar::Absent;
        assert_eq!(bar.around("a line\n"), "a line\n");
        assert_eq!(bar.show(vec!["1".into(), "2".into()]), "1\n2");
        let erased = "\r\u{1b}[K\u{1b}[1A\r\u{1b}[K";
        assert_eq!(bar.show(vec!["3".into(), "4".into()]), format!("{erased}3\n4"));
        assert_eq!(bar.around("a line\n"), format!("{erased}a line\n3\n4"));
        assert_eq!(bar.end(Bar::Over), erased);
        assert_eq!(bar.show(vec!["5".into()]) + &bar.end(Bar::Absent), "");
    }

    #[test]
    fn a_bar_is_as_full_as_the_job() {
        let bar = |done, all| drawn(done, all, 4, ['=', '-']);
        assert_eq!(
            [bar(0, 0), bar(1, 4), bar(3, 4), bar(4, 4), bar(9, 4)],
            ["----", "=---", "===-", "====", "===="]
        );
    }
}
