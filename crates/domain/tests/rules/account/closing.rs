use super::*;

#[test]
fn an_empty_account_closes() {
    let after = account(0).when(close()).then([closed()]);
    assert!(after.state().unwrap().closed);
}

#[test]
fn an_account_with_money_stays_open() {
    let after = account(1).when(close()).then_rejected("balance_not_zero");
    assert!(!after.state().unwrap().closed);
}

#[test]
fn an_account_closes_once() {
    closed_account()
        .when(close())
        .then_rejected("account_closed");
}

#[test]
fn an_unknown_account_cannot_be_closed() {
    given::<Account>([])
        .when(close())
        .then_rejected("not_found");
}
