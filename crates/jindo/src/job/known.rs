//! What an archive already knows, as plan and machine take it: continuing is starting with this.

use crate::archive::{Archive, Coverage, Error, Origin, QueryId, Registered};
use crate::fetch::Form;
use crate::fetch::ListLength;
use crate::fetch::{Fate, Memory};
use crate::plan::{Limits, PerQuery, PlanIndex, Window};
use crate::query::{Query, QueryText};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a server refused so long ago it may take by now. Longer than the week between two runs of a weekly job.
const MEMORY_MAX: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A memory as the ledger keeps it, with its numbers for the queries.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    lists: ListLength,
    fates: Vec<KeptFate>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptFate {
    queries: Vec<i64>,
    form: Form,
    start_s: i64,
    end_s: i64,
    refused: Option<String>,
}

/// The query as the ledger knows it: perhaps with a substitute, perhaps heavy, perhaps given up and so alone until it proves itself.
pub fn as_registered(known: &Registered) -> Query {
    let alone = known.text.alone || known.given_up.is_some();
    Query {
        text: QueryText { alone, ..known.text.clone() },
        weight: known.weight.map(|weight| weight.bytes_per_bucket),
    }
}

/// What need not be asked again when probes are not believed: what was fetched, but for open stretches.
pub(super) fn closed_without_probes(coverage: &[Coverage]) -> Vec<Window> {
    let fetched = |covered: &&Coverage| !covered.open && covered.origin == Origin::Fetched;
    coverage.iter().filter(fetched).map(|covered| covered.window).collect()
}

/// What need not be asked again: everything but open stretches.
pub fn closed(coverage: &[Coverage]) -> Vec<Window> {
    coverage.iter().filter(|covered| !covered.open).map(|covered| covered.window).collect()
}

/// The limits as earlier runs learnt them, and where they did not, as `assumed`.
pub fn learnt_limits(archive: &Archive, assumed: Limits) -> Result<Limits, Error> {
    Ok(archive.learnt()?.into_iter().fold(assumed, |limits, learnt| limits.with(learnt.limit)))
}

/// Keeps what a run knew that ended within a diagnosis. `ids` are the plan's queries as the ledger numbers them.
pub(crate) fn remember(
    archive: &Archive,
    ids: &PerQuery<QueryId>,
    memory: &Memory,
    at: Timestamp,
) -> Result<(), Error> {
    let kept = |fate: &Fate| KeptFate {
        queries: fate.queries.iter().map(|&query| ids[query].0).collect(),
        form: fate.form,
        start_s: fate.window.start_s(),
        end_s: fate.window.end_s(),
        refused: fate.refused.clone(),
    };
    let fates = memory.fates.iter().map(kept).collect();
    let kept = Kept { at, lists: memory.lists.clone(), fates };
    let text = serde_json::to_string(&kept).expect("texts and numbers are always JSON");
    archive.keep_refusals(&text)
}

/// What the last run left unfinished, taken out of the ledger: whatever this run makes of it, it is used once.
pub fn recollect(
    archive: &Archive,
    ids: &PerQuery<QueryId>,
    now: Timestamp,
) -> Result<Memory, Error> {
    let text = archive.refusals()?;
    if text.is_empty() {
        return Ok(Memory::default());
    }
    archive.keep_refusals("")?;
    let kept: Kept = serde_json::from_str(&text).map_err(|wrong| Error::LedgerDamaged {
        why: format!("what it keeps of refusals cannot be read: {wrong}"),
    })?;
    if now.duration_since(kept.at) > MEMORY_MAX {
        return Ok(Memory::default());
    }
    let indexes: HashMap<i64, PlanIndex> = ids.indexed().map(|(index, id)| (id.0, index)).collect();
    let index = |id: &i64| indexes.get(id).copied();
    let fate = |kept: KeptFate| {
        Some(Fate {
            queries: kept.queries.iter().map(index).collect::<Option<_>>()?,
            form: kept.form,
            window: Window::from_secs(kept.start_s, kept.end_s)?,
            refused: kept.refused,
        })
    };
    // Of a query that is not asked any more nothing need be known.
    Ok(Memory { fates: kept.fates.into_iter().filter_map(fate).collect(), lists: kept.lists })
}
