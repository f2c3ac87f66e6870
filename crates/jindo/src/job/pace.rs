//! The pace of earlier runs of a directory, for estimates alone: the rate limit that the server stated last, and how fast points came in
//! where no limit held them back.

use super::error::Error;
use crate::archive::{self, Archive};
use crate::plan::Pace;
use crate::request::Rate;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Under which the ledger keeps it.
const PACE: &str = "pace";

/// Runs of fewer points say nothing about the speed of a machine: connections and first answers take most of their time.
const MEASURED_POINTS_MIN: u64 = 1_000_000;

/// A run that takes this many times what its limit allows was held back by something else: the machine, the network, the server.
const HELD_BACK_FACTOR: f64 = 1.5;

/// The pace of earlier runs. Without an entry in the ledger, or with one that cannot be read, nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct KnownPace {
    /// The rate limit of query calls that was stated last.
    pub limit: Option<StatedLimit>,
    /// Points a second of the last run that no limit held back.
    pub points_per_second: Option<u64>,
}

/// A rate limit, as an answer stated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedLimit {
    pub calls: u32,
    pub period_s: u32,
    pub at: Timestamp,
}

impl StatedLimit {
    pub fn pace(self) -> Pace {
        Pace { calls: self.calls, period_s: self.period_s }
    }

    /// Reads an answer's headers; `None` for a limit that is none, such as one without a period.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from f64 saturates"
    )]
    pub(super) fn of(rate: &Rate, at: Timestamp) -> Option<Self> {
        let (calls, period_s) = (rate.limit as u32, rate.period_s.round() as u32);
        (calls > 0 && period_s > 0).then_some(Self { calls, period_s, at })
    }
}

/// Work of a job, and the time that it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedWork {
    pub(super) calls: u64,
    pub(super) points: u64,
    pub(super) took: SignedDuration,
}

impl KnownPace {
    /// # Errors
    /// If the ledger cannot be read.
    pub fn read(archive: &Archive) -> Result<Self, Error> {
        let text = archive.ledger().kept(PACE)?.unwrap_or_default();
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Returns the seconds that so many points take by what was measured; `None`: nothing was.
    pub fn seconds(self, points: u64) -> Option<u64> {
        self.points_per_second.map(|pace| points / pace.max(1))
    }

    /// Keeps a limit that was stated.
    pub(super) fn note_limit(archive: &Archive, limit: StatedLimit) -> Result<(), archive::Error> {
        let known = Self::read(archive).unwrap_or_default();
        Self { limit: Some(limit), ..known }.keep(archive)
    }

    /// Keeps the speed of a job's work, unless it was too little to tell, or a limit may have set its pace.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(super) fn note_work(
        archive: &Archive,
        work: TimedWork,
        own: Option<Pace>,
    ) -> Result<(), Error> {
        let known = Self::read(archive)?;
        let limits = [known.limit.map(StatedLimit::pace), own].into_iter().flatten();
        let limited_s = limits.map(|pace| pace.seconds(work.calls)).max().unwrap_or(0) as f64;
        let took_s = work.took.as_secs_f64();
        if work.points < MEASURED_POINTS_MIN || took_s <= limited_s * HELD_BACK_FACTOR {
            return Ok(());
        }
        let points_per_second = Some((work.points as f64 / took_s.max(f64::MIN_POSITIVE)) as u64);
        Ok(Self { points_per_second, ..known }.keep(archive)?)
    }

    fn keep(self, archive: &Archive) -> Result<(), archive::Error> {
        let text = serde_json::to_string(&self).expect("numbers are always JSON");
        archive.ledger().keep(PACE, &text)
    }
}
