//! Performs what the machine decides: calls through the client, reading, storing and files on a thread each.
//!
//! A body is parsed while the answer before it is written. Answers that were read wait until the machine says what becomes of them,
//! and are stored one after the other, in the order in which the machine said so. The machine bounds how many wait, and the
//! backlog how much memory they take.
//!
//! The loop itself is synchronous and single: it hands an event to the machine, performs the actions, and waits for
//! whatever comes first: an answer, a thread's word, the time the machine asked to be woken at, or an interruption.

mod backlog;

use super::fetch_job::{
    AnswerSink, AskedCall, FetchJob, FetchOutcome, Observer, ReadAnswer, Recorded, list,
};
use super::machine::Machine;
use super::protocol::{
    Action, Ask, Breakage, Call, Decision, End, Errand, Error, Event, Facts, Settings,
};
use super::run_log::{Line, RunLog};
use crate::archive::{QueryId, Role};
use crate::clock::Clock;
use crate::own_thread::on_own_thread;
use crate::request::{ApiCall, Body, Client, Failure, Rate, Reply};
use crate::secret::Secrets;
use backlog::{Backlog, BacklogShare};
use jiff::{SignedDuration, Timestamp};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Interval at which the loop draws progress and looks for an interruption.
const LOOK_UP_EVERY: Duration = Duration::from_millis(100);

/// Interval at which the loop asks whether answers can still be kept: one look at a file, and no call more than a second's.
const CHECK_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Everything outside the machine that a job of calls touches.
#[expect(missing_debug_implementations, reason = "holds trait objects")]
pub struct Doors<'a> {
    pub client: &'a Client,
    pub clock: &'a dyn Clock,
    pub log: RunLog,
    pub report: &'a mut dyn Observer,
    pub sink: &'a dyn AnswerSink,
    /// Set from a signal handler; the run then ends within 5 s.
    pub interrupted: &'a AtomicBool,
    /// Brings the files of these queries up to date; called on a thread of its own.
    pub extract: &'a Extract<'a>,
}

/// Brings the files of some queries up to date.
pub type Extract<'a> = dyn Fn(&[QueryId]) -> Result<(), Error> + Sync + 'a;

/// Messages of the threads to the loop.
enum Message {
    Reply {
        call: Call,
        reply: Reply,
    },
    Read {
        call: Call,
        outcome: Result<(WaitingAnswer, Facts), Failure>,
        rate: Option<Rate>,
    },
    Event(Event),
    /// A thread met a bug, and its work is not going to be done.
    Panicked(Box<dyn Any + Send>),
}

impl Message {
    fn broke(error: Error) -> Self {
        Self::Event(Event::Broke { cause: Breakage::new(error) })
    }
}

/// Work for the reading thread: the body that answered the call.
struct Reading {
    call: Call,
    asked: AskedCall,
    body: Body,
    rate: Option<Rate>,
}

/// An answer that was read, until the machine says what becomes of it.
struct WaitingAnswer {
    answer: ReadAnswer,
    /// `None`: it is held back.
    share: Option<BacklogShare>,
}

/// Work for the storing thread.
struct Storing {
    call: Call,
    waiting: WaitingAnswer,
    now: Timestamp,
}

/// Runs until the machine finishes.
pub fn drive<'a>(
    doors: Doors<'a>,
    mission: FetchJob<'a>,
    settings: Settings,
) -> Result<FetchOutcome, Error> {
    let extract = doors.extract;
    let (sink, secrets) = (doors.sink, doors.client.secrets());
    let machine = Machine::of(&mission, settings);
    let (message_tx, message_rx) = channel();
    let (reading_tx, reading_rx) = channel();
    let (storing_tx, storing_rx) = channel();
    let (complete_tx, complete_rx) = channel();
    let backlog = Backlog::default();
    thread::scope(|scope| {
        let of_answers = backlog.clone();
        begin(scope, &message_tx, move |done_tx| {
            read_answers(secrets, &of_answers, &reading_rx, done_tx);
        })?;
        begin(scope, &message_tx, move |done_tx| store_answers(sink, &storing_rx, done_tx))?;
        begin(scope, &message_tx, move |done_tx| {
            extract_queries(extract, &backlog, &complete_rx, done_tx);
        })?;
        let driver = Driver {
            doors,
            mission,
            machine,
            message_tx,
            reading_tx,
            storing_tx,
            complete_tx,
            flying: BTreeMap::new(),
            answers: BTreeMap::new(),
            wake: None,
        };
        // Answers that nobody takes any more must not keep the reading thread waiting.
        driver.run(message_rx)
    })
}

/// Starts a thread of the run. If it panics, the driver does as well: what the thread was given would be waited for without end.
fn begin<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    message_tx: &Sender<Message>,
    work: impl FnOnce(&Sender<Message>) + Send + 'scope,
) -> Result<(), Error> {
    let done_tx = message_tx.clone();
    let thread = move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&done_tx))) {
            // Nobody listens any more once the run has ended.
            done_tx.send(Message::Panicked(panic)).unwrap_or_default();
        }
    };
    thread::Builder::new().spawn_scoped(scope, thread).map(drop).map_err(Error::NoThread)
}

/// A call under way.
struct Flying {
    asked: AskedCall,
    sent_at: Timestamp,
}

struct Driver<'a> {
    doors: Doors<'a>,
    mission: FetchJob<'a>,
    machine: Machine,
    message_tx: Sender<Message>,
    reading_tx: Sender<Reading>,
    storing_tx: Sender<Storing>,
    complete_tx: Sender<QueryId>,
    flying: BTreeMap<Call, Flying>,
    /// Answers that were read, until the machine says what becomes of them.
    answers: BTreeMap<Call, WaitingAnswer>,
    wake: Option<Timestamp>,
}

impl Driver<'_> {
    #[expect(clippy::needless_pass_by_value, reason = "what is left in it goes with the driver")]
    fn run(mut self, message_rx: Receiver<Message>) -> Result<FetchOutcome, Error> {
        let mut event = Some(Event::Started);
        let mut interrupted = false;
        let mut check_at = self.doors.clock.now();
        loop {
            let now = self.doors.clock.now();
            if check_at <= now {
                check_at = now + CHECK_EVERY;
                if let Err(error) = self.doors.sink.check_in_place() {
                    check_at = Timestamp::MAX;
                    self.message_tx.send(Message::broke(Error::Archive(error))).unwrap_or_default();
                }
            }
            if let Some(event) = event.take()
                && let Some(end) = self.step(now, event)?
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
                self.next_event(&message_rx, now)
            };
        }
    }

    /// Waits for a message, at most until the machine wants to be woken or the loop should look up.
    fn next_event(&mut self, message_rx: &Receiver<Message>, now: Timestamp) -> Option<Event> {
        let sleep = self.wake.map_or(LOOK_UP_EVERY, |at| {
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).min(LOOK_UP_EVERY)
        });
        match message_rx.recv_timeout(sleep) {
            Ok(message) => self.event_of(message),
            Err(RecvTimeoutError::Timeout) => {
                let due = self.wake.is_some_and(|at| at <= self.doors.clock.now());
                due.then_some(Event::Woke)
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("the driver itself holds a sender"),
        }
    }

    /// Returns the event that a message is; a body has to be read first.
    fn event_of(&mut self, message: Message) -> Option<Event> {
        match message {
            Message::Event(event) => Some(event),
            Message::Panicked(panic) => resume_unwind(panic),
            Message::Reply { call, reply: Reply { body: Err(failure), rate } } => {
                Some(Event::Answered { call, outcome: Err(failure), rate })
            }
            Message::Reply { call, reply: Reply { body: Ok(body), rate } } => {
                let flying = self.flying.get(&call).filter(|_| self.machine.awaits(call));
                if let Some(Flying { asked, .. }) = flying {
                    let work = Reading { call, asked: asked.clone(), body, rate };
                    // A thread that is gone has said why; the run is ending.
                    self.reading_tx.send(work).unwrap_or_default();
                }
                None
            }
            Message::Read { call, outcome, rate } => {
                let outcome = outcome.map(|(waiting, facts)| {
                    if let Some(remark) = &waiting.answer.remark {
                        self.doors.report.remarked(remark);
                    }
                    self.answers.insert(call, waiting);
                    facts
                });
                Some(Event::Answered { call, outcome, rate })
            }
        }
    }

    /// Gives the machine the event, which the log has first if it is an answer, and performs its actions. Returns the end, when it
    /// says so.
    fn step(&mut self, now: Timestamp, event: Event) -> Result<Option<End>, Error> {
        if let Event::Answered { call, outcome, rate } = &event
            && let Some(Flying { asked, sent_at }) = self.flying.remove(call)
        {
            let FetchJob { plan, role, .. } = self.mission;
            let Ask { queries, window, interval, attempt, errand, .. } = asked.ask;
            let failure = outcome.as_ref().err();
            let line = Line {
                at: now,
                call: *call,
                role: (role != Role::Wanted).then_some(role),
                start: window.start(),
                end: window.end(),
                interval_seconds: interval.secs(),
                queries: queries.iter().map(|&q| plan.queries[q].text.written.as_str()).collect(),
                outcome: failure.map_or("ok", Failure::name),
                reason: failure.and_then(Failure::words).or_else(|| errand_words(errand)),
                points: outcome.as_ref().map_or(0, |facts| facts.points.iter().sum()),
                attempts: attempt,
                milliseconds: i64::try_from(now.duration_since(sent_at).as_millis())
                    .unwrap_or(i64::MAX),
                budget_left: rate.as_ref().map(Rate::whole_remaining),
            };
            self.doors.log.call(line).map_err(Error::Log)?;
            let noted = rate.as_ref().map(|rate| self.doors.sink.note_rate(rate, now));
            if let Some(Err(error)) = noted {
                self.message_tx.send(Message::broke(Error::Archive(error))).unwrap_or_default();
            }
        }
        self.wake = None;
        for action in self.machine.step(now, event) {
            match action {
                Action::Ask { call, ask } => self.ask(call, ask, now),
                Action::Store(call) => {
                    let waiting = self.answers.remove(&call).expect("it was read");
                    // A thread that is gone has said why; the run is ending.
                    self.storing_tx.send(Storing { call, waiting, now }).unwrap_or_default();
                }
                Action::Discard(call) => drop(self.answers.remove(&call)),
                Action::Complete(_) if self.mission.role != Role::Wanted => {}
                Action::Complete(query) => {
                    // A thread that is gone has said why; the run is ending.
                    self.complete_tx.send(self.mission.ids[query]).unwrap_or_default();
                }
                Action::Wake(at) => {
                    self.wake = Some(self.wake.map_or(at, |other| other.min(at)));
                }
                Action::Finish(end) => return Ok(Some(end)),
                Action::Record(decision) => self.record(&decision, now),
            }
        }
        // Reading goes on for those that are held back.
        self.answers.values_mut().for_each(|waiting| waiting.share = None);
        Ok(None)
    }

    fn ask(&mut self, call: Call, ask: Ask, now: Timestamp) {
        let text = list(self.mission.plan, &ask);
        let reply_tx = self.message_tx.clone();
        // Nobody listens any more once the run has ended.
        let done = move |reply| reply_tx.send(Message::Reply { call, reply }).unwrap_or_default();
        self.doors.client.send(&ApiCall::Query { list: text, window: ask.span() }, done);
        let ids = ask.queries.iter().map(|&query| self.mission.ids[query]).collect();
        let asked = AskedCall { ask, ids };
        self.flying.insert(call, Flying { asked, sent_at: now });
    }

    /// Records a decision. A sink that fails ends the run.
    fn record(&mut self, decision: &Decision, now: Timestamp) {
        match self.doors.sink.record(decision, &mut self.mission, now) {
            Ok(Recorded::Kept) if self.mission.role == Role::Wanted => {
                self.doors.report.decided(decision, self.mission.plan);
            }
            Ok(Recorded::Kept | Recorded::Ignored) => {}
            Err(error) => {
                let broke = Message::broke(Error::Archive(error));
                self.message_tx.send(broke).unwrap_or_default();
            }
        }
    }
}

/// The reason of a call for the log; `None`: the plan.
fn errand_words(errand: Errand) -> Option<String> {
    match errand {
        Errand::Planned => None,
        Errand::Half => Some("half of an answer that looks cut".to_owned()),
        Errand::Recheck => Some("an answer that looks cut, once more".to_owned()),
    }
}

/// Reads bodies until the driver has ended.
fn read_answers(
    secrets: &Secrets,
    backlog: &Backlog,
    work: &Receiver<Reading>,
    done_tx: &Sender<Message>,
) {
    for Reading { call, asked, body, rate } in work {
        backlog.wait(body.bytes().len());
        let read = on_own_thread(|| ReadAnswer::read(asked, body.bytes(), secrets));
        let large = body.into_room();
        let outcome = read.map(|(answer, facts)| {
            let share = Some(backlog.add(answer.held_bytes, large));
            (WaitingAnswer { answer, share }, facts)
        });
        if done_tx.send(Message::Read { call, outcome, rate }).is_err() {
            return;
        }
    }
}

/// Stores answers, one after the other, until the driver has ended.
fn store_answers(sink: &dyn AnswerSink, work: &Receiver<Storing>, done_tx: &Sender<Message>) {
    for Storing { call, waiting, now } in work {
        let done = match on_own_thread(|| sink.accept(&waiting.answer, now)) {
            Ok(()) => Message::Event(Event::Stored { call }),
            Err(error) => Message::broke(Error::Archive(error)),
        };
        drop(waiting);
        if done_tx.send(done).is_err() {
            return;
        }
    }
}

fn extract_queries(
    extract: &Extract<'_>,
    backlog: &Backlog,
    complete_rx: &Receiver<QueryId>,
    message_tx: &Sender<Message>,
) {
    while let Ok(first) = complete_rx.recv() {
        let queries: Vec<_> = std::iter::once(first).chain(complete_rx.try_iter()).collect();
        let turn = backlog.turn();
        let extracted = extract(&queries);
        drop(turn);
        if let Err(error) = extracted {
            // Nobody listens any more once the run has ended; what is not extracted now is at its end.
            message_tx.send(Message::broke(error)).unwrap_or_default();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bug_of_a_thread_is_the_runs() {
        let (message_tx, message_rx) = channel();
        let told = thread::scope(|scope| {
            begin(scope, &message_tx, |_| resume_unwind(Box::new("a bug"))).unwrap();
            message_rx.recv().unwrap()
        });
        let Message::Panicked(panic) = told else { panic!("another message") };
        assert_eq!(panic.downcast_ref(), Some(&"a bug"));
    }
}
