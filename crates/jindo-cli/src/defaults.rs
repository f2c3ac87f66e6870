//! Defaults of all flags. `--help` repeats them, and a test compares the two.

use crate::args::{OutputFormat, ProgressStyle};
use jiff::SignedDuration;
use jindo::plan::Pace;
use jindo::request::Reserve;

/// Directory of an export, and of a plan without a list.
pub(crate) const OUT: &str = "./jindo-export";

/// Directory of a demo.
pub(crate) const DEMO_OUT: &str = "./jindo-demo";

/// End of the range.
pub(crate) const TO: &str = "now";

/// Zone of the files: it has no summer time, and the API speaks it.
pub(crate) const TIMEZONE: &str = "UTC";

/// Seconds between the points of queries without a rollup of their own: cloud crawlers deliver so, and a call of a day serves
/// nothing finer.
pub(crate) const RESOLUTION_S: u32 = 60;

/// Age of the youngest points that are fetched: cloud crawlers need so long to deliver everything.
pub(crate) const SETTLE: SignedDuration = SignedDuration::from_mins(20);

/// Windows fetched sooner than this after their end are fetched again.
pub(crate) const LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);

/// A run without an answer ends after so long.
pub(crate) const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Calls in flight at once.
pub(crate) const CONCURRENCY: u16 = 8;

/// Share of the rate limit that is left to others.
pub(crate) const RESERVE: Reserve = Reserve::NONE;

/// Rate limit of `jindo plan`.
pub(crate) const PLAN_LIMIT: Pace = Pace { calls: 1_600, period_s: 3_600 };

/// Style of the progress on stderr.
pub(crate) const PROGRESS: ProgressStyle = ProgressStyle::Auto;

/// Format of the files.
pub(crate) const FORMAT: OutputFormat = OutputFormat::Csv;

/// Port of the simulator: the system chooses a free one.
pub(crate) const SIMULATOR_PORT: u16 = 0;

/// Rate limit of the simulator's query calls.
pub(crate) const SIMULATOR_LIMIT: Pace = Pace { calls: 3_600, period_s: 3_600 };

/// Time in which the simulator answers.
pub(crate) const SIMULATOR_LATENCY: &str = "0s";

/// Points per series that the simulator serves without coarsening.
pub(crate) const SIMULATOR_CAP: u32 = 1_500;

/// Seed of the simulated organisation.
pub(crate) const SIMULATOR_SEED: u64 = 1;
