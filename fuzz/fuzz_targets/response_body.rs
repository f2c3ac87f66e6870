//! Bodies of answers.
#![no_main]

#[path = "../../crates/jindo/tests/it/untrusted/properties.rs"]
#[expect(dead_code, reason = "each target takes one of them")]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::response_body(input));
