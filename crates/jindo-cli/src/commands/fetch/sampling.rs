//! `--resolution auto`: samples the queries whose spacing is not known yet.

use crate::commands::fetch::fetching::Run;
use crate::commands::fetch::plan::limits;
use crate::render::units::counted;
use crate::request::Asked;
use crate::terminal;
use jiff::{SignedDuration, Timestamp};
use jindo::archive::{Archive, Spaced};
use jindo::fetch::End;
use jindo::job::{Caller as _, ProbeResults, SampleTerms, Sampling, ahead};
use jindo::plan::SampleRange;

/// Rounds of samples at most: six for a query that was active long ago, as many again where the server does not offer what was asked
/// first, and some for calls that failed.
const ROUNDS_MAX: usize = 16;

/// Trials, of samples and of counts, that may be lost to a server that fails.
const TRIALS_MAX: usize = 5;

/// What sampling came to.
#[derive(Debug, Default)]
pub(crate) struct Sampled {
    pub(crate) spaced: Vec<Spaced>,
    /// Why the run is over, when it is.
    pub(crate) end: Option<End>,
}

/// What the archive's samples show without a call: of a run that was killed, or whose ledger was lost.
pub(crate) fn by_samples(
    asked: &Asked,
    archive: Option<&Archive>,
    look_back: SignedDuration,
    now: Timestamp,
) -> anyhow::Result<Vec<Spaced>> {
    let Some(archive) = archive.filter(|_| !asked.list.unspaced.is_empty()) else {
        return Ok(Vec::new());
    };
    let range = SampleRange::new(asked.range, now - look_back, now);
    let sampling = Sampling::read(archive, &asked.list.unspaced, range)?;
    Ok(sampling.settled(asked.words.resolution()?, now))
}

impl Run<'_> {
    /// Samples the queries whose spacing is not known, and keeps what is found. Nothing where all are known.
    pub(crate) fn sample(&mut self) -> anyhow::Result<Sampled> {
        let mut sampled = Sampled::default();
        let queries = &self.asked.list.unspaced;
        if queries.is_empty() {
            return Ok(sampled);
        }
        if self.command.progress().is_talkative() {
            let queries = counted(queries.len() as u64, "query", "queries");
            terminal::remark(&format!("sampling {queries}: how far apart do their points lie?\n"));
        }
        let now = self.clock.now();
        let look_back = self.command.pacing.look_back();
        let range = SampleRange::new(self.asked.range, now - look_back, now);
        let mut trials = 0;
        for _ in 0..ROUNDS_MAX {
            let known = Sampling::read(self.archive, queries, range)?;
            let limits = limits(self.archive)?;
            let jobs = known.jobs(SampleTerms { limits, look_back, now })?;
            if jobs.is_empty() {
                break;
            }
            for job in &jobs {
                let trial = job.calls_max.filter(|_| trials < TRIALS_MAX);
                trials += usize::from(trial.is_some());
                let made = self.make(job.fetch_job(), &ProbeResults::default(), trial)?;
                let end = ahead(made.end, made.calls, trial.unwrap_or(u64::MAX));
                if end != End::Done {
                    return Ok(Sampled { end: Some(end), ..sampled });
                }
            }
        }
        let known = Sampling::read(self.archive, queries, range)?;
        let default = self.asked.words.resolution()?;
        sampled.spaced = known.all(default, self.clock.now());
        self.archive.space(&sampled.spaced)?;
        Ok(sampled)
    }
}
