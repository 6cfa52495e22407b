//! Money is neither created nor lost, whatever is transferred and closed, in whatever order.

use std::collections::BTreeMap;

use millrace_domain::bank::account::{AccountEvent, BALANCE_MAX};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use Leg::{Deposited, Refunded, Withdrawn};

/// Two with little, one with nothing, three with all that an account may hold.
const ACCOUNTS: [(&str, i64); 6] = [
    ("a", 100),
    ("b", 50),
    ("c", 0),
    ("r", BALANCE_MAX),
    ("s", BALANCE_MAX),
    ("t", BALANCE_MAX),
];

#[derive(Debug, Clone)]
enum Wish {
    Transfer {
        from: &'static str,
        to: &'static str,
        amount: i64,
    },
    Close(&'static str),
}

fn account() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        20 => select(ACCOUNTS.map(|(id, _)| id).to_vec()),
        1 => Just("nobody"),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let amount = prop_oneof![
        4 => 1..=120_i64,
        4 => Just(BALANCE_MAX),
        1 => select(vec![0, 50, 100, BALANCE_MAX / 2, i64::MAX]),
    ];
    prop_oneof![
        5 => (account(), account(), amount)
            .prop_map(|(from, to, amount)| Wish::Transfer { from, to, amount }),
        1 => account().prop_map(Wish::Close),
    ]
}

/// Wishes that lead to refunds which the sender cannot take: it sends all it has to nobody, again
/// and again, and gets as much from others meanwhile.
fn refilling_wish() -> impl Strategy<Value = Wish> {
    let (from, to) = (select(vec!["s", "t"]), Just("nobody"));
    let parties = prop_oneof![(Just("r"), to), (from, Just("r"))];
    parties.prop_map(|(from, to)| Wish::Transfer {
        from,
        to,
        amount: BALANCE_MAX,
    })
}

fn wishes() -> impl Strategy<Value = (Vec<Wish>, Vec<Wish>)> {
    prop_oneof![
        3 => (vec(wish(), 1..12), vec(wish(), 0..8)),
        1 => (vec(refilling_wish(), 4..16), vec(wish(), 0..3)),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        1 => Just(Order::Sent),
        1 => Just(Order::Reversed),
        4 => any::<u64>().prop_map(Order::Any),
        4 => any::<u64>().prop_map(Order::PerKey),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leg {
    Withdrawn,
    Deposited,
    Refunded,
}

/// What one transfer did to the accounts, by their own events.
#[derive(Debug, Default, Clone, PartialEq)]
struct Legs {
    moved: Vec<(Leg, String, i64)>,
    correlation_ids: Vec<String>,
}

/// By reference.
fn legs(bank: &World) -> BTreeMap<String, Legs> {
    let mut all: BTreeMap<String, Legs> = BTreeMap::new();
    for (account, _) in ACCOUNTS {
        for event in bank.history::<Account>(account) {
            let (leg, reference, amount) = match event.payload {
                AccountEvent::MoneyWithdrawn(it) => (Withdrawn, it.reference, it.amount),
                AccountEvent::MoneyDeposited(it) => (Deposited, it.reference, it.amount),
                AccountEvent::MoneyRefunded(it) => (Refunded, Some(it.reference), it.amount),
                AccountEvent::AccountOpened(_)
                | AccountEvent::EmailAddressChanged(_)
                | AccountEvent::PasswordChanged(_)
                | AccountEvent::AccountClosed(_) => continue,
            };
            let legs = all.entry(reference.unwrap()).or_default();
            legs.moved.push((leg, account.to_owned(), amount));
            legs.correlation_ids.push(event.correlation_id);
        }
    }
    for legs in all.values_mut() {
        legs.moved.sort();
    }
    all
}

fn total(bank: &World) -> i128 {
    let accounts = ACCOUNTS.iter();
    accounts.map(|(id, _)| i128::from(balance(bank, id))).sum()
}

/// What was withdrawn and has not landed.
fn under_way(legs: &BTreeMap<String, Legs>) -> i128 {
    let moved = legs.values().flat_map(|legs| &legs.moved);
    let signed = moved.map(|(leg, _, amount)| match leg {
        Withdrawn => i128::from(*amount),
        Deposited | Refunded => -i128::from(*amount),
    });
    signed.sum()
}

/// The sentences with which the transfer says that its refund was refused.
fn refund_refused<'a>(bank: &'a World, transfer: &str) -> Vec<&'a str> {
    let outcomes = bank.outcomes().iter();
    let of_it = outcomes.filter(|outcome| {
        let is_it = outcome.aggregate_id == transfer && !outcome.duplicate;
        is_it && outcome.code.as_deref() == Some("refund_refused")
    });
    of_it
        .filter_map(|outcome| outcome.message.as_deref())
        .collect()
}

/// The transfer has ended, its legs are those that its end claims, and its causes are all known.
fn assert_ended(bank: &World, id: &str, legs: &Legs) -> Result<(), TestCaseError> {
    let transfer = bank.state::<Transfer>(id).unwrap();
    let withdrawn = (Withdrawn, transfer.from_account.clone(), transfer.amount);
    let deposited = (Deposited, transfer.to_account.clone(), transfer.amount);
    let refunded = (Refunded, transfer.from_account.clone(), transfer.amount);
    let last = bank.history::<Transfer>(id).last().unwrap().version;
    let causes = bank.causes(&format!("bank.transfer/{id}/{last}"));
    let causes: Vec<_> = causes.iter().map(String::as_str).collect();
    let through = ["TransferRequested", "MoneyWithdrawn", "TransferWithdrawn"];
    match &transfer.stage {
        Stage::Completed {} => {
            prop_assert_eq!(&legs.moved, &[withdrawn, deposited]);
            let end = ["MoneyDeposited", "TransferCompleted"];
            prop_assert_eq!(causes, [&through[..], &end].concat());
        }
        Stage::Failed { reason } if legs.moved.is_empty() => {
            let refused = format!("WithdrawMoney: {reason}");
            prop_assert_eq!(causes, ["TransferRequested", &refused, "TransferFailed"]);
        }
        Stage::Failed { reason } => {
            prop_assert_eq!(&legs.moved, &[withdrawn, refunded]);
            let refused = format!("DepositMoney: {reason}");
            let returned = [&refused, "TransferDepositRefused", "MoneyRefunded"];
            let end = [&through[..], &returned, &["TransferFailed"]].concat();
            prop_assert_eq!(causes, end);
        }
        Stage::DepositRefused { reason } => {
            prop_assert_eq!(&legs.moved, &[withdrawn]);
            let sentences = refund_refused(bank, id);
            let is_full = sentences
                .first()
                .is_some_and(|it| it.contains("`balance_overflow`"));
            prop_assert!(sentences.len() == 1 && is_full, "{:?}", sentences);
            let refused = format!("DepositMoney: {reason}");
            let end = [&through[..], &[&refused, "TransferDepositRefused"]].concat();
            prop_assert_eq!(causes, end);
        }
        Stage::Requested {} | Stage::Withdrawn {} => {
            return Err(TestCaseError::fail(format!(
                "{id} has not ended: {transfer:?}"
            )));
        }
    }
    for correlation_id in &legs.correlation_ids {
        prop_assert_eq!(correlation_id, id);
    }
    Ok(())
}

/// The command that this wish is, as the one with this number.
fn send(bank: &mut World, number: usize, wish: &Wish) {
    let id = format!("t-{number}");
    match wish {
        Wish::Transfer { from, to, amount } => {
            bank.send::<Transfer>(&id, &id, &transfer_money(from, to, *amount));
        }
        Wish::Close(account) => bank.send::<Account>(account, &id, &close()),
    }
}

proptest! {
    #[test]
    fn money_is_neither_created_nor_lost(
        (first, then) in wishes(),
        meanwhile in 0..80_usize,
        order in order(),
        repeating in any::<bool>(),
    ) {
        let mut bank = if repeating { repeating_bank_of(&ACCOUNTS) } else { bank_of(&ACCOUNTS) };
        let before = total(&bank);
        for (number, wish) in first.iter().enumerate() {
            send(&mut bank, number, wish);
        }
        bank.run_until(order, |bank| bank.outcomes().len() > meanwhile);
        prop_assert_eq!(total(&bank) + under_way(&legs(&bank)), before);
        for (number, wish) in (first.len()..).zip(&then) {
            send(&mut bank, number, wish);
        }
        bank.run(order);

        let legs = legs(&bank);
        prop_assert_eq!(total(&bank) + under_way(&legs), before);
        let mut stuck = 0;
        for number in 0..first.len() + then.len() {
            let id = format!("t-{number}");
            let Some(transfer) = bank.state::<Transfer>(&id) else { continue };
            let none = Legs::default();
            let legs = legs.get(&format!("transfer:{id}")).unwrap_or(&none);
            assert_ended(&bank, &id, legs)?;
            if matches!(transfer.stage, Stage::DepositRefused { .. }) {
                stuck += i128::from(transfer.amount);
            }
        }
        prop_assert_eq!(under_way(&legs), stuck);
    }
}
