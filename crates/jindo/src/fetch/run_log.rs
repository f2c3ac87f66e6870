//! The door to `runs/`: one file a run, one line of JSON a call. A receipt to read, never read back.

use super::protocol::{Ask, Call};
use crate::archive::Role;
use crate::path_guard::{PathKind, look};
use crate::plan::Plan;
use crate::request::Failure;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::fs::{File, OpenOptions, create_dir_all};
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

/// A call that came to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    pub(super) at: Timestamp,
    pub(super) call: Call,
    pub(super) role: Role,
    pub(super) ask: &'a Ask,
    /// Its points, or what went wrong.
    pub(super) outcome: Result<u64, &'a Failure>,
    pub(super) took: SignedDuration,
    pub(super) budget_left: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Timestamp,
    call: u64,
    /// Only of what is asked aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    start: Timestamp,
    end: Timestamp,
    interval_seconds: i64,
    queries: Vec<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    points: u64,
    attempts: u32,
    milliseconds: i64,
    budget_left: Option<u64>,
}

impl RunLog {
    /// Opens `runs/<start>.ndjson` below `dir`, where the run has made so many calls already. The name holds no colon: Windows has none in names.
    pub fn create(dir: &Path, start: Timestamp, calls_before: u64) -> io::Result<Self> {
        let name = format!("runs/{}.ndjson", start.strftime("%Y-%m-%dT%H-%M-%S%.3fZ"));
        look(dir, &name, PathKind::File)?;
        create_dir_all(dir.join("runs"))?;
        let file = OpenOptions::new().create(true).append(true).open(dir.join(&name))?;
        Ok(Self { file: Some((file, name)), calls_before })
    }

    /// For a run that only looks, on a medium that cannot be written.
    pub fn nowhere() -> Self {
        Self { file: None, calls_before: 0 }
    }

    /// Notes the end of a call.
    pub(super) fn call(&mut self, plan: &Plan, ended: &Ended<'_>) -> io::Result<()> {
        let Some((file, name)) = &mut self.file else { return Ok(()) };
        let Ended { at, call, role, ask, outcome, took, budget_left } = *ended;
        let line = Line {
            at,
            call: self.calls_before + call,
            role: (role != Role::Wanted).then_some(role),
            start: ask.window.start(),
            end: ask.window.end(),
            interval_seconds: ask.interval.secs(),
            queries: ask
                .queries
                .iter()
                .map(|&query| plan.queries[query].text.written.as_str())
                .collect(),
            outcome: outcome.err().map_or("ok", Failure::name),
            reason: outcome.err().and_then(Failure::words),
            points: outcome.unwrap_or(0),
            attempts: ask.attempt,
            milliseconds: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            budget_left,
        };
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
