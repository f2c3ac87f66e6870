//! Events that the machine takes, actions that it answers, and the ends of a run.

use crate::archive::{GiveUpReason, Trusted};
use crate::parse::Outline;
use crate::plan::{LearntLimit, Limits, Pace, PlanIndex, Window};
use crate::query::Interval;
use crate::request::{BudgetKey, Budgets, Failure, Rate, Reserve};
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::sync::Arc;

/// A call's number within its run, from 1.
pub type Call = u64;

/// Settings of a job of calls, apart from what it fetches.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Calls in flight at once, at most.
    pub concurrency: usize,
    /// Budgets of this process; the job's is that of `budget_key`, shared with every other job of it.
    pub budgets: Budgets,
    pub budget_key: BudgetKey,
    pub reserve: Reserve,
    /// The user's own bound on the pace.
    pub pace: Option<Pace>,
    /// Calls in this run, at most.
    pub calls_max: Option<u64>,
    /// Without one success for so long, the run ends.
    pub give_up_after: SignedDuration,
    /// As assumed, or as earlier runs learnt them.
    pub limits: Limits,
    /// Limits that hold again where a learnt one is refuted.
    pub assumed: Limits,
    /// Seeds the jitter of the retries.
    pub seed: u64,
}

/// An event that the machine takes.
#[derive(Debug, Clone)]
pub enum Event {
    Started,
    /// A call came to its end.
    Answered {
        call: Call,
        outcome: Result<Facts, Failure>,
        rate: Option<Rate>,
    },
    /// The answer to a call is in the archive, covered.
    Stored {
        call: Call,
    },
    /// Something on this machine failed: disk, ledger. Nothing can be kept any more.
    Broke {
        cause: Breakage,
    },
    /// The time of an [`Action::Wake`] has come.
    Woke,
    Interrupted,
}

/// An answer, as far as the machine cares.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Decoded bytes of the body, or more where the answer takes much memory.
    pub bytes: u64,
    /// Points per query of the call, by its position, all its series together.
    pub points: Vec<u64>,
    /// Points of the longest series: proof that so many are served.
    pub points_max: u32,
    /// Of each query, by its position; empty: not known.
    pub outlines: Vec<Outline>,
}

/// Points that a server leaves out, and says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clipped {
    /// Points of a series beyond so many.
    Series { points: u32 },
    /// Points of an answer beyond so many.
    Call { points: u64 },
    /// The newest bucket of the window.
    Newest,
}

impl Facts {
    pub(super) fn holds_points(&self) -> bool {
        self.points.iter().any(|&points| points > 0)
    }
}

/// An action for the driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Ask {
        call: Call,
        ask: Ask,
    },
    /// Keep the answer to this call.
    Store(Call),
    /// The answer to this call has served its purpose.
    Discard(Call),
    /// Keep this for later runs.
    Record(Decision),
    /// The query has no gap left: its files can be brought up to date.
    Complete(PlanIndex),
    /// Tell me when this time has come, unless something happens before.
    Wake(Timestamp),
    /// All is done that can be done; the last action.
    Finish(End),
}

/// A decision about queries or limits.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A limit differs from the one so far.
    Learn {
        limit: LearntLimit,
        lesson: Lesson,
    },
    /// A limit that was learnt was seen once more.
    Confirm {
        limit: LearntLimit,
        lesson: Lesson,
    },
    /// A limit that was learnt does not hold: from now on it is as assumed.
    Unlearn {
        limit: LearntLimit,
    },
    /// Answers that were kept may be cut in this way: they are asked again.
    Reopen {
        clipped: Clipped,
    },
    /// Verdicts about queries whose answers looked cut and are whole.
    Trust {
        verdicts: Vec<(PlanIndex, Trusted)>,
    },
    /// Decoded bytes a bucket of queries that are so heavy that they shape calls; `None`: no longer.
    Weigh {
        weights: Vec<(PlanIndex, Option<u64>)>,
    },
    /// From now on the query goes without the fill that jindo added.
    SendUnfilled {
        query: PlanIndex,
    },
    GiveUp {
        query: PlanIndex,
        reason: GiveUpReason,
    },
    /// The server has nothing to say about this stretch, in these words; the query itself is fine.
    RefuseWindow {
        query: PlanIndex,
        window: Window,
        reason: String,
    },
}

/// Evidence of a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lesson {
    /// Behaviour of the server that taught it.
    pub why: String,
    /// Queries of the calls that were refused.
    pub queries: Vec<PlanIndex>,
    /// Refusals since the limit was last recorded.
    pub refusals: u32,
    /// Size of the largest answer of this run, in the limit's unit.
    pub largest: u64,
}

/// One call to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub queries: Vec<PlanIndex>,
    pub form: Form,
    pub interval: Interval,
    pub window: Window,
    /// 1 for the first try.
    pub attempt: u32,
    /// Buckets that are asked for behind the window, and not taken from the answer: the server does not send the last one.
    pub beyond: u32,
    pub errand: Errand,
}

impl Ask {
    /// Returns the window that travels.
    pub fn span(&self) -> Window {
        let beyond_s = i64::from(self.beyond) * self.interval.secs();
        Window::from_secs(self.window.start_s(), self.window.end_s() + beyond_s)
            .unwrap_or(self.window)
    }
}

/// The reason for which a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// The plan, or a question about a refusal.
    Planned,
    /// A half of an answer that looks cut.
    Half,
    /// All of it, after a half held more.
    Recheck,
}

/// In which of its two forms a query travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Sent,
    /// Without the fill that jindo added.
    Unfilled,
}

/// End of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to ask; gaps may remain where the server refused.
    Done,
    /// `--max-calls` is reached.
    OutOfCalls,
    Interrupted,
    /// The keys are refused: from the first call on, or after they had worked.
    Forbidden {
        words: String,
        after_success: bool,
    },
    /// The server is no metrics API, and no call was answered yet: the address is wrong.
    NotAnApi {
        words: String,
    },
    /// Nothing came through for as long as the run was to wait.
    Failed {
        why: String,
    },
    /// Something on this machine failed.
    Broke {
        cause: Breakage,
    },
}

/// Failures on this machine that end a set of calls.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run's log cannot be written: the calls that are made would leave no trace.
    #[error("the run's log cannot be written")]
    Log(#[source] io::Error),
    /// An answer or a decision cannot be kept.
    #[error(transparent)]
    Archive(crate::archive::Error),
    /// The files of a query cannot be brought up to date.
    #[error(transparent)]
    Files(Box<dyn std::error::Error + Send + Sync>),
    /// The system gives no thread.
    #[error(
        "the system lets jindo start no thread; nothing is lost: end other processes or raise the limit (ulimit -u), and run the same again"
    )]
    NoThread(#[source] io::Error),
}

impl Error {
    /// Returns the failure itself, whose kind tells what to do about it.
    pub fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Log(error) => error,
            Self::NoThread(_) => self,
            Self::Archive(error) => error,
            Self::Files(error) => &**error,
        }
    }
}

/// A failure on this machine that ended a set of calls. Shared, since events and actions are copied.
#[derive(Debug, Clone)]
pub struct Breakage(Arc<Error>);

impl Breakage {
    pub fn new(error: Error) -> Self {
        Self(Arc::new(error))
    }

    pub fn error(&self) -> &Error {
        &self.0
    }
}

/// Equal when both are the same occurrence.
impl PartialEq for Breakage {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Breakage {}

/// State of a run, for its observer.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub calls_made: u64,
    /// Calls still to come, as far as known.
    pub calls_left: u64,
    pub flying: usize,
    pub points: u64,
    /// Calls left, and the limit they are left of.
    pub budget: Option<(u64, u64)>,
    /// Time at which the last of the calls left may be sent, as far as the limits are known.
    pub paced_until: Option<Timestamp>,
    /// An answer of the planned size came through: what is left is known as well as it can be.
    pub settled: bool,
    /// The last failure, while failures go on.
    pub trouble: Option<String>,
    /// Nothing is asked before then.
    pub waits_until: Option<Timestamp>,
}
