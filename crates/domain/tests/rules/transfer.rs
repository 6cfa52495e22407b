//! `bank.transfer`.

mod answers;
mod decoding;
mod policy;
mod published;
mod requesting;
mod rows;

use millrace_domain::bank::transfer::{
    Stage, Transfer, TransferCommand, TransferCompleted, TransferDepositRefused, TransferEvent,
    TransferFailed, TransferMoney, TransferPolicy, TransferRequested, TransferWithdrawn,
};
use millrace_domain::id::Id;
use millrace_eventsourcing::{
    Aggregate as _, Answered, EventEnvelope, Policy as _, Status, Version, event_id, follow_up_id,
};
use millrace_testkit::{Given, given};

use crate::topics::{envelopes, recorded_at};

const AMOUNT: i64 = 100;

/// `t-1`, to which this has happened.
fn transfer(events: impl IntoIterator<Item = TransferEvent>) -> Given<Transfer> {
    given(events).id("t-1")
}

fn account_id(text: &str) -> Id {
    Id::try_from(text.to_owned()).unwrap()
}

fn transfer_money(from: &str, to: &str, amount: Option<i64>) -> TransferCommand {
    TransferCommand::TransferMoney(TransferMoney {
        from_account: account_id(from),
        to_account: account_id(to),
        amount,
    })
}

fn requested() -> TransferEvent {
    TransferEvent::TransferRequested(TransferRequested {
        from_account: "acc-1".to_owned(),
        to_account: "acc-2".to_owned(),
        amount: AMOUNT,
    })
}

fn withdrawn() -> TransferEvent {
    TransferEvent::TransferWithdrawn(TransferWithdrawn {
        from_account: "acc-1".to_owned(),
        to_account: "acc-2".to_owned(),
        amount: AMOUNT,
    })
}

fn completed() -> TransferEvent {
    TransferEvent::TransferCompleted(TransferCompleted {})
}

fn deposit_refused(reason: &str) -> TransferEvent {
    TransferEvent::TransferDepositRefused(TransferDepositRefused {
        from_account: "acc-1".to_owned(),
        to_account: "acc-2".to_owned(),
        amount: AMOUNT,
        reason: reason.to_owned(),
    })
}

fn failed(reason: &str) -> TransferEvent {
    TransferEvent::TransferFailed(TransferFailed {
        reason: reason.to_owned(),
    })
}
