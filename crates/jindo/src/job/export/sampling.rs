//! Samples for `--resolution auto`: the calls that find native intervals, round by round.

use super::planned::ExportPlan;
use super::ports::{Caller, ExportEvent};
use super::run::ExportRun;
use crate::fetch::End;
use crate::job::error::Error;
use crate::job::resolution::Sampling;

/// Rounds of samples at most: four for a query, as many again where the server does not offer what was asked first, and some for calls
/// that failed.
const ROUNDS_MAX: usize = 16;

/// Trials, of samples and of counts, that may be lost to a server that fails.
const TRIALS_MAX: usize = 5;

/// Finds the native intervals that the plan lacks, and keeps them; returns the end of the calls where the run ended before. A crash
/// keeps the answers: the next run concludes the same.
pub(super) fn sample<C: Caller>(
    run: &mut ExportRun<'_, C>,
    plan: &mut ExportPlan,
) -> Result<End, C::Error> {
    let (archive, request) = (run.files.archive, run.request);
    archive.ledger().space(&plan.found).map_err(Error::from)?;
    if !plan.needs_samples() {
        return Ok(End::Done);
    }
    let queries = &plan.request.list.unspaced;
    run.events.happened(ExportEvent::Sampling { queries: queries.len() });
    let now = run.caller.present();
    let range = plan.request.sample_range(request, now);
    let read = || Sampling::read(archive, queries, range).map_err(Error::from);
    let mut trials = 0;
    for _ in 0..ROUNDS_MAX {
        let limits = request.limits(Some(archive))?;
        let jobs = read()?.jobs(limits, now).map_err(Error::from)?;
        if jobs.is_empty() {
            break;
        }
        for job in &jobs {
            let trial = job.calls_max.filter(|_| trials < TRIALS_MAX);
            trials += usize::from(trial.is_some());
            let end = run.make(job.fetch_job(request.look_back), None, trial)?.end;
            if end != End::Done {
                return Ok(end);
            }
        }
    }
    let spaced = read()?.all(request.resolution.fixed(), run.caller.present());
    archive.ledger().space(&spaced).map_err(Error::from)?;
    plan.request = plan.request.clone().with_intervals(request, spaced);
    Ok(End::Done)
}
