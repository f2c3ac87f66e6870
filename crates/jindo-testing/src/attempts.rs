//! Attempts of a hostile server, archive, directory or list, counted by kind. docs/guarantees.md has a row for each kind, and
//! `cargo xtask attempts` makes them all.

use std::fs;
use std::path::Path;

/// Ends a test that made `count` attempts of one kind and saw each of them fail. The test's name begins with `attempts_`, by
/// which `cargo xtask attempts` finds it.
///
/// # Panics
///
/// If docs/guarantees.md has no row of that kind and count, so that it claims neither more nor less than was tried.
#[expect(clippy::print_stdout, reason = "the chore reads it")]
pub fn all_held(kind: &str, count: usize) {
    let row = format!("| {kind} | {} |", with_thousands(count));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guarantees.md");
    let page = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("while reading {}: {error}", path.display()));
    assert!(page.lines().any(|line| line == row), "docs/guarantees.md has no row `{row}`");
    println!("\nattempts: {row}");
}

fn with_thousands(count: usize) -> String {
    let digits = count.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (count, expected) in
            [(7, "7"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(with_thousands(count), expected);
        }
    }

    #[test]
    #[should_panic(expected = "no row `| a kind that nobody tried | 1 |`")]
    fn a_kind_without_a_row_fails() {
        all_held("a kind that nobody tried", 1);
    }
}
