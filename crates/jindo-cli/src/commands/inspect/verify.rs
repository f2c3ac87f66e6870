//! `jindo verify`: checks objects against the ledger, coverage against the request, files against both. `--repair` repairs what
//! needs no call. `--refetch` compares a sample with the server; that is in `refetch`.

use crate::args;
use crate::commands::inspect::copy::{self, CopyCounts, FindingLine};
use crate::commands::inspect::refetch::Refetch;
use crate::commands::output::extract::display;
use crate::directory::{check_default, writer};
use crate::disk_space;
use crate::exit_code::Verdict;
use crate::interruption::Interruption;
use crate::render::refetch::RefetchReport;
use crate::render::shell;
use crate::render::units::{count, counted};
use crate::terminal::{self, Lines};
use jindo::archive::{self, Archive, Fault};
use jindo::clock::Clock;
use jindo::extract::{self, CopyReport, CsvTree, Directory, Disk as _, FileFinding, Place, Which};
use jindo::job::DirectoryStatus;
use serde::Serialize;

/// Remedy where the files do not fit.
const NO_ROOM: &str = "the archive itself is repaired; make room and repeat, or write the files elsewhere: \
    jindo extract DIR --out PATH";

/// Result of a verification, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
struct VerifyReport {
    /// A copy without an archive; its rows are those of its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<CopyCounts>,
    objects: u64,
    rows: u64,
    /// Damage, repaired or not.
    findings: Vec<FindingLine>,
    /// False where no request is known: what was asked is not known then, nor whether it is there. Never [`Verdict::Sound`].
    #[serde(rename = "request_known")]
    is_request_known: bool,
    /// Listed queries with gaps.
    queries_with_gaps: u64,
    /// Listed queries that are whole and without a point.
    queries_empty: u64,
    missing_seconds: u64,
    /// Lines of the list that were left out: nothing is fetched for them.
    lines_left_out: u64,
    /// Queries whose files are behind the archive because a run is not finished. Not an error.
    queries_behind: u64,
    /// Tables that are not written yet. Not an error.
    tables_behind: u64,
    /// True if the archive itself is intact or was repaired. Only then is it compared with the server.
    #[serde(skip)]
    sound: bool,
    /// True where ledger and request are gone, and nothing else is wrong: what is there is as written, and what is missing is unknown.
    #[serde(skip)]
    is_loss_alone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refetch: Option<RefetchReport>,
}

/// Runs `jindo verify`. `interruption` is called only with `--refetch`; without calls, a signal ends the process.
pub(crate) fn run(
    command: &args::VerifyArgs,
    clock: &dyn Clock,
    interruption: &dyn Fn() -> anyhow::Result<Interruption>,
) -> anyhow::Result<u8> {
    check_default(command.dir.as_deref(), "verify")?;
    if let Some(report) = of_copy(command)? {
        return answer(&report, command);
    }
    let interruption = command.refetch.sample.map(|_| interruption()).transpose()?;
    // Missing keys are reported before minutes of reading.
    let refetch = Refetch::of(command)?;
    let mut report = if command.repair { repair(command, clock)? } else { look(command)? };
    let mut failure = None;
    if let (Some(refetch), Some(interruption)) = (refetch.filter(|_| report.sound), interruption) {
        let (compared, ended) = refetch.run(clock, &interruption)?;
        (report.refetch, failure) = (Some(compared), ended);
    }
    let code = answer(&report, command)?;
    failure.map_or(Ok(code), Err)
}

/// Prints a report; returns its exit code.
fn answer(report: &VerifyReport, command: &args::VerifyArgs) -> anyhow::Result<u8> {
    let text = if command.json {
        Lines::json(&serde_json::to_string_pretty(report)?)
    } else {
        words(report, command)
    };
    terminal::answer(text)?;
    Ok(report.exit_code())
}

/// Checks a directory that has no archive and is a copy; `None` for any other.
fn of_copy(command: &args::VerifyArgs) -> anyhow::Result<Option<VerifyReport>> {
    let dir = command.dir();
    if !matches!(Archive::read(dir), Err(archive::Error::Absent { .. })) {
        return Ok(None);
    }
    let flags = [("--repair", command.repair), ("--refetch", command.refetch.sample.is_some())];
    let given = flags.into_iter().filter_map(|(flag, is_given)| is_given.then_some(flag));
    let checked = copy::check(dir, &given.collect::<Vec<_>>())?;
    Ok(checked.as_ref().map(VerifyReport::of_copy))
}

fn look(command: &args::VerifyArgs) -> anyhow::Result<VerifyReport> {
    let verified = Archive::verify(command.dir())?;
    let mut report = VerifyReport::of(&verified);
    if report.findings.is_empty() {
        let archive = Archive::read(command.dir())?;
        report.gaps(&archive)?;
        let disk = Directory::of_archive(command.dir());
        let csv = CsvTree::new(&display(&archive, None)?);
        for finding in extract::verify(&archive, &disk, &csv)? {
            report.file(&finding);
        }
    }
    Ok(report)
}

/// Repairs the archive first, because the files are made from it.
fn repair(command: &args::VerifyArgs, clock: &dyn Clock) -> anyhow::Result<VerifyReport> {
    let verified = Archive::repair(command.dir(), &writer(clock))?;
    let mut report = VerifyReport::of(&verified);
    let archive = Archive::open(command.dir(), &writer(clock))?;
    let csv = CsvTree::new(&display(&archive, None)?);
    let disk = Directory::of_archive(command.dir());
    let findings = extract::verify(&archive, &disk, &csv)?;
    let (changed, outdated) = to_make(&findings);
    let is_rebuilt = verified
        .findings
        .iter()
        .any(|finding| matches!(finding.fault, Fault::LedgerLost | Fault::LedgerDamaged));
    let unclaimed = if is_rebuilt {
        // The ledger that knew the files is gone, perhaps with all data that they were made of.
        extract::unmarked(&archive, &disk, &csv)?
    } else {
        match extract::unclaimed(&archive, &disk, &csv) {
            // What is somebody else's is not for a repair to move.
            Err(extract::Error::Occupied { .. }) => Vec::new(),
            unclaimed => unclaimed?,
        }
    };
    let bytes = extract::bytes_to_make(&archive, &disk, &csv, &changed, Which::All)?
        .saturating_add(extract::bytes_to_make(&archive, &disk, &csv, &outdated, Which::Outdated)?);
    disk_space::check_files(bytes, command.dir(), NO_ROOM)?;
    extract::update(&archive, &disk, &csv, &changed, Which::All)?;
    extract::update(&archive, &disk, &csv, &outdated, Which::Outdated)?;
    extract::set_aside(&archive, &disk, &unclaimed)?;
    extract::tables(&archive, &disk, &csv)?;
    for finding in findings {
        report.mended(&finding, &archive, &disk)?;
    }
    report.gaps(&archive)?;
    Ok(report)
}

/// Returns the queries with a damaged file, and those that are merely behind.
fn to_make(findings: &[FileFinding]) -> (Vec<archive::QueryId>, Vec<archive::QueryId>) {
    let (mut changed, mut outdated) = (Vec::new(), Vec::new());
    for finding in findings {
        match finding {
            FileFinding::Missing { query, .. } | FileFinding::Changed { query, .. } => {
                changed.push(*query);
            }
            FileFinding::Outdated { query, .. } | FileFinding::StrayMark { query, .. } => {
                outdated.push(*query);
            }
            FileFinding::Stranger { .. }
            | FileFinding::Table { .. }
            | FileFinding::EarlierTable { .. } => {}
        }
    }
    (changed, outdated)
}

impl VerifyReport {
    fn of(verified: &archive::Verified) -> Self {
        let findings = verified
            .findings
            .iter()
            .map(|finding| {
                let done =
                    finding.mended.as_ref().map_or_else(String::new, |how| format!(" — {how}"));
                let what = format!("archive/{}: {}{done}", finding.name, finding.why);
                FindingLine { what, mended: finding.mended.is_some() }
            })
            .collect();
        let sound = verified.findings.iter().all(|finding| finding.mended.is_some());
        let (objects, rows) = (verified.objects, verified.rows);
        let is_request_known = !verified.is_request_lost;
        let is_of_loss = |finding: &archive::ArchiveFinding| {
            finding.mended.is_some() || matches!(finding.fault, Fault::LedgerLost)
        };
        let is_loss_alone = !is_request_known && verified.findings.iter().all(is_of_loss);
        Self { objects, rows, findings, is_request_known, sound, is_loss_alone, ..Self::default() }
    }

    fn of_copy(checked: &CopyReport) -> Self {
        let findings = checked.findings.iter().map(copy::finding).collect();
        Self {
            copy: Some(CopyCounts { files: checked.files }),
            rows: checked.rows,
            findings,
            queries_with_gaps: checked.queries_with_gaps,
            queries_empty: checked.queries_empty,
            lines_left_out: checked.lines_left_out,
            is_request_known: true,
            ..Self::default()
        }
    }

    fn exit_code(&self) -> u8 {
        let is_wrong = self.findings.iter().any(|finding| !finding.mended);
        let directory = if is_wrong && !self.is_loss_alone {
            Verdict::Wrong
        } else if !self.is_request_known
            || self.queries_with_gaps + self.queries_behind + self.tables_behind > 0
        {
            Verdict::Unfinished
        } else {
            Verdict::Sound
        };
        let server = self.refetch.as_ref().map_or(Verdict::Sound, RefetchReport::verdict);
        directory.max(server).code()
    }

    /// Adds a finding about a file. [`VerifyReport::gaps`] must have run before.
    fn file(&mut self, finding: &FileFinding) {
        // The tables come last in a run: a directory with gaps may lack them too.
        let is_early = self.queries_with_gaps > 0 || !self.is_request_known;
        if matches!(finding, FileFinding::Outdated { .. }) {
            self.queries_behind += 1;
        } else if is_early && matches!(finding, FileFinding::Table { .. }) {
            self.tables_behind += 1;
        } else {
            let mended =
                matches!(finding, FileFinding::Stranger { .. } | FileFinding::EarlierTable { .. });
            self.findings.push(FindingLine { what: what(finding), mended });
        }
    }

    /// Adds a finding about a file that was written again since.
    fn mended(
        &mut self,
        finding: &FileFinding,
        archive: &Archive,
        disk: &Directory,
    ) -> anyhow::Result<()> {
        let what = match finding {
            // Its owner was unknown while the ledger was lost, and is known again.
            FileFinding::Stranger { path } if archive.ledger().owner(path)?.is_some() => {
                return Ok(());
            }
            FileFinding::Stranger { path } if !disk.is_taken(path, Place::OfFile)? => {
                format!("{path}: not written by jindo — moved to set-aside/")
            }
            FileFinding::Stranger { .. } => what(finding),
            FileFinding::StrayMark { path, .. } => {
                format!("the ledger named {path:?} as a file of a series — no longer")
            }
            FileFinding::Missing { .. }
            | FileFinding::Changed { .. }
            | FileFinding::Outdated { .. }
            | FileFinding::Table { .. } => format!("{} — written again", what(finding)),
            FileFinding::EarlierTable { path } => {
                format!("{path}: of an earlier version — written again")
            }
        };
        self.findings.push(FindingLine { what, mended: true });
        Ok(())
    }

    /// Adds the gaps of the listed queries.
    fn gaps(&mut self, archive: &Archive) -> anyhow::Result<()> {
        let status = DirectoryStatus::read(archive)?;
        self.queries_with_gaps = status.queries_with_gaps();
        self.queries_empty = status.counts().empty;
        self.missing_seconds = status.missing_seconds();
        self.lines_left_out = status.lines_left_out;
        Ok(())
    }
}

/// Returns a finding about a file in words.
fn what(finding: &FileFinding) -> String {
    match finding {
        FileFinding::Stranger { path } => format!("{path}: not written by jindo, left alone"),
        FileFinding::StrayMark { path, .. } => {
            format!("the ledger names {path:?} as the file of a series, and there is none")
        }
        FileFinding::Missing { path, .. } => format!("{path}: missing"),
        FileFinding::Changed { path, .. } => format!("{path}: changed since it was written"),
        FileFinding::Outdated { written, .. } => format!("files of {written}: not up to date"),
        FileFinding::Table { path } => format!("{path}: differs from the ledger"),
        FileFinding::EarlierTable { path } => {
            format!(
                "{path}: of an earlier version; the next export or extract brings it up to date"
            )
        }
    }
}

fn words(report: &VerifyReport, command: &args::VerifyArgs) -> Lines {
    let mut lines: Vec<_> = report.findings.iter().map(|finding| finding.what.clone()).collect();
    let wrong = report.findings.iter().filter(|finding| !finding.mended).count() as u64;
    let things = counted(wrong, "thing is wrong", "things are wrong");
    if let Some(of_copy) = report.copy {
        let verdict = if wrong == 0 { "all as its tables say" } else { &things };
        lines.extend(copy::words(of_copy, report.rows, verdict));
    } else {
        let objects = counted(report.objects, "file of the archive", "files of the archive");
        let verdict = if wrong == 0 { "all as written" } else { &things };
        lines.push(format!("{objects}, {} rows: {verdict}", count(report.rows)));
    }
    let unfinished = unfinished(report);
    if !report.is_request_known {
        lines.extend(request_lost(command));
    } else if wrong == 0 && unfinished.is_none() {
        let all = if report.copy.is_some() { "its tables name" } else { "was requested" };
        lines.push(format!("everything that {all} is there{}", exceptions(report)));
    }
    lines.extend(unfinished);
    match &report.refetch {
        Some(refetch) => lines.extend(refetch.words()),
        None if command.refetch.sample.is_some() => {
            lines.push(
                "not compared with the server: what is wrong here has to be repaired first".into(),
            );
        }
        None => {}
    }
    if wrong > 0 && report.copy.is_some() {
        lines.push("jindo extract writes it anew from the export's own directory".into());
    } else if wrong > 0 && !command.repair {
        let dir = shell::path(command.dir());
        lines.push(format!(
            "jindo verify {dir} --repair repairs what needs no call; the next export fetches the rest again"
        ));
    }
    lines.into()
}

/// Returns lines for a directory of which no request is known: it holds data, and nothing says which data was wanted.
fn request_lost(command: &args::VerifyArgs) -> [String; 3] {
    let dir = shell::path(command.dir());
    [
        "what was asked is not known: neither the ledger nor archive/request.json has the"
            .to_owned(),
        "last request, so nothing tells whether all of it is there. Name list and range".to_owned(),
        format!("again, what is held is not fetched twice: jindo export LIST --from T --out {dir}"),
    ]
}

/// Returns the exceptions of a directory that is whole; empty without any.
fn exceptions(report: &VerifyReport) -> String {
    let left_out = (report.lines_left_out > 0).then(|| {
        let lines = counted(report.lines_left_out, "line was", "lines were");
        format!("; {lines} left out of the list, see queries.csv")
    });
    let empty = (report.queries_empty > 0).then(|| {
        let queries = counted(report.queries_empty, "query is", "queries are");
        format!("; {queries} empty (the server has nothing), see queries.csv")
    });
    left_out.into_iter().chain(empty).collect()
}

/// Returns a line about what is still to be fetched or written, if anything is.
fn unfinished(report: &VerifyReport) -> Option<String> {
    let gaps = counted(report.queries_with_gaps, "query", "queries");
    let behind = counted(report.queries_behind, "query", "queries");
    if report.copy.is_some() && report.queries_with_gaps > 0 {
        return Some(format!(
            "{gaps} with gaps, see gaps.csv: the archive did not hold more when this was written"
        ));
    }
    Some(match (report.queries_with_gaps, report.queries_behind, report.tables_behind) {
        (0, 0, 0) => return None,
        (0, 0, _) => {
            "the tables are still to be written; the next export or extract writes them".into()
        }
        (0, _, _) => {
            format!("files of {behind} are still to be written; the next export writes them")
        }
        (_, 0, 0) => format!("{gaps} with gaps, see gaps.csv; the next export fetches them"),
        (_, 0, _) => {
            format!("the export is not finished: {gaps} with gaps; the next export fetches them")
        }
        (_, _, _) => format!(
            "the export is not finished: {gaps} with gaps, files of {behind} still to be written; the next export continues"
        ),
    })
}
