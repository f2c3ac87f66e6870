//! Identification of a database: a ledger has the tables and indexes that jindo makes, and nothing else. What defines itself
//! (views, triggers, generated columns, defaults) runs when it is read or written, and one from elsewhere may run for ever.

use super::{
    APPLICATION_ID, Connection, Error, ErrorCode, SCHEMA, SCHEMA_VERSION, SqlError, failed,
    in_memory, migrate,
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
    let (program, version, found) = look().map_err(refused)?;
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

/// Tables of `ANALYZE`, of SQLite's own making and read by itself alone, as it defines them: columns of another kind would be
/// evaluated while the schema is read.
const STATISTICS: [[&str; 2]; 2] = [
    ["sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"],
    ["sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"],
];

/// Reads the type, name, table and definition of everything in a schema: of tables the constraints too, which run when a row is
/// written. Without the statistics of `ANALYZE`.
fn defined(c: &Connection) -> Result<BTreeSet<[String; 4]>, SqlError> {
    let mut statement = c.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let text: Option<String> = row.get(3)?;
        let text = bare(&text.unwrap_or_default());
        let thing: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, text];
        let [kind, name, _, text] = &thing;
        if kind != "table" || !STATISTICS.contains(&[name, text]) {
            found.insert(thing);
        }
    }
    Ok(found)
}

/// The error of a statement that looks at a database: what SQLite cannot read or takes for too much is no ledger.
fn refused(error: SqlError) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::Unknown | ErrorCode::TooBig | ErrorCode::OperationAborted) => {
            Error::LedgerDamaged { why: error.to_string() }
        }
        _ => failed("reading its tables' definitions")(error),
    }
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
