//! Servers whose limits are fixed, and refusals that pass: learning ends at the true limits, and every passing refusal costs at most
//! a constant. Over many seeds, in several runs whose limits and coverage are handed on as the ledger keeps them.

use super::clockwork::{ARTICLE, Setting, plan};
use super::temper::{Beyond, EASY, Temper, Words};
use jiff::{SignedDuration, Timestamp};
use jindo::clock::Random;
use jindo::fetch::{Action, Ask, Call, Decision, End, Event, Machine, Settings};
use jindo::plan::{LearntLimit, Limits, PerQuery, Plan, PlanIndex, Window, subtract};
use jindo::query::Query;
use jindo::request::{BudgetKey, Budgets, Failure, Reserve};
use std::collections::BTreeMap;

const SEEDS: u64 = 1_200;

/// Parts of the seeds, each a test, so that cores share the work.
const PARTS: u64 = 2;

/// Calls beyond 5 % that one passing refusal may cost: those up to the next attempt to exceed a limit, at the fewest points.
const CALLS_PER_REFUSAL: f64 = 64.0;

/// Calls beyond 5 % that a limit may cost that is lower than assumed, where the job is small.
const CALLS_PER_LIMIT: f64 = 35.0;

/// Calls of a run that is not the last, so that something is left for those after it.
const CALLS_OF_A_RUN: u64 = 60;

/// Calls from which on a job is long enough to end at the true limits.
const CALLS_TO_KNOW: usize = 250;

/// A server, a job, and which calls are refused by chance.
#[derive(Debug)]
struct Case {
    setting: Setting,
    /// The fill that jindo would add is left away (`--fill keep`).
    keeps_fill: bool,
    runs: u64,
    /// Numbers of the calls, over all runs, with what they are answered.
    passing: BTreeMap<u64, Failure>,
}

/// What all runs of a case came to.
#[derive(Debug)]
struct Outcome {
    calls: u64,
    needed: usize,
    limits: Limits,
    given_up: usize,
    is_complete: bool,
}

fn pick<T: Clone>(random: &mut Random, of: &[T]) -> T {
    let at = random.draw() % of.len() as u64;
    of[usize::try_from(at).unwrap()].clone()
}

fn case(seed: u64) -> Case {
    let mut random = Random::seeded(seed);
    let random = &mut random;
    let points_max = pick(random, &[1_500, 1_500, 350, 300, 720, 1_000, 120]);
    let temper = Temper {
        points_max,
        beyond: pick(random, &[Beyond::Coarse, Beyond::Refused]),
        words: pick(random, &[Words::Telling, Words::Mute]),
        queries_max: pick(random, &[usize::MAX, usize::MAX, 10, 3]),
        url_max: pick(random, &[7_607, 7_607, 4_000, 2_000]),
        ..EASY
    };
    let queries = pick(random, &[1, 1, 12, 35]);
    let days = if points_max < 300 { 10 } else { pick(random, &[25, 50]) };
    let refused = Failure::Refused { words: "Unprocessable Entity".into() };
    let kinds = [refused.clone(), refused, Failure::UrlTooLong];
    let refusals = random.draw() % 8;
    let mut passing = BTreeMap::new();
    for _ in 0..refusals {
        passing.insert(1 + random.draw() % 150, pick(random, &kinds));
    }
    Case {
        setting: Setting { queries, days, temper, ..ARTICLE },
        keeps_fill: pick(random, &[false, true]),
        runs: 1 + random.draw() % 3,
        passing,
    }
}

fn run(case: &Case) -> Outcome {
    let whole = with_fill(plan(&case.setting, Limits::ASSUMED, |_| None), case.keeps_fill);
    let needed = plan(&case.setting, case.setting.temper.limits(), |_| None).calls();
    let mut held = PerQuery::filled(Vec::new(), whole.queries.len());
    let mut outcome =
        Outcome { calls: 0, needed, limits: Limits::ASSUMED, given_up: 0, is_complete: false };
    for number in 1..=case.runs {
        let calls_max = (number < case.runs).then_some(CALLS_OF_A_RUN);
        let queries: Vec<Query> = whole.queries.iter().cloned().collect();
        let covered: Vec<Vec<Window>> = held.iter().cloned().collect();
        let now = Timestamp::from_second(whole.range.end_s() + 86_400).unwrap();
        let rest = Plan::new(whole.range, queries, &covered, outcome.limits, now);
        let mut one = OneRun::new(case, &rest, &mut outcome, &mut held);
        one.until_its_end(Machine::new(&rest, &[], settings(case, one.outcome.limits, calls_max)));
    }
    let is_whole = |(query, held): (PlanIndex, &Vec<Window>)| {
        subtract(whole.asked[query].unwrap(), held).is_empty()
    };
    outcome.is_complete = held.indexed().all(is_whole);
    outcome
}

/// `--fill keep`: nothing is added that could be left away, and each query travels alone.
fn with_fill(mut plan: Plan, keeps_fill: bool) -> Plan {
    for query in plan.queries.indexes().filter(|_| keeps_fill) {
        plan.queries[query].text.unfilled = None;
    }
    plan
}

fn settings(case: &Case, limits: Limits, calls_max: Option<u64>) -> Settings {
    Settings {
        concurrency: case.setting.concurrency,
        budgets: Budgets::default(),
        budget_key: BudgetKey::of_queries("", None),
        reserve: Reserve::NONE,
        pace: None,
        calls_max,
        give_up_after: SignedDuration::from_mins(10),
        limits,
        assumed: Limits::ASSUMED,
        seed: 1,
    }
}

/// One run into the directory; every call takes a second.
struct OneRun<'a> {
    case: &'a Case,
    plan: &'a Plan,
    outcome: &'a mut Outcome,
    held: &'a mut PerQuery<Vec<Window>>,
    calls_before: u64,
    now: Timestamp,
    asks: BTreeMap<Call, Ask>,
    coming: BTreeMap<(Timestamp, u64), Event>,
    order: u64,
    wake: Option<Timestamp>,
}

impl<'a> OneRun<'a> {
    fn new(
        case: &'a Case,
        plan: &'a Plan,
        outcome: &'a mut Outcome,
        held: &'a mut PerQuery<Vec<Window>>,
    ) -> Self {
        let calls_before = outcome.calls;
        let now = Timestamp::from_second(plan.range.end_s() + 86_400).unwrap();
        let (asks, coming) = (BTreeMap::new(), BTreeMap::new());
        Self { case, plan, outcome, held, calls_before, now, asks, coming, order: 0, wake: None }
    }

    fn until_its_end(&mut self, mut machine: Machine) {
        let mut event = Event::Started;
        loop {
            for action in machine.step(self.now, event) {
                match action {
                    Action::Finish(End::Done | End::OutOfCalls) => return,
                    Action::Finish(end) => panic!("{end:?}"),
                    action @ (Action::Ask { .. }
                    | Action::Store(_)
                    | Action::Discard(_)
                    | Action::Record(_)
                    | Action::Complete(_)
                    | Action::Wake(_)) => self.perform(action),
                }
            }
            event = self.next_event();
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Ask { call, ask } => {
                self.outcome.calls += 1;
                assert!(self.outcome.calls < 20_000, "the run does not end");
                let chance = self.case.passing.get(&(self.calls_before + call)).cloned();
                let temper = self.case.setting.temper;
                let outcome = chance.map_or_else(|| temper.answer(&ask, self.plan), Err);
                self.asks.insert(call, ask);
                let answered = Event::Answered { call, outcome, rate: None };
                self.later(SignedDuration::from_secs(1), answered);
            }
            Action::Store(call) => {
                let ask = &self.asks[&call];
                ask.queries.iter().for_each(|&query| self.held[query].push(ask.window));
                self.later(SignedDuration::ZERO, Event::Stored { call });
            }
            Action::Wake(at) => self.wake = Some(self.wake.map_or(at, |other| other.min(at))),
            Action::Record(decision) => self.record(&decision),
            Action::Discard(_) | Action::Complete(_) | Action::Finish(_) => {}
        }
    }

    /// As the ledger keeps them: a cap that one query alone showed is not that of a list.
    fn record(&mut self, decision: &Decision) {
        match decision {
            Decision::Learn { limit, lesson } => {
                let is_own = matches!(limit, LearntLimit::Points(_)) && lesson.queries.len() == 1;
                if !is_own || self.case.setting.queries == 1 {
                    self.outcome.limits = self.outcome.limits.with(*limit);
                }
            }
            Decision::Unlearn { limit } => {
                self.outcome.limits = self.outcome.limits.with(Limits::ASSUMED.like(*limit));
            }
            Decision::GiveUp { .. } => self.outcome.given_up += 1,
            Decision::Confirm { .. }
            | Decision::Weigh { .. }
            | Decision::SendUnfilled { .. }
            | Decision::RefuseWindow { .. }
            | Decision::Reopen { .. }
            | Decision::Trust { .. } => {}
        }
    }

    fn later(&mut self, after: SignedDuration, event: Event) {
        self.order += 1;
        self.coming.insert((self.now + after, self.order), event);
    }

    fn next_event(&mut self) -> Event {
        let next = self.coming.first_key_value().map(|((at, _), _)| *at);
        match (next, self.wake.take()) {
            (Some(at), woken) if woken.is_none_or(|woken| at <= woken) => {
                self.now = self.now.max(at);
                self.coming.pop_first().expect("it is there").1
            }
            (_, Some(at)) => {
                self.now = self.now.max(at);
                Event::Woke
            }
            (_, None) => panic!("the machine waits for nothing"),
        }
    }
}

/// A limit counts as found within a fortieth, and one.
fn is_found(found: usize, truth: usize) -> bool {
    found <= truth && truth - found <= truth / 40 + 1
}

/// What is wrong with the outcome, if anything.
fn complaint(case: &Case, outcome: &Outcome) -> Option<String> {
    let truth = case.setting.temper.limits();
    let assumed = Limits::ASSUMED;
    let lower = [
        truth.points < assumed.points,
        truth.queries < assumed.queries,
        truth.url < assumed.url && case.setting.queries > 1,
    ];
    let lower = lower.into_iter().filter(|&is_lower| is_lower).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    let [calls, needed, lower, refusals] =
        [outcome.calls as f64, outcome.needed as f64, lower as f64, case.passing.len() as f64];
    let most = needed * 1.05 + lower * CALLS_PER_LIMIT + refusals * CALLS_PER_REFUSAL;
    if calls > most {
        return Some(format!("{calls} calls for {needed}, at most {most}"));
    }
    if outcome.given_up == 0 && !outcome.is_complete {
        return Some("what is not given up is not complete".into());
    }
    let is_known = is_found(outcome.limits.points as usize, truth.points as usize);
    (outcome.needed > CALLS_TO_KNOW && !is_known)
        .then(|| format!("{:?} instead of {truth:?}", outcome.limits))
}

fn check(part: u64) {
    let complaints: Vec<String> = (part..SEEDS)
        .step_by(usize::try_from(PARTS).unwrap())
        .filter_map(|seed| {
            let case = case(seed);
            let outcome = run(&case);
            complaint(&case, &outcome)
                .map(|told| format!("seed {seed}: {told}; {case:?} {outcome:?}"))
        })
        .collect();
    assert!(complaints.is_empty(), "{} wrong:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn learning_ends_at_the_true_limits_whatever_passes_by_even_seeds() {
    check(0);
}

#[test]
fn learning_ends_at_the_true_limits_whatever_passes_by_odd_seeds() {
    check(1);
}
