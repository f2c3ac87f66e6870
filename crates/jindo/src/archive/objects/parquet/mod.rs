//! Objects as Parquet files: written from answers, checked before anything of unknown origin is decoded, read back.

mod decode;
mod encode;
mod footer;
mod pages;

pub use decode::Chunk;
pub(in crate::archive) use decode::{Encoded, NOT_AS_WRITTEN};
pub(in crate::archive) use encode::{Written, encode};
pub(in crate::archive) use footer::{
    Footer, FooterQuery, KeptOrganisation, is_object_name, object_name,
};
#[cfg(test)]
pub(in crate::archive) use footer::{FooterSeries, KEY};

/// Rows of the largest row group: one decoded is 2 MiB of times and values.
pub(in crate::archive) const GROUP_ROWS_MAX: usize = 128 << 10;

const SCHEMA: &str = "message jindo {
    required binary query (STRING);
    required binary metric (STRING);
    required binary tags (STRING);
    required int64 ts (TIMESTAMP(MILLIS,true));
    required double value;
    required int32 interval_s;
}";

/// Spells tags as they stand in their column: a JSON array.
fn tags_text(tags: &[String]) -> String {
    serde_json::to_string(tags).expect("texts are always JSON")
}
