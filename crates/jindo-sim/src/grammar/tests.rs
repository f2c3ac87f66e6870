//! Tests of the grammar by data.
