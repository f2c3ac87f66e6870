//! The text of a query → its expression, and back: tokens, grammar, tree. Knows how a query is written, not what it means. Pure.

pub mod ast;
pub mod grammar;
pub(super) mod lookalikes;
pub(super) mod token;
