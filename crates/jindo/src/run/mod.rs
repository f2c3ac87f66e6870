//! The loop: a pure machine decides, a driver performs.
//!
//! [`Machine`] maps (state, event, now) to actions and touches nothing; whoever drives it (the real driver, a simulation on
//! a virtual clock) performs the actions and feeds back what happened.

mod action;
mod answers;
mod diagnosis;
mod driver;
mod log;
mod machine;
mod report;
mod resume;
mod shelf;
mod subject;

pub use action::{Action, Ask, Call, End, Event, Facts, Form, Progress, Settings};
pub use driver::{Doors, Mission, Outcome, drive, note, with_causes};
pub use log::RunLog;
pub use machine::Machine;
pub use report::Report;
pub use resume::{as_registered, closed, learnt_limits};
pub use shelf::{Shelf, list};

#[cfg(test)]
mod tests;
