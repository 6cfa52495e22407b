//! A policy whose commands are not always what they should be: the deposit's reference says how.

use millrace_domain::bank::account::{Account, AccountEvent};
use millrace_domain::bank::transfer::Transfer;
use millrace_eventsourcing::{Aggregate, EventEnvelope, FollowUp, Policy};
use serde_json::json;

/// See the module. Every deposit leads to a sound command first, and to a second one that is as its
/// reference says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wild;

impl Policy for Wild {
    type Aggregate = Account;
    const NAME: &'static str = "test.policy.wild";
    const TARGETS: &'static [&'static str] = &[Account::NAME, "bank.nobody"];

    fn react(&self, _: &str, event: &EventEnvelope<AccountEvent>) -> Vec<FollowUp> {
        let AccountEvent::MoneyDeposited(deposited) = &event.payload else {
            return Vec::new();
        };
        let to = |aggregate, id: &str, text: String| FollowUp {
            aggregate,
            aggregate_id: id.to_owned(),
            kind: "CloseAccount",
            data: json!({"text": text}),
            reply_to: None,
        };
        let small = || "x".to_owned();
        let second = match deposited.reference.as_deref() {
            Some("panics") => panic!("the policy is broken"),
            Some("undeclared") => to(Transfer::NAME, "t", small()),
            Some("unknown") => to("bank.nobody", "n", small()),
            Some("empty id") => to(Account::NAME, "", small()),
            Some("long id") => to(Account::NAME, &"i".repeat(129), small()),
            Some("control") => to(Account::NAME, "a\u{7}", small()),
            Some("large") => to(Account::NAME, "a", "x".repeat(256 * 1024)),
            Some("largest") => to(Account::NAME, "a", "x".repeat(256 * 1024 - 400)),
            _ => to(Account::NAME, "second", small()),
        };
        vec![to(Account::NAME, "first", small()), second]
    }
}
