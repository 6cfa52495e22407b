//! S4, S5 and S7: what the bonus account gets.

use millrace_eventsourcing::Status;

use super::*;

/// The amounts of the bonuses that were paid.
fn bonuses(bank: &World) -> Vec<i64> {
    let events = bank.events().iter();
    let payloads = events.map(|event| &event.envelope.payload["MoneyDeposited"]);
    let is_bonus = |deposited: &&serde_json::Value| {
        let reference = deposited["reference"].as_str();
        reference.is_some_and(|reference| reference.starts_with("bonus:"))
    };
    let amounts = payloads
        .filter(is_bonus)
        .map(|deposited| deposited["amount"].as_i64());
    amounts.map(Option::unwrap).collect()
}

#[test]
fn s4_a_deposit_brings_the_bonus_account_its_share() {
    in_any_order(&[("CEO", 0), ("acc-1", 0)], |bank, order| {
        bank.send::<Account>("acc-1", "c-1", &deposit(10_000));
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 100);
        assert_eq!(balance(bank, "acc-1"), 10_000);
        let bonus = bank.history::<Account>("CEO").pop().unwrap();
        assert_eq!(bonus.causation_id.as_deref(), Some("bank.account/acc-1/2"));
        assert_eq!(bonus.correlation_id, "c-1");
        assert_eq!(
            bank.causes("bank.account/CEO/2"),
            ["MoneyDeposited", "MoneyDeposited"]
        );
        // The bonus has none itself.
        assert_eq!(bonuses(bank), [100]);
    });
}

#[test]
fn s4_shares_are_rounded_down_and_only_deposits_have_one() {
    in_any_order(&[("CEO", 500), ("acc-1", 500)], |bank, order| {
        bank.send::<Account>("acc-1", "c-1", &deposit(12_345));
        bank.send::<Account>("acc-1", "c-2", &deposit(99));
        bank.send::<Account>("CEO", "c-3", &deposit(10_000));
        bank.send::<Account>("acc-1", "c-4", &withdraw(500));
        bank.send::<Account>("CEO", "c-5", &withdraw(500));
        bank.run(order);
        assert_eq!(bonuses(bank), [123]);
        assert_eq!(balance(bank, "CEO"), 10_123);
        assert_eq!(balance(bank, "acc-1"), 12_444);
    });
}

#[test]
fn s5_the_bonus_account_gets_no_more_than_its_cap() {
    in_any_order(&[("CEO", 99_950), ("acc-1", 0)], |bank, order| {
        bank.send::<Account>("acc-1", "c-1", &deposit(10_000));
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 100_050);
        bank.send::<Account>("acc-1", "c-2", &deposit(10_000));
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 100_050);
        bank.send::<Account>("CEO", "c-3", &withdraw(1_000));
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 99_050);
        bank.send::<Account>("acc-1", "c-4", &deposit(10_000));
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 99_150);
        assert_eq!(bonuses(bank), [100, 100]);
    });
}

#[test]
fn s7_of_ten_bonuses_at_once_below_the_cap_one_is_paid() {
    let customers: Vec<_> = (1..=10).map(|number| format!("acc-{number}")).collect();
    let mut accounts: Vec<_> = customers.iter().map(|id| (id.as_str(), 0)).collect();
    accounts.push(("CEO", 99_950));
    in_any_order(&accounts, |bank, order| {
        for customer in &customers {
            let command_id = format!("deposit {customer}");
            bank.send::<Account>(customer, &command_id, &deposit(10_000));
        }
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 100_050);
        let offered = bank.outcomes().iter().filter(|outcome| {
            let is_bonus = outcome.causation_id.is_some();
            is_bonus && outcome.aggregate_id == "CEO" && !outcome.duplicate
        });
        let (accepted, refused): (Vec<_>, Vec<_>) =
            offered.partition(|outcome| outcome.status == Status::Accepted);
        assert_eq!((accepted.len(), refused.len()), (1, 9));
        for outcome in refused {
            assert_eq!(outcome.code.as_deref(), Some("bonus_cap_reached"));
        }
    });
}

#[test]
fn a_bonus_account_that_does_not_exist_or_is_closed_ends_it() {
    in_any_order(&[("acc-1", 0)], |bank, order| {
        bank.send::<Account>("acc-1", "c-1", &deposit(10_000));
        bank.run(order);
        assert_eq!(balance(bank, "acc-1"), 10_000);
        assert_eq!(bank.state::<Account>("CEO"), None);
    });
    in_any_order(&[("acc-1", 0), ("CEO", 0)], |bank, order| {
        bank.send::<Account>("CEO", "c-1", &close());
        bank.run(order);
        bank.send::<Account>("acc-1", "c-2", &deposit(10_000));
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 0);
    });
}
