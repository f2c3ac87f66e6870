//! Time aggregation: the samples of one source into the buckets of a grid. The hot loop: no allocation per sample.

#![expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]

use crate::grammar::Method;
use crate::grid::{Grid, TimeRange};
use crate::organisation::Signal;

/// Returns one value per bucket of `grid`, NaN for buckets without a sample. Samples outside `visible` are ignored.
pub(super) fn buckets(
    method: Method,
    signal: &Signal,
    grid: &Grid,
    visible: TimeRange,
) -> Vec<f64> {
    let mut out = vec![f64::NAN; grid.len];
    let end_s = grid.end_s().min(visible.to_s);
    let mut number = signal.first_from(grid.start_s.max(visible.from_s));
    let mut time_s = signal.time_s(number);
    let mut bucket = usize::MAX;
    let mut bucket_end_s = i64::MIN;
    let mut state = Accumulator::EMPTY;
    while time_s < end_s {
        if time_s >= bucket_end_s {
            state.store(method, &mut out, bucket);
            let offset = (time_s - grid.start_s) / grid.interval_s;
            bucket = usize::try_from(offset).unwrap_or(usize::MAX);
            bucket_end_s = grid.start_s + (offset + 1) * grid.interval_s;
            state = Accumulator::EMPTY;
        }
        let sample = signal.sample(number);
        if !sample.is_nan() {
            state.add(method, sample);
        }
        number += 1;
        time_s += signal.spacing_s;
    }
    state.store(method, &mut out, bucket);
    out
}

/// The samples of one bucket so far.
struct Accumulator {
    value: f64,
    count: u64,
}

impl Accumulator {
    const EMPTY: Self = Self { value: f64::NAN, count: 0 };

    /// Adds a sample. The first one is taken unchanged: 0.0 + -0.0 would lose its sign.
    fn add(&mut self, method: Method, sample: f64) {
        self.value = if self.count == 0 {
            sample
        } else {
            match method {
                Method::Avg | Method::Sum | Method::Count => self.value + sample,
                Method::Min => self.value.min(sample),
                Method::Max => self.value.max(sample),
            }
        };
        self.count += 1;
    }

    /// Writes the bucket's value; leaves `out` as it is when the bucket has no sample.
    fn store(&self, method: Method, out: &mut [f64], bucket: usize) {
        if self.count == 0 {
            return;
        }
        out[bucket] = match method {
            Method::Avg => self.value / self.count as f64,
            Method::Sum | Method::Min | Method::Max => self.value,
            Method::Count => self.count as f64,
        };
    }
}
