//! Tests of the api by data.
