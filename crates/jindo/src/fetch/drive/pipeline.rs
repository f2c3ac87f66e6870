//! Reading and storing on threads of their own: a body is parsed while the answer before it is written.
//!
//! Answers that were read wait with the reader until the machine says what becomes of them. They are stored one after the
//! other, in the order in which the machine said so.

use crate::fetch::error::Error;
use crate::fetch::protocol::{Breakage, Call, Facts};
use crate::fetch::sink::{AnswerSink, AskedCall, ReadAnswer};
use crate::request::{Failure, Rate};
use crate::secret::Secrets;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender};

/// Answers that wait for the storing thread, at most; with more the reading thread waits.
pub(super) const STORING_MAX: usize = 2;

/// Work for the reading thread.
pub(super) enum Reading {
    Read(ReceivedBody),
    /// Hand the answer to the storing thread.
    Store {
        call: Call,
        now: Timestamp,
    },
    Discard {
        call: Call,
    },
}

/// The body that answered a call.
pub(super) struct ReceivedBody {
    pub(super) call: Call,
    pub(super) asked: AskedCall,
    pub(super) bytes: Vec<u8>,
    pub(super) rate: Option<Rate>,
}

/// Work for the storing thread.
pub(super) struct Storing {
    call: Call,
    answer: ReadAnswer,
    now: Timestamp,
}

/// A step of the pipeline that is done.
pub(super) enum Done {
    Read { call: Call, outcome: Result<Facts, Failure>, rate: Option<Rate> },
    Stored { call: Call },
    Broke { cause: Breakage },
}

/// Reads bodies until the driver or the storing thread has ended.
pub(super) fn read_answers<M: From<Done>>(
    secrets: &Secrets,
    work: &Receiver<Reading>,
    store_tx: &SyncSender<Storing>,
    done_tx: &Sender<M>,
) {
    let mut answers: BTreeMap<Call, ReadAnswer> = BTreeMap::new();
    for work in work {
        match work {
            Reading::Read(ReceivedBody { call, asked, bytes, rate }) => {
                let outcome = ReadAnswer::read(asked, &bytes, secrets).map(|(answer, facts)| {
                    answers.insert(call, answer);
                    facts
                });
                if done_tx.send(Done::Read { call, outcome, rate }.into()).is_err() {
                    return; // the driver has ended
                }
            }
            Reading::Store { call, now } => {
                let answer = answers.remove(&call).expect("only an answer that was read is stored");
                if store_tx.send(Storing { call, answer, now }).is_err() {
                    return; // the storing thread has ended, and has said why
                }
            }
            Reading::Discard { call } => drop(answers.remove(&call)),
        }
    }
}

/// Stores answers, one after the other, until the reading thread is gone or the driver has ended.
pub(super) fn store_answers<M: From<Done>>(
    sink: &dyn AnswerSink,
    work: &Receiver<Storing>,
    done_tx: &Sender<M>,
) {
    for Storing { call, answer, now } in work {
        let done = match sink.accept(&answer, now) {
            Ok(()) => Done::Stored { call },
            Err(error) => Done::Broke { cause: Breakage::new(Error::Archive(error)) },
        };
        if done_tx.send(done.into()).is_err() {
            return;
        }
    }
}
