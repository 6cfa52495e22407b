//! `bank.reactor.thank-you`.

use millrace_domain::bank::account::{AccountEvent, MoneyDeposited, MoneyRefunded, MoneyWithdrawn};
use millrace_domain::bank::thank_you::ThankYou;
use millrace_eventsourcing::{EventEnvelope, Mail, Reactor as _, Timestamp, Version, follow_up_id};

fn envelope(payload: AccountEvent) -> EventEnvelope<AccountEvent> {
    EventEnvelope {
        version: Version::new(7),
        command_id: "c-7".to_owned(),
        causation_id: None,
        correlation_id: "k-1".to_owned(),
        actor: None,
        on_behalf_of: None,
        recorded_at: Timestamp::from_millis(7_000),
        created_at: Timestamp::from_millis(1_000),
        command_offset: 6,
        payload,
    }
}

fn deposited(reference: Option<&str>) -> EventEnvelope<AccountEvent> {
    envelope(AccountEvent::MoneyDeposited(MoneyDeposited {
        amount: 5_000,
        balance: 15_000,
        email: "John.Snow@thewall.eu".to_owned(),
        reference: reference.map(str::to_owned),
    }))
}

#[test]
fn a_deposit_is_thanked_for_once() {
    let mail = ThankYou.react("acc-1", &deposited(None));
    assert_eq!(
        mail,
        Some(Mail {
            id: follow_up_id("bank.reactor.thank-you", "bank.account/acc-1/7", 0),
            date: Timestamp::from_millis(7_000),
            to: "John.Snow@thewall.eu".to_owned(),
            subject: "Thank you for your deposit".to_owned(),
            body: "Thank you for your deposit of 5000 to the account acc-1.\n\
                   The new balance is 15000.\n\
                   \n\
                   Both are counted in minor units, such as cents.\n"
                .to_owned(),
        })
    );
    assert_eq!(ThankYou.react("acc-1", &deposited(None)), mail);
}

#[test]
fn another_deposit_is_another_mail() {
    let first = ThankYou.react("acc-1", &deposited(None)).unwrap();
    let later = EventEnvelope {
        version: Version::new(8),
        ..deposited(None)
    };
    assert_ne!(ThankYou.react("acc-1", &later).unwrap().id, first.id);
    let other_account = ThankYou.react("acc-2", &deposited(None)).unwrap();
    assert_ne!(other_account.id, first.id);
}

#[test]
fn a_deposit_with_a_reference_is_not_thanked_for() {
    for reference in ["", "transfer:t-1", "bonus:bank.account/acc-1/2"] {
        assert_eq!(ThankYou.react("acc-1", &deposited(Some(reference))), None);
    }
}

#[test]
fn nothing_but_a_deposit_is_thanked_for() {
    let withdrawn = AccountEvent::MoneyWithdrawn(MoneyWithdrawn {
        amount: 1,
        balance: 1,
        reference: None,
    });
    let refunded = AccountEvent::MoneyRefunded(MoneyRefunded {
        amount: 1,
        balance: 1,
        reference: "transfer:t-1".to_owned(),
    });
    for payload in [withdrawn, refunded] {
        assert_eq!(ThankYou.react("acc-1", &envelope(payload)), None);
    }
}

#[test]
fn lines_stay_short_enough_for_mail_servers() {
    let mail = ThankYou.react(&"x".repeat(128), &deposited(None)).unwrap();
    assert!(mail.body.lines().all(|line| line.len() < 998));
    assert!(!mail.subject.contains(char::is_control));
}
