//! The rows of a series' file: `date,values`. Pure: bytes in memory, no disk, no clock; the zone is handed in.
//!
//! `date` is the start of the bucket in the zone asked, and has one shape per zone: `YYYY-MM-DD HH:MM:SS` where clocks have not
//! changed since 2000 and are not going to; elsewhere every row carries its offset (`2021-11-07 01:30:00-04:00`), since an hour is
//! written twice when clocks go back.
//! `value` is the shortest decimal that reads back to the same f64: `17.0`, `0.1`, `-0.0`, `1e300`, `5e-324`; plain from
//! 1e-5 up to 1e16, with an exponent beyond.

use crate::plan::{DAY_S, Window};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use std::fmt::Write as _;

/// The first line of every series' file.
pub(super) const HEADER: &[u8] = b"date,values\n";

/// A row that no other is shorter than.
pub(super) const SHORTEST_ROW: &[u8] = b"2021-12-12 00:00:00,0.0\n";

/// Below it a value is spelled without a positive exponent, which would be written `e+16` and is shorter as `e16`.
const PLAIN_BELOW: f64 = 1e16;

/// Unix seconds of 2000-01-01: older points than that do not exist, so that older changes of clocks do not matter.
const CLOCKS_KNOWN_SINCE_S: i64 = 946_684_800;

/// A zone's offsets over a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calendar {
    /// Offsets with the Unix seconds from which on they hold: ascending, never empty; the first holds from the beginning of time.
    periods: Vec<(i64, Offset)>,
    /// `date` carries its offset.
    shows_offset: bool,
}

impl Calendar {
    /// Finds the offsets of a zone within `range`, which is the same for two runs of one request, whatever was fetched
    /// between.
    pub(super) fn new(zone: &TimeZone, range: Window) -> Self {
        let later = zone.following(range.start()).take_while(|to| to.timestamp() < range.end());
        let later = later.filter(|to| to.timestamp() > range.start());
        let mut periods = vec![(i64::MIN, zone.to_offset(range.start()))];
        periods.extend(later.map(|change| (change.timestamp().as_second(), change.offset())));
        periods.dedup_by_key(|(_, offset)| *offset);
        Self { periods, shows_offset: changes_clocks(zone) }
    }

    /// Spells the offsets, for the digest of what files were made from. Archives have such digests: the spelling stays.
    pub(super) fn spelled(&self) -> String {
        let period = |(from_s, offset): &(i64, Offset)| {
            let suffix = self.suffix(*offset);
            format!("Stretch {{ from_s: {from_s}, offset: {offset:?}, suffix: {suffix:?} }}")
        };
        let periods: Vec<_> = self.periods.iter().map(period).collect();
        format!("Calendar {{ stretches: [{}] }}", periods.join(", "))
    }

    /// Returns the part of `date` behind the time of day: empty in a zone that keeps one offset.
    fn suffix(&self, offset: Offset) -> String {
        if self.shows_offset { spelled(offset) } else { String::new() }
    }
}

/// Returns true if clocks of the zone have changed since 2000, or are going to by the rules of today.
fn changes_clocks(zone: &TimeZone) -> bool {
    let since =
        Timestamp::from_second(CLOCKS_KNOWN_SINCE_S).expect("it lies within the range of times");
    let kept = zone.to_offset(since);
    zone.following(since).any(|change| change.offset() != kept)
}

/// `+05:45`, `-04:00`; seconds only where a zone had them (local mean time, before 1920 or so).
fn spelled(offset: Offset) -> String {
    let secs = offset.seconds().unsigned_abs();
    let sign = if offset.is_negative() { '-' } else { '+' };
    let mut text = format!("{sign}{:02}:{:02}", secs / 3_600, secs / 60 % 60);
    if !secs.is_multiple_of(60) {
        write!(text, ":{:02}", secs % 60).expect("a String takes any text");
    }
    text
}

/// Writer of rows that remembers the day: its date is spelled once, not per row.
pub(super) struct Rows {
    calendar: Calendar,
    /// The local day that `date` spells, valid for `[from_s, until_s)`.
    from_s: i64,
    until_s: i64,
    /// Unix seconds of the local midnight that day, at that offset.
    midnight_s: i64,
    date: String,
    suffix: String,
    digits: zmij::Buffer,
}

impl Rows {
    pub(super) fn new(calendar: Calendar) -> Self {
        let (date, suffix, digits) = (String::new(), String::new(), zmij::Buffer::new());
        Self { calendar, from_s: 0, until_s: 0, midnight_s: 0, date, suffix, digits }
    }

    /// Appends one row per point. `ts_ms` are whole seconds within [`Timestamp`]'s range and as many as `values`, which are
    /// finite; quickest when they ascend.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, ts_ms: &[i64], values: &[f64]) {
        assert_eq!(ts_ms.len(), values.len(), "a column is shorter than the other");
        out.reserve(ts_ms.len() * 40);
        for (ts_ms, value) in ts_ms.iter().zip(values) {
            let at_s = ts_ms.div_euclid(1_000);
            if at_s < self.from_s || self.until_s <= at_s {
                self.begin_day(at_s);
            }
            out.extend_from_slice(self.date.as_bytes());
            out.extend_from_slice(&time_of_day(at_s - self.midnight_s));
            out.extend_from_slice(self.suffix.as_bytes());
            out.push(b',');
            let text = self.digits.format(*value);
            // Searched in large values only: the search costs as much as the spelling.
            let large = if value.abs() < PLAIN_BELOW { None } else { text.split_once("e+") };
            match large {
                Some((digits, exponent)) => out.extend([digits, "e", exponent].concat().bytes()),
                None => out.extend_from_slice(text.as_bytes()),
            }
            out.push(b'\n');
        }
    }

    /// Moves to the local day of `ts_s`.
    fn begin_day(&mut self, ts_s: i64) {
        let periods = &self.calendar.periods;
        let next = periods.partition_point(|(from_s, _)| *from_s <= ts_s);
        let until_s = periods.get(next).map_or(i64::MAX, |(from_s, _)| *from_s);
        let (period_from_s, offset) = periods[next.max(1) - 1];
        let offset_s = i64::from(offset.seconds());
        self.midnight_s = (ts_s + offset_s).div_euclid(DAY_S) * DAY_S - offset_s;
        self.from_s = self.midnight_s.max(period_from_s);
        self.until_s = (self.midnight_s + DAY_S).min(until_s);
        self.suffix = self.calendar.suffix(offset);
        let at =
            Timestamp::from_second(ts_s).expect("a point lies within a window, made of timestamps");
        self.date.clear();
        write!(self.date, "{} ", offset.to_datetime(at).date()).expect("a String takes any text");
    }
}

/// `HH:MM:SS` of seconds since midnight, below one day.
fn time_of_day(secs: i64) -> [u8; 8] {
    const PAIRS: &[u8; 120] = b"000102030405060708091011121314151617181920212223242526272829\
        303132333435363738394041424344454647484950515253545556575859";
    let mut text = *b"00:00:00";
    for (at, number) in [(0, secs / 3_600), (3, secs / 60 % 60), (6, secs % 60)] {
        let pair = 2 * usize::try_from(number).expect("a time of day is positive");
        text[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn rows(zone: &str, range: [&str; 2], every_s: u16) -> String {
        let [start, end] = range.map(|at| at.parse::<Timestamp>().unwrap());
        let window = Window::new(start, end).unwrap();
        let calendar = Calendar::new(&TimeZone::get(zone).unwrap(), window);
        let ts_ms: Vec<i64> = (window.start_s()..window.end_s())
            .step_by(usize::from(every_s))
            .map(|s| s * 1_000)
            .collect();
        let values: Vec<f64> = (0_u16..).map(f64::from).take(ts_ms.len()).collect();
        let mut out = Vec::new();
        Rows::new(calendar).append(&mut out, &ts_ms, &values);
        String::from_utf8(out).unwrap()
    }

    fn check(zone: &str, range: [&str; 2], every_s: u16, expect: &Expect) {
        expect.assert_eq(&rows(zone, range, every_s));
    }

    #[test]
    fn a_zone_has_one_shape_of_date_whatever_the_range() {
        check(
            "UTC",
            ["2021-12-31T23:59:30Z", "2022-01-01T00:01:00Z"],
            30,
            &expect![[r#"
            2021-12-31 23:59:30,0.0
            2022-01-01 00:00:00,1.0
            2022-01-01 00:00:30,2.0
        "#]],
        );
        check(
            "Asia/Seoul",
            ["2021-12-11T14:59:00Z", "2021-12-11T15:01:00Z"],
            60,
            &expect![[r#"
                2021-12-11 23:59:00,0.0
                2021-12-12 00:00:00,1.0
            "#]],
        );
        check(
            "Asia/Kathmandu",
            ["2021-12-11T18:14:00Z", "2021-12-11T18:16:00Z"],
            60,
            &expect![[r#"
                2021-12-11 23:59:00,0.0
                2021-12-12 00:00:00,1.0
            "#]],
        );
        check(
            "America/New_York",
            ["2021-11-07T06:00:00Z", "2021-11-07T08:00:00Z"],
            3_600,
            &expect![[r#"
                2021-11-07 01:00:00-05:00,0.0
                2021-11-07 02:00:00-05:00,1.0
            "#]],
        );
    }

    #[test]
    fn a_change_within_the_range_is_written_in_every_row() {
        check(
            "America/New_York",
            ["2021-11-07T04:30:00Z", "2021-11-07T07:00:00Z"],
            1_800,
            &expect![[r#"
                2021-11-07 00:30:00-04:00,0.0
                2021-11-07 01:00:00-04:00,1.0
                2021-11-07 01:30:00-04:00,2.0
                2021-11-07 01:00:00-05:00,3.0
                2021-11-07 01:30:00-05:00,4.0
            "#]],
        );
        check(
            "America/New_York",
            ["2022-03-13T06:30:00Z", "2022-03-13T07:30:00Z"],
            1_800,
            &expect![[r#"
                2022-03-13 01:30:00-05:00,0.0
                2022-03-13 03:00:00-04:00,1.0
            "#]],
        );
        check(
            "Australia/Lord_Howe",
            ["2022-04-02T14:30:00Z", "2022-04-02T15:45:00Z"],
            900,
            &expect![[r#"
                2022-04-03 01:30:00+11:00,0.0
                2022-04-03 01:45:00+11:00,1.0
                2022-04-03 01:30:00+10:30,2.0
                2022-04-03 01:45:00+10:30,3.0
                2022-04-03 02:00:00+10:30,4.0
            "#]],
        );
        check(
            "Europe/Amsterdam",
            ["1937-06-30T22:00:00Z", "1937-07-01T00:00:00Z"],
            3_600,
            &expect![[r#"
                1937-06-30 23:19:32+01:19:32,0.0
                1937-07-01 00:20:00+01:20,1.0
            "#]],
        );
    }

    /// A whole year in a zone that changes twice: every row is what the calendar itself would write.
    #[test]
    fn rows_agree_with_the_calendar() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let text =
            rows("America/New_York", ["2021-01-01T00:00:00Z", "2022-01-01T00:00:00Z"], 5_400);
        let start: Timestamp = "2021-01-01T00:00:00Z".parse().unwrap();
        for (row, line) in (0_i64..).zip(text.lines()) {
            let at = Timestamp::from_second(start.as_second() + row * 5_400).unwrap();
            let date = at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z,").to_string();
            assert!(line.starts_with(&date), "{line} is no {date}");
        }
    }

    fn spelled(value: f64) -> String {
        let calendar = Calendar::new(&TimeZone::UTC, Window::from_secs(0, 60).unwrap());
        let mut out = Vec::new();
        Rows::new(calendar).append(&mut out, &[0], &[value]);
        let text = String::from_utf8(out).unwrap();
        text.trim_end().strip_prefix("1970-01-01 00:00:00,").unwrap().to_owned()
    }

    /// Another exporter: `%f` kept six decimals, and `if not data_point` made 0.0 a blank.
    #[test]
    fn regression_values_keep_all_their_digits() {
        let written = "0 -0.0 17 0.1 1E-12 1e-5 0.000001 1e15 1e16 1e300 -1.5e-7 5e-324 1.7976931348623157e308 \
                       52.266434812304276 12345678.9 0.001 123456789012345680";
        let spelled: Vec<String> =
            written.split(' ').map(|value| spelled(value.parse().unwrap())).collect();
        expect!["0.0 -0.0 17.0 0.1 1e-12 0.00001 1e-6 1000000000000000.0 1e16 1e300 -1.5e-7 5e-324 1.7976931348623157e308 52.266434812304276 12345678.9 0.001 1.2345678901234568e17"].assert_eq(&spelled.join(" "));
    }

    proptest! {
        #[test]
        fn values_read_back_to_the_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(spelled(value).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
