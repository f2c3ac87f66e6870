//! Checks of a Parquet file of unknown origin before the `parquet` crate decodes anything of it.

mod pages;
mod thrift;

pub(super) use pages::{ColumnKind, TEXT_BYTES_MAX, check_pages};
pub(super) use thrift::check_file;
