//! `--probe`: asks coarsely where there is data at all, so that empty windows are not fetched.

use crate::args::ProgressStyle;
use crate::export::Run;
use crate::screen;
use crate::words::{count, counted};
use jindo::plan::Limits;
use jindo::request::Client;
use jindo::run::{DISBELIEVED, End, Evidence, Found, Mission, Outcome, Survey, learnt_limits};

/// A probe may take so many calls beyond twice those planned before it is left: retries, and learning a limit.
const CALLS_SPARE: u64 = 8;

/// What probing came to.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) calls: u64,
    /// Why the run is over, when it is.
    pub(crate) end: Option<End>,
}

impl Run<'_> {
    /// Takes in what earlier probes saw, and with `--probe` asks: the first batches, and the others where that pays. What is
    /// found empty is covered from then on.
    pub(crate) fn probe(&self, client: &Client) -> anyhow::Result<Probe> {
        let mut probe = Probe::default();
        let mut known = self.conclude()?.left();
        if !self.command.emptiness.probe {
            return Ok(probe);
        }
        let (before, registered) = self.planned()?;
        let settled = self.clock.now() - self.command.pace.look_back;
        let limits = learnt_limits(self.archive)?;
        let survey = Survey::new(self.archive, (&before, &registered), limits, settled)?;
        let Some(survey) = survey else { return Ok(probe) };
        self.ask(client, survey.trial(), &mut probe)?;
        let mut found = self.conclude()?.without(known);
        if let Some(rest) = survey.rest()
            && probe.end.is_none()
            && found.encourages()
        {
            self.ask(client, rest, &mut probe)?;
            known += found.left();
            let more = self.conclude()?.without(known);
            found =
                Found { windows: found.windows + more.windows, empty: found.empty + more.empty };
        }
        let (after, _) = self.planned()?;
        let percent = (found.empty * 100).checked_div(found.windows).unwrap_or(0);
        self.say(&format!(
            "probed in {}: {percent} % of {} hold nothing, which leaves {} of {}\n",
            counted(probe.calls, "call", "calls"),
            counted(found.windows as u64, "window of a query", "windows of queries"),
            count(after.calls() as u64),
            counted(before.calls() as u64, "call", "calls"),
        ));
        Ok(probe)
    }

    /// What opens again what was held: the points per series that the server serves, and whether an answer contradicted a probe.
    pub(crate) fn doubts(&self) -> anyhow::Result<(u32, bool)> {
        let disbelieved = self.archive.learnt()?.iter().any(|learnt| learnt.name == DISBELIEVED);
        Ok((learnt_limits(self.archive)?.points, disbelieved))
    }

    /// What came back empty while a cap was learnt may have been kept after it.
    pub(crate) fn doubt_empty(&self) -> anyhow::Result<()> {
        let points = learnt_limits(self.archive)?.points;
        if points < Limits::ASSUMED.points {
            self.archive.doubt_empty(points)?;
        }
        Ok(())
    }

    fn conclude(&self) -> anyhow::Result<Found> {
        let (plan, registered) = self.planned()?;
        let wanted = (&plan, &registered[..]);
        Ok(Evidence::of(self.archive, wanted)?.conclude(self.archive, wanted)?)
    }

    fn ask(&self, client: &Client, mission: Mission<'_>, probe: &mut Probe) -> anyhow::Result<()> {
        let most = mission.plan.calls() as u64 * 2 + CALLS_SPARE;
        let (calls, end) = self.ask_ahead(client, mission, Some(most), probe.calls)?;
        probe.calls += calls;
        probe.end = end;
        Ok(())
    }

    /// Makes calls that go ahead of the export: at most so many, and with those made before no more than the user allows. Their
    /// number, and why the run is over, when it is: not where their own bound is reached.
    pub(crate) fn ask_ahead(
        &self,
        client: &Client,
        mission: Mission<'_>,
        most: Option<u64>,
        calls_before: u64,
    ) -> anyhow::Result<(u64, Option<End>)> {
        let mut settings = self.settings(calls_before)?;
        let users = settings.calls_max;
        settings.calls_max = [users, most].into_iter().flatten().min();
        let (Outcome { end, calls, .. }, _) =
            self.make(client, mission, &Evidence::default(), settings)?;
        let end = match end {
            End::Done => None,
            End::OutOfCalls if users.is_none_or(|most| calls < most) => None,
            End::OutOfCalls
            | End::Interrupted
            | End::Forbidden { .. }
            | End::Astray { .. }
            | End::Failed { .. }
            | End::Broke { .. } => Some(end),
        };
        Ok((calls, end))
    }

    fn say(&self, words: &str) {
        let style = self.command.progress;
        if style != ProgressStyle::None && style != ProgressStyle::Json {
            screen::remark(words);
        }
    }
}
