//! Objects: the store of whole files by name, and the Parquet files in it.

mod cache;
mod parquet;
mod store;
mod whole;

pub(super) use cache::ReadCache;
pub use parquet::Chunk;
pub(super) use parquet::{
    Encoded, Footer, FooterQuery, KeptOrganisation, NOT_AS_WRITTEN, Written, encode,
    is_object_name, object_name,
};
#[cfg(test)]
pub(super) use parquet::{FooterSeries, KEY};
pub use store::Objects;
pub(super) use store::Published;
pub(super) use whole::{Whole, whole_milliseconds};
