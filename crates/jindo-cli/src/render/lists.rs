//! Words about list files.

use super::errors::Usage;
use super::shell;
use super::units::counted;
use jindo::query::load::STANDARD_INPUT;
use jindo::query::{FileKind, OtherFile};
use std::path::Path;

/// Prints all texts of a JSON document that may be metric queries, where dashboards, monitors and notebooks have them.
const QUERIES_OF_JSON: &str = ".. | objects | .q, .query | strings | select(contains(\"{\"))";

/// Returns the error for a file that is no list.
pub(crate) fn no_list(path: &Path, file: OtherFile) -> Usage {
    let OtherFile { kind, queries, holds_key } = file;
    let is_input = path == Path::new(STANDARD_INPUT);
    let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let seen = match (kind, queries) {
        (FileKind::Binary(_), _) => String::new(),
        (_, 0) => ", without a query in it".to_owned(),
        (_, queries) => format!(", with {} in it", counted(queries as u64, "query", "queries")),
    };
    let expression = match kind {
        FileKind::Json(_) => Some(QUERIES_OF_JSON),
        FileKind::JsonTexts => Some(".[]"),
        FileKind::Binary(_) | FileKind::Text(_) => None,
    };
    let text = format!("{name} is no list of queries: it is {kind}{seen}");
    match expression {
        Some(expression) if queries > 0 && !is_input => {
            let (expression, file) = (shell::word(expression), shell::path(path));
            let command = format!("jq -r {expression} {file} > queries.txt");
            Usage::new(text).hint("take its queries out, one a line, for example:").example(command)
        }
        _ if holds_key => {
            Usage::new(text).hint("keys come from the environment, --key-file or --key-command")
        }
        _ if queries > 0 => Usage::new(text).hint("copy its queries into a text file, one a line"),
        _ => Usage::without_list(text),
    }
}
