//! Queries × range − coverage → windows → batches → [`Plan`], a value: printed and counted before the first call.

mod window;

pub use window::{Window, subtract, union};
