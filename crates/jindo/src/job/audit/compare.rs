//! Comparison of one series, point by point and bit by bit: the server's points beside the archive's. Pure.

use crate::plan::Window;
use std::cmp::Ordering;

/// Way in which a point differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// Only the server has it: it was reported after the window was fetched.
    Late,
    /// Both have it, with other bits.
    Changed,
    /// Only the archive has it.
    Gone,
}

/// A point that differs. Not [`PartialEq`]: two NaN, or 0.0 and -0.0, would be taken for what they are not.
#[derive(Debug, Clone, Copy)]
pub struct PointDifference {
    pub kind: DifferenceKind,
    /// Start of its interval, Unix milliseconds.
    pub ts_ms: i64,
    /// In the archive.
    pub held: Option<f64>,
    /// By the server, now.
    pub served: Option<f64>,
}

/// The points of one series: Unix milliseconds, strictly ascending, and as many values.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SeriesPoints<'a> {
    pub(super) ts_ms: &'a [i64],
    pub(super) values: &'a [f64],
}

impl SeriesPoints<'_> {
    /// Those within the window.
    pub(super) fn within(self, window: Window) -> Self {
        let from = self.ts_ms.partition_point(|&at| at < window.start().as_millisecond());
        let until = self.ts_ms.partition_point(|&at| at < window.end().as_millisecond());
        Self { ts_ms: &self.ts_ms[from..until], values: &self.values[from..until] }
    }

    fn get(self, at: usize) -> Option<(i64, f64)> {
        Some((*self.ts_ms.get(at)?, self.values[at]))
    }
}

/// Calls `each` with every point that differs, in the order of time; returns the number of different times compared.
pub(super) fn compare(
    held: SeriesPoints<'_>,
    served: SeriesPoints<'_>,
    each: &mut dyn FnMut(PointDifference),
) -> u64 {
    let (mut own, mut other, mut times) = (0, 0, 0);
    loop {
        let order = match (held.get(own), served.get(other)) {
            (None, None) => return times,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((held_ms, _)), Some((served_ms, _))) => held_ms.cmp(&served_ms),
        };
        let has_own = if order == Ordering::Greater { None } else { held.get(own) };
        let has_other = if order == Ordering::Less { None } else { served.get(other) };
        let point = |kind, ts_ms| PointDifference {
            kind,
            ts_ms,
            held: has_own.map(|(_, value)| value),
            served: has_other.map(|(_, value)| value),
        };
        match (has_own, has_other) {
            (Some((ts_ms, _)), None) => each(point(DifferenceKind::Gone, ts_ms)),
            (None, Some((ts_ms, _))) => each(point(DifferenceKind::Late, ts_ms)),
            (Some((ts_ms, held)), Some((_, served))) if held.to_bits() != served.to_bits() => {
                each(point(DifferenceKind::Changed, ts_ms));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        own += usize::from(has_own.is_some());
        other += usize::from(has_other.is_some());
        times += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::Write as _;

    /// Returns the differences between two series of (second, value), a line each, and how many times there are.
    fn told(held: &[(i64, f64)], served: &[(i64, f64)]) -> (String, u64) {
        let split = |points: &[(i64, f64)]| -> (Vec<i64>, Vec<f64>) {
            points.iter().map(|(s, value)| (s * 1000, value)).unzip()
        };
        let (held, served) = (split(held), split(served));
        let mut text = String::new();
        let times = compare(
            SeriesPoints { ts_ms: &held.0, values: &held.1 },
            SeriesPoints { ts_ms: &served.0, values: &served.1 },
            &mut |PointDifference { kind, ts_ms, held, served }| {
                writeln!(text, "{kind:?} at {}: {held:?} {served:?}", ts_ms / 1000).unwrap();
            },
        );
        (text, times)
    }

    fn check(held: &[(i64, f64)], served: &[(i64, f64)], expected: &Expect) {
        expected.assert_eq(&told(held, served).0);
    }

    #[test]
    fn equal_bits_are_equal_and_nothing_else_is() {
        check(&[], &[], &expect![[""]]);
        check(&[(0, 1.5), (60, -0.0)], &[(0, 1.5), (60, -0.0)], &expect![[""]]);
        check(
            &[(0, 0.0), (60, 5e-324), (120, 0.1)],
            &[(0, -0.0), (60, 0.0), (120, 0.100_000_000_000_000_02)],
            &expect![[r#"
                Changed at 0: Some(0.0) Some(-0.0)
                Changed at 60: Some(5e-324) Some(0.0)
                Changed at 120: Some(0.1) Some(0.10000000000000002)
            "#]],
        );
    }

    #[test]
    fn what_one_side_has_alone_is_late_or_gone() {
        check(
            &[(60, 1.0), (120, 2.0), (240, 4.0)],
            &[(0, 0.0), (120, 2.5), (180, 3.0), (240, 4.0), (300, 5.0)],
            &expect![[r#"
                Late at 0: None Some(0.0)
                Gone at 60: Some(1.0) None
                Changed at 120: Some(2.0) Some(2.5)
                Late at 180: None Some(3.0)
                Late at 300: None Some(5.0)
            "#]],
        );
        check(&[(60, 1.0)], &[], &expect![["Gone at 60: Some(1.0) None\n"]]);
    }

    #[test]
    fn only_what_lies_in_the_window_counts() {
        let window = Window::from_secs(60, 180).unwrap();
        let points =
            SeriesPoints { ts_ms: &[0, 60_000, 120_000, 180_000], values: &[0.0, 1.0, 2.0, 3.0] };
        assert_eq!(points.within(window).ts_ms, [60_000, 120_000]);
        assert_eq!(points.within(window).values, [1.0, 2.0]);
        assert_eq!(SeriesPoints::default().within(window).ts_ms, [0_i64; 0]);
    }

    fn series() -> impl Strategy<Value = BTreeMap<i64, u8>> {
        prop::collection::btree_map(0..40_i64, 0..3_u8, 0..30)
    }

    proptest! {
        /// Against the plainest way to say it.
        #[test]
        fn every_time_of_either_side_is_compared_once(held in series(), served in series()) {
            let times: BTreeSet<i64> = held.keys().chain(served.keys()).copied().collect();
            let value = |points: &BTreeMap<i64, u8>, at| points.get(&at).copied().map(f64::from);
            let mut expected = String::new();
            for &at in &times {
                let (held, served) = (value(&held, at), value(&served, at));
                let kind = match (held, served) {
                    (None, _) => "Late",
                    (_, None) => "Gone",
                    _ if held != served => "Changed",
                    _ => continue,
                };
                writeln!(expected, "{kind} at {at}: {held:?} {served:?}").unwrap();
            }
            let list = |points: &BTreeMap<i64, u8>| -> Vec<(i64, f64)> {
                points.iter().map(|(&at, &value)| (at, f64::from(value))).collect()
            };
            let (text, count) = told(&list(&held), &list(&served));
            prop_assert_eq!(text, expected);
            prop_assert_eq!(count, times.len() as u64);
        }
    }
}
