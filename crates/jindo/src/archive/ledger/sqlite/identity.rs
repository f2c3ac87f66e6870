//! Identification of a database: a ledger has the tables and indexes that jindo makes, and nothing else. What defines itself
//! (views, triggers, generated columns, defaults) runs when it is read or written, and one from elsewhere may run for ever.

use super::{
    APPLICATION_ID, Connection, Error, SCHEMA, SCHEMA_VERSION, SqlError, failed, in_memory, migrate,
};
use std::collections::BTreeSet;

/// A database that is a ledger, or may become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LedgerIdentity {
    Ours,
    /// Of an earlier format that can be migrated.
    Earlier,
    Blank,
}

/// Identifies a database; an error for one of a newer jindo or another program. Before this has found it ours, nothing else is
/// asked of it: a view in place of a table would be run by the first statement that reads it, a trigger by the first that
/// writes.
pub(super) fn identify(c: &Connection) -> Result<LedgerIdentity, Error> {
    let look = || {
        let number = |pragma| c.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        Ok((number("application_id")?, number("user_version")?, defined(c)?))
    };
    let (program, version, found) = look().map_err(failed("looking at the ledger"))?;
    let foreign = |why: String| Err(Error::LedgerDamaged { why });
    let (schema, identity) = match (program, version) {
        (0, 0) if found.is_empty() => return Ok(LedgerIdentity::Blank),
        (APPLICATION_ID, SCHEMA_VERSION) => (Some(SCHEMA), LedgerIdentity::Ours),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            return Err(Error::LedgerNewer { found, known: SCHEMA_VERSION });
        }
        (APPLICATION_ID, version) => (migrate::schema_of(version), LedgerIdentity::Earlier),
        _ => (None, LedgerIdentity::Earlier),
    };
    let Some(schema) = schema else {
        return foreign("it is another program's database".to_owned());
    };
    let ours = in_memory(schema).and_then(|ours| defined(&ours));
    let ours = ours.map_err(failed("making a ledger to compare with"))?;
    if let Some([kind, name, ..]) = found.difference(&ours).next() {
        return foreign(format!("its {kind} {name:?} is none that jindo makes"));
    }
    match ours.difference(&found).next() {
        Some([kind, name, ..]) => foreign(format!("it lacks the {kind} {name:?}")),
        None => Ok(identity),
    }
}

/// Reads the type, name, table and definition of everything in a schema: of tables the constraints too, which run when a row is
/// written. Tables of `ANALYZE` are of SQLite's own making, and read by itself alone.
fn defined(c: &Connection) -> Result<BTreeSet<[String; 4]>, SqlError> {
    c.prepare(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
         WHERE type <> 'table' OR name NOT IN ('sqlite_stat1', 'sqlite_stat4')",
    )?
    .query_map([], |row| {
        let text: String = row.get(3)?;
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, bare(&text)])
    })?
    .collect()
}

/// Returns the text without comments and without what is only space, so that a word in a comment of `schema.sql` is no other
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
