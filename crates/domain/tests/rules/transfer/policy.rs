//! What a transfer's policy asks of the accounts.

use millrace_domain::bank::account::{
    Account, AccountCommand, DepositMoney, Reference, RefundMoney, WithdrawMoney,
};
use millrace_eventsourcing::FollowUp;
use serde_json::json;

use super::*;

fn reaction(events: &[TransferEvent]) -> Vec<FollowUp> {
    let last = envelopes(events).pop().unwrap();
    TransferPolicy.react("t-1", &last)
}

fn asks(account: &str, command: &AccountCommand) -> Vec<FollowUp> {
    let follow_up = FollowUp::to::<Account>(account, command);
    assert_eq!(follow_up.data["reference"], json!("transfer:t-1"));
    vec![follow_up.answered_to::<Transfer>("t-1")]
}

fn reference() -> Reference {
    Reference::try_from("transfer:t-1".to_owned()).unwrap()
}

#[test]
fn a_request_asks_the_sender_for_the_money() {
    let command = AccountCommand::WithdrawMoney(WithdrawMoney {
        amount: Some(AMOUNT),
        reference: Some(reference()),
    });
    assert_eq!(reaction(&[requested()]), asks("acc-1", &command));
}

#[test]
fn a_withdrawal_asks_the_receiver_to_take_the_money() {
    let command = AccountCommand::DepositMoney(DepositMoney {
        amount: Some(AMOUNT),
        reference: Some(reference()),
        below_balance: None,
    });
    assert_eq!(
        reaction(&[requested(), withdrawn()]),
        asks("acc-2", &command)
    );
}

#[test]
fn a_refused_deposit_asks_the_sender_to_take_it_back() {
    let command = AccountCommand::RefundMoney(RefundMoney {
        amount: Some(AMOUNT),
        reference: reference(),
    });
    assert_eq!(
        reaction(&[requested(), withdrawn(), deposit_refused("not_found")]),
        asks("acc-1", &command)
    );
}

#[test]
fn an_ended_transfer_asks_for_nothing() {
    assert!(reaction(&[requested(), withdrawn(), completed()]).is_empty());
    assert!(reaction(&[requested(), failed("not_found")]).is_empty());
}

#[test]
fn it_names_itself_its_targets_and_who_is_answered() {
    assert_eq!(TransferPolicy::NAME, "bank.policy.transfer");
    assert_eq!(TransferPolicy::TARGETS, ["bank.account"]);
    let asked = reaction(&[requested()]);
    assert_eq!(asked[0].reply_to.as_deref(), Some("bank.transfer/t-1"));
    assert_eq!(asked[0].kind, "WithdrawMoney");
}
