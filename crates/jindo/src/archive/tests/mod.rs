//! The archive as its users see it.
