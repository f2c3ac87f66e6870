//! Budget and retry as pure state machines, and the client: the door to the network.

mod address;
mod budget;
mod client;
mod failure;
mod rate;
mod retry;

pub use address::{Address, AddressError, Transport};
pub use budget::{Allowance, Budget, Reserve};
pub use client::{
    BODY_BYTES_MAX, Client, Endpoint, Error as ClientError, Identity, KeyCheck, Keys, Reply,
};
pub use failure::{Failure, classify};
pub use rate::Rate;
pub use retry::Backoff;
