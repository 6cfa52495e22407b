//! The written scenarios, as far as they need no server.

use super::*;

const GOLANG_EMAIL: &str = "john.snow@golang.example";

/// All of A1.
pub(super) fn story() -> Given<Account> {
    let last_deposit = AccountEvent::MoneyDeposited(MoneyDeposited {
        amount: 15_000,
        balance: 25_000,
        email: GOLANG_EMAIL.to_owned(),
        reference: None,
    });
    let deposit_at_the_wall = |balance| {
        AccountEvent::MoneyDeposited(MoneyDeposited {
            amount: 5_000,
            balance,
            email: "john.snow@the.wall".to_owned(),
            reference: None,
        })
    };
    given::<Account>([])
        .id("acc-1")
        .when(AccountCommand::OpenAccount(open(0)))
        .then([opened(0)])
        .when(change_password(SECOND_HASH))
        .then([password_changed(SECOND_HASH)])
        .when(change_email("john.snow@the.wall"))
        .then([email_changed(EMAIL, "john.snow@the.wall")])
        .when(deposit(5_000))
        .then([deposit_at_the_wall(5_000)])
        .when(deposit(5_000))
        .then([deposit_at_the_wall(10_000)])
        .when(change_email(GOLANG_EMAIL))
        .then([email_changed("john.snow@the.wall", GOLANG_EMAIL)])
        .when(deposit(15_000))
        .then([last_deposit])
        .when(withdraw(20_000))
        .then([withdrawn(20_000, 5_000)])
}

#[test]
fn a1_the_story_ends_with_eight_events() {
    let after = story().then_state(Account {
        first_name: "John".to_owned(),
        last_name: "Snow".to_owned(),
        email: GOLANG_EMAIL.to_owned(),
        password_hash: Some(hash(SECOND_HASH)),
        balance: 5_000,
        closed: false,
    });
    assert_eq!(after.history().len(), 8);
}

#[test]
fn a2_refusals_leave_version_8_and_all_can_be_withdrawn() {
    let state = story().state().cloned();
    let after = story()
        .when(change_email(""))
        .then_rejected("invalid_email")
        .when(change_password(""))
        .then_rejected("invalid_password")
        .when(deposit(0))
        .then_rejected("invalid_amount")
        .when(deposit(-1))
        .then_rejected("invalid_amount")
        .when(withdraw(0))
        .then_rejected("invalid_amount")
        .when(withdraw(-1))
        .then_rejected("invalid_amount")
        .when(withdraw(5_001))
        .then_rejected("insufficient_funds")
        .when(AccountCommand::OpenAccount(open(0)))
        .then_rejected("already_exists")
        .then_state(state);
    assert_eq!(after.history().len(), 8);
    after.when(withdraw(5_000)).then([withdrawn(5_000, 0)]);
    given::<Account>([])
        .id("acc-none")
        .when(deposit(1))
        .then_rejected("not_found");
    given::<Account>([])
        .when(AccountCommand::OpenAccount(open(-1)))
        .then_rejected("invalid_amount");
}

#[test]
fn a3_the_first_balance_counts() {
    given::<Account>([])
        .id("acc-2")
        .when(AccountCommand::OpenAccount(open(10_000)))
        .then([opened(10_000)])
        .when(withdraw(5_000))
        .then([withdrawn(5_000, 5_000)]);
}

#[test]
fn a6_two_withdrawals_of_1_and_then_100_deposits_of_1() {
    let mut account = account(2)
        .when(withdraw(1))
        .then([withdrawn(1, 1)])
        .when(withdraw(1))
        .then([withdrawn(1, 0)]);
    for balance in 1..=100 {
        account = account.when(deposit(1)).then([deposited(1, balance)]);
    }
    assert_eq!(account.history().len(), 103);
}

#[test]
fn s1_s2_movements_carry_the_resulting_balance() {
    account(0)
        .when(deposit(100))
        .then([deposited(100, 100)])
        .when(deposit(50))
        .then([deposited(50, 150)])
        .when(withdraw(151))
        .then_rejected("insufficient_funds")
        .when(withdraw(150))
        .then([withdrawn(150, 0)])
        .when(withdraw(1))
        .then_rejected("insufficient_funds");
}

#[test]
fn s8_the_state_at_each_version_is_the_fold_of_the_events_until_then() {
    let history = story().history().to_vec();
    let balances: Vec<_> = (0..=history.len())
        .map(|version| {
            let until_then = given::<Account>(history[..version].iter().cloned());
            until_then.state().map_or(0, |account| account.balance)
        })
        .collect();
    assert_eq!(balances, [0, 0, 0, 0, 5_000, 10_000, 10_000, 25_000, 5_000]);
}
