//! Objects: the store of whole files by name, and the Parquet files in it: written from answers, checked before anything of
//! unknown origin is decoded, read back.

mod archive_id;
mod decode;
mod demands;
mod encode;
mod footer;
mod pages;
mod store;
mod thrift;
mod weight;
mod whole;

pub(super) use archive_id::ARCHIVE;
pub use archive_id::ArchiveId;
pub use decode::Chunk;
pub(super) use decode::{Encoded, NOT_AS_WRITTEN};
pub(crate) use demands::ROWS_MAX;
pub(super) use demands::{ANSWER_BYTES_MAX, BUCKETS_MAX, GENERATION_MAX, QUERY_BYTES_MAX};
pub(super) use encode::encode;
pub(super) use footer::{
    ASIDE, EARLIER, Footer, FooterQuery, KeptOrganisation, answer_text, is_object_name, name_for,
    object_name, place,
};
#[cfg(test)]
pub(super) use footer::{FooterGroup, FooterSeries, KEY};
pub use store::Objects;
pub(super) use whole::{Whole, is_as_recorded, whole_milliseconds};

/// Rows of the largest row group: one decoded is 2 MiB of times and values.
const GROUP_ROWS_MAX: usize = 128 << 10;

const SCHEMA: &str = "message jindo {
    required binary query (STRING);
    required binary metric (STRING);
    required binary tags (STRING);
    required int64 ts (TIMESTAMP(MILLIS,true));
    required double value;
    required int32 interval_s;
}";
