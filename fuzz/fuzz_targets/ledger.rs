//! Ledgers of somebody else's making: a first byte says in which format, every eight of the rest change a cell, rows, a definition,
//! statistics or bytes of a page. What is slow or takes memory is found by libFuzzer's own limits: `-timeout=10 -rss_limit_mb=1024`.
#![no_main]

#[path = "../../crates/jindo/tests/it/untrusted/forge.rs"]
mod forge;
#[path = "../../crates/jindo/tests/it/untrusted/ledgers.rs"]
mod ledgers;
#[path = "../../crates/jindo/tests/it/untrusted/properties.rs"]
#[expect(dead_code, reason = "each target takes one of them")]
mod properties;
#[path = "../../crates/jindo/tests/it/untrusted/sample.rs"]
mod sample;

/// Of so many inputs one is a directory that is read, mended and extracted; of the others the ledger alone is asked.
const WHOLE_ONE_IN: u64 = 128;

thread_local! {
    static BEGINNINGS: forge::Beginnings = forge::Beginnings::new();
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    BEGINNINGS.with(|beginnings| ledgers::ledger(beginnings, input, WHOLE_ONE_IN));
});
