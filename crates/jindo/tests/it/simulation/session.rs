//! One process from start to end or crash: `jindo export` on a virtual clock. Performs the machine's actions as the driver
//! does, but one after another, with the network, the keeping thread and the extracting thread as events to come.

use super::wire;
use super::world::{Broke, World};
use jiff::{SignedDuration, Timestamp};
use jindo::archive::{Archive, Coverage, Organisation, Role};
use jindo::fetch::{
    self, Action, AnswerSink, AskedCall, Breakage, Call, End, Event, Extract, FetchJob,
    FetchOutcome, LookupAction, LookupEvent, Lookups, Machine, Observer, Progress, ReadAnswer,
    list,
};
use jindo::job::{Caller, Events, Export, ExportEvent, ExportPlan, FetchWork, LookupWork, Probing};
use jindo::plan::{Limits, Pace};
use jindo::request::{ApiCall, Budgets, Reply, Reserve};
use jindo::secret::Secrets;
use jindo_sim::Request;
use jindo_testing::Fuse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;

/// Actions of one run, at most: far more than any job here needs, so that a run that does not end is a failed test.
const ACTIONS_MAX: u64 = 200_000;

/// Options of a session, as a command line gives them.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) concurrency: u16,
    pub(crate) reserve: Reserve,
    pub(crate) pace: Option<Pace>,
    pub(crate) calls_max: Option<u64>,
    /// Limits assumed until others are learnt.
    pub(crate) limits: Limits,
    /// Milliseconds that a request takes to the server, and an answer back, at most; each takes a random part of it.
    pub(crate) way_ms: u64,
    /// Milliseconds that keeping an answer takes, at most.
    pub(crate) keeping_ms: u64,
    pub(crate) probing: Probing,
    /// `None`: each query's own interval, found by samples.
    pub(crate) resolution_s: Option<u32>,
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
        resolution_s: Some(300),
    };
}

/// A cause that cuts a session short.
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

/// End of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Finished(End),
    Killed,
    /// An effect failed, and so did the process.
    Broke(String),
}

/// Result of a session.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) ended: Ended,
    pub(crate) planned: usize,
    pub(crate) calls: u64,
    pub(crate) actions: u64,
}

/// Cause for which a process did not come to its end.
#[derive(Debug)]
enum Halt {
    Killed,
    Broke(Broke),
}

impl<E: Into<Broke>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Broke(error.into())
    }
}

/// An event of a moment to come.
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
        Err(Halt::Killed) => Ended::Killed,
        Err(Halt::Broke(Broke(why))) => Ended::Broke(why),
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

fn export(world: &mut World, manner: &Manner, cut: &Cut, told: &mut Told) -> Result<Ended, Halt> {
    let fuse = if let Cut::Fails(fuse) = cut { fuse.clone() } else { Fuse::endless() };
    let (storage, request) = (world.storage(&fuse), world.job.request(manner));
    let interrupted = AtomicBool::new(false);
    let export = Export {
        request: &request,
        storage: &storage,
        budgets: &Budgets::default(),
        interrupted: &interrupted,
    };
    let mut plans = Plans::default();
    let report = export.run(&mut Process { world, manner, cut, told }, &mut plans);
    told.planned = plans.first.unwrap_or(0);
    Ok(Ended::Finished(report?.outcome.end))
}

/// Calls of the first plan that was final.
#[derive(Debug, Default)]
struct Plans {
    first: Option<usize>,
}

impl Observer for Plans {}

impl Events for Plans {
    fn happened(&mut self, event: ExportEvent<'_>) {
        if let ExportEvent::Planned(plan) = event {
            self.first.get_or_insert(plan.plan.calls());
        }
    }
}

/// One process, as long as it lives.
struct Process<'a> {
    world: &'a mut World,
    manner: &'a Manner,
    cut: &'a Cut,
    told: &'a mut Told,
}

impl Caller for Process<'_> {
    type Error = Halt;

    fn present(&self) -> Timestamp {
        self.world.now
    }

    fn seed(&mut self) -> u64 {
        self.world.random.draw()
    }

    fn admit(&mut self, _: &ExportPlan) -> Result<(), Halt> {
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Halt> {
        Ok(())
    }

    fn identify(&mut self, _: &Archive) -> Result<Organisation, Halt> {
        Ok(Organisation { site: "simulated".into(), org_id: Some("1".into()), key_hash: None })
    }

    fn make(&mut self, work: FetchWork<'_>) -> Result<FetchOutcome, Halt> {
        let FetchWork { archive, job, settings, sink, files, report: _ } = work;
        let mut run = Run {
            machine: Machine::of(&job, settings),
            sink,
            answers: BTreeMap::new(),
            world: self.world,
            manner: self.manner,
            cut: self.cut,
            archive,
            files,
            job,
            coming: BTreeMap::new(),
            order: 0,
            wake: None,
            asks: BTreeMap::new(),
            actions: self.told.actions,
        };
        let end = run.go();
        let Progress { calls_made: calls, points, .. } = run.machine.progress();
        self.told.calls += calls;
        self.told.actions = run.actions;
        Ok(FetchOutcome { end: end.ok_or(Halt::Killed)?, calls, points })
    }

    /// Makes the calls one after another; each is an action, after which the process may be killed.
    fn look_up(&mut self, work: LookupWork<'_>) -> Result<End, Halt> {
        let LookupWork { calls, settings, take } = work;
        let mut machine = Lookups::new(calls.len(), settings);
        let (mut asked, mut event) = (VecDeque::new(), LookupEvent::Started);
        loop {
            let (mut wake, mut interrupted) = (None, false);
            for action in machine.step(self.world.now, event) {
                match action {
                    LookupAction::Ask { call, index } => asked.push_back((call, index)),
                    LookupAction::Take { index, outcome } => take(index, outcome)?,
                    LookupAction::Wake { at } => {
                        wake = Some(wake.map_or(at, |other: Timestamp| other.min(at)));
                    }
                    LookupAction::Finish { end } => return Ok(end),
                }
                self.told.actions += 1;
                assert!(self.told.actions < ACTIONS_MAX, "the lookups do not end: {machine:?}");
                match self.cut {
                    Cut::KilledAfter(most) if self.told.actions == *most => {
                        return Err(Halt::Killed);
                    }
                    Cut::InterruptedAfter(most) => interrupted |= self.told.actions == *most,
                    Cut::KilledAfter(_) | Cut::Nothing | Cut::Fails(_) => {}
                }
            }
            event = if interrupted {
                LookupEvent::Interrupted
            } else if let Some((call, index)) = asked.pop_front() {
                let (took, Reply { body, rate }) = self.exchange(&calls[index]);
                self.world.now += took;
                LookupEvent::Answered {
                    call,
                    outcome: body.map(|body| body.bytes().to_vec()),
                    rate,
                }
            } else {
                self.world.now = self.world.now.max(wake.expect("it waits for something"));
                LookupEvent::Woke
            };
        }
    }
}

impl Process<'_> {
    fn exchange(&mut self, call: &ApiCall) -> (SignedDuration, Reply) {
        let since_epoch = self.world.now.as_duration().unsigned_abs();
        let response = self.world.api.answer(since_epoch, &Request::get(&call.path()));
        let (took, reply) = wire::reply(&response);
        (SignedDuration::try_from(took + response.latency).unwrap(), reply)
    }
}

struct Run<'a> {
    world: &'a mut World,
    manner: &'a Manner,
    cut: &'a Cut,
    archive: &'a Archive,
    files: &'a Extract<'a>,
    job: FetchJob<'a>,
    machine: Machine,
    sink: &'a dyn AnswerSink,
    /// Read, and neither stored nor discarded yet.
    answers: BTreeMap<Call, ReadAnswer>,
    /// By time, then in the order in which they came to be.
    coming: BTreeMap<(Timestamp, u64), Coming>,
    order: u64,
    wake: Option<Timestamp>,
    asks: BTreeMap<Call, AskedCall>,
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
                    if let Action::Finish(end) = action {
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
            Coming::Broke(why) => {
                let cause = Breakage::new(fetch::Error::Files(why.into()));
                Some(Event::Broke { cause })
            }
            Coming::Interrupted => Some(Event::Interrupted),
        }
    }

    fn arrive(&mut self, call: Call) {
        let ask = &self.asks[&call].ask;
        let text = list(self.job.plan, ask);
        let request = wire::request(&text, ask.span(), !self.world.random.draw().is_multiple_of(4));
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
        let asked = self.asks[&call].clone();
        let read = body.and_then(|body| ReadAnswer::read(asked, body.bytes(), &Secrets::default()));
        let outcome = read.map(|(answer, facts)| {
            self.answers.insert(call, answer);
            facts
        });
        Some(Event::Answered { call, outcome, rate })
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Ask { call, ask } => {
                let ids = ask.queries.iter().map(|&query| self.job.ids[query]).collect();
                self.asks.insert(call, AskedCall { ask, ids });
                let way = self.part(self.manner.way_ms);
                self.later(way, Coming::Arrives(call));
            }
            Action::Store(call) => self.store(call),
            Action::Discard(call) => drop(self.answers.remove(&call)),
            Action::Complete(_) if self.job.role != Role::Wanted => {}
            Action::Complete(query) => {
                if let Err(cause) = (self.files)(&[self.job.ids[query]]) {
                    self.later(0, Coming::Broke(cause.to_string()));
                }
            }
            Action::Wake(at) => self.wake = Some(self.wake.map_or(at, |other| other.min(at))),
            Action::Finish(_) => unreachable!("it ends the loop"),
            Action::Record(decision) => {
                let now = self.world.now;
                if let Err(error) = self.sink.record(&decision, &mut self.job, now) {
                    self.break_down(error.into());
                }
            }
        }
    }

    /// Keeps an answer; nothing that is covered for good may have been fetched again.
    fn store(&mut self, call: Call) {
        let AskedCall { ask, ids } = &self.asks[&call];
        for id in ids {
            let Ok(coverage) = self.archive.ledger().coverage(*id) else { continue };
            let kept = coverage.iter().filter(|held| !held.open && !is_due(held, self.world.now));
            let mut covered = kept.map(|held| held.window);
            let again = covered.find(|window| window.intersect(ask.window).is_some());
            assert!(again.is_none(), "query {id:?} was covered in {again:?}: {ask:?}");
        }
        let answer = self.answers.remove(&call).expect("only an answer that was read is stored");
        match self.sink.accept(&answer, self.world.now) {
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

/// Returns true if a stretch was last asked before one of the times after its end at which late points are looked for.
fn is_due(held: &Coverage, now: Timestamp) -> bool {
    [1, 6, 48].map(SignedDuration::from_hours).iter().any(|step| {
        let due = held.window.end() + *step;
        held.asked_at < due && due <= now
    })
}
