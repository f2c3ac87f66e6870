//! Texts in other notations than a list's: web pages, Terraform, YAML, tables with a heading, programs. A text of which lines read as
//! queries, as they stand, is none of them.

use super::super::formula::COLUMNS;
use super::{FileKind, OtherFile, is_query, lines_with_queries, reads};
use crate::query::ast::Aggregator;

/// Beginnings of web pages and XML, in small letters.
const MARKUP: [(&str, &str); 4] = [
    ("<!doctype html", "a web page (HTML)"),
    ("<html", "a web page (HTML)"),
    ("<?xml", "XML"),
    ("<svg", "a picture"),
];

/// Beginnings of a block in Terraform's language.
const BLOCKS: [&str; 8] = [
    "resource \"",
    "data \"",
    "variable \"",
    "module \"",
    "provider \"",
    "output \"",
    "locals {",
    "terraform {",
];

/// First words of a program's first line.
const PROGRAMS: [&str; 5] = ["#!/", "import ", "package ", "const ", "function "];

/// First words of SQL.
const SQL: [&str; 4] = ["select ", "insert into ", "create table ", "create or replace "];

/// A further heading of a column of queries.
const METRIC_QUERY: &str = "metric_query";

/// Signs between the columns of a table.
const SEPARATORS: [u8; 3] = *b",;\t";

/// Lines of `key: value` that make a text YAML.
const KEYS_MIN: usize = 2;

/// Returns the kind of a text in another notation.
pub(super) fn notation(text: &str) -> Option<OtherFile> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    let first = lines.next()?.trim_start().to_lowercase();
    let begins = |starts: &[&str]| starts.iter().any(|start| first.starts_with(start));
    let markup = MARKUP.iter().find(|(start, _)| first.starts_with(start));
    let name = match markup {
        Some((_, name)) => name,
        None if begins(&PROGRAMS) => "a program",
        None if begins(&SQL) => "SQL",
        None if is_terraform(text) => "Terraform",
        None if is_yaml(text) => "YAML",
        None => return table(text),
    };
    Some(OtherFile::new(FileKind::Text(name), lines_with_queries(text)))
}

fn is_terraform(text: &str) -> bool {
    let is_block =
        |line: &str| line.ends_with('{') && BLOCKS.iter().any(|start| line.starts_with(start));
    text.lines().any(|line| is_block(line.trim()))
}

/// A text that begins with a key, or with the mark of a document, and has no query at the start of a line.
fn is_yaml(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let begins =
        lines.clone().next().is_some_and(|first| first.starts_with("---") || is_key(first));
    let keys = lines.clone().filter(|line| is_key(line)).take(KEYS_MIN).count();
    let is_item = |line: &str| line.starts_with(|c: char| c.is_whitespace() || c == '-');
    begins && keys == KEYS_MIN && !lines.any(|line| !is_item(line) && reads(line))
}

/// `key:`, `key: value` or `- key: value`, where the key is no aggregator.
fn is_key(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    let Some((key, value)) = line.split_once(':') else { return false };
    let key = key.trim_matches(['"', '\'']);
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '$');
    !key.is_empty()
        && key.chars().all(is_word)
        && Aggregator::from_name(key).is_none()
        && (value.is_empty() || value.starts_with(' '))
}

/// A table with a heading: the same number of columns in each of its first lines, of which one is named or holds queries.
fn table(text: &str) -> Option<OtherFile> {
    let second = text.lines().filter(|line| !line.trim().is_empty()).nth(1)?;
    if reads(second) {
        return None;
    }
    let queries = SEPARATORS.iter().find_map(|separator| rows_with_queries(text, *separator))?;
    Some(OtherFile::new(FileKind::Text("a table with a heading (CSV)"), queries))
}

/// Number of rows with a query, of a table with a heading.
fn rows_with_queries(text: &str, separator: u8) -> Option<usize> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(separator).flexible(true).from_reader(text.as_bytes());
    let heading = reader.headers().ok()?.clone();
    let is_word = |field: &str| {
        !field.contains(['{', ':']) && field.starts_with(|c: char| c.is_alphabetic() || c == '_')
    };
    let is_known = |field: &str| {
        let small = field.trim().to_lowercase();
        small == METRIC_QUERY || COLUMNS.contains(&small.as_str())
    };
    if heading.len() < 2 || !heading.iter().all(is_word) {
        return None;
    }
    let mut rows = reader.records().map_while(Result::ok);
    let first = rows.next()?;
    let holds_query = |row: &csv::StringRecord| row.iter().any(is_query);
    let is_table =
        first.len() == heading.len() && (heading.iter().any(is_known) || holds_query(&first));
    is_table.then(|| usize::from(holds_query(&first)) + rows.filter(holds_query).count())
}
