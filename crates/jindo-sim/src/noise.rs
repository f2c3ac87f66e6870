//! Hashes in place of random numbers: every value is a pure function of a seed and a position, so that any part of any
//! answer can be computed alone, in constant time. Holds no state and reads no entropy from the system.

/// Returns the finaliser of `SplitMix64`: every bit of the input reaches every bit of the output.
pub(crate) const fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Returns the hash at position `n` of the stream of `seed`.
pub(crate) const fn at(seed: u64, n: u64) -> u64 {
    mix(seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Returns a seed made of a seed and a text (FNV-1a, finished by [`mix`]).
pub(crate) fn of_text(seed: u64, text: &str) -> u64 {
    let start = mix(seed ^ 0xcbf2_9ce4_8422_2325);
    mix(text.bytes().fold(start, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)))
}

/// Returns a number in `[0, 1)` with 53 random bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / 9_007_199_254_740_992.0
}

/// Shuffles by Fisher and Yates with the stream of `seed`.
pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(at(seed, last as u64), last + 1));
    }
}

/// Returns a number in `[0, bound)`, `bound` above 0; the bias of the remainder is far below what a test could see.
#[expect(clippy::cast_possible_truncation, reason = "the remainder is smaller than a usize")]
pub(crate) fn below(hash: u64, bound: usize) -> usize {
    (hash % bound as u64) as usize
}
