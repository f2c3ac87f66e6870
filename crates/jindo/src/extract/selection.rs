//! The part of the archive that files show. The archive keeps everything that was ever fetched.

use super::{CsvTree, Error, Output, QueryExtent};
use crate::archive::{Archive, Granted, QueryId, Registered};
use crate::plan::{Window, hull};
use jiff::Timestamp;
use std::collections::HashSet;

/// Part of the archive that files show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The queries of the last request, each in the range asked of it. Everything that is held, where no request is known: a
    /// rebuilt ledger may have none.
    LastRequest,
    Part(ArchivePart),
}

/// A part of everything that was ever fetched. What is `None` bounds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArchivePart {
    /// First moment.
    pub from: Option<Timestamp>,
    /// End, excluded.
    pub to: Option<Timestamp>,
    /// Pattern of queries as written in their list.
    pub query: Option<QueryGlob>,
}

/// Pattern in which `*` stands for any characters, also for none, and `?` for one. Everything else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryGlob(pub String);

impl QueryGlob {
    /// Returns true if the pattern stands for the whole text.
    pub fn matches(&self, text: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        // Ends of the pattern's prefixes that stand for the text so far.
        let mut reached = vec![false; pattern.len() + 1];
        reached[0] = true;
        skip_stars(&pattern, &mut reached);
        for c in text.chars() {
            let mut next = vec![false; pattern.len() + 1];
            for (at, &wanted) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
                if wanted == '*' {
                    next[at] = true;
                } else if wanted == '?' || wanted == c {
                    next[at + 1] = true;
                }
            }
            skip_stars(&pattern, &mut next);
            reached = next;
        }
        reached[pattern.len()]
    }
}

/// Adds the ends that are reached because a star may stand for nothing.
fn skip_stars(pattern: &[char], reached: &mut [bool]) {
    for (at, _) in pattern.iter().enumerate().filter(|(_, c)| **c == '*') {
        reached[at + 1] |= reached[at];
    }
}

/// A query and the stretches of it that files show.
#[derive(Debug)]
pub(super) struct ShownQuery {
    pub(super) query: Registered,
    /// Range that the files are to show, aligned to the interval; `None`: none of its buckets.
    pub(super) range: Option<Window>,
    /// Stretches held within the range, oldest first.
    pub(super) grants: Vec<Granted>,
}

impl ShownQuery {
    /// Returns the query with the range of its rows.
    pub(super) fn extent(&self) -> QueryExtent<'_> {
        let held = self.grants.iter().map(|grant| grant.held.window);
        // Without any range there are no rows either, so that any range does.
        let second = || Window::from_secs(0, 1).expect("a second is a window");
        let range = self.range.or_else(|| hull(held)).unwrap_or_else(second);
        QueryExtent { query: &self.query, range }
    }
}

/// A selection, read against what the directory knows.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    /// The queries that have a place in the last list.
    Listed,
    /// No request is known.
    Everything,
    Part(&'a ArchivePart),
}

impl<'a> View<'a> {
    pub(super) fn of(selection: &'a Selection, archive: &Archive) -> Result<Self, Error> {
        Ok(match selection {
            Selection::LastRequest => Self::of_directory(archive)?,
            Selection::Part(part) => Self::Part(part),
        })
    }

    /// Returns what the directory's own files show.
    pub(super) fn of_directory(archive: &Archive) -> Result<View<'static>, Error> {
        let is_known = archive.ledger().request()?.is_some();
        Ok(if is_known { View::Listed } else { View::Everything })
    }

    pub(super) fn is_part(self) -> bool {
        matches!(self, Self::Part(_))
    }

    /// Returns what is shown of a query; `None` for one that is not shown.
    pub(super) fn of_query(
        self,
        archive: &Archive,
        query: Registered,
    ) -> Result<Option<ShownQuery>, Error> {
        let matches = match self {
            Self::Listed => query.position.is_some(),
            Self::Everything => true,
            Self::Part(part) => {
                part.query.as_ref().is_none_or(|glob| glob.matches(&query.text.written))
            }
        };
        if !matches {
            return Ok(None);
        }
        let mut grants = archive.ledger().grants(query.id)?;
        let range = self.range(&query, &grants);
        if !matches!(self, Self::Everything) {
            grants = grants.into_iter().filter_map(|grant| cut(grant, range?)).collect();
        }
        // A part of everything names no query that has nothing in it, unless the list does.
        let is_nothing = self.is_part() && query.position.is_none() && grants.is_empty();
        Ok((!is_nothing).then_some(ShownQuery { query, range, grants }))
    }

    fn range(self, query: &Registered, grants: &[Granted]) -> Option<Window> {
        let Self::Part(part) = self else { return query.asked };
        let asked = query.asked.filter(|_| query.position.is_some());
        let all = hull(asked.into_iter().chain(grants.iter().map(|grant| grant.held.window)));
        let from = part.from.or(all.map(Window::start))?;
        let to = part.to.or(all.map(Window::end))?;
        Window::new(from, to)?.aligned(query.text.interval)
    }
}

fn cut(mut grant: Granted, range: Window) -> Option<Granted> {
    grant.held.window = grant.held.window.intersect(range)?;
    Some(grant)
}

/// Returns the queries whose files may have to be brought up to date: those that are wanted, then those that have files and
/// are wanted no more.
///
/// # Errors
/// When the ledger cannot be read.
pub fn with_files(archive: &Archive, output: &CsvTree) -> Result<Vec<QueryId>, Error> {
    let mut all: Vec<_> = archive.ledger().queries()?.iter().map(|query| query.id).collect();
    let wanted: HashSet<_> = all.iter().copied().collect();
    let marked = archive.ledger().extents(output.name())?;
    let more: Vec<_> =
        marked.iter().map(|extent| extent.query).filter(|id| !wanted.contains(id)).collect();
    all.extend(more);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::QueryGlob;

    #[test]
    fn a_glob_stands_for_the_whole_query() {
        let query = "avg:aws.cpu{*} by {host}";
        for (glob, expected) in [
            ("*", true),
            ("*cpu*", true),
            ("avg:aws.*", true),
            ("avg:aws.cpu{?} by {host}", true),
            ("avg:aws.cpu{*} by {host}", true),
            ("**{host}*", true),
            ("aws.cpu", false),
            ("avg:aws.cpu", false),
            ("AVG:*", false),
            ("", false),
            ("?", false),
        ] {
            assert_eq!(QueryGlob(glob.to_owned()).matches(query), expected, "{glob}");
        }
        assert!(QueryGlob("*".to_owned()).matches(""));
    }
}
