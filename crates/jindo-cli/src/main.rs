//! The command line of jindo.
fn main() {}
