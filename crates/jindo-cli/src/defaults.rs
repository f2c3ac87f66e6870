//! Defaults that belong to the command line alone. Those of a request stand with its type, `jindo::job::ExportRequest`.
//! `--help` repeats both, and a test compares them.

use crate::args::{OutputFormat, ProgressStyle};
use jindo::plan::Pace;

/// Directory of an export, and of a plan without a list.
pub(crate) const OUT: &str = "./jindo-export";

/// Directory of a demo.
pub(crate) const DEMO_OUT: &str = "./jindo-demo";

/// End of the range.
pub(crate) const TO: &str = "now";

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
