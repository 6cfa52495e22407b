//! What holds for any sequence of commands.

use millrace_domain::bank::account::BALANCE_MAX;
use millrace_eventsourcing::{Aggregate as _, Context, Rejection as _, Timestamp, Version};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const CODES: [&str; 11] = [
    "already_exists",
    "not_found",
    "account_closed",
    "invalid_name",
    "invalid_email",
    "invalid_password",
    "invalid_amount",
    "insufficient_funds",
    "balance_overflow",
    "bonus_cap_reached",
    "balance_not_zero",
];

fn amount() -> impl Strategy<Value = Option<i64>> {
    let edge = select(vec![
        i64::MIN,
        -1,
        0,
        BALANCE_MAX - 1,
        BALANCE_MAX,
        BALANCE_MAX + 1,
        i64::MAX - BALANCE_MAX,
        i64::MAX,
    ]);
    option::weighted(
        0.95,
        prop_oneof![8 => 1..=20_i64, 2 => any::<i64>(), 2 => edge],
    )
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::weighted(
        0.95,
        prop_oneof![6 => "[a-z]{1,8}@[a-z]{1,8}", 1 => "\\PC{0,20}"],
    )
}

fn password_hash() -> impl Strategy<Value = Option<PasswordHash>> {
    let text = select(vec![FIRST_HASH, SECOND_HASH, "$argon2id$v=19$broken"]);
    option::of(text.prop_map(hash))
}

fn some_reference() -> impl Strategy<Value = Reference> {
    "[a-z:]{0,12}".prop_map(|text| reference(&text))
}

fn opening() -> impl Strategy<Value = AccountCommand> {
    (text(), text(), text(), password_hash(), amount()).prop_map(
        |(first_name, last_name, email, password_hash, initial_balance)| {
            AccountCommand::OpenAccount(OpenAccount {
                first_name,
                last_name,
                email,
                password_hash,
                initial_balance,
            })
        },
    )
}

pub(super) fn command() -> impl Strategy<Value = AccountCommand> {
    let deposit = (
        amount(),
        option::of(some_reference()),
        option::of(any::<i64>()),
    )
        .prop_map(|(amount, reference, below_balance)| {
            AccountCommand::DepositMoney(DepositMoney {
                amount,
                reference,
                below_balance,
            })
        });
    let withdraw = (amount(), option::of(some_reference())).prop_map(|(amount, reference)| {
        AccountCommand::WithdrawMoney(WithdrawMoney { amount, reference })
    });
    let refund = (amount(), some_reference()).prop_map(|(amount, reference)| {
        AccountCommand::RefundMoney(RefundMoney { amount, reference })
    });
    let change_email =
        text().prop_map(|email| AccountCommand::ChangeEmailAddress(ChangeEmailAddress { email }));
    let change_password = password_hash()
        .prop_map(|password_hash| AccountCommand::ChangePassword(ChangePassword { password_hash }));
    prop_oneof![
        2 => opening(),
        6 => deposit,
        6 => withdraw,
        3 => refund,
        1 => change_email,
        1 => change_password,
        1 => Just(close()),
    ]
}

/// What follows when an open account gets any commands.
pub(super) fn history() -> impl Strategy<Value = Vec<AccountEvent>> {
    (0..50_i64, vec(command(), 0..30)).prop_map(|(balance, commands)| {
        let mut events = vec![opened(balance)];
        for command in &commands {
            events.extend(decide(fold(&events).as_ref(), command));
        }
        events
    })
}

/// What this event adds to the money in the account.
fn added(event: &AccountEvent) -> i128 {
    match event {
        AccountEvent::AccountOpened(opened) => opened.initial_balance.into(),
        AccountEvent::MoneyDeposited(deposited) => deposited.amount.into(),
        AccountEvent::MoneyWithdrawn(withdrawn) => -i128::from(withdrawn.amount),
        AccountEvent::MoneyRefunded(refunded) => refunded.amount.into(),
        AccountEvent::EmailAddressChanged(_)
        | AccountEvent::PasswordChanged(_)
        | AccountEvent::AccountClosed(_) => 0,
    }
}

fn fold(events: &[AccountEvent]) -> Option<Account> {
    events.iter().fold(None, Account::evolve)
}

fn decide(state: Option<&Account>, command: &AccountCommand) -> Result<AccountEvent, &'static str> {
    let context = Context {
        aggregate: Account::NAME,
        id: "acc-1",
        version: Version::NONE,
        command_id: "c-1",
        now: Timestamp::default(),
    };
    match Account::decide(state, command, &context) {
        Ok(mut decision) => {
            assert_eq!((decision.events.len(), decision.result), (1, None));
            Ok(decision.events.remove(0))
        }
        Err(rejection) => {
            let sentence = rejection.to_string();
            assert!(
                sentence.len() <= 1_024 && !sentence.contains("$argon2id"),
                "{sentence}"
            );
            Err(rejection.code())
        }
    }
}

proptest! {
    #[test]
    fn state_is_the_fold_and_money_adds_up(commands in vec(command(), 0..60), balance in 0..50_i64) {
        let mut events = vec![opened(balance)];
        let mut state = fold(&events);
        for command in &commands {
            let before = state.clone();
            match decide(state.as_ref(), command) {
                Ok(event) => {
                    state = Account::evolve(state, &event);
                    events.push(event);
                }
                Err(code) => prop_assert!(CODES.contains(&code), "{}", code),
            }
            prop_assert_eq!(&fold(&events), &state);
            let (Some(before), Some(after)) = (before, &state) else {
                return Err(TestCaseError::fail("the account is gone"));
            };
            prop_assert!(after.balance >= 0);
            prop_assert_eq!(i128::from(after.balance), events.iter().map(added).sum::<i128>());
            let is_deposited = matches!(events.last(), Some(AccountEvent::MoneyDeposited(_)));
            prop_assert!(!is_deposited || after.balance <= BALANCE_MAX);
            prop_assert!(after.closed || !before.closed, "opened again");
        }
    }

    #[test]
    fn any_account_in_any_state_answers_any_command(
        command in command(), balance in any::<i64>(), closed in any::<bool>(),
    ) {
        let account = Account { balance, closed, ..fold(&[opened(0)]).unwrap() };
        if let Err(code) = decide(Some(&account), &command) {
            prop_assert!(CODES.contains(&code), "{}", code);
        }
    }

    #[test]
    fn only_an_opening_brings_an_account_into_being(command in command()) {
        match decide(None, &command) {
            Ok(event) => prop_assert!(matches!(event, AccountEvent::AccountOpened(_))),
            Err(code) => prop_assert_eq!(
                code == "not_found",
                !matches!(command, AccountCommand::OpenAccount(_))
            ),
        }
    }

    #[test]
    fn facts_are_taken_in_whatever_came_before(commands in vec(command(), 0..20)) {
        let mut state = fold(&[opened(10)]);
        let mut never_opened = None;
        for command in &commands {
            let Ok(event) = decide(state.as_ref(), command) else { continue };
            state = Account::evolve(state, &event);
            never_opened = Account::evolve(never_opened, &event);
        }
        prop_assert!(state.is_some());
        prop_assert_eq!(never_opened, None);
    }
}
