use super::*;

const BALANCE_MAX: i64 = 4_000_000_000_000_000_000;

#[test]
fn deposits_add_up() {
    account(0)
        .when(deposit(100))
        .then([deposited(100, 100)])
        .when(deposit(50))
        .then([deposited(50, 150)]);
}

#[test]
fn a_deposit_names_the_current_address_and_its_reference() {
    let event = AccountEvent::MoneyDeposited(MoneyDeposited {
        amount: 1,
        balance: 1,
        email: "john.snow@the.wall".to_owned(),
        reference: Some("transfer:t-1".to_owned()),
    });
    let command = AccountCommand::DepositMoney(DepositMoney {
        amount: Some(1),
        reference: Some(reference("transfer:t-1")),
        below_balance: None,
    });
    given::<Account>([opened(0), email_changed(EMAIL, "john.snow@the.wall")])
        .when(command)
        .then([event]);
}

#[test]
fn movements_of_nothing_or_less_are_refused() {
    for amount in [0, -1, i64::MIN] {
        for command in [deposit(amount), withdraw(amount), refund(amount)] {
            account(10).when(command).then_rejected("invalid_amount");
        }
    }
}

#[test]
fn movements_without_amount_are_refused() {
    let deposit = AccountCommand::DepositMoney(DepositMoney::default());
    let withdraw = AccountCommand::WithdrawMoney(WithdrawMoney::default());
    let refund = AccountCommand::RefundMoney(RefundMoney {
        amount: None,
        reference: reference("transfer:t-1"),
    });
    for command in [deposit, withdraw, refund] {
        account(10).when(command).then_rejected("invalid_amount");
    }
}

#[test]
fn an_unknown_account_moves_no_money() {
    for command in [deposit(0), withdraw(0), refund(0)] {
        given::<Account>([])
            .when(command)
            .then_rejected("not_found")
            .then_state(None);
    }
}

#[test]
fn a_closed_account_moves_no_money() {
    for command in [deposit(0), withdraw(0)] {
        closed_account()
            .when(command)
            .then_rejected("account_closed");
    }
}

#[test]
fn deposits_fill_an_account_up_to_its_bound() {
    account(BALANCE_MAX - 1)
        .when(deposit(2))
        .then_rejected("balance_overflow")
        .when(deposit(1))
        .then([deposited(1, BALANCE_MAX)])
        .when(deposit(1))
        .then_rejected("balance_overflow")
        .when(deposit(i64::MAX))
        .then_rejected("balance_overflow");
}

#[test]
fn a_bounded_deposit_is_taken_only_below_its_bound() {
    let event = AccountEvent::MoneyDeposited(MoneyDeposited {
        amount: 100,
        balance: 199,
        email: EMAIL.to_owned(),
        reference: Some("bonus:bank.account/acc-1/2".to_owned()),
    });
    account(99).when(deposit_below(100, 100)).then([event]);
    account(100)
        .when(deposit_below(100, 1))
        .then_rejected("bonus_cap_reached");
    account(0)
        .when(deposit_below(i64::MIN, 1))
        .then_rejected("bonus_cap_reached");
}

#[test]
fn a_deposit_that_breaks_two_rules_names_the_first() {
    account(BALANCE_MAX)
        .when(deposit_below(1, 1))
        .then_rejected("balance_overflow");
    account(5)
        .when(deposit_below(1, 0))
        .then_rejected("invalid_amount");
}

#[test]
fn the_whole_balance_can_be_withdrawn_and_no_more() {
    account(150)
        .when(withdraw(151))
        .then_rejected("insufficient_funds")
        .when(withdraw(150))
        .then([withdrawn(150, 0)])
        .when(withdraw(1))
        .then_rejected("insufficient_funds")
        .when(withdraw(i64::MAX))
        .then_rejected("insufficient_funds");
}

#[test]
fn a_withdrawal_keeps_its_reference() {
    let command = AccountCommand::WithdrawMoney(WithdrawMoney {
        amount: Some(3),
        reference: Some(reference("transfer:t-1")),
    });
    let event = AccountEvent::MoneyWithdrawn(MoneyWithdrawn {
        amount: 3,
        balance: 7,
        reference: Some("transfer:t-1".to_owned()),
    });
    account(10).when(command).then([event]);
}

#[test]
fn a_refund_may_go_beyond_what_deposits_may() {
    account(BALANCE_MAX)
        .when(refund(i64::MAX - BALANCE_MAX))
        .then([refunded(i64::MAX - BALANCE_MAX, i64::MAX)])
        .when(refund(1))
        .then_rejected("balance_overflow")
        .when(deposit(1))
        .then_rejected("balance_overflow");
}

#[test]
fn a_closed_account_takes_a_refund_and_stays_closed() {
    let after = closed_account().when(refund(7)).then([refunded(7, 7)]);
    let state = after.state().unwrap();
    assert!(state.closed);
    assert_eq!(state.balance, 7);
    after
        .when(withdraw(7))
        .then_rejected("account_closed")
        .when(close())
        .then_rejected("account_closed");
}
