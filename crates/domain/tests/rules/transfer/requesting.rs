use millrace_domain::bank::transfer::TransferRejection;

use super::*;

#[test]
fn a_transfer_is_requested() {
    transfer([])
        .when(transfer_money("acc-1", "acc-2", Some(AMOUNT)))
        .then([requested()])
        .then_state(Transfer {
            from_account: "acc-1".to_owned(),
            to_account: "acc-2".to_owned(),
            amount: AMOUNT,
            stage: Stage::Requested {},
        });
}

#[test]
fn any_amount_above_0_can_be_requested() {
    for amount in [1, i64::MAX] {
        transfer([])
            .when(transfer_money("acc-1", "acc-2", Some(amount)))
            .then_accepted();
    }
}

#[test]
fn a_transfer_of_nothing_or_less_is_refused() {
    for amount in [None, Some(0), Some(-1), Some(i64::MIN)] {
        transfer([])
            .when(transfer_money("acc-1", "acc-2", amount))
            .then_rejected("invalid_amount")
            .then_state(None);
    }
}

#[test]
fn a_transfer_needs_two_accounts() {
    transfer([])
        .when(transfer_money("acc-1", "acc-1", Some(1)))
        .then_rejected("same_account")
        .then_state(None);
}

#[test]
fn ids_are_compared_as_they_are_typed() {
    for other in ["ACC-1", " acc-1", "acc-1 "] {
        transfer([])
            .when(transfer_money("acc-1", other, Some(1)))
            .then_accepted();
    }
}

#[test]
fn an_id_is_taken_for_good_whatever_became_of_the_transfer() {
    for history in [
        vec![requested()],
        vec![requested(), withdrawn()],
        vec![requested(), withdrawn(), completed()],
        vec![requested(), withdrawn(), deposit_refused("not_found")],
        vec![requested(), failed("not_found")],
    ] {
        transfer(history)
            .when(transfer_money("acc-3", "acc-4", Some(1)))
            .then_rejected("already_exists");
    }
}

#[test]
fn a_request_that_breaks_several_rules_names_the_first() {
    let nothing_to_oneself = || transfer_money("acc-1", "acc-1", Some(0));
    transfer([requested()])
        .when(nothing_to_oneself())
        .then_rejected("already_exists");
    transfer([])
        .when(nothing_to_oneself())
        .then_rejected("invalid_amount");
}

#[test]
fn sentences_show_the_values() {
    let sentence = |given: Given<Transfer>, command| given.when(command).rejection().to_string();
    assert_eq!(
        sentence(
            transfer([requested()]),
            transfer_money("a", "b", Some(AMOUNT))
        ),
        "transfer `t-1` exists already"
    );
    assert_eq!(
        sentence(transfer([]), transfer_money("a", "b", None)),
        "amount is missing"
    );
    assert_eq!(
        sentence(transfer([]), transfer_money("a", "b", Some(-7))),
        "amount is -7, it must be above 0"
    );
    assert_eq!(
        sentence(transfer([]), transfer_money("a", "a", Some(1))),
        "from_account and to_account are both `a`"
    );
}

#[test]
fn the_longest_sentence_fits_an_answer() {
    let id = "x".repeat(128);
    let rejection = TransferRejection::RefundRefused {
        id: id.clone(),
        account: id.clone(),
        amount: i64::MIN,
        code: id,
    };
    assert!(rejection.to_string().len() <= 1_024);
}
