//! Lines that fit a terminal: folded at words, so that the rows that follow are indented and look like no line of their own. Pure.

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Spaces before a command line, which stays in one piece: it is there to be copied.
pub(crate) const COMMAND_INDENT: &str = "    ";

/// Narrowest terminal for which lines are folded: below, hardly a word would fit.
const COLUMNS_MIN: usize = 20;

/// Returns the rows of a line. Words that are wider than the terminal stay whole.
pub(super) fn rows(line: &str, columns: usize) -> Vec<String> {
    let own = line.len() - line.trim_start().len();
    if display_width(line) <= columns || columns < COLUMNS_MIN || own == COMMAND_INDENT.len() {
        return vec![line.to_owned()];
    }
    let indent = " ".repeat(hang(line, columns));
    let options = Options::new(columns)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(line, options).into_iter().map(|row| row.trim_end().to_owned()).collect()
}

/// Returns the column of the rows that follow: where the words behind a name begin (`  calls        36 …`), else two more than the line's.
fn hang(line: &str, columns: usize) -> usize {
    let own = line.len() - line.trim_start().len();
    let gap = line[own..].find("  ").map(|at| own + at);
    let words = gap.map(|gap| gap + line[gap..].len() - line[gap..].trim_start().len());
    words.filter(|words| *words <= columns / 3).unwrap_or(own + 2)
}

/// Returns the start of a text that fits, with `mark` at its end if something is left out.
pub(super) fn cut(text: &str, columns: usize, mark: &str) -> String {
    if display_width(text) <= columns {
        return text.to_owned();
    }
    let mut shown = String::new();
    let room = columns.saturating_sub(display_width(mark));
    for c in text.chars() {
        shown.push(c);
        if display_width(&shown) > room {
            shown.pop();
            break;
        }
    }
    shown + mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_that_follow_are_indented_under_the_words() {
        let check = |line: &str, expected: &[&str]| assert_eq!(rows(line, 30), expected, "{line}");
        check("short", &["short"]);
        check(
            "error: one two three four five six seven",
            &["error: one two three four five", "  six seven"],
        );
        check(
            "  calls  one two three four five six seven",
            &["  calls  one two three four", "         five six seven"],
        );
        check(
            "hint: /a/path/that/is/longer/than/the/terminal is there",
            &["hint:", "  /a/path/that/is/longer/than/the/terminal", "  is there"],
        );
        check(
            "    jindo export queries.txt --from -90d",
            &["    jindo export queries.txt --from -90d"],
        );
        check("가나다라마바사 가나다라마바사 가", &["가나다라마바사 가나다라마바사", "  가"]);
    }

    #[test]
    fn a_text_that_is_cut_says_so() {
        assert_eq!(cut("as long as it is", 16, "…"), "as long as it is");
        assert_eq!(cut("one character more", 17, "…"), "one character mo…");
        assert_eq!(cut("한국어 이름", 6, "..."), "한...");
    }

    proptest! {
        #[test]
        fn no_row_is_wider_and_no_word_is_lost(
            words in proptest::collection::vec("[a-z가-힣]{1,12}", 1..40),
            columns in 40_usize..120,
        ) {
            let line = words.join(" ");
            let rows = rows(&line, columns);
            prop_assert!(rows.iter().all(|row| display_width(row) <= columns), "{rows:?}");
            let together: Vec<_> = rows.iter().flat_map(|row| row.split(' ')).filter(|w| !w.is_empty()).collect();
            prop_assert_eq!(together, words);
        }
    }
}
