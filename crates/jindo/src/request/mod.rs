//! Budget and retry as pure state machines, and the client: the door to the network.

mod address;
mod budget;
mod call;
mod client;
mod failure;
mod period;
mod rate;
mod retry;

pub use address::{Address, AddressError, Transport};
pub use budget::{Allowance, Budget, BudgetKey, Budgets};
pub use call::ApiCall;
pub use client::{
    BODY_BYTES_MAX, Client, Endpoint, Error as ClientError, KeyCheck, KeyOwner, Keys, Reply,
};
pub use failure::{Failure, classify};
pub use period::Reserve;
pub use rate::Rate;
pub use retry::Backoff;
