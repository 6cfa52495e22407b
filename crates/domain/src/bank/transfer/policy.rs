//! The policy `bank.policy.transfer`: asks the accounts in a transfer's name.

use millrace_eventsourcing::{Aggregate as _, EventEnvelope, FollowUp, Policy};

use super::{
    Transfer, TransferCompleted, TransferDepositRefused, TransferEvent, TransferFailed,
    TransferRequested, TransferWithdrawn,
};
use crate::bank::account::{
    Account, AccountCommand, DepositMoney, Reference, RefundMoney, WithdrawMoney,
};

/// Turns each step of a transfer into the one command that it takes next. The answer goes to the
/// transfer, which finds it by the command's id, so a reaction never has more than one command.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransferPolicy;

impl Policy for TransferPolicy {
    type Aggregate = Transfer;

    const NAME: &'static str = "bank.policy.transfer";
    const TARGETS: &'static [&'static str] = &[Account::NAME];

    fn react(&self, id: &str, event: &EventEnvelope<TransferEvent>) -> Vec<FollowUp> {
        let reference = Reference::of("transfer", id);
        let (account, command) = match &event.payload {
            TransferEvent::TransferRequested(requested) => withdraw(requested, reference),
            TransferEvent::TransferWithdrawn(withdrawn) => deposit(withdrawn, reference),
            TransferEvent::TransferDepositRefused(refused) => refund(refused, reference),
            TransferEvent::TransferCompleted(TransferCompleted {})
            | TransferEvent::TransferFailed(TransferFailed { reason: _ }) => return Vec::new(),
        };
        vec![FollowUp::to::<Account>(account, &command).answered_to::<Transfer>(id)]
    }
}

fn withdraw(requested: &TransferRequested, reference: Reference) -> (&str, AccountCommand) {
    let command = AccountCommand::WithdrawMoney(WithdrawMoney {
        amount: Some(requested.amount),
        reference: Some(reference),
    });
    (&requested.from_account, command)
}

fn deposit(withdrawn: &TransferWithdrawn, reference: Reference) -> (&str, AccountCommand) {
    let command = AccountCommand::DepositMoney(DepositMoney {
        amount: Some(withdrawn.amount),
        reference: Some(reference),
        below_balance: None,
    });
    (&withdrawn.to_account, command)
}

fn refund(refused: &TransferDepositRefused, reference: Reference) -> (&str, AccountCommand) {
    let command = AccountCommand::RefundMoney(RefundMoney {
        amount: Some(refused.amount),
        reference,
    });
    (&refused.from_account, command)
}
