//! S11: transfers, and every way in which they end.

use millrace_domain::bank::account::BALANCE_MAX;
use millrace_eventsourcing::Status;

use super::*;

const THROUGH: [&str; 5] = [
    "TransferRequested",
    "MoneyWithdrawn",
    "TransferWithdrawn",
    "MoneyDeposited",
    "TransferCompleted",
];

fn last_event(bank: &World, transfer: &str) -> String {
    let events = bank.events().iter().rev();
    let mut of_it = events.filter(|event| event.aggregate_id == transfer);
    of_it.next().unwrap().id.clone()
}

/// All that a transfer led to belongs to the conversation that its request began.
fn assert_one_conversation(bank: &World, transfer: &str, correlation_id: &str) {
    let reference = format!("transfer:{transfer}");
    let mut found = 0;
    for event in bank.events() {
        let mut payload = event.envelope.payload.as_object().unwrap().values();
        let is_leg = payload.any(|data| data["reference"] == *reference);
        if is_leg || event.aggregate_id == transfer {
            assert_eq!(event.envelope.correlation_id, correlation_id, "{event:?}");
            found += 1;
        }
    }
    assert!(found >= 2);
}

#[test]
fn s11_a_transfer_moves_the_money() {
    in_any_order(&[("acc-1", 1_000), ("acc-2", 500)], |bank, order| {
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        assert_eq!(balance(bank, "acc-1"), 900);
        assert_eq!(balance(bank, "acc-2"), 600);
        assert_eq!(stage(bank, "t-1"), Some(Stage::Completed {}));
        assert_eq!(bank.causes("bank.transfer/t-1/3"), THROUGH);
        assert_eq!(bank.events().len(), 2 + THROUGH.len());
        assert_one_conversation(bank, "t-1", "c-1");
    });
}

#[test]
fn s11_without_enough_money_nothing_moves() {
    in_any_order(&[("acc-1", 50), ("acc-2", 500)], |bank, order| {
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        assert_eq!(balance(bank, "acc-1"), 50);
        assert_eq!(balance(bank, "acc-2"), 500);
        assert_eq!(stage(bank, "t-1"), Some(failed("insufficient_funds")));
        assert_eq!(
            bank.causes("bank.transfer/t-1/2"),
            [
                "TransferRequested",
                "WithdrawMoney: insufficient_funds",
                "TransferFailed"
            ]
        );
        assert_eq!(bank.history::<Account>("acc-2").len(), 1);
        assert_one_conversation(bank, "t-1", "c-1");
    });
}

#[test]
fn s11_a_sender_that_does_not_exist_fails_it() {
    in_any_order(&[("acc-2", 500)], |bank, order| {
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        assert_eq!(stage(bank, "t-1"), Some(failed("not_found")));
        assert_eq!(balance(bank, "acc-2"), 500);
    });
}

/// The receiver refuses with this code, and the sender has its money back.
fn assert_refunded(bank: &World, code: &str) {
    assert_eq!(balance(bank, "acc-1"), 1_000);
    assert_eq!(stage(bank, "t-1"), Some(failed(code)));
    let refused = format!("DepositMoney: {code}");
    assert_eq!(
        bank.causes(&last_event(bank, "t-1")),
        [
            "TransferRequested",
            "MoneyWithdrawn",
            "TransferWithdrawn",
            &refused,
            "TransferDepositRefused",
            "MoneyRefunded",
            "TransferFailed",
        ]
    );
    assert_one_conversation(bank, "t-1", "c-1");
}

#[test]
fn s11_a_closed_receiver_sends_the_money_back() {
    in_any_order(&[("acc-1", 1_000), ("acc-2", 0)], |bank, order| {
        bank.send::<Account>("acc-2", "close", &close());
        bank.run(order);
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        assert_refunded(bank, "account_closed");
        assert_eq!(balance(bank, "acc-2"), 0);
    });
}

#[test]
fn s11_a_receiver_that_does_not_exist_sends_the_money_back() {
    in_any_order(&[("acc-1", 1_000)], |bank, order| {
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        assert_refunded(bank, "not_found");
        assert_eq!(bank.state::<Account>("acc-2"), None);
    });
}

#[test]
fn s11_a_full_receiver_sends_the_money_back() {
    let accounts = [("acc-1", 1_000), ("acc-2", BALANCE_MAX - 99)];
    in_any_order(&accounts, |bank, order| {
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        assert_refunded(bank, "balance_overflow");
        assert_eq!(balance(bank, "acc-2"), BALANCE_MAX - 99);
    });
}

#[test]
fn s11_a_sender_that_closed_meanwhile_has_the_money_back_all_the_same() {
    in_any_order(&[("acc-1", 100), ("acc-2", 0)], |bank, order| {
        bank.send::<Account>("acc-2", "close 2", &close());
        bank.run(order);
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run_until(order, |bank| balance(bank, "acc-1") == 0);
        bank.send::<Account>("acc-1", "close 1", &close());
        // What was just sent is the newest.
        bank.run_until(Order::Reversed, |bank| bank.outcome("close 1").is_some());
        assert_eq!(code(bank, "close 1"), None);
        bank.run(order);
        assert_eq!(stage(bank, "t-1"), Some(failed("account_closed")));
        let sender = bank.state::<Account>("acc-1").unwrap();
        assert_eq!((sender.balance, sender.closed), (100, true));
    });
}

#[test]
fn a_refund_that_is_refused_leaves_the_transfer_withdrawn_and_is_counted() {
    let all = BALANCE_MAX;
    in_any_order(&[("acc-1", all), ("acc-2", 0)], |bank, order| {
        bank.send::<Account>("acc-2", "close", &close());
        bank.run(order);
        // Three times the whole balance is under way when the refunds begin.
        for number in 1..=3 {
            let id = format!("t-{number}");
            bank.send::<Transfer>(&id, &id, &transfer_money("acc-1", "acc-2", all));
            bank.run_until(Order::Reversed, |bank| {
                stage(bank, &id) == Some(Stage::Withdrawn {})
            });
            let deposited = format!("d-{number}");
            bank.send::<Account>("acc-1", &deposited, &deposit(all));
            bank.run_until(Order::Reversed, |bank| bank.outcome(&deposited).is_some());
        }
        bank.run(order);
        assert_eq!(balance(bank, "acc-1"), 2 * all);
        let stages = ["t-1", "t-2", "t-3"].map(|id| stage(bank, id).unwrap());
        let stuck = Stage::DepositRefused {
            reason: "account_closed".to_owned(),
        };
        let count = |of: &Stage| stages.iter().filter(|stage| *stage == of).count();
        assert_eq!(count(&failed("account_closed")), 1);
        assert_eq!(count(&stuck), 2);
        let counted: Vec<_> = bank
            .outcomes()
            .iter()
            .filter(|outcome| outcome.code.as_deref() == Some("refund_refused"))
            .filter(|outcome| !outcome.duplicate)
            .collect();
        assert_eq!(counted.len(), 2);
        for outcome in counted {
            assert_eq!(outcome.status, Status::Rejected);
            let sentence = outcome.message.as_ref().unwrap();
            for value in ["acc-1", &all.to_string(), "t-", "balance_overflow"] {
                assert!(sentence.contains(value), "{sentence}");
            }
        }
    });
}

#[test]
fn a_transfer_brings_no_bonus() {
    let accounts = [("acc-1", 10_000), ("acc-2", 0), ("CEO", 0)];
    in_any_order(&accounts, |bank, order| {
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 10_000));
        bank.run(order);
        assert_eq!(balance(bank, "CEO"), 0);
    });
}

#[test]
fn a_transfer_is_made_once() {
    in_any_order(&[("acc-1", 1_000), ("acc-2", 500)], |bank, order| {
        bank.send::<Transfer>("t-1", "c-1", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        bank.send::<Transfer>("t-1", "c-2", &transfer_money("acc-1", "acc-2", 100));
        bank.run(order);
        assert_eq!(code(bank, "c-2"), Some("already_exists"));
        assert_eq!(balance(bank, "acc-2"), 600);
    });
}
