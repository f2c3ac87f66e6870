//! The loop: a pure machine decides, a driver performs.
//!
//! [`Machine`] maps (state, event, now) to actions and touches nothing; whoever drives it (the real driver, a simulation on
//! a virtual clock) performs the actions and feeds back what happened.

mod action;
mod age;
mod answers;
mod course;
mod diagnosis;
mod driver;
mod log;
mod machine;
mod memory;
mod mixed;
mod promise;
mod recheck;
mod report;
mod resume;
mod sampling;
mod shelf;
mod subject;
mod survey;
mod trouble;
mod url;
mod weight;

pub use action::{
    Action, Ask, Breakage, Call, End, Event, Facts, Form, Progress, Settings, with_causes,
};
pub use course::{Course, Crew, Planned, Probed, Probing, ahead};
pub use driver::{Doors, Mission, Outcome, drive, note};
pub use log::RunLog;
pub use machine::Machine;
pub use memory::{Fate, Memory};
pub use promise::Promise;
pub use recheck::{Counts, Difference, Kind, Point, Portion, Recheck, Rechecked, Refused};
pub use report::Report;
pub use resume::{as_registered, closed, closed_without_probes, learnt_limits, recollect};
pub use sampling::{Round, Sampling, Told};
pub use shelf::{Keeping, Shelf, list};
pub use survey::{DISBELIEVED, Evidence, Found};

#[cfg(test)]
mod tests;
