//! `jindo extract`: writes the files again from the archive, or any part of it elsewhere. Makes no call and needs no keys.

use crate::args;
use crate::defaults;
use crate::directory::{check_default, writer};
use crate::disk_space;
use crate::exit_code;
use crate::interruption::{self, Interruption};
use crate::render::errors::Usage;
use crate::render::export::of_job;
use crate::render::units::{count, counted};
use crate::request;
use crate::terminal;
use crate::time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{Archive, Error, Request};
use jindo::clock::Clock;
use jindo::extract::{
    self, ArchivePart, CsvTree, Directory, DisplayOptions, QueryGlob, Selection, Which,
};
use jindo::job::Files;

/// Remedy where the files do not fit.
const NO_ROOM: &str =
    "make room, or write a part elsewhere: jindo extract DIR --out PATH --query GLOB --from TIME";

pub(crate) fn run(
    command: &args::ExtractArgs,
    clock: &dyn Clock,
    interruption: &Interruption,
) -> anyhow::Result<u8> {
    check_default(command.dir.as_deref(), "extract")?;
    let args::OutputFormat::Csv = command.format.unwrap_or(defaults::FORMAT);
    let summary = if let Some(out) = &command.out {
        let archive = Archive::read(command.dir())?;
        let display = display(&archive, command.timezone.as_deref())?;
        let selection = selection(command, &archive, &display.zone, clock.now())?;
        let csv = CsvTree::new(&display);
        disk_space::check_files(extract::bytes_to_copy(&archive, &csv, &selection)?, out, NO_ROOM)?;
        extract::copy(&archive, &Directory::of_copy(out), &csv, &selection)?
    } else {
        if [&command.from, &command.to, &command.query].into_iter().any(Option::is_some) {
            return Err(Usage::new("--from, --to and --query select a part, which is written elsewhere")
                .hint("name a place by --out PATH; another range or list for the directory itself is an export's: jindo export")
                .into());
        }
        // A mistyped name must not become a directory.
        drop(Archive::read(command.dir())?);
        let archive = match Archive::open(command.dir(), &writer(clock)) {
            // An export is fetching: what it has fetched so far can be shown all the same, but in the zone that it writes.
            Err(Error::Busy { .. } | Error::LockedByOther { .. }) if command.timezone.is_none() => {
                Archive::beside(command.dir())?
            }
            opened => {
                let archive = opened?;
                rezone(&archive, command.timezone.as_deref())?;
                archive
            }
        };
        let display = display(&archive, None)?;
        let (disk, csv) = (Directory::of_archive(command.dir()), CsvTree::new(&display));
        let unclaimed = &extract::unclaimed(&archive, &disk, &csv)?;
        let queries = extract::with_files(&archive, &csv)?;
        let bytes = extract::bytes_to_make(&archive, &disk, &csv, &queries, Which::Outdated)?;
        disk_space::check_files(bytes, command.dir(), NO_ROOM)?;
        let interrupted = interruption.flag();
        let files = Files { archive: &archive, disk: &disk, csv: &csv, unclaimed, interrupted };
        let worded = |error| of_job(error, &display.zone);
        let Some(summary) = files.update_all().map_err(worded)? else {
            terminal::remark(interruption::EXTRACT_CONTINUES);
            return Ok(exit_code::INTERRUPTED);
        };
        summary
    };
    let place = command.out.as_deref().unwrap_or(command.dir()).display();
    terminal::answer(format!(
        "{} of {}, {} points, in {place}/csv/; {place}/series.csv says what each file is",
        counted(summary.series, "series", "series"),
        counted(summary.queries, "query", "queries"),
        count(summary.points),
    ))?;
    terminal::answer(missing(&summary, &place.to_string()))?;
    Ok(0)
}

/// Returns the part of the archive that the flags select; without them what was asked last.
fn selection(
    command: &args::ExtractArgs,
    archive: &Archive,
    zone: &TimeZone,
    now: Timestamp,
) -> anyhow::Result<Selection> {
    let time = |text: &Option<String>, flag: &str| {
        for note in text.iter().filter_map(|text| time::day_first(text)) {
            terminal::remark(format!("{flag}: {note}"));
        }
        text.as_deref().map(|text| request::time_of(flag, text, zone, now)).transpose()
    };
    let part = ArchivePart {
        from: time(&command.from, "--from")?,
        to: time(&command.to, "--to")?,
        query: command.query.clone().map(QueryGlob),
    };
    if part.from.zip(part.to).is_some_and(|(from, to)| from >= to) {
        return Err(Usage::new("the range is empty: --to is not after --from").into());
    }
    if let Some(glob) = &part.query {
        let queries = archive.ledger().queries()?;
        if !queries.iter().any(|query| glob.matches(&query.text.written)) {
            return Err(Usage::new(format!("no query of {} is {}", command.dir().display(), glob.0))
                .hint("the whole query is compared, as written in the list: --query '*cpu*' takes all that hold cpu")
                .into());
        }
    }
    Ok(if part == ArchivePart::default() { Selection::LastRequest } else { Selection::Part(part) })
}

/// Returns a line for each restriction that a recipient of the files should know.
fn missing(summary: &extract::Summary, place: &str) -> Vec<String> {
    let gaps = counted(summary.partial + summary.given_up, "query", "queries");
    let lines = counted(summary.refused, "line was", "lines were");
    let empty = counted(summary.empty, "query is", "queries are");
    let all = [
        (summary.empty, format!("{empty} empty (the server has nothing), see {place}/queries.csv")),
        (summary.partial + summary.given_up, format!("{gaps} with gaps, see {place}/gaps.csv")),
        (summary.refused, format!("{lines} left out of the list, see {place}/queries.csv")),
    ];
    all.into_iter().filter(|(number, _)| *number > 0).map(|(_, line)| line).collect()
}

/// Makes the zone the directory's own: the next export and `verify` go by it.
fn rezone(archive: &Archive, timezone: Option<&str>) -> anyhow::Result<()> {
    let (Some(name), Some(request)) = (timezone, archive.ledger().request()?) else {
        return Ok(());
    };
    let timezone = display(archive, Some(name))?.timezone;
    let arguments = request::in_zone(&request, &timezone)?;
    Ok(archive.register(&Request { timezone, arguments, ..request })?)
}

/// Returns the zone asked for, else that of the directory's last request.
pub(crate) fn display(archive: &Archive, timezone: Option<&str>) -> anyhow::Result<DisplayOptions> {
    let last =
        archive.ledger().request()?.map_or_else(|| "UTC".to_owned(), |request| request.timezone);
    let name = timezone.unwrap_or(&last);
    let zone =
        time::zone(name).ok_or_else(|| Usage::new(format!("`{name}` is not a time zone")))?;
    let timezone = zone.iana_name().unwrap_or(name).to_owned();
    Ok(DisplayOptions { zone, timezone })
}
