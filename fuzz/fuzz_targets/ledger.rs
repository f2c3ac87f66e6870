//! Ledgers of which a few cells were overwritten with anything.
#![no_main]

#[path = "../../crates/jindo/tests/it/untrusted/properties.rs"]
#[expect(dead_code, reason = "each target takes one of them")]
mod properties;
#[path = "../../crates/jindo/tests/it/untrusted/sample.rs"]
mod sample;

use properties::{Forged, Value};

#[derive(Debug, arbitrary::Arbitrary)]
enum Cell<'a> {
    Null,
    Integer(i64),
    Small(i8),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

libfuzzer_sys::fuzz_target!(|cells: Vec<(u8, Cell<'_>)>| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    sample::archive(dir.path());
    let forged: Vec<_> = cells
        .iter()
        .take(8)
        .map(|(column, cell)| {
            let value = match cell {
                Cell::Null => Value::Null,
                Cell::Integer(number) => Value::Integer(*number),
                Cell::Small(number) => Value::Integer((*number).into()),
                Cell::Real(number) => Value::Real(*number),
                Cell::Text(text) => Value::Text(text),
                Cell::Blob(bytes) => Value::Blob(bytes),
            };
            Forged { column: usize::from(*column), value }
        })
        .collect();
    properties::ledger(dir.path(), &forged);
});
