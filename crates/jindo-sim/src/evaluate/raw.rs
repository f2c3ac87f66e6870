//! Time aggregation: the samples of one source into the buckets of a grid. The hot loop: no allocation per sample.

#![expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]

use super::{Grid, Request};
use crate::grammar::Method;
use crate::organisation::Signal;

/// One value per bucket of `grid` into `out`, NaN where the source reported nothing. `scale` multiplies every sample.
pub(super) fn buckets(
    signal: &Signal,
    grid: &Grid,
    request: &Request,
    (method, scale): (Method, f64),
    out: &mut [f64],
) {
    out.fill(f64::NAN);
    let end_s = grid.end_s().min(request.visible_to_s);
    let mut number = signal.first_from(grid.start_s.max(request.visible_from_s));
    let mut time_s = signal.time_of(number);
    let mut bucket = usize::MAX;
    let mut bucket_end_s = i64::MIN;
    let mut state = State { value: f64::NAN, count: 0 };
    while time_s < end_s {
        if time_s >= bucket_end_s {
            state.store(method, out, bucket);
            let offset = (time_s - grid.start_s) / grid.interval_s;
            bucket = usize::try_from(offset).unwrap_or(usize::MAX);
            bucket_end_s = grid.start_s + (offset + 1) * grid.interval_s;
            state = State { value: f64::NAN, count: 0 };
        }
        let sample = signal.sample(number);
        if !sample.is_nan() {
            state.add(method, sample * scale);
        }
        number += 1;
        time_s += signal.spacing_s;
    }
    state.store(method, out, bucket);
}

struct State {
    value: f64,
    count: u64,
}

impl State {
    /// The first sample is taken as it is: 0.0 + -0.0 would lose its sign.
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
