//! Names in the tree of CSV files.

mod layout;
mod names;
