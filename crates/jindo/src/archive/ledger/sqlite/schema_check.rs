//! Check that a database has the shape of a ledger: the same tables and indexes, and nothing else. What defines itself (views,
//! triggers, generated columns, defaults) runs when it is read or written, and one from elsewhere may run for ever.

use super::{Connection, OpenFlags, SqlError};
use std::collections::BTreeSet;

/// Tables that `ANALYZE` leaves in a ledger: of SQLite's own making, and read by itself alone.
const STATISTICS: [&str; 2] = ["sqlite_stat1", "sqlite_stat4"];

/// Type, name, table and text of what a schema defines.
type Defined = (String, String, String, String);

/// The first thing that a ledger of this schema does not have, or lacks.
pub(super) fn foreign(connection: &Connection, schema: &str) -> Result<Option<String>, SqlError> {
    let ours = Connection::open_in_memory_with_flags(OpenFlags::default())?;
    ours.execute_batch(schema)?;
    let (ours, found) = (defined(&ours)?, defined(connection)?);
    if let Some((kind, name, ..)) = found.difference(&ours).next() {
        return Ok(Some(format!("its {kind} {name:?} is none that jindo makes")));
    }
    let lacking = ours.difference(&found).next();
    Ok(lacking.map(|(kind, name, ..)| format!("it lacks the {kind} {name:?}")))
}

fn defined(connection: &Connection) -> Result<BTreeSet<Defined>, SqlError> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut defined = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        if kind == "table" && STATISTICS.contains(&name.as_str()) {
            continue;
        }
        let text: Option<String> = row.get(3)?;
        defined.insert((kind, name, row.get(2)?, bare(&text.unwrap_or_default())));
    }
    Ok(defined)
}

/// The text without comments and without what is only space, so that a word in a comment of `schema.sql` is no other
/// format. What stands in quotes stays as it is: nothing can hide there.
fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut quote = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match quote {
            Some(end) => {
                bare.push(c);
                quote = quote.filter(|_| c != end);
            }
            None if c == '-' && rest.peek() == Some(&'-') => {
                rest.by_ref().find(|c| *c == '\n');
                space(&mut bare);
            }
            None if c.is_ascii_whitespace() => space(&mut bare),
            None => {
                bare.push(c);
                quote = closing(c);
            }
        }
    }
    bare
}

fn space(bare: &mut String) {
    if !bare.ends_with(' ') {
        bare.push(' ');
    }
}

/// Returns the character that ends a text or a name that begins so.
fn closing(c: char) -> Option<char> {
    match c {
        '\'' | '"' | '`' => Some(c),
        '[' => Some(']'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_spaces_do_not_count_but_in_quotes() {
        assert_eq!(bare("a  INT, -- 'why\n\tb"), "a INT, b");
        assert_eq!(bare("a - -1"), "a - -1");
        for hidden in ["'-- x\n'", "\"-- x\n\"", "`--\n`", "[--\n]", "'it''s -- \n'"] {
            assert_eq!(bare(hidden), hidden);
        }
    }
}
