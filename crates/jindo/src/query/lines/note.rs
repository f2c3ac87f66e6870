//! Notes on what is done with lines of a list: one for all lines of which the same is to be said.

use crate::query::Complaint;
use std::fmt::{self, Display, Formatter};
use std::mem::discriminant;

/// Lines that a note names beside its own, at most: who wants to see them all looks into the list.
const LINES_NAMED: usize = 3;

/// A remark on a line, and the other lines of which it holds. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The first of them.
    pub remark: Complaint,
    /// Numbers of the first other lines.
    likewise: Vec<usize>,
    /// Number of all other lines.
    pub others: usize,
    last: usize,
}

impl Note {
    /// Adds a remark to those of its kind.
    pub(super) fn add(notes: &mut Vec<Self>, remark: Complaint) {
        let kind = discriminant(&remark.reason);
        let Some(note) = notes.iter_mut().find(|note| discriminant(&note.remark.reason) == kind)
        else {
            let (likewise, last) = (Vec::new(), remark.line);
            let remark = Complaint { excerpt: String::new(), ..remark };
            return notes.push(Self { remark, likewise, others: 0, last });
        };
        if note.last < remark.line {
            note.others += 1;
            note.last = remark.line;
            if note.likewise.len() < LINES_NAMED {
                note.likewise.push(remark.line);
            }
        }
    }
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.likewise.iter().map(ToString::to_string).collect();
        let more = self.others - named.len();
        write!(f, "{}", self.remark)?;
        match (named.split_last(), more) {
            (None, _) => Ok(()),
            (Some((only, [])), 0) => write!(f, "; likewise line {only}"),
            (Some((last, before)), 0) => {
                write!(f, "; likewise lines {} and {last}", before.join(", "))
            }
            (Some(_), more) => write!(f, "; likewise lines {} and {more} more", named.join(", ")),
        }
    }
}
