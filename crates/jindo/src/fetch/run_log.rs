//! The door to `runs/`: one file a run, one line of JSON a call. A receipt to read, never read back.

use super::protocol::Call;
use crate::archive::Role;
use crate::path_guard::{Opening, PathKind, look, open};
use jiff::Timestamp;
use serde::Serialize;
use std::fs::{File, create_dir_all};
use std::io::{self, Write};
use std::path::Path;

/// Writes one run's lines as they come; a line is whole in the file before the next call is decided.
#[derive(Debug)]
pub struct RunLog {
    /// `None` where no file can be made; else its name below the directory, for errors.
    file: Option<(File, String)>,
    /// Calls of the run that were made before: numbers go on from there.
    calls_before: u64,
}

/// A call that came to its end, as its line tells it.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    pub at: Timestamp,
    /// In the file numbered within the run.
    pub call: Call,
    /// Only of what is asked aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub interval_seconds: i64,
    pub queries: Vec<&'a str>,
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub points: u64,
    pub attempts: u32,
    pub milliseconds: i64,
    pub budget_left: Option<u64>,
}

impl RunLog {
    /// Opens `runs/<start>.ndjson` below `dir`, where the run has made so many calls already. The name holds no colon: Windows has none in names.
    pub fn create(dir: &Path, start: Timestamp, calls_before: u64) -> io::Result<Self> {
        let name = format!("runs/{}.ndjson", start.strftime("%Y-%m-%dT%H-%M-%S%.3fZ"));
        look(dir, "runs", PathKind::Folder)?;
        create_dir_all(dir.join("runs"))?;
        let file = open(dir, &name, Opening::Append)?;
        Ok(Self { file: Some((file, name)), calls_before })
    }

    /// For a run that only looks, on a medium that cannot be written.
    pub fn nowhere() -> Self {
        Self { file: None, calls_before: 0 }
    }

    /// Notes the end of a call.
    pub(super) fn call(&mut self, mut line: Line<'_>) -> io::Result<()> {
        let Some((file, name)) = &mut self.file else { return Ok(()) };
        line.call += self.calls_before;
        let mut text = serde_json::to_string(&line).map_err(io::Error::other)?;
        text.push('\n');
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
        file.write_all(text.as_bytes()).map_err(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn no_log_is_written_through_a_link() {
        for place in ["runs", "runs/1970-01-01T00-00-00.000Z.ndjson"] {
            let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            if place != "runs" {
                create_dir_all(dir.path().join("runs")).unwrap();
            }
            std::os::unix::fs::symlink(outside.path(), dir.path().join(place)).unwrap();
            let refused = RunLog::create(dir.path(), Timestamp::UNIX_EPOCH, 0).unwrap_err();
            assert!(refused.to_string().contains("is a symbolic link"), "{refused}");
            assert_eq!(outside.path().read_dir().unwrap().count(), 0);
        }
    }
}
