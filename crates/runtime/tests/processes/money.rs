//! Where the money is: no coin is made or lost, and nobody owes any.

use std::collections::BTreeMap;

use millrace_domain::bank::account::AccountEvent;
use millrace_domain::bank::transfer::TransferEvent;

use super::facts::Facts;
use super::simulated::bonus;

/// What one transfer has moved, as the accounts tell it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Moved {
    /// Account and amount, each time.
    out: Vec<(String, i64)>,
    back: Vec<(String, i64)>,
    into: Vec<(String, i64)>,
}

/// Everything that should not be.
pub(super) fn differences(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut moved: BTreeMap<String, Moved> = BTreeMap::new();
    let (mut held, mut paid_in) = (0, 0);
    for (id, events) in &facts.accounts {
        let mut balance = 0;
        for event in events {
            let (change, told, reference) = booked(event);
            balance += change;
            if told.is_some_and(|told| told != balance) || balance < 0 {
                wrong.push(format!("`{id}` has {balance} after {event:?}"));
            }
            let transfer = reference.and_then(|text| text.strip_prefix("transfer:"));
            if let Some(transfer) = transfer {
                let moved = moved.entry(transfer.to_owned()).or_default();
                let to = match event {
                    AccountEvent::MoneyWithdrawn(_) => &mut moved.out,
                    AccountEvent::MoneyRefunded(_) => &mut moved.back,
                    AccountEvent::AccountOpened(_)
                    | AccountEvent::MoneyDeposited(_)
                    | AccountEvent::EmailAddressChanged(_)
                    | AccountEvent::PasswordChanged(_)
                    | AccountEvent::AccountClosed(_) => &mut moved.into,
                };
                to.push((id.clone(), change.abs()));
            } else {
                paid_in += change;
            }
        }
        held += balance;
    }
    if held != paid_in {
        wrong.push(format!(
            "{paid_in} were paid in, and the accounts hold {held}"
        ));
    }
    for (id, events) in &facts.transfers {
        let moved = moved.remove(id).unwrap_or_default();
        if let Some(what) = unfinished(events, &moved) {
            wrong.push(format!(
                "transfer `{id}` {what}: {events:?} moved {moved:?}"
            ));
        }
    }
    for (id, moved) in &moved {
        wrong.push(format!("`{id}` was never requested and moved {moved:?}"));
    }
    wrong.extend(bonuses(facts));
    wrong
}

/// By how much an event changes the balance, what it says that is then, and its reference.
fn booked(event: &AccountEvent) -> (i64, Option<i64>, Option<&str>) {
    match event {
        AccountEvent::AccountOpened(opened) => (opened.initial_balance, None, None),
        AccountEvent::MoneyDeposited(it) => (it.amount, Some(it.balance), it.reference.as_deref()),
        AccountEvent::MoneyWithdrawn(it) => (-it.amount, Some(it.balance), it.reference.as_deref()),
        AccountEvent::MoneyRefunded(it) => (it.amount, Some(it.balance), Some(&it.reference)),
        AccountEvent::EmailAddressChanged(_)
        | AccountEvent::PasswordChanged(_)
        | AccountEvent::AccountClosed(_) => (0, None, None),
    }
}

/// What is wrong with a transfer, given what it has moved.
fn unfinished(events: &[TransferEvent], moved: &Moved) -> Option<&'static str> {
    let Some(TransferEvent::TransferRequested(asked)) = events.first() else {
        return Some("does not begin with a request");
    };
    let from = vec![(asked.from_account.clone(), asked.amount)];
    let to = vec![(asked.to_account.clone(), asked.amount)];
    let nothing = Vec::new();
    let expected = match &events[1..] {
        [TransferEvent::TransferFailed(_)] => (&nothing, &nothing, &nothing),
        [
            TransferEvent::TransferWithdrawn(_),
            TransferEvent::TransferCompleted(_),
        ] => (&from, &nothing, &to),
        [
            TransferEvent::TransferWithdrawn(_),
            TransferEvent::TransferDepositRefused(refused),
            TransferEvent::TransferFailed(failed),
        ] => {
            if refused.reason != failed.reason {
                return Some("fails for another reason than the deposit");
            }
            (&from, &from, &nothing)
        }
        _ => return Some("has not come to its end, or took another way"),
    };
    let found = (&moved.out, &moved.back, &moved.into);
    (found != expected).then_some("moved something else than it should")
}

/// Every deposit of a customer earns one share: it is paid out once, or refused once.
fn bonuses(facts: &Facts) -> Vec<String> {
    let bonus = bonus();
    let mut wrong = Vec::new();
    let mut paid: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in facts.accounts.get(&bonus.account).into_iter().flatten() {
        let (change, _, reference) = booked(event);
        if let Some(cause) = reference.and_then(|text| text.strip_prefix("bonus:")) {
            paid.entry(cause.to_owned()).or_default().push(change);
        }
    }
    for (id, events) in &facts.accounts {
        for (version, event) in (1..).zip(events) {
            let cause = format!("bank.account/{id}/{version}");
            let paid = paid.remove(&cause).unwrap_or_default();
            let share = paid_in_by_a_customer(event).map(|amount| amount / bonus.divisor);
            let share = share.filter(|share| *share > 0 && *id != bonus.account);
            let asked = facts.caused_by(&cause).len();
            if asked != usize::from(share.is_some()) {
                wrong.push(format!("{cause}: {asked} times a bonus was asked for"));
            }
            let refused = facts.caused_by(&cause).iter().any(|sent| {
                let answers = facts.answers(sent.aggregate, &sent.id, sent.text("command_id"));
                answers.iter().all(|answer| answer["status"] == "rejected")
            });
            let expected = Vec::from_iter(share.filter(|_| !refused));
            if paid != expected {
                wrong.push(format!("{cause}: paid {paid:?} instead of {expected:?}"));
            }
        }
    }
    for cause in paid.keys() {
        wrong.push(format!(
            "a bonus was paid for {cause}, which did not happen"
        ));
    }
    wrong
}

fn paid_in_by_a_customer(event: &AccountEvent) -> Option<i64> {
    let AccountEvent::MoneyDeposited(deposited) = event else {
        return None;
    };
    let is_customers = deposited.reference.is_none();
    is_customers.then_some(deposited.amount)
}
