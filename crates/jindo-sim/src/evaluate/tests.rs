//! Tests of the evaluate by data.
