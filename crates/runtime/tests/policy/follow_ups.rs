//! Commands that follow from events, field by field.

use millrace_domain::bank::account::{AccountClosed, AccountEvent};
use millrace_domain::bank::bonus::Bonus;
use millrace_domain::bank::transfer::{
    TransferCompleted, TransferDepositRefused, TransferEvent, TransferPolicy, TransferRequested,
    TransferWithdrawn,
};
use millrace_eventsourcing::{Policy, follow_up_id};
use millrace_runtime::partitioner::partition_of;

use super::desk::{ACCOUNTS, Desk, TRACE, deposited, envelope};
use crate::engine::decide::desk::{Reply, Written};

fn bonus() -> Desk<Bonus> {
    Desk::new(Bonus {
        account: "CEO".to_owned(),
        divisor: 100,
        cap: 100_000,
    })
}

/// The one record, a command to this account.
fn command<'r>(reply: &'r Reply, account: &str) -> &'r Written {
    assert_eq!(reply.0.len(), 1, "{reply:?}");
    let written = &reply.0[0];
    assert_eq!(written.topic, "bank.account.commands");
    assert_eq!(written.key.as_deref(), Some(account.as_bytes()));
    assert_eq!(
        written.partition,
        partition_of(account.as_bytes(), ACCOUNTS)
    );
    let trace = ("traceparent".to_owned(), Some(TRACE.as_bytes().to_vec()));
    assert_eq!(written.headers, [trace], "and nothing else travels");
    written
}

fn text(written: &Written) -> String {
    String::from_utf8(written.value.clone().unwrap()).unwrap()
}

#[test]
fn a_deposit_earns_a_bonus_with_these_fields_and_no_others() {
    let reply = bonus().event("acc-1", &envelope(7, deposited(5_099, None)));
    let expected = format!(
        concat!(
            r#"{{"type":"DepositMoney","command_id":"{}","correlation_id":"k","#,
            r#""causation_id":"bank.account/acc-1/7","actor":"bank.policy.bonus","#,
            r#""on_behalf_of":"me","data":{{"amount":50,"below_balance":100000,"#,
            r#""reference":"bonus:bank.account/acc-1/7"}}}}"#
        ),
        follow_up_id(Bonus::NAME, "bank.account/acc-1/7", 0)
    );
    assert_eq!(text(command(&reply, "CEO")), expected);
}

#[test]
fn a_step_of_a_transfer_asks_an_account_with_these_fields_and_no_others() {
    let mut desk = Desk::new(TransferPolicy);
    let (from_account, to_account) = ("a".to_owned(), "b".to_owned());
    let requested = TransferRequested {
        from_account: from_account.clone(),
        to_account: to_account.clone(),
        amount: 5,
    };
    let mut event = envelope(1, TransferEvent::TransferRequested(requested));
    event.on_behalf_of = Some("you".to_owned());
    let reply = desk.event("t-1", &event);
    let expected = format!(
        concat!(
            r#"{{"type":"WithdrawMoney","command_id":"{}","correlation_id":"k","#,
            r#""causation_id":"bank.transfer/t-1/1","actor":"bank.policy.transfer","#,
            r#""on_behalf_of":"you","reply_to":"bank.transfer/t-1","#,
            r#""data":{{"amount":5,"reference":"transfer:t-1"}}}}"#
        ),
        follow_up_id(TransferPolicy::NAME, "bank.transfer/t-1/1", 0)
    );
    assert_eq!(text(command(&reply, "a")), expected);

    let withdrawn = TransferEvent::TransferWithdrawn(TransferWithdrawn {
        from_account: from_account.clone(),
        to_account: to_account.clone(),
        amount: 5,
    });
    let reply = desk.event("t-1", &envelope(2, withdrawn));
    assert!(text(command(&reply, "b")).contains(r#""type":"DepositMoney""#));

    let refused = TransferEvent::TransferDepositRefused(TransferDepositRefused {
        from_account,
        to_account,
        amount: 5,
        reason: "not_found".to_owned(),
    });
    let reply = desk.event("t-1", &envelope(3, refused));
    assert!(text(command(&reply, "a")).contains(r#""type":"RefundMoney""#));
}

#[test]
fn what_does_not_matter_leads_to_nothing() {
    let mut desk = bonus();
    for (id, event) in [
        ("CEO", deposited(5_000, None)),
        ("a", deposited(5_000, Some("transfer:t-1"))),
        ("a", deposited(99, None)),
        ("a", AccountEvent::AccountClosed(AccountClosed {})),
    ] {
        let reply = desk.event(id, &envelope(2, event));
        assert!(reply.0.is_empty(), "{reply:?}");
    }
    let completed = TransferEvent::TransferCompleted(TransferCompleted {});
    let reply = Desk::new(TransferPolicy).event("t-1", &envelope(3, completed));
    assert!(reply.0.is_empty(), "{reply:?}");
}

#[test]
fn the_same_event_makes_the_same_bytes_and_another_one_another_id() {
    let event = envelope(7, deposited(5_000, None));
    let mut desk = bonus();
    let first = desk.event("acc-1", &event);
    assert_eq!(desk.event("acc-1", &event), first);
    let later = desk.event("acc-1", &envelope(8, deposited(5_000, None)));
    let id = |reply: &Reply| -> serde_json::Value {
        serde_json::from_slice(reply.0[0].value.as_deref().unwrap()).unwrap()
    };
    assert_ne!(id(&first)["command_id"], id(&later)["command_id"]);
}

#[test]
fn an_event_without_actor_is_reacted_to_on_nobodys_behalf() {
    let mut event = envelope(7, deposited(5_000, None));
    event.actor = None;
    let reply = bonus().event("acc-1", &event);
    assert!(!text(command(&reply, "CEO")).contains("on_behalf_of"));
}
