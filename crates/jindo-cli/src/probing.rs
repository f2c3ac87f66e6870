//! `--probe`: asks coarsely where there is data at all, so that empty windows are not fetched.

use crate::args::ProgressStyle;
use crate::fetching::{Fetched, Run};
use crate::screen;
use crate::words::{count, counted};
use jindo::archive::Registered;
use jindo::plan::{Limits, Plan};
use jindo::request::Client;
use jindo::run::{DISBELIEVED, End, Evidence, Found, Mission, Survey, learnt_limits};

/// A probe may take so many calls beyond twice those planned before it is left: retries, and learning a limit.
const CALLS_SPARE: u64 = 8;

/// What probing came to.
#[derive(Debug, Default)]
struct Probe {
    calls: u64,
    /// Why the run is over, when it is.
    end: Option<End>,
}

impl Run<'_> {
    /// Probes where that is wanted, and fetches; both only with a client: without one there is nothing to ask.
    pub(crate) fn go(&self, client: Option<&Client>) -> anyhow::Result<Fetched> {
        self.doubt_empty()?;
        let (mut plan, mut registered) = self.planned()?;
        let Some(client) = client.filter(|_| plan.calls() > 0) else {
            return Ok(Fetched::without_calls(plan, End::Done));
        };
        let mut probe = Probe::default();
        if self.heeds_probes()? {
            probe = self.probe(client)?;
            (plan, registered) = self.planned()?;
        }
        let mut fetched = Fetched::without_calls(plan.clone(), probe.end.unwrap_or(End::Done));
        fetched.outcome.calls = probe.calls;
        let mut before = None;
        // What a probe had left out, or what came back empty beyond a cap, is a gap again: as long as something was learnt.
        while fetched.outcome.end == End::Done && plan.calls() > 0 && before != Some(self.doubts()?)
        {
            before = Some(self.doubts()?);
            let evidence = self.evidence((&plan, &registered))?;
            let so_far = fetched.outcome;
            fetched = self.fetch(client, (plan, registered), &evidence, so_far.calls)?;
            fetched.outcome.points += so_far.points;
            self.doubt_empty()?;
            (plan, registered) = self.planned()?;
        }
        Ok(fetched)
    }

    /// Takes in what earlier probes saw, and with `--probe` asks: the first batches, and the others where that pays. What is
    /// found empty is covered from then on.
    fn probe(&self, client: &Client) -> anyhow::Result<Probe> {
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

    /// Samples look like probes: in a directory that has some, nothing is left out on their word unless somebody asked for probes.
    fn heeds_probes(&self) -> anyhow::Result<bool> {
        let asked = self.command.emptiness.probe || self.archive.totals()?.probed_s > 0;
        let sampled = self.asked.words.is_auto() || !self.archive.spaced()?.is_empty();
        Ok(asked || (!sampled && !self.archive.probes()?.is_empty()))
    }

    /// What probes said of what is planned; nothing where nobody relies on them.
    fn evidence(&self, (plan, registered): (&Plan, &[Registered])) -> anyhow::Result<Evidence> {
        if self.heeds_probes()? {
            Ok(Evidence::of(self.archive, (plan, registered))?)
        } else {
            Ok(Evidence::default())
        }
    }

    /// What opens again what was held: the points per series that the server serves, and whether an answer contradicted a probe.
    fn doubts(&self) -> anyhow::Result<(u32, bool)> {
        let disbelieved = self.archive.learnt()?.iter().any(|learnt| learnt.name == DISBELIEVED);
        Ok((learnt_limits(self.archive)?.points, disbelieved))
    }

    /// What came back empty while a cap was learnt may have been kept after it.
    fn doubt_empty(&self) -> anyhow::Result<()> {
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

    fn say(&self, words: &str) {
        let style = self.command.progress;
        if style != ProgressStyle::None && style != ProgressStyle::Json {
            screen::remark(words);
        }
    }
}
