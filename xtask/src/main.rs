//! Chores around jindo.
fn main() {}
