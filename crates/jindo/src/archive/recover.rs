//! Recovery on opening, after a crash: only names that were noted are looked at. Whole objects are adopted, halves
//! removed, removals finished. Anything else is left alone; `verify` reports it.

use super::disk::ArchiveFolder;
use super::objects::{Objects, Whole};
use super::{Error, Ledger, NotePurpose};
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
    ledger: &mut dyn Ledger,
    objects: &Objects,
    place: Option<&ArchiveFolder>,
) -> Result<Recovery, Error> {
    let mut recovery = Recovery::default();
    let notes = ledger.noted()?;
    if notes.is_empty() {
        return Ok(recovery);
    }
    // Publications first: adopting one can replace others, which notes those for removal.
    let known = recorded(ledger)?;
    for note in notes.iter().filter(|note| note.noted == NotePurpose::Publish) {
        if let Some(place) = place {
            recovery.removed.extend(place.remove_halves(&format!("data/{}", note.name))?);
        }
        if known.contains(&note.name) {
            ledger.unnote(&note.name)?;
        } else {
            publication(ledger, objects, &note.name, &mut recovery)?;
        }
    }
    let known = recorded(ledger)?;
    for note in ledger.noted()? {
        if !known.contains(&note.name) {
            objects.remove(&note.name)?;
            recovery.finished.push(note.name.clone());
        }
        ledger.unnote(&note.name)?;
    }
    Ok(recovery)
}

fn recorded(ledger: &mut dyn Ledger) -> Result<HashSet<String>, Error> {
    Ok(ledger.objects()?.into_iter().map(|object| object.record.name).collect())
}

/// Adopts what was published under a noted name, or removes it; its note goes with the same transaction, or after.
fn publication(
    ledger: &mut dyn Ledger,
    objects: &Objects,
    name: &str,
    recovery: &mut Recovery,
) -> Result<(), Error> {
    let Some(bytes) = objects.read(name)? else { return ledger.unnote(name) };
    if let Ok(whole) = Whole::inspect(name, &bytes) {
        whole.adopt(ledger)?;
        recovery.adopted.push(name.to_owned());
    } else {
        objects.remove(name)?;
        ledger.unnote(name)?;
        recovery.removed.push(name.to_owned());
    }
    Ok(())
}
