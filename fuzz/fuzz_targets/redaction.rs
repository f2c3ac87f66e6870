//! Bodies and lists with keys in them, in every spelling that SECURITY.md names.
#![no_main]

#[path = "../../crates/jindo/tests/it/untrusted/redaction.rs"]
mod redaction;

libfuzzer_sys::fuzz_target!(|input: &[u8]| redaction::marked(input));
