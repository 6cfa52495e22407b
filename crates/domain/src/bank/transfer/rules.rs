//! The rules of a transfer. They check in the order in which the codes are published.

use super::{
    Stage, Transfer, TransferCompleted, TransferDepositRefused, TransferEvent, TransferFailed,
    TransferMoney, TransferRejection, TransferRequested, TransferWithdrawn,
};

/// An id is taken for good: a transfer that has failed cannot be tried again.
pub(super) fn request(
    transfer: Option<&Transfer>,
    command: &TransferMoney,
    id: &str,
) -> Result<TransferRequested, TransferRejection> {
    if transfer.is_some() {
        return Err(TransferRejection::AlreadyExists { id: id.to_owned() });
    }
    let amount = command.amount.ok_or(TransferRejection::MissingAmount)?;
    if amount <= 0 {
        return Err(TransferRejection::InvalidAmount { amount });
    }
    if command.from_account == command.to_account {
        return Err(TransferRejection::SameAccount {
            account: command.from_account.to_string(),
        });
    }
    Ok(TransferRequested {
        from_account: command.from_account.to_string(),
        to_account: command.to_account.to_string(),
        amount,
    })
}

/// What an account's answer to the awaited command leads to; a refusal comes with its code.
/// Nothing when the transfer has ended and awaits no answer.
pub(super) fn answered(
    transfer: &Transfer,
    answer: Result<(), &str>,
    id: &str,
) -> Option<Result<TransferEvent, TransferRejection>> {
    let event = match (&transfer.stage, answer) {
        (Stage::Requested {}, Ok(())) => TransferEvent::TransferWithdrawn(withdrawn(transfer)),
        (Stage::Requested {}, Err(code)) => failed(code),
        (Stage::Withdrawn {}, Ok(())) => TransferEvent::TransferCompleted(TransferCompleted {}),
        (Stage::Withdrawn {}, Err(code)) => {
            TransferEvent::TransferDepositRefused(deposit_refused(transfer, code))
        }
        (Stage::DepositRefused { reason }, Ok(())) => failed(reason),
        (Stage::DepositRefused { .. }, Err(code)) => {
            return Some(Err(TransferRejection::RefundRefused {
                id: id.to_owned(),
                account: transfer.from_account.clone(),
                amount: transfer.amount,
                code: code.to_owned(),
            }));
        }
        (Stage::Completed {} | Stage::Failed { .. }, Ok(()) | Err(_)) => return None,
    };
    Some(Ok(event))
}

fn withdrawn(transfer: &Transfer) -> TransferWithdrawn {
    TransferWithdrawn {
        from_account: transfer.from_account.clone(),
        to_account: transfer.to_account.clone(),
        amount: transfer.amount,
    }
}

fn deposit_refused(transfer: &Transfer, code: &str) -> TransferDepositRefused {
    TransferDepositRefused {
        from_account: transfer.from_account.clone(),
        to_account: transfer.to_account.clone(),
        amount: transfer.amount,
        reason: code.to_owned(),
    }
}

fn failed(code: &str) -> TransferEvent {
    TransferEvent::TransferFailed(TransferFailed {
        reason: code.to_owned(),
    })
}
