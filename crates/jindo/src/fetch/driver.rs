//! Performs what the machine decides: calls through the client, reading and keeping on one thread, files on another.
//!
//! The loop itself is synchronous and single: it hands an event to the machine, performs the actions, and waits for
//! whatever comes first: an answer, a thread's word, the time the machine asked to be woken at, or an interruption.

use super::log::{Ended, RunLog};
use super::machine::Machine;
use super::memory::Memory;
use super::protocol::{Action, Ask, Breakage, Call, End, Event, Facts, Settings};
use super::report::Report;
use super::sink::{Keeping, Shelf, list};
use crate::archive::{Archive, GiveUpReason, GiveUpScope, GivenUp, Learnt, QueryId, Role};
use crate::clock::Clock;
use crate::job::{recollect, remember};
use crate::plan::{LearntLimit, PerQuery, Plan, PlanIndex};
use crate::request::{ApiCall, Client, Failure, Rate, Reply};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// How often the loop looks up, to draw progress and to see an interruption.
const LOOK_UP_EVERY: Duration = Duration::from_millis(100);

/// What a run touches.
#[expect(missing_debug_implementations, reason = "holds trait objects")]
pub struct Doors<'a> {
    pub archive: &'a Archive,
    pub client: &'a Client,
    pub clock: &'a dyn Clock,
    pub log: RunLog,
    pub report: &'a mut dyn Report,
    pub keeping: Keeping<'a>,
    /// Set from a signal handler; the run then ends within 5 s.
    pub interrupted: &'a AtomicBool,
    /// Brings the files of these queries up to date; called on a thread of its own.
    pub extract: &'a (dyn Fn(&[QueryId]) -> Result<(), Breakage> + Sync),
}

/// What is to be fetched, and whose it is in the ledger.
#[derive(Debug)]
pub struct FetchJob<'a> {
    pub plan: &'a Plan,
    /// The plan's queries as the ledger numbers them.
    pub ids: PerQuery<QueryId>,
    /// Queries that an earlier run gave up.
    pub given_up: Vec<PlanIndex>,
    /// Answers fetched sooner than this after their window's end stay open.
    pub look_back: SignedDuration,
    /// Of its queries. What is asked aside makes no files, gives nothing up that is wanted, and teaches no cap on points: coarse answers may as
    /// well be the server's dislike of the interval.
    pub role: Role,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOutcome {
    pub end: End,
    pub calls: u64,
    pub points: u64,
}

/// What the threads say to the loop.
enum Message {
    Reply { call: Call, reply: Reply },
    Read { call: Call, outcome: Result<Facts, Failure>, rate: Option<Rate> },
    Stored { call: Call },
    Broke { cause: Breakage },
}

/// What the loop asks of the keeping thread.
enum Keep {
    Read { call: Call, asked: (Ask, Vec<QueryId>), body: Vec<u8>, rate: Option<Rate> },
    Store { call: Call, now: Timestamp },
    Discard { call: Call },
}

/// Runs until the machine finishes.
pub fn drive<'a>(
    doors: Doors<'a>,
    mission: FetchJob<'a>,
    settings: Settings,
) -> Result<FetchOutcome, std::io::Error> {
    let extract = doors.extract;
    let shelf = Shelf::new(doors.archive, mission.look_back, doors.keeping)
        .hiding(doors.client.secrets().clone());
    let memory = match (doors.keeping, mission.role) {
        (Keeping::Store(_), Role::Wanted) => {
            recollect(doors.archive, &mission.ids, doors.clock.now())
                .map_err(std::io::Error::other)?
        }
        (Keeping::Store(_), Role::Probe | Role::Sample) | (Keeping::Compare(_), _) => {
            Memory::default()
        }
    };
    let machine = Machine::new(mission.plan, &mission.given_up, settings).recalling(memory);
    let (say, hear) = channel();
    let (keep, kept) = channel();
    let (complete, completed) = channel();
    thread::scope(|scope| {
        let keeper = say.clone();
        scope.spawn(move || keep_answers(shelf, &kept, &keeper));
        let extractor = say.clone();
        scope.spawn(move || extract_queries(extract, &completed, &extractor));
        let driver = Driver {
            doors,
            mission,
            machine,
            say,
            keep,
            complete,
            flying: BTreeMap::new(),
            wake: None,
        };
        driver.run(&hear)
    })
}

/// A call under way.
struct Flying {
    ask: Ask,
    /// Its queries as the ledger numbers them: another form of a query is another number.
    ids: Vec<QueryId>,
    sent_at: Timestamp,
}

struct Driver<'a> {
    doors: Doors<'a>,
    mission: FetchJob<'a>,
    machine: Machine,
    say: Sender<Message>,
    keep: Sender<Keep>,
    complete: Sender<QueryId>,
    flying: BTreeMap<Call, Flying>,
    wake: Option<Timestamp>,
}

impl Driver<'_> {
    fn run(mut self, hear: &Receiver<Message>) -> Result<FetchOutcome, std::io::Error> {
        let mut event = Some(Event::Started);
        let mut interrupted = false;
        loop {
            let now = self.doors.clock.now();
            if let Some(event) = event.take()
                && let Some(end) = self.step(now, event)
            {
                let progress = self.machine.progress();
                return Ok(FetchOutcome {
                    end,
                    calls: progress.calls_made,
                    points: progress.points,
                });
            }
            self.doors.report.progress(&self.machine.progress(), now);
            event = if !interrupted && self.doors.interrupted.load(Ordering::Relaxed) {
                interrupted = true;
                Some(Event::Interrupted)
            } else {
                self.next_event(hear, now)?
            };
        }
    }

    /// Waits for a message, at most until the machine wants to be woken or the loop should look up.
    fn next_event(
        &mut self,
        hear: &Receiver<Message>,
        now: Timestamp,
    ) -> Result<Option<Event>, std::io::Error> {
        let sleep = self.wake.map_or(LOOK_UP_EVERY, |at| {
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).min(LOOK_UP_EVERY)
        });
        match hear.recv_timeout(sleep) {
            Ok(message) => self.event_of(message),
            Err(RecvTimeoutError::Timeout) => {
                let due = self.wake.is_some_and(|at| at <= self.doors.clock.now());
                Ok(due.then_some(Event::Woke))
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("the driver itself holds a sender"),
        }
    }

    fn event_of(&mut self, message: Message) -> Result<Option<Event>, std::io::Error> {
        match message {
            Message::Reply { call, reply: Reply { body: Ok(body), rate } } => {
                if self.machine.awaits(call)
                    && let Some(Flying { ask, ids, .. }) = self.flying.get(&call)
                {
                    self.keep(Keep::Read { call, asked: (ask.clone(), ids.clone()), body, rate });
                }
                Ok(None)
            }
            Message::Reply { call, reply: Reply { body: Err(failure), rate } } => {
                self.answered(call, Err(failure), rate).map(Some)
            }
            Message::Read { call, outcome, rate } => self.answered(call, outcome, rate).map(Some),
            Message::Stored { call } => Ok(Some(Event::Stored { call })),
            Message::Broke { cause } => Ok(Some(Event::Broke { cause })),
        }
    }

    fn answered(
        &mut self,
        call: Call,
        outcome: Result<Facts, Failure>,
        rate: Option<Rate>,
    ) -> Result<Event, std::io::Error> {
        if let Some(Flying { ask, sent_at, .. }) = self.flying.remove(&call) {
            let now = self.doors.clock.now();
            let ended = Ended {
                at: now,
                call,
                role: self.mission.role,
                ask: &ask,
                outcome: outcome.as_ref().map(|facts| facts.points.iter().sum()),
                took: now.duration_since(sent_at),
                budget_left: rate.as_ref().map(Rate::whole_remaining),
            };
            self.doors.log.call(self.mission.plan, &ended)?;
        }
        Ok(Event::Answered { call, outcome, rate })
    }

    /// Gives the machine the event and performs its actions. The end, when it says so.
    fn step(&mut self, now: Timestamp, event: Event) -> Option<End> {
        self.wake = None;
        for action in self.machine.step(now, event) {
            match action {
                Action::Ask { call, ask } => self.ask(call, ask, now),
                Action::Store { call } => {
                    self.keep(Keep::Store { call, now });
                }
                Action::Discard { call } => self.keep(Keep::Discard { call }),
                Action::Complete { .. } if self.mission.role != Role::Wanted => {}
                Action::Complete { query } => {
                    // A thread that is gone has said why; the run is ending.
                    self.complete.send(self.mission.ids[query]).unwrap_or_default();
                }
                Action::Wake { at } => {
                    self.wake = Some(self.wake.map_or(at, |other| other.min(at)));
                }
                Action::Finish { end } => return Some(end),
                note @ (Action::Learn { .. }
                | Action::Weigh { .. }
                | Action::Remember { .. }
                | Action::SendUnfilled { .. }
                | Action::GiveUp { .. }
                | Action::RefuseWindow { .. }) => self.note(&note, now),
            }
        }
        None
    }

    fn ask(&mut self, call: Call, ask: Ask, now: Timestamp) {
        let text = list(self.mission.plan, &ask);
        let say = self.say.clone();
        // Nobody listens any more once the run has ended.
        let done = move |reply| say.send(Message::Reply { call, reply }).unwrap_or_default();
        self.doors.client.send(&ApiCall::Query { list: text, window: ask.window }, done);
        let ids = ask.queries.iter().map(|&query| self.mission.ids[query]).collect();
        self.flying.insert(call, Flying { ask, ids, sent_at: now });
    }

    fn keep(&self, work: Keep) {
        // A thread that is gone has said why; the run is ending.
        self.keep.send(work).unwrap_or_default();
    }

    /// Writes what the machine decided into the ledger, where answers go there too. A ledger that fails ends the run.
    fn note(&mut self, action: &Action, now: Timestamp) {
        if let Keeping::Compare(recheck) = self.doors.keeping {
            return recheck.note(action);
        }
        if self.mission.role == Role::Wanted {
            self.doors.report.decided(action, self.mission.plan);
        }
        if let Err(error) = note(action, self.doors.archive, &mut self.mission, now) {
            self.say.send(Message::Broke { cause: Breakage::new(error) }).unwrap_or_default();
        }
    }
}

/// Keeps in the ledger what the machine learnt about the server and the queries.
pub fn note(
    action: &Action,
    archive: &Archive,
    mission: &mut FetchJob<'_>,
    at: Timestamp,
) -> Result<(), crate::archive::Error> {
    match action {
        Action::Learn { limit: LearntLimit::Points(_), .. } | Action::Remember { .. }
            if mission.role != Role::Wanted =>
        {
            Ok(())
        }
        Action::Learn { limit, why } => {
            // Before it is learnt: a crash in between learns and doubts again.
            if let LearntLimit::Points(points) = limit {
                archive.doubt_empty(*points)?;
            }
            archive.learn(&Learnt { limit: *limit, learnt_at: at, why: why.clone() })
        }
        Action::Weigh { weights } => {
            let id = |&(query, bytes): &(PlanIndex, Option<u64>)| (mission.ids[query], bytes);
            archive.weigh(&weights.iter().map(id).collect::<Vec<_>>(), at)
        }
        Action::Remember { memory } => remember(archive, &mission.ids, memory, at),
        Action::SendUnfilled { query } => {
            let unfilled = mission.plan.queries[*query].text.unfilled.as_deref();
            let unfilled = unfilled.expect("only a query whose fill was added can go without it");
            mission.ids[*query] = archive.substitute(mission.ids[*query], unfilled)?;
            Ok(())
        }
        Action::GiveUp { query, reason } => match mission.plan.asked[*query] {
            Some(window) => archive.give_up(&GivenUp {
                query: mission.ids[*query],
                window,
                scope: GiveUpScope::Query,
                reason: reason.clone(),
                at,
            }),
            None => Ok(()),
        },
        Action::RefuseWindow { query, window, reason } => archive.give_up(&GivenUp {
            query: mission.ids[*query],
            window: *window,
            scope: GiveUpScope::Window,
            reason: GiveUpReason::Refused(reason.clone()),
            at,
        }),
        Action::Ask { .. }
        | Action::Store { .. }
        | Action::Discard { .. }
        | Action::Complete { .. }
        | Action::Wake { .. }
        | Action::Finish { .. } => Ok(()),
    }
}

fn keep_answers(mut shelf: Shelf<'_>, work: &Receiver<Keep>, say: &Sender<Message>) {
    for work in work {
        let message = match work {
            Keep::Read { call, asked, body, rate } => {
                Message::Read { call, outcome: shelf.read(call, asked, &body), rate }
            }
            Keep::Store { call, now } => match shelf.store(call, now) {
                Ok(()) => Message::Stored { call },
                Err(error) => Message::Broke { cause: Breakage::new(error) },
            },
            Keep::Discard { call } => {
                shelf.discard(call);
                continue;
            }
        };
        if say.send(message).is_err() {
            return; // the run has ended
        }
    }
}

fn extract_queries(
    extract: &(dyn Fn(&[QueryId]) -> Result<(), Breakage> + Sync),
    completed: &Receiver<QueryId>,
    say: &Sender<Message>,
) {
    while let Ok(first) = completed.recv() {
        let queries: Vec<_> = std::iter::once(first).chain(completed.try_iter()).collect();
        if let Err(cause) = extract(&queries) {
            // Nobody listens any more once the run has ended; what is not extracted now is at its end.
            say.send(Message::Broke { cause }).unwrap_or_default();
            return;
        }
    }
}
