//! One process from start to end or crash: `jindo export` on a virtual clock. Performs the machine's actions as the driver
//! does, but one after another, with the network, the keeping thread and the extracting thread as events to come.

use super::disk;
use super::fuse::Fuse;
use super::wire;
use super::world::{Broke, World, extract_all, shown};
use jiff::{SignedDuration, Timestamp};
use jindo::archive::{Archive, QueryId, Registered, Role};
use jindo::extract::{self, Which};
use jindo::plan::{Limits, Pace, Plan, Window};
use jindo::request::{Reply, Reserve};
use jindo::run::{
    Action, Ask, Breakage, Call, DISBELIEVED, End, Event, Evidence, Keeping, Machine, Memory,
    Mission, Settings, Shelf, Survey, as_registered, closed, list, note, recollect,
};
use std::collections::BTreeMap;

/// Actions of one run, at most: far more than any job here needs, so that a run that does not end is a failed test.
const ACTIONS_MAX: u64 = 200_000;

/// What the command line says.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) concurrency: usize,
    pub(crate) reserve: Reserve,
    pub(crate) pace: Option<Pace>,
    pub(crate) calls_max: Option<u64>,
    /// Where the search for the server's limits begins.
    pub(crate) limits: Limits,
    /// Milliseconds that a request takes to the server, and an answer back, at most; each takes a random part of it.
    pub(crate) way_ms: u64,
    /// Milliseconds that keeping an answer takes, at most.
    pub(crate) keeping_ms: u64,
    pub(crate) probing: Probing,
}

/// Whether it is asked coarsely first where there is data at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probing {
    Never,
    First,
}

impl Manner {
    pub(crate) const PLAIN: Self = Self {
        concurrency: 8,
        reserve: Reserve::NONE,
        pace: None,
        calls_max: None,
        limits: Limits::ASSUMED,
        way_ms: 100,
        keeping_ms: 50,
        probing: Probing::Never,
    };
}

/// What cuts a session short.
#[derive(Debug, Clone)]
pub(crate) enum Cut {
    Nothing,
    /// The process is killed right after so many performed actions.
    KilledAfter(u64),
    /// The user presses ^C after so many performed actions.
    InterruptedAfter(u64),
    /// Effects fail.
    Fails(Fuse),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Finished(End),
    Killed,
    /// An effect failed, and so did the process.
    Broke(String),
}

/// What a session did.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) ended: Ended,
    pub(crate) planned: usize,
    pub(crate) calls: u64,
    pub(crate) actions: u64,
}

/// What will happen at a moment to come.
#[derive(Debug)]
enum Coming {
    Arrives(Call),
    Replied(Call, Reply),
    Stored(Call),
    Broke(String),
    Interrupted,
}

/// Runs one process on the world.
pub(crate) fn session(world: &mut World, manner: &Manner, cut: &Cut) -> Told {
    let mut told = Told { ended: Ended::Killed, planned: 0, calls: 0, actions: 0 };
    told.ended = match export(world, manner, cut, &mut told) {
        Ok(ended) => ended,
        Err(Broke(why)) => Ended::Broke(why),
    };
    match &told.ended {
        Ended::Killed => super::tell(
            1,
            "simulated processes killed after an action, un-fsynced writes lost or torn",
        ),
        Ended::Broke(_) | Ended::Finished(End::Failed { .. } | End::Broke { .. }) => {
            super::tell(
                1,
                "simulated processes whose disk, store or ledger failed or died with them",
            );
        }
        Ended::Finished(_) => super::tell(1, "simulated processes that came to their end"),
    }
    told
}

fn export(world: &mut World, manner: &Manner, cut: &Cut, told: &mut Told) -> Result<Ended, Broke> {
    let fuse = if let Cut::Fails(fuse) = cut { fuse.clone() } else { Fuse::endless() };
    let archive = world.open(&fuse)?;
    let disk = world.disk(&fuse);
    archive.register(&world.job.request())?;
    let mut process = Process { world, manner, cut, archive: &archive, disk: &disk, told };
    let end = match process.probe_and_fetch()? {
        Some(End::Interrupted) => return Ok(Ended::Finished(End::Interrupted)),
        Some(end) => end,
        None => return Ok(Ended::Killed),
    };
    extract_all(&archive, &disk)?;
    Ok(Ended::Finished(end))
}

/// One process, between the opening of the archive and the last look at the files.
struct Process<'a> {
    world: &'a mut World,
    manner: &'a Manner,
    cut: &'a Cut,
    archive: &'a Archive,
    disk: &'a disk::Frail,
    told: &'a mut Told,
}

impl Process<'_> {
    /// The end, or `None` for a process that was killed.
    fn probe_and_fetch(&mut self) -> Result<Option<End>, Broke> {
        let (mut plan, mut registered) = self.planned()?;
        self.told.planned = plan.calls();
        if plan.calls() > 0 && self.manner.probing == Probing::First {
            match self.probe()? {
                Some(End::Done) => {}
                ended => return Ok(ended),
            }
            (plan, registered) = self.planned()?;
        }
        if plan.calls() == 0 {
            return Ok(Some(End::Done));
        }
        let before = learnt(self.archive, self.manner.limits)?.points;
        let ended = self.fetch(&plan, &registered)?;
        let is_capped = learnt(self.archive, self.manner.limits)?.points < before;
        (plan, registered) = self.planned()?;
        let disbelieved = || -> Result<bool, Broke> {
            Ok(self.archive.learnt()?.iter().any(|learnt| learnt.name == DISBELIEVED))
        };
        if ended == Some(End::Done) && plan.calls() > 0 && (is_capped || disbelieved()?) {
            return self.fetch(&plan, &registered);
        }
        Ok(ended)
    }

    fn probe(&mut self) -> Result<Option<End>, Broke> {
        self.conclude()?;
        let (plan, registered) = self.planned()?;
        let settled = self.world.now - SignedDuration::from_hours(1);
        let limits = learnt(self.archive, self.manner.limits)?;
        let survey = Survey::new(self.archive, (&plan, &registered), limits, settled)?;
        let Some(survey) = survey else { return Ok(Some(End::Done)) };
        let mut ended = self.perform(survey.trial(), &Evidence::default())?;
        self.conclude()?;
        if let Some(rest) = survey.rest().filter(|_| ended == Some(End::Done)) {
            ended = self.perform(rest, &Evidence::default())?;
            self.conclude()?;
        }
        Ok(ended)
    }

    fn conclude(&self) -> Result<(), Broke> {
        let (plan, registered) = self.planned()?;
        let wanted = (&plan, &registered[..]);
        Evidence::of(self.archive, wanted)?.conclude(self.archive, wanted)?;
        Ok(())
    }

    fn fetch(&mut self, plan: &Plan, registered: &[Registered]) -> Result<Option<End>, Broke> {
        let mission = Mission {
            plan,
            ids: registered.iter().map(|query| query.id).collect(),
            given_up: (0..registered.len())
                .filter(|&at| registered[at].given_up.is_some())
                .collect(),
            look_back: SignedDuration::from_hours(1),
            role: Role::Wanted,
        };
        let evidence = Evidence::of(self.archive, (plan, registered))?;
        self.perform(mission, &evidence)
    }

    fn perform(&mut self, mission: Mission<'_>, evidence: &Evidence) -> Result<Option<End>, Broke> {
        let manner = self.manner;
        let settings = Settings {
            concurrency: manner.concurrency,
            reserve: manner.reserve,
            pace: manner.pace,
            calls_max: manner.calls_max.map(|most| most - self.told.calls),
            give_up_after: SignedDuration::from_mins(10),
            limits: learnt(self.archive, manner.limits)?,
            seed: self.world.random.draw(),
        };
        let memory = match mission.role {
            Role::Wanted => recollect(self.archive, &mission.ids, self.world.now)?,
            Role::Probe => Memory::default(),
        };
        let mut run = Run {
            machine: Machine::new(mission.plan, &mission.given_up, settings).recalling(memory),
            shelf: Shelf::new(self.archive, mission.look_back, Keeping::Store(evidence)),
            world: self.world,
            manner,
            cut: self.cut,
            archive: self.archive,
            disk: self.disk,
            mission,
            coming: BTreeMap::new(),
            order: 0,
            wake: None,
            asks: BTreeMap::new(),
            actions: self.told.actions,
        };
        let end = run.go();
        self.told.calls += run.machine.progress().calls_made;
        self.told.actions = run.actions;
        Ok(end)
    }

    fn planned(&self) -> Result<(Plan, Vec<Registered>), Broke> {
        let archive = self.archive;
        let limits = learnt(archive, self.manner.limits)?;
        let registered = archive.queries()?;
        let covered: Vec<Vec<Window>> =
            registered.iter().map(|query| covered(archive, query.id)).collect::<Result<_, _>>()?;
        let queries = registered.iter().map(as_registered).collect();
        let plan = Plan::new(self.world.job.range, queries, &covered, limits, self.world.now);
        Ok((plan, registered))
    }
}

fn learnt(archive: &Archive, mut limits: Limits) -> Result<Limits, Broke> {
    for learnt in archive.learnt()? {
        match learnt.name.as_str() {
            "points" => limits.points = u32::try_from(learnt.value).unwrap(),
            "queries" => limits.queries = usize::try_from(learnt.value).unwrap(),
            "url" => limits.url = usize::try_from(learnt.value).unwrap(),
            "oldest" => limits.oldest_s = i64::try_from(learnt.value).unwrap(),
            DISBELIEVED => {}
            other => panic!("nobody knows the limit {other}"),
        }
    }
    Ok(limits)
}

fn covered(archive: &Archive, query: QueryId) -> Result<Vec<Window>, Broke> {
    Ok(closed(&archive.coverage(query)?))
}

struct Run<'a> {
    world: &'a mut World,
    manner: &'a Manner,
    cut: &'a Cut,
    archive: &'a Archive,
    disk: &'a disk::Frail,
    mission: Mission<'a>,
    machine: Machine,
    shelf: Shelf<'a>,
    /// By time, then in the order in which they came to be.
    coming: BTreeMap<(Timestamp, u64), Coming>,
    order: u64,
    wake: Option<Timestamp>,
    asks: BTreeMap<Call, Ask>,
    actions: u64,
}

impl Run<'_> {
    /// The end, or `None` for a process that was killed.
    fn go(&mut self) -> Option<End> {
        let mut event = Some(Event::Started);
        loop {
            if let Some(event) = event.take() {
                self.wake = None;
                let now = self.world.now;
                for action in self.machine.step(now, event) {
                    if let Action::Finish { end } = action {
                        return Some(end);
                    }
                    self.perform(action);
                    self.actions += 1;
                    assert!(self.actions < ACTIONS_MAX, "the run does not end: {:?}", self.machine);
                    match self.cut {
                        Cut::KilledAfter(most) if self.actions == *most => return None,
                        Cut::InterruptedAfter(most) if self.actions == *most => {
                            self.later(0, Coming::Interrupted);
                        }
                        Cut::KilledAfter(_)
                        | Cut::InterruptedAfter(_)
                        | Cut::Nothing
                        | Cut::Fails(_) => {}
                    }
                }
            }
            event = self.next_event();
        }
    }

    /// Goes forward to what happens next. `None`: it is none of the machine's business.
    fn next_event(&mut self) -> Option<Event> {
        let next = self.coming.first_key_value().map(|((at, _), _)| *at);
        let (Some(at), woken) = (next.or(self.wake), self.wake) else {
            panic!("the machine waits for nothing: {:?}", self.machine)
        };
        if next.is_none() || woken.is_some_and(|wake| wake < at) {
            self.world.now = self.world.now.max(woken.unwrap());
            return Some(Event::Woke);
        }
        let ((at, _), coming) = self.coming.pop_first().unwrap();
        self.world.now = self.world.now.max(at);
        match coming {
            Coming::Arrives(call) => {
                self.arrive(call);
                None
            }
            Coming::Replied(call, reply) => self.replied(call, reply),
            Coming::Stored(call) => Some(Event::Stored { call }),
            Coming::Broke(why) => Some(Event::Broke { cause: Breakage::new(why) }),
            Coming::Interrupted => Some(Event::Interrupted),
        }
    }

    fn arrive(&mut self, call: Call) {
        let ask = &self.asks[&call];
        let text = list(self.mission.plan, ask);
        let request = wire::request(&text, ask.window, !self.world.random.draw().is_multiple_of(4));
        let since_epoch = self.world.now.as_duration().unsigned_abs();
        let response = self.world.api.answer(since_epoch, &request);
        let (took, reply) = wire::reply(&response);
        let way = self.part(self.manner.way_ms);
        let took = u64::try_from((took + response.latency).as_millis()).unwrap() + way;
        self.later(took, Coming::Replied(call, reply));
    }

    fn replied(&mut self, call: Call, Reply { body, rate }: Reply) -> Option<Event> {
        if !self.machine.awaits(call) {
            return None;
        }
        let ask = self.asks[&call].clone();
        let outcome = body.and_then(|body| self.shelf.read(call, ask, &body));
        Some(Event::Answered { call, outcome, rate })
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Ask { call, ask } => {
                self.asks.insert(call, ask);
                let way = self.part(self.manner.way_ms);
                self.later(way, Coming::Arrives(call));
            }
            Action::Store { call } => self.store(call),
            Action::Discard { call } => self.shelf.discard(call),
            Action::Complete { .. } if self.mission.role == Role::Probe => {}
            Action::Complete { query } => {
                let ids = [self.mission.ids[query]];
                let shown = shown();
                let done = extract::update(self.archive, self.disk, &ids, &shown, Which::Outdated);
                if let Err(error) = done {
                    self.break_down(error.into());
                }
            }
            Action::Wake { at } => self.wake = Some(self.wake.map_or(at, |other| other.min(at))),
            Action::Finish { .. } => unreachable!("it ends the loop"),
            Action::Learn { .. }
            | Action::Weigh { .. }
            | Action::Remember { .. }
            | Action::SendUnfilled { .. }
            | Action::GiveUp { .. }
            | Action::RefuseWindow { .. } => {
                let now = self.world.now;
                if let Err(error) = note(&action, self.archive, &mut self.mission, now) {
                    self.break_down(error.into());
                }
            }
        }
    }

    /// Keeps an answer; nothing that is covered for good may have been fetched again.
    fn store(&mut self, call: Call) {
        let ask = &self.asks[&call];
        for &query in &ask.queries {
            let Ok(covered) = covered(self.archive, self.mission.ids[query]) else { continue };
            let again = covered.iter().find(|window| window.intersect(ask.window).is_some());
            assert!(again.is_none(), "query {query} was covered in {again:?}: {ask:?}");
        }
        match self.shelf.store(call, &self.mission.ids, self.world.now) {
            Ok(()) => {
                let keeping = self.part(self.manner.keeping_ms);
                self.later(keeping, Coming::Stored(call));
            }
            Err(error) => self.break_down(error.into()),
        }
    }

    fn break_down(&mut self, Broke(why): Broke) {
        self.later(0, Coming::Broke(why));
    }

    fn later(&mut self, ms: u64, coming: Coming) {
        self.order += 1;
        let at = self.world.now + SignedDuration::from_millis(i64::try_from(ms).unwrap());
        self.coming.insert((at, self.order), coming);
    }

    /// A random part of so many milliseconds.
    fn part(&mut self, ms: u64) -> u64 {
        self.world.random.draw() % (ms + 1)
    }
}
