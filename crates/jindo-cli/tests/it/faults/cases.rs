//! Every fault of docs/faults.md, by where on the way it strikes.

mod body;
mod connection;
mod content;
mod rate;
mod status;

use super::case::Case;

/// These wait the longest, and had better start first.
const LONG: [&str; 4] = ["nan-query", "404-query", "drip-list", "frozen"];

/// Those that take the longest first.
pub(crate) fn all() -> Vec<Case> {
    let every = [status::all(), rate::all(), connection::all(), body::all(), content::all()];
    let mut cases: Vec<_> = every.into_iter().flatten().collect();
    cases.sort_by_key(|case| !LONG.contains(&case.name));
    cases
}
