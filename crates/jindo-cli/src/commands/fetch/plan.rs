//! `jindo plan`: prints the cost of an export, as text or JSON.

use crate::args;
use crate::defaults;
use crate::directory::{Memory, existing};
use crate::environment::carried_address;
use crate::keys::address::KnownAddress;
use crate::render;
use crate::render::export::of_job;
use crate::render::plan::{Alternative, Annotated};
use crate::request::TypedRequest;
use crate::terminal;
use jiff::Timestamp;
use jindo::archive::Archive;
use jindo::clock::Clock;
use jindo::job::{Error, ExportRequest, Resolution};
use jindo::query::Interval;
use std::path::Path;

/// The resolutions that `jindo plan` shows side by side, in seconds.
const COMPARED_S: [u32; 3] = [10, 60, 300];

/// Runs `jindo plan`: reads the list, and the archive if there is one. Writes nothing and makes no call.
pub(crate) fn run(command: &args::PlanArgs, clock: &dyn Clock) -> anyhow::Result<u8> {
    let now = clock.now();
    let archive = named(command)?;
    let memory = archive.as_ref().map_or_else(|| Ok(Memory::default()), Memory::of)?;
    let ignored = &command.ignored;
    let known = KnownAddress { other: ignored.other_organisation(), ..memory.address() };
    let carried = carried_address(&ignored.connection(), &known)?;
    let words = TypedRequest::new(&command.request, memory.last(&command.request)?)?;
    let mut notes = memory.notes(&words, &command.request);
    notes.kept.extend(carried.filter(|_| memory.request.is_some()));
    let request = ExportRequest {
        settle: command.settle.unwrap_or(ExportRequest::SETTLE),
        ..words.resolve(now)?
    };
    let worded = |error| of_job(error, &request.zone);
    let plan = request.plan(archive.as_ref(), now).map_err(worded)?;
    let text = if command.json {
        render::plan::json(&plan, command)
    } else {
        let alternatives = alternatives(&request, now).map_err(worded)?;
        render::plan::in_words(
            Annotated { request: &request, notes: &notes },
            &plan,
            command,
            &alternatives,
            now,
        )
    };
    terminal::answer(text)?;
    Ok(0)
}

/// Returns the archive that the plan subtracts: of the directory that is named or, without a list, of the default directory.
fn named(command: &args::PlanArgs) -> anyhow::Result<Option<Archive>> {
    let default = Path::new(defaults::OUT);
    match (&command.out, &command.request.queries) {
        (Some(dir), None) => Ok(Some(Archive::read(dir)?)),
        (Some(dir), Some(_)) => existing(dir),
        (None, None) => existing(default),
        (None, Some(_)) => Ok(None),
    }
}

/// Plans the same request from nothing at each resolution of the table, but for those that take more calls than anybody makes.
fn alternatives(request: &ExportRequest, now: Timestamp) -> Result<Vec<Alternative>, Error> {
    let resolutions = COMPARED_S.iter().filter_map(|&secs| Interval::from_secs(secs));
    resolutions
        .filter_map(|interval| {
            let resolution = Resolution::Every(interval);
            match (ExportRequest { resolution, ..request.clone() }).plan(None, now) {
                Ok(planned) => Some(Ok(Alternative { resolution: interval, plan: planned.plan })),
                Err(Error::TooManyCalls { .. }) => None,
                Err(error) => Some(Err(error)),
            }
        })
        .collect()
}
