//! The process that holds an archive for writing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Process that writes to an archive; named to a second writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    pub since: Timestamp,
}
