//! Times and durations as people write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// Text that is not a time.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a time{}", meant(.text))]
pub(crate) struct TimeError {
    text: String,
}

impl TimeError {
    /// Forms in which a time is read, for a hint.
    pub(crate) const FORMS: &str = "write 2021-12-12, 2021-12-12T06:30, 2021-12-12T06:30:00+09:00, 13/12/2021 (the day first), -90d, -2w, \
        -3mo or -36h (so long ago), today, yesterday, now, or the seconds since 1970";
}

/// Words for the end of the range that moves with the time of the run.
pub(crate) fn is_now(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("now")
}

/// Reads a time; without an offset it is in `zone`. Whole days, weeks, months and years back (`-90d`, `-3 months`) start at midnight in
/// `zone`, because exports are usually of whole days.
pub(crate) fn parse(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, TimeError> {
    let text = text.trim();
    let days_ago = |days: i64| {
        let day = now.to_zoned(zone.clone()).checked_sub(Span::new().days(days)).ok()?;
        Some(day.start_of_day().ok()?.timestamp())
    };
    let back = text.strip_prefix('-').or_else(|| text.strip_suffix(" ago"));
    let found = match text.to_ascii_lowercase().as_str() {
        "now" => whole_second(now),
        "today" => days_ago(0),
        "yesterday" => days_ago(1),
        lower if lower.bytes().all(|byte| byte.is_ascii_digit()) && !is_date(lower) => epoch(lower),
        _ => match back {
            Some(back) => ago(back, zone, now),
            None => absolute(text, zone),
        },
    };
    found.ok_or_else(|| TimeError { text: text.to_owned() })
}

/// Longest time back in whole days: the longest span, and half a day for changes of clocks in between.
const DAYS_BACK_MAX: SignedDuration =
    SignedDuration::from_hours(crate::args::SPAN_MAX.as_hours() + 12);

/// Names of units from a day on: a span of these alone is one of whole days.
const DAY_UNITS: [&str; 16] = [
    "d", "day", "days", "w", "wk", "wks", "week", "weeks", "mo", "mos", "month", "months", "y",
    "yr", "year", "years",
];

fn ago(back: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    // A number without a unit is refused here: it would be read as seconds, and may be meant as days.
    let starts_with_digit = back.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let has_unit = back.bytes().any(|byte| byte.is_ascii_alphabetic());
    if !starts_with_digit || !has_unit || back.ends_with("ago") {
        return None;
    }
    let mut units = back.split(|c: char| !c.is_alphabetic()).filter(|unit| !unit.is_empty());
    let is_of_days = units.all(|unit| DAY_UNITS.contains(&unit));
    let here = now.to_zoned(zone.clone());
    let then = here.checked_sub(back.trim().parse::<Span>().ok()?).ok()?;
    let longest = if is_of_days { DAYS_BACK_MAX } else { crate::args::SPAN_MAX };
    if here.duration_since(&then) > longest {
        return None;
    }
    let then = if is_of_days { then.start_of_day().ok()? } else { then };
    whole_second(then.timestamp())
}

/// Digits of a moment in seconds since 1970, and in milliseconds: of the years 1973 to 2286. Other numbers are years, or typing errors.
const EPOCH_DIGITS: [usize; 2] = [9, 10];
const EPOCH_MS_DIGITS: [usize; 2] = [12, 13];

fn epoch(digits: &str) -> Option<Timestamp> {
    let number = digits.parse::<i64>().ok()?;
    if EPOCH_DIGITS.contains(&digits.len()) {
        return Timestamp::from_second(number).ok();
    }
    let is_ms = EPOCH_MS_DIGITS.contains(&digits.len());
    is_ms.then(|| Timestamp::from_millisecond(number).ok()).flatten().and_then(whole_second)
}

/// Returns true for as many digits as `20211212` has.
fn is_date(digits: &str) -> bool {
    digits.len() == "20211212".len()
}

fn absolute(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return whole_second(at);
    }
    let midnight = |date: Date| date.at(0, 0, 0, 0);
    let local: DateTime = text
        .parse::<Date>()
        .map(midnight)
        .ok()
        .filter(|_| text.len() == "2021-12-12".len())
        .or_else(|| text.parse().ok())
        .or_else(|| DateTime::strptime("%d/%m/%Y %H:%M:%S", text).ok())
        .or_else(|| DateTime::strptime("%d/%m/%Y %H:%M", text).ok())
        .or_else(|| Date::strptime("%d/%m/%Y", text).ok().map(midnight))
        .or_else(|| Date::strptime("%Y/%m/%d", text).ok().map(midnight))?;
    // In a skipped hour the later instant, in a repeated hour the earlier one, as calendars do.
    zone.to_ambiguous_timestamp(local).compatible().ok().and_then(whole_second)
}

/// Returns the day that `09/01/2026` stands for, and the other one that it stands for where the month is first; `None` if it can be read
/// in one way alone, or not at all.
fn two_days(text: &str) -> Option<(Date, Date)> {
    let date = text.split_whitespace().next()?;
    let (day_first, month_first) =
        (Date::strptime("%d/%m/%Y", date).ok()?, Date::strptime("%m/%d/%Y", date).ok()?);
    (day_first != month_first).then_some((day_first, month_first))
}

/// Returns a note on a time that is read otherwise elsewhere: `09/01/2026 is 9 January 2026: the day comes first`.
pub(crate) fn day_first(text: &str) -> Option<String> {
    let (date, _) = two_days(text)?;
    Some(format!("{} is {}: the day comes first", text.trim(), date.strftime("%-d %B %Y")))
}

/// Returns what stands behind a wrong time whose month comes first.
fn meant(text: &str) -> String {
    let date = text.split_whitespace().next().unwrap_or_default();
    let Ok(date) = Date::strptime("%m/%d/%Y", date) else { return String::new() };
    format!(": the day comes first; {} is {date}", date.strftime("%-d %B %Y"))
}

fn whole_second(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second()).ok()
}

/// Returns the zone of an IANA name, or the machine's zone for `local` if it has a name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if name.eq_ignore_ascii_case("local") {
        let zone = TimeZone::try_system().ok()?;
        return zone.iana_name().is_some().then_some(zone);
    }
    TimeZone::get(name).ok()
}

/// Returns the name of the machine's zone, unless that is UTC or has no name.
pub(crate) fn local_zone() -> Option<String> {
    let zone = TimeZone::try_system().ok()?;
    let name = zone.iana_name()?;
    let is_utc = TimeZone::get(name).is_ok_and(|zone| zone == TimeZone::UTC)
        || name.rsplit('/').next().is_some_and(|city| UTC_NAMES.contains(&city));
    (!is_utc).then(|| name.to_owned())
}

/// Names of UTC, alone or below `Etc/`; jiff's `Etc/Unknown` stands for it too.
const UTC_NAMES: [&str; 8] =
    ["UTC", "UCT", "GMT", "GMT0", "Universal", "Zulu", "Greenwich", "Unknown"];

/// Returns `12 Dec 2021 00:00 KST`.
pub(crate) fn in_words(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%-d %b %Y %H:%M %Z").to_string()
}

/// Returns `96 days`, `96 days 1 h`, `3 h 20 min`.
pub(crate) fn length_in_words(length: SignedDuration) -> String {
    let (days, hours, minutes) =
        (length.as_hours() / 24, length.as_hours() % 24, length.as_mins() % 60);
    let parts = [(days, if days == 1 { "day" } else { "days" }), (hours, "h"), (minutes, "min")];
    let shown = parts.iter().filter(|(number, _)| *number > 0);
    let words: Vec<_> = shown.map(|(number, unit)| format!("{number} {unit}")).collect();
    if words.is_empty() { format!("{} s", length.as_secs()) } else { words.join(" ") }
}

/// Returns the time of day `left_s` seconds after `now`: `14:05 KST`, with its date unless that is today.
pub(crate) fn time_of_day(now: Timestamp, left_s: u64, zone: &TimeZone) -> String {
    let left = SignedDuration::from_secs(i64::try_from(left_s).unwrap_or(i64::MAX));
    let today = now.to_zoned(zone.clone());
    let Ok(then) = today.checked_add(left) else { return "never".into() };
    let format = if then.date() == today.date() { "%H:%M %Z" } else { "%-d %b %H:%M %Z" };
    then.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone_name: &str, expected: &str) {
        let now: Timestamp = "2022-03-18T10:11:12Z".parse().unwrap();
        let zone = zone(zone_name).unwrap();
        let found =
            parse(text, &zone, now).map_or_else(|error| error.to_string(), |at| at.to_string());
        assert_eq!(found, expected, "{text} in {zone_name}");
    }

    #[test]
    fn times_are_read_in_the_zone_unless_they_say_otherwise() {
        check("2021-12-12", "UTC", "2021-12-12T00:00:00Z");
        check("2021-12-12", "Asia/Seoul", "2021-12-11T15:00:00Z");
        check("2021-12-12T00:00:00+09:00", "UTC", "2021-12-11T15:00:00Z");
        check("2021-12-12T06:30:00", "Asia/Seoul", "2021-12-11T21:30:00Z");
        check("2021-12-12 06:30", "UTC", "2021-12-12T06:30:00Z");
        check("13/12/2021 00:00:00", "Asia/Seoul", "2021-12-12T15:00:00Z");
        check("13/12/2021", "UTC", "2021-12-13T00:00:00Z");
        check("now", "Asia/Seoul", "2022-03-18T10:11:12Z");
        check("-90d", "UTC", "2021-12-18T00:00:00Z");
        check("-2w", "UTC", "2022-03-04T00:00:00Z");
        check("-2h", "UTC", "2022-03-18T08:11:12Z");
        check("Now ", "UTC", "2022-03-18T10:11:12Z");
        check("today", "Asia/Seoul", "2022-03-17T15:00:00Z");
        check("yesterday", "UTC", "2022-03-17T00:00:00Z");
        check("2021/12/13", "UTC", "2021-12-13T00:00:00Z");
        check("9/1/2022", "UTC", "2022-01-09T00:00:00Z");
        check("1640995200", "Asia/Seoul", "2022-01-01T00:00:00Z");
        check("1640995200123", "UTC", "2022-01-01T00:00:00Z");
        check("-90m", "UTC", "2022-03-18T08:41:12Z");
        check("-1d12h", "UTC", "2022-03-16T22:11:12Z");
        check("2021-03-14 02:30", "America/New_York", "2021-03-14T07:30:00Z");
    }

    /// Each line is one time in several spellings.
    #[test]
    fn a_span_means_the_same_however_it_is_written() {
        let now: Timestamp = "2022-03-18T10:11:12Z".parse().unwrap();
        for (spellings, expected) in [
            ("-90d|-90days|-90 days|-90day|90 days ago|- 90d", "2021-12-18T00:00:00-05:00"),
            ("-2w|-2 w|-2weeks|-2 weeks|-14d|2 weeks ago|-1w7d", "2022-03-04T00:00:00-05:00"),
            ("-3mo|-3 months|-3months|-3mos|3 months ago", "2021-12-18T00:00:00-05:00"),
            ("-1y|-1 year|-1yr|-12mo", "2021-03-18T00:00:00-04:00"),
            ("-36h|-36 hours|-2160min", "2022-03-16T18:11:12-04:00"),
            ("-0d|today|Today|-0 weeks", "2022-03-18T00:00:00-04:00"),
        ] {
            let zone = zone("America/New_York").unwrap();
            for text in spellings.split('|') {
                let found = parse(text, &zone, now).unwrap();
                assert_eq!(found, expected.parse::<Timestamp>().unwrap(), "{text}");
            }
        }
    }

    #[test]
    fn a_date_that_can_be_read_in_two_ways_says_which_day_it_is() {
        let note = |text: &str| day_first(text).unwrap_or_default();
        assert_eq!(note("09/01/2026"), "09/01/2026 is 9 January 2026: the day comes first");
        assert_eq!(
            note("1/9/2026 06:30"),
            "1/9/2026 06:30 is 1 September 2026: the day comes first"
        );
        for plain in ["13/01/2026", "09/09/2026", "2026-01-09", "2026/01/09", "-90d", "x"] {
            assert_eq!(note(plain), "", "{plain}");
        }
        check(
            "12/13/2021",
            "UTC",
            "`12/13/2021` is not a time: the day comes first; 13 December 2021 is 2021-12-13",
        );
        check("32/12/2021", "UTC", "`32/12/2021` is not a time");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        for text in [
            "-2147483647d",
            "-36526d",
            "--5d",
            "-613566757w",
            "",
            "tomorrow",
            "2021",
            "16409952001234567",
            "-90",
            "-1.5d",
            "-3M",
            "-2147483647y",
            "--5d ago",
            "-5d ago",
            "5 days",
            "5 ago",
            "2021-13-01",
            "32/12/2021",
            "-",
            "-xd",
            "12/13/2021",
        ] {
            assert!(parse(text, &TimeZone::UTC, now).is_err(), "{text}");
        }
    }
}
