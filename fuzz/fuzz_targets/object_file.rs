//! Files below archive/data/: bytes as they are; behind a first byte of 255, changes of an object that jindo wrote, hashed anew; behind
//! one of 254, changes of its footer's text. What is accepted can be extracted.
#![no_main]

#[path = "../../crates/jindo/tests/it/untrusted/forge.rs"]
#[expect(dead_code, reason = "each target takes some of them")]
mod forge;
#[path = "../../crates/jindo/tests/it/untrusted/ledgers.rs"]
#[expect(dead_code, reason = "each target takes some of them")]
mod ledgers;
#[path = "../../crates/jindo/tests/it/untrusted/objects.rs"]
mod objects;
#[path = "../../crates/jindo/tests/it/untrusted/properties.rs"]
#[expect(dead_code, reason = "each target takes some of them")]
mod properties;
#[path = "../../crates/jindo/tests/it/untrusted/sample.rs"]
mod sample;

use jindo_testing::ForgedObject;
use std::sync::LazyLock;

/// Of so many that are accepted one is put into a directory, and files are made of it.
const EXTRACTED_ONE_IN: u64 = 32;

static BYTES: &[u8] = include_bytes!("../seeds/object_file/3");
static OBJECT: LazyLock<ForgedObject> =
    LazyLock::new(|| ForgedObject::read(BYTES).expect("a seed is an object").uncompressed());

libfuzzer_sys::fuzz_target!(|input: &[u8]| match input {
    [255, changes @ ..] => objects::forged_object(&OBJECT, changes, EXTRACTED_ONE_IN),
    [254, changes @ ..] => objects::forged_footer(BYTES, changes, EXTRACTED_ONE_IN),
    bytes => objects::object_file(bytes, EXTRACTED_ONE_IN),
});
