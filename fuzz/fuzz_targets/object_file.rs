//! Files below archive/data/: bytes as they are, and behind a first byte of 255 changes of an object that jindo wrote, hashed anew. What
//! is accepted can be extracted.
#![no_main]

#[path = "../../crates/jindo/tests/it/untrusted/properties.rs"]
#[expect(dead_code, reason = "each target takes one of them")]
mod properties;

use jindo_testing::ForgedObject;
use std::sync::LazyLock;

static OBJECT: LazyLock<ForgedObject> = LazyLock::new(|| {
    ForgedObject::read(include_bytes!("../seeds/object_file/3")).expect("a seed is an object")
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| match input {
    [255, changes @ ..] => properties::forged_object(&OBJECT, changes),
    bytes => properties::object_file(bytes),
});
