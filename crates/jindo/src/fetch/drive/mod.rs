//! Performing: the loop that carries out the machine's actions, the threads that read and store answers, the log of a run.

mod driver;
mod pipeline;
mod run_log;

pub use driver::{Doors, Extract, drive};
pub use run_log::RunLog;
