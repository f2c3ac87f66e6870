//! Recovery on opening, after a crash: only names that were noted are looked at. Whole objects are adopted, halves
//! removed, removals finished. Anything else is left alone; `verify` reports it.

use super::disk::ArchiveFolder;
use super::objects::{Objects, Whole, place};
use super::{Error, Ledger, NameNote, NotePurpose};
use std::collections::HashSet;

/// Findings and actions of an opening; all empty after a clean end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Objects that were published but not recorded: their calls are not repeated.
    pub adopted: Vec<String>,
    /// Halves of objects: their calls are repeated.
    pub removed: Vec<String>,
    /// Replaced objects whose removal was left to do.
    pub finished: Vec<String>,
}

/// Repeatable: a crash within it leaves notes for the next.
pub(super) fn recover(
    ledger: &dyn Ledger,
    objects: &Objects,
    folder: Option<&ArchiveFolder>,
) -> Result<Recovery, Error> {
    let mut recovery = Recovery::default();
    let notes = ledger.noted()?;
    if notes.is_empty() {
        return Ok(recovery);
    }
    let recorded = || -> Result<HashSet<String>, Error> {
        Ok(ledger.objects()?.into_iter().map(|object| object.record.name).collect())
    };
    // Publications first: adopting one can replace others, which notes those for removal.
    let known = recorded()?;
    for NameNote { name, noted } in &notes {
        if let Some(folder) = folder {
            recovery.removed.extend(folder.remove_halves(&place(name))?);
        }
        if *noted == NotePurpose::Remove {
            continue;
        }
        let published = if known.contains(name) { None } else { objects.read(name)? };
        match published.map(|bytes| Whole::inspect(name, &bytes)) {
            Some(Ok(whole)) => {
                whole.adopt(ledger)?;
                recovery.adopted.push(name.clone());
            }
            Some(Err(_)) => {
                objects.remove(name)?;
                recovery.removed.push(name.clone());
            }
            None => {}
        }
        ledger.unnote(name)?;
    }
    let known = recorded()?;
    for note in ledger.noted()? {
        if !known.contains(&note.name) {
            objects.remove(&note.name)?;
            recovery.finished.push(note.name.clone());
        }
        ledger.unnote(&note.name)?;
    }
    Ok(recovery)
}
