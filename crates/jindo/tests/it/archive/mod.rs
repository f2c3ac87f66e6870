//! The archive over a ledger and an object store that fail.

mod crash;
#[path = "../../../src/archive/tests/furnish.rs"]
mod furnish;

use furnish::*;
use jiff::Timestamp;
use jindo::archive::{Archive, Error, Fetched, NameNote, QueryId, Request, RequestLine, Stored};
use jindo::parse::{Answer, CallPosition, Series};
use jindo::plan::Window;
use jindo::query::{Interval, Query, QueryText};
