//! The shape of the source, kept by a test: effects behind their doors, stages that know only the stages before them, no
//! import circle, files and folders that fit a mind, one meaning per name, documentation in plain words.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "syntax has kinds beyond those that a rule is about"
)]

mod circles;
mod doors;
mod messages;
mod names;
mod prose;
mod size;
mod source;
