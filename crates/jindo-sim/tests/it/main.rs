//! The simulator over real sockets: raw bytes, and the official clients.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod clients;
mod contract;
mod server;
