//! Budget and retry as pure state machines, and the client: the door to the network.

mod address;
mod budget;
mod client;
mod failure;
mod proxy;
mod rate;
mod rate_period;
mod retry;
mod room;

pub use address::{Address, AddressError, ApiCall, Transport};
pub use budget::{Allowance, Budget, BudgetKey, Budgets};
pub use client::{
    Client, Endpoint, Error as ClientError, KeyCheck, KeyOwner, Keys, Reply, RootsError,
    check_roots,
};
pub use failure::{Failure, classify};
pub use proxy::{Proxy, ProxyError};
pub use rate::Rate;
pub use rate_period::Reserve;
pub use retry::Backoff;
pub use room::{BODY_BYTES_MAX, Body, LargeRoom};
