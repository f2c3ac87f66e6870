//! `jindo plan`: what an export would cost, as words or JSON.

use crate::args;
use crate::defaults;
use crate::directory::{existing, last_words};
use crate::render;
use crate::render::plan::Alternative;
use crate::request::{Asked, Words, understand};
use crate::terminal;
use jiff::Timestamp;
use jindo::archive::{Archive, Coverage, Registered};
use jindo::clock::Clock;
use jindo::job::{as_registered, closed, learnt_limits};
use jindo::plan::{Limits, Plan, Range, Window};
use jindo::query::{Interval, SentText};
use std::collections::HashMap;
use std::path::Path;

/// The resolutions that `jindo plan` shows side by side, in seconds.
const COMPARED_S: [u32; 3] = [10, 60, 300];

/// `jindo plan`: reads the list, and the archive when one is named; touches nothing.
pub(crate) fn run(command: &args::PlanArgs, clock: &dyn Clock) -> anyhow::Result<u8> {
    let now = clock.now();
    let archive = named(command)?;
    let words = Words::new(&command.request, last_words(&command.request, archive.as_ref())?)?;
    let spaced = archive.as_ref().map(Archive::spaced).transpose()?.unwrap_or_default();
    let asked = understand(words, spaced, command.settle(), now)?;
    let limits = archive.as_ref().map(self::limits).transpose()?.unwrap_or(Limits::ASSUMED);
    let plan = plan(&asked, archive.as_ref(), closed, limits, now)?;
    let text = if command.json {
        render::plan::json(&asked, &plan, command.limit())?
    } else {
        render::plan::in_words(&asked, &plan, command, &alternatives(&asked, now)?, now)
    };
    terminal::answer(&text)?;
    Ok(0)
}

/// The directory that the plan is about: the one that is named, or, without a list, where exports go.
fn named(command: &args::PlanArgs) -> anyhow::Result<Option<Archive>> {
    let default = Path::new(defaults::OUT);
    match (&command.out, &command.request.queries) {
        (Some(dir), None) => Ok(Some(Archive::read(dir)?)),
        (Some(dir), Some(_)) => existing(dir),
        (None, None) => existing(default),
        (None, Some(_)) => Ok(None),
    }
}

/// As the archive's runs learnt them.
pub(crate) fn limits(archive: &Archive) -> Result<Limits, jindo::archive::Error> {
    learnt_limits(archive, Limits::ASSUMED)
}

/// Wanted minus what the archive covers for good: what is `held` of a query's coverage.
pub(crate) fn plan(
    asked: &Asked,
    archive: Option<&Archive>,
    held: fn(&[Coverage]) -> Vec<Window>,
    limits: Limits,
    now: Timestamp,
) -> anyhow::Result<Plan> {
    let mut queries = asked.list.queries.clone();
    let mut covered = vec![Vec::new(); queries.len()];
    if let Some(archive) = archive {
        let known = archive.queries()?;
        let asked_as = |known: &Registered| {
            known.instead_of.as_deref().map_or_else(|| known.text.sent.clone(), SentText::from)
        };
        let index: HashMap<_, _> =
            known.iter().map(|known| ((asked_as(known), known.text.interval), known)).collect();
        let coverage = archive.coverage_all()?;
        for (query, covered) in queries.iter_mut().zip(&mut covered) {
            let Some(known) = index.get(&(query.text.sent.clone(), query.text.interval)) else {
                continue;
            };
            *query = as_registered(known);
            *covered = held(coverage.get(&known.id).map_or(&[], Vec::as_slice));
        }
    }
    Ok(Plan::new(asked.wanted(), queries, &covered, limits, now))
}

/// Plans the same request from nothing at each resolution of the table.
fn alternatives(asked: &Asked, now: Timestamp) -> anyhow::Result<Vec<Alternative>> {
    let resolutions = COMPARED_S.iter().filter_map(|&secs| Interval::from_secs(secs));
    resolutions
        .map(|resolution| {
            let plan = fresh(&asked.words.at(resolution), asked.wanted(), now)?;
            Ok(Alternative { resolution, plan })
        })
        .collect()
}

/// The plan for the same request when nothing is held yet.
fn fresh(words: &Words, range: Range, now: Timestamp) -> anyhow::Result<Plan> {
    let queries = words.list(&[])?.queries;
    let covered = vec![Vec::new(); queries.len()];
    Ok(Plan::new(range, queries, &covered, Limits::ASSUMED, now))
}
