//! Samples for `--resolution auto`: the calls that find native intervals, round by round.

use super::planned::ExportPlan;
use super::ports::{Caller, ExportEvent};
use super::run::ExportRun;
use crate::fetch::End;
use crate::job::error::Error;
use crate::job::resolution::{SampleTerms, Sampling};
use crate::plan::SampleRange;
use crate::query::Query;

/// Rounds of samples at most: six for a query that was active long ago, as many again where the server does not offer what was asked
/// first, and some for calls that failed.
const ROUNDS_MAX: usize = 16;

/// Trials, of samples and of counts, that may be lost to a server that fails.
const TRIALS_MAX: usize = 5;

/// A plan whose intervals are known, or the end of a run that did not find them.
pub(super) struct Sampled {
    pub(super) plan: ExportPlan,
    /// The plan was final before anything was sampled.
    pub(super) is_announced: bool,
    pub(super) end: Option<End>,
}

/// Finds the native intervals that the plan lacks, and keeps them. A crash keeps the answers: the next run concludes the same.
pub(super) fn sample<C: Caller>(
    run: &mut ExportRun<'_, C>,
    mut plan: ExportPlan,
) -> Result<Sampled, C::Error> {
    let archive = run.archive();
    archive.space(&plan.found).map_err(Error::from)?;
    if !plan.needs_samples() {
        return Ok(Sampled { plan, is_announced: true, end: None });
    }
    let queries = &plan.request.list.unspaced;
    run.tell(ExportEvent::Sampling { queries: queries.len() });
    let range = plan.request.sample_range(run.request, run.present());
    let end = ask(run, queries, range)?;
    if end.is_none() {
        let known = Sampling::read(archive, queries, range).map_err(Error::from)?;
        let spaced = known.all(run.request.resolution.fixed(), run.present());
        archive.space(&spaced).map_err(Error::from)?;
        plan.request = plan.request.with_intervals(run.request, spaced);
    }
    Ok(Sampled { plan, is_announced: false, end })
}

/// Asks until nothing more can be learnt. The end, when the run ended before.
fn ask<C: Caller>(
    run: &mut ExportRun<'_, C>,
    queries: &[Query],
    range: SampleRange,
) -> Result<Option<End>, C::Error> {
    let (look_back, now) = (run.request.look_back, run.present());
    let mut trials = 0;
    for _ in 0..ROUNDS_MAX {
        let known = Sampling::read(run.archive(), queries, range).map_err(Error::from)?;
        let limits = run.limits()?;
        let jobs = known.jobs(SampleTerms { limits, look_back, now }).map_err(Error::from)?;
        if jobs.is_empty() {
            break;
        }
        for job in &jobs {
            let trial = job.calls_max.filter(|_| trials < TRIALS_MAX);
            trials += usize::from(trial.is_some());
            let end = run.make_ahead(job.fetch_job(), trial)?.end;
            if end != End::Done {
                return Ok(Some(end));
            }
        }
    }
    Ok(None)
}
