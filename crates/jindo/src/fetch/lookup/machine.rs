//! Lookups as a machine: (state, event, now) → actions. Pure. No run fails for a lookup: what cannot be had is an answer too.

use crate::fetch::protocol::{Call, End, Settings};
use crate::fetch::scheduler::Scheduler;
use crate::request::{Backoff, Failure, Rate};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Calls for one lookup, at most: what fails so often is not to be had in this run.
const ATTEMPTS_MAX: u32 = 4;

/// A set of lookups, by their position.
#[derive(Debug)]
pub struct Lookups {
    concurrency: usize,
    scheduler: Scheduler,
    waiting: VecDeque<Lookup>,
    in_flight: BTreeMap<Call, (Lookup, Timestamp)>,
    /// Something was answered, so that failures are those of single lookups.
    is_answered: bool,
    end: Option<End>,
}

/// One question.
#[derive(Debug, Clone, Copy)]
struct Lookup {
    index: usize,
    /// Calls made for it that failed.
    attempts: u32,
    /// It is not asked before then.
    due: Timestamp,
}

/// An event that the machine takes.
#[derive(Debug)]
pub enum LookupEvent {
    Started,
    Answered {
        call: Call,
        outcome: Result<Vec<u8>, Failure>,
        rate: Option<Rate>,
    },
    /// The time of a [`LookupAction::Wake`] has come.
    Woke,
    Interrupted,
}

/// An action for the driver.
#[derive(Debug, PartialEq, Eq)]
pub enum LookupAction {
    /// Make the call of the lookup at this position.
    Ask {
        call: Call,
        index: usize,
    },
    /// The lookup is answered, by a body or for good by none.
    Take {
        index: usize,
        outcome: Result<Vec<u8>, LookupFailure>,
    },
    Wake {
        at: Timestamp,
    },
    /// Nothing is left to ask, or the run was interrupted; the last action.
    Finish {
        end: End,
    },
}

/// Reason why a lookup has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupFailure {
    /// The server knows nothing of that name (404).
    Absent,
    /// The keys may not ask this (403).
    Forbidden { words: String },
    /// Refused, or failed again and again.
    Failed { words: String },
}

impl Lookups {
    /// Returns a machine for `len` lookups. Of the settings, what concerns pace and retries counts.
    pub fn new(len: usize, settings: Settings) -> Self {
        let first = |index| Lookup { index, attempts: 0, due: Timestamp::MIN };
        Self {
            concurrency: settings.concurrency.max(1),
            scheduler: Scheduler::new(settings),
            waiting: (0..len).map(first).collect(),
            in_flight: BTreeMap::new(),
            is_answered: false,
            end: None,
        }
    }

    /// Returns the calls made so far.
    pub fn calls(&self) -> u64 {
        self.scheduler.calls
    }

    /// Returns what is to be done now that `event` has happened. Nothing after the end.
    pub fn step(&mut self, now: Timestamp, event: LookupEvent) -> Vec<LookupAction> {
        let mut actions = Vec::new();
        self.scheduler.pass(now);
        match event {
            LookupEvent::Started | LookupEvent::Woke => {}
            LookupEvent::Answered { call, outcome, rate } => {
                let Some((lookup, sent_at)) = self.in_flight.remove(&call) else { return actions };
                self.scheduler.ended(now, sent_at, outcome.as_ref().err(), rate.as_ref());
                actions.extend(match outcome {
                    Ok(body) => self.answered(lookup, body),
                    Err(failure) => self.failed(now, lookup, failure),
                });
            }
            LookupEvent::Interrupted => self.finish(End::Interrupted, &mut actions),
        }
        if self.end.is_none() {
            self.send(now, &mut actions);
        }
        actions
    }

    fn answered(&mut self, lookup: Lookup, body: Vec<u8>) -> Vec<LookupAction> {
        self.scheduler.succeeded();
        self.is_answered = true;
        vec![LookupAction::Take { index: lookup.index, outcome: Ok(body) }]
    }

    fn failed(&mut self, now: Timestamp, lookup: Lookup, failure: Failure) -> Vec<LookupAction> {
        let words = failure.words().unwrap_or_else(|| failure.name().to_owned());
        let (what, pace) = match failure {
            Failure::NotFound { .. } => {
                self.is_answered = true;
                return vec![without(lookup, LookupFailure::Absent)];
            }
            Failure::Forbidden { .. } => {
                return self.none_of_all(lookup, &LookupFailure::Forbidden { words });
            }
            Failure::Limited { rate, retry_after } => {
                self.scheduler.limited(now, rate.as_ref(), retry_after);
                if self.scheduler.ending.is_some() {
                    return self.none_of_all(lookup, &LookupFailure::Failed { words });
                }
                self.waiting.push_front(lookup);
                return Vec::new();
            }
            Failure::Refused { .. } | Failure::TooLarge | Failure::UrlTooLong => {
                return vec![without(lookup, LookupFailure::Failed { words })];
            }
            Failure::Transient { .. }
            | Failure::TimedOut { .. }
            | Failure::OtherInterval { .. } => (words, Backoff::TRANSIENT),
            Failure::Unusable { .. } | Failure::NotAnApi { .. } => (words, Backoff::UNUSABLE),
        };
        let attempts = lookup.attempts + 1;
        if attempts < ATTEMPTS_MAX {
            self.scheduler.retry(now, what, pace);
            let due = self.scheduler.again_at(now, attempts, pace);
            self.waiting.push_front(Lookup { attempts, due, ..lookup });
            return Vec::new();
        }
        let failure = LookupFailure::Failed { words: what };
        if self.is_answered {
            return vec![without(lookup, failure)];
        }
        self.none_of_all(lookup, &failure)
    }

    /// Takes it that what failed for one will fail for all that are still to be asked.
    fn none_of_all(&mut self, lookup: Lookup, failure: &LookupFailure) -> Vec<LookupAction> {
        let all = std::iter::once(lookup).chain(self.waiting.drain(..));
        all.map(|lookup| without(lookup, failure.clone())).collect()
    }

    fn send(&mut self, now: Timestamp, actions: &mut Vec<LookupAction>) {
        while let Some(at) = self.next(now) {
            match self.scheduler.next_call(now, self.in_flight.len()) {
                Some(at) if at <= now => {}
                wait => {
                    actions.extend(wait.map(|at| LookupAction::Wake { at }));
                    break;
                }
            }
            let Some(call) = self.scheduler.send(now) else { break };
            let lookup = self.waiting.remove(at).expect("its position was just found");
            self.in_flight.insert(call, (lookup, now));
            actions.push(LookupAction::Ask { call, index: lookup.index });
        }
        let next = self.waiting.iter().map(|lookup| lookup.due).filter(|&due| due > now).min();
        actions.extend(next.map(|at| LookupAction::Wake { at }));
        if self.waiting.is_empty() && self.in_flight.is_empty() {
            self.finish(End::Done, actions);
        }
    }

    /// Returns the position of the lookup that may be asked next. Until something is answered the first one is tried alone: what
    /// fails for it fails for all.
    fn next(&self, now: Timestamp) -> Option<usize> {
        let (most, tried) = if self.is_answered { (self.concurrency, usize::MAX) } else { (1, 1) };
        let mut waiting = self.waiting.iter().take(tried);
        (self.in_flight.len() < most).then(|| waiting.position(|lookup| lookup.due <= now))?
    }

    /// Ends the set; answers that come later are of no use.
    fn finish(&mut self, end: End, actions: &mut Vec<LookupAction>) {
        self.in_flight.clear();
        self.end = Some(end.clone());
        actions.push(LookupAction::Finish { end });
    }
}

fn without(lookup: Lookup, failure: LookupFailure) -> LookupAction {
    LookupAction::Take { index: lookup.index, outcome: Err(failure) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{BudgetKey, Budgets, Reserve};
    use jiff::SignedDuration;

    fn settings() -> Settings {
        Settings {
            concurrency: 8,
            budgets: Budgets::default(),
            budget_key: BudgetKey::of_queries("site", None),
            reserve: Reserve::NONE,
            pace: None,
            calls_max: None,
            give_up_after: SignedDuration::from_mins(10),
            limits: crate::plan::Limits::ASSUMED,
            assumed: crate::plan::Limits::ASSUMED,
            seed: 1,
        }
    }

    /// Answers every call by `answer(index, attempt)`; returns the outcomes by position, and the calls made.
    fn run(
        len: usize,
        answer: impl Fn(usize, u32) -> Result<Vec<u8>, Failure>,
    ) -> (BTreeMap<usize, Result<Vec<u8>, LookupFailure>>, u64) {
        let (mut machine, mut now) = (Lookups::new(len, settings()), Timestamp::UNIX_EPOCH);
        let (mut asked, mut attempts) = (VecDeque::new(), BTreeMap::<usize, u32>::new());
        let (mut taken, mut event) = (BTreeMap::new(), LookupEvent::Started);
        loop {
            let mut wake = None;
            for action in machine.step(now, event) {
                match action {
                    LookupAction::Ask { call, index } => asked.push_back((call, index)),
                    LookupAction::Take { index, outcome } => {
                        assert!(taken.insert(index, outcome).is_none(), "taken twice: {index}");
                    }
                    LookupAction::Wake { at } => {
                        wake = Some(wake.map_or(at, |w: Timestamp| w.min(at)));
                    }
                    LookupAction::Finish { .. } => return (taken, machine.calls()),
                }
            }
            event = if let Some((call, index)) = asked.pop_front() {
                let attempt = attempts.entry(index).and_modify(|n| *n += 1).or_insert(1);
                LookupEvent::Answered { call, outcome: answer(index, *attempt), rate: None }
            } else {
                now = wake.expect("it waits for something").max(now);
                LookupEvent::Woke
            };
        }
    }

    #[test]
    fn every_lookup_is_answered_once_and_a_passing_failure_is_asked_again() {
        let passing = |index, attempt| match (index, attempt) {
            (2, 1) | (5, 1..=3) => Err(Failure::Transient { what: "503".into() }),
            (7, _) => Err(Failure::NotFound { words: "no".into() }),
            _ => Ok(vec![u8::try_from(index).unwrap()]),
        };
        let (taken, calls) = run(12, passing);
        assert_eq!((taken.len(), calls), (12, 16));
        assert_eq!(taken[&5], Ok(vec![5]));
        assert_eq!(taken[&7], Err(LookupFailure::Absent));
    }

    #[test]
    fn a_lookup_that_may_not_be_asked_is_asked_once_for_all() {
        let (taken, calls) = run(500, |_, _| Err(Failure::Forbidden { words: "no".into() }));
        assert_eq!((taken.len(), calls), (500, 1));
        assert_eq!(taken[&499], Err(LookupFailure::Forbidden { words: "no".into() }));
    }

    #[test]
    fn a_server_without_the_endpoint_costs_four_calls() {
        let (taken, calls) = run(500, |_, _| Err(Failure::NotAnApi { words: "page".into() }));
        assert_eq!(taken[&3], Err(LookupFailure::Failed { words: "page".into() }));
        assert_eq!(calls, u64::from(ATTEMPTS_MAX));
    }

    #[test]
    fn a_server_that_answers_429_for_ever_is_not_asked_for_ever() {
        for retry_after_s in [0, 1, 3_600] {
            let retry_after = Some(SignedDuration::from_secs(retry_after_s));
            let limited = move |_, _| Err(Failure::Limited { rate: None, retry_after });
            let (taken, calls) = run(9, limited);
            assert!(taken.len() == 9 && taken.values().all(Result::is_err));
            assert!(calls <= 602, "{calls} calls in ten minutes");
        }
    }

    #[test]
    fn one_that_always_fails_spoils_no_other() {
        let broken = |index, _| {
            if index == 1 { Err(Failure::Transient { what: "x".into() }) } else { Ok(Vec::new()) }
        };
        let (taken, calls) = run(9, broken);
        assert_eq!(calls, 8 + u64::from(ATTEMPTS_MAX));
        assert_eq!(taken.values().filter(|taken| taken.is_err()).count(), 1);
    }
}
