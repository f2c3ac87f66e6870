//! Failures on this machine that end a set of calls.

use std::io;

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
}

impl Error {
    /// Returns the failure itself, whose kind tells what to do about it.
    pub fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Log(error) => error,
            Self::Archive(error) => error,
            Self::Files(error) => &**error,
        }
    }
}
