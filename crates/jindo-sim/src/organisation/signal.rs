//! The samples of one source: a value or nothing at each multiple of its spacing, computed in constant time from a hash.
//! No tables, no state, and only +, -, *, / and rounding, so that every machine computes the same bits.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "small whole numbers"
)]

use crate::noise;

const DAY_S: i64 = 86_400;

/// Values that break careless software, in the order [`Shape::Odd`] reports them.
const ODD: [f64; 12] = [
    0.0,
    -0.0,
    5e-324,
    1e300,
    1e-12,
    -1.5,
    52.266_434_812_304_276,
    5e-5,
    0.1,
    123_456_789.123_456_79,
    -1e-7,
    9_007_199_254_740_993.0,
];

/// The samples of one source as a formula.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Seed of the noise and of the missing samples.
    pub seed: u64,
    pub shape: Shape,
    /// Seconds between two samples, at least 1.
    pub spacing_s: i64,
    /// Seconds, in `[0, spacing_s)`, from the multiples of the spacing to the samples.
    pub phase_s: i64,
    pub life: Life,
    pub presence: Presence,
}

/// The distribution of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A daily swing with noise; 16 to 17 significant digits.
    Fine { base: f64, span: f64 },
    /// `Fine`, rounded to hundredths.
    Rounded { base: f64, span: f64 },
    /// Whole numbers in `[0, span)`, small ones often.
    Whole { span: f64 },
    /// A whole number in `[0, span)` that stays for `hold_s` seconds.
    Level { span: f64, hold_s: i64 },
    /// Zeros of both signs, the smallest and huge doubles, values that parsers misread.
    Odd,
}

/// The lifetime of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Always,
    /// Half-open, epoch seconds.
    Between {
        born_s: i64,
        died_s: i64,
    },
    /// Exists in `[from_s, to_s)` of every period, in seconds.
    Cycle {
        period_s: i64,
        from_s: i64,
        to_s: i64,
    },
}

/// The share of an existing source's samples that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    All,
    /// This share of the hours is missing, in per mille.
    Gaps {
        per_mille: u32,
    },
    /// Only this share of the samples exists, in per mille.
    Rare {
        per_mille: u32,
    },
    /// Only this share of the days (UTC) exists; sources with the same seed share their days.
    Days {
        percent: u32,
        seed: u64,
    },
    Never,
}

impl Signal {
    /// Returns the number of the first sample at or after `time_s`.
    pub(crate) fn first_from(&self, time_s: i64) -> i64 {
        -(self.phase_s - time_s).div_euclid(self.spacing_s)
    }

    /// Returns the time of sample `number` in epoch seconds.
    pub(crate) fn time_s(&self, number: i64) -> i64 {
        number * self.spacing_s + self.phase_s
    }

    /// Returns the value of sample `number`; NaN where there is none.
    pub(crate) fn sample(&self, number: i64) -> f64 {
        let time_s = self.time_s(number);
        if self.lives(time_s) && self.reports(number, time_s) {
            self.value(number, time_s)
        } else {
            f64::NAN
        }
    }

    fn lives(&self, time_s: i64) -> bool {
        match self.life {
            Life::Always => true,
            Life::Between { born_s, died_s } => (born_s..died_s).contains(&time_s),
            Life::Cycle { period_s, from_s, to_s } => {
                (from_s..to_s).contains(&time_s.rem_euclid(period_s))
            }
        }
    }

    fn reports(&self, number: i64, time_s: i64) -> bool {
        match self.presence {
            Presence::All => true,
            Presence::Gaps { per_mille } => {
                chance(!self.seed, time_s.div_euclid(3_600), 1_000) >= u64::from(per_mille)
            }
            Presence::Rare { per_mille } => {
                chance(!self.seed, number, 1_000) < u64::from(per_mille)
            }
            Presence::Days { percent, seed } => {
                chance(seed, time_s.div_euclid(DAY_S), 100) < u64::from(percent)
            }
            Presence::Never => false,
        }
    }

    fn value(&self, number: i64, time_s: i64) -> f64 {
        let noise = noise::unit(noise::at(self.seed, number.cast_unsigned()));
        match self.shape {
            Shape::Fine { base, span } => base + span * (0.6 * swing(time_s) + 0.4 * noise),
            Shape::Rounded { base, span } => {
                let value = base + span * (0.6 * swing(time_s) + 0.4 * noise);
                (value * 100.0).round() / 100.0
            }
            Shape::Whole { span } => (noise * noise * span).floor(),
            Shape::Level { span, hold_s } => {
                let held = time_s.div_euclid(hold_s).cast_unsigned();
                (noise::unit(noise::at(self.seed, held)) * span).floor()
            }
            Shape::Odd => ODD[number.rem_euclid(12) as usize],
        }
    }
}

/// Returns a hash in `[0, of)`.
fn chance(seed: u64, position: i64, of: u64) -> u64 {
    noise::at(seed, position.cast_unsigned()) % of
}

/// Returns 0 at midnight UTC, 1 at noon, straight lines between.
fn swing(time_s: i64) -> f64 {
    let of_day = time_s.rem_euclid(DAY_S) as f64 / DAY_S as f64;
    1.0 - (2.0 * of_day - 1.0).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Signal = Signal {
        seed: 7,
        shape: Shape::Odd,
        spacing_s: 60,
        phase_s: 12,
        life: Life::Always,
        presence: Presence::All,
    };

    #[test]
    fn samples_are_found_by_time_in_both_directions() {
        for time_s in [-61, -60, -1, 0, 11, 12, 13, 71, 72, 1_700_000_000] {
            let number = CALM.first_from(time_s);
            assert!(CALM.time_s(number) >= time_s && CALM.time_s(number - 1) < time_s, "{time_s}");
        }
    }

    #[test]
    fn odd_values_keep_their_bits() {
        let bits: Vec<u64> = (0..12).map(|n| CALM.sample(n).to_bits()).collect();
        assert_eq!(bits, ODD.map(f64::to_bits));
    }

    #[test]
    fn a_life_begins_and_ends_at_its_second() {
        let signal = Signal { life: Life::Between { born_s: 72, died_s: 192 }, ..CALM };
        let alive: Vec<bool> = (0..4).map(|n| !signal.sample(n).is_nan()).collect();
        assert_eq!(alive, [false, true, true, false]);
    }

    #[test]
    fn days_are_shared_and_about_as_many_as_asked() {
        let days = Presence::Days { percent: 30, seed: 3 };
        let one = Signal { presence: days, spacing_s: DAY_S, phase_s: 0, ..CALM };
        let other = Signal { seed: 99, ..one };
        let count = |s: Signal| (0..1_000).filter(|&n| !s.sample(n).is_nan()).count();
        assert_eq!(count(one), count(other));
        assert!((250..350).contains(&count(one)), "{}", count(one));
    }
}
