//! Budget and retry as pure state machines, and the client: the door to the network.

mod address;
mod budget;
mod client;
mod failure;
mod proxy;
mod rate;
mod rate_period;
mod retry;

pub use address::{Address, AddressError, ApiCall, Transport};
pub use budget::{Allowance, Budget, BudgetKey, Budgets};
pub use client::{
    BODY_BYTES_MAX, Client, Endpoint, Error as ClientError, KeyCheck, KeyOwner, Keys, Reply,
};
pub use failure::{Failure, classify};
pub use proxy::{Proxy, ProxyError};
pub use rate::Rate;
pub use rate_period::Reserve;
pub use retry::Backoff;
