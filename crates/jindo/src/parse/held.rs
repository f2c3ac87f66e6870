//! Memory that an answer takes until it is stored: counted while it is read, so that a body cannot become many times its size. Estimates,
//! from above for what is small and repeated.

/// Bytes of memory that one answer may take until it is stored. What takes more is asked in parts, like a body that is too large. Half as
/// much again as a body: 64 MiB of any real answer fit, such as 100,000 series of three tags and ten points, or 3 million points.
pub const HELD_BYTES_MAX: usize = 96 << 20;

/// A series without its texts and points: its fields while it is checked, and its entry in the footer of its object, twice.
pub(super) const SERIES_BYTES: usize = 400;

/// A text besides its characters: where it lies, and the least that is allocated for it.
pub(super) const TEXT_BYTES: usize = 56;

/// Time and value.
const POINT_BYTES: usize = 16;

/// Returns the memory of a text in the answer and in the footer of its object.
pub(super) fn text(text: &str) -> usize {
    TEXT_BYTES + 2 * text.len()
}

/// Returns the memory of a series, without its metadata.
pub(super) fn of_series(metric: &str, tags: &[String], unit: Option<&str>, points: usize) -> usize {
    let tags: usize = tags.iter().map(|tag| text(tag)).sum();
    SERIES_BYTES + text(metric) + tags + unit.map_or(0, text) + points * POINT_BYTES
}
