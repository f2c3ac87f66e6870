//! Times and durations as people write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// Text that is not a time.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is not a time; write 2021-12-12, 2021-12-12T00:00:00+09:00, 13/12/2021 00:00:00 (day first), -90d or now"
)]
pub(crate) struct TimeError {
    text: String,
}

/// Reads a time; without an offset it is in `zone`. Whole days and weeks back (`-90d`) start at midnight in `zone`, because exports
/// are usually of whole days.
pub(crate) fn parse(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, TimeError> {
    let text = text.trim();
    let found = if text == "now" {
        whole_second(now)
    } else if let Some(back) = text.strip_prefix('-') {
        ago(back, zone, now)
    } else {
        absolute(text, zone)
    };
    found.ok_or_else(|| TimeError { text: text.to_owned() })
}

/// Days that a time may be counted back: those of [`crate::args::SPAN_MAX`].
const DAYS_BACK_MAX: i64 = crate::args::SPAN_MAX.as_hours() / 24;

fn ago(back: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let counted = |unit: char| back.strip_suffix(unit).and_then(|count| count.parse::<u32>().ok());
    let weeks = counted('w').map(|weeks| i64::from(weeks) * 7);
    if let Some(days) = counted('d').map(i64::from).or(weeks) {
        let span = Span::new().try_days(days).ok().filter(|_| days <= DAYS_BACK_MAX)?;
        let day = now.to_zoned(zone.clone()).checked_sub(span).ok()?;
        return day.start_of_day().ok().map(|day| day.timestamp());
    }
    // A number without a unit is refused here: it would be read as seconds, and may be meant as days.
    let span =
        crate::args::span(back).ok().filter(|_| !back.bytes().all(|b| b.is_ascii_digit()))?;
    now.checked_sub(span).ok().and_then(whole_second)
}

fn absolute(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return whole_second(at);
    }
    let local: DateTime = text
        .parse::<Date>()
        .map(|date| date.at(0, 0, 0, 0))
        .ok()
        .filter(|_| text.len() == "2021-12-12".len())
        .or_else(|| text.parse().ok())
        .or_else(|| DateTime::strptime("%d/%m/%Y %H:%M:%S", text).ok())
        .or_else(|| DateTime::strptime("%d/%m/%Y %H:%M", text).ok())
        .or_else(|| Date::strptime("%d/%m/%Y", text).ok().map(|date| date.at(0, 0, 0, 0)))?;
    // In a skipped hour the later instant, in a repeated hour the earlier one, as calendars do.
    zone.to_ambiguous_timestamp(local).compatible().ok().and_then(whole_second)
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
        check("2021-03-14 02:30", "America/New_York", "2021-03-14T07:30:00Z");
    }

    #[test]
    fn an_error_says_what_to_write() {
        let now = Timestamp::UNIX_EPOCH;
        for text in [
            "-2147483647d",
            "-36526d",
            "--5d",
            "-613566757w",
            "",
            "yesterday",
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
