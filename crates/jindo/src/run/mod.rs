//! The loop: a pure machine decides, a driver performs.
//!
//! [`Machine`] maps (state, event, now) to actions and touches nothing; whoever drives it (the real driver, a simulation on
//! a virtual clock) performs the actions and feeds back what happened.

mod action;
mod answers;
mod diagnosis;
mod machine;
mod subject;

pub use action::{Action, Ask, Call, End, Event, Facts, Form, Progress, Settings};
pub use machine::Machine;

#[cfg(test)]
mod tests;
