//! `bank.policy.bonus`.

use millrace_domain::bank::account::{
    Account, AccountClosed, AccountCommand, AccountEvent, AccountOpened, DepositMoney,
    EmailAddressChanged, MoneyDeposited, MoneyRefunded, MoneyWithdrawn, PasswordChanged,
    PasswordHash, Reference,
};
use millrace_domain::bank::bonus::Bonus;
use millrace_eventsourcing::{EventEnvelope, FollowUp, Policy as _, Timestamp, Version};

fn bonus() -> Bonus {
    Bonus {
        account: "CEO".to_owned(),
        divisor: 100,
        cap: 100_000,
    }
}

/// The seventh event of an account.
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

fn deposited(amount: i64, reference: Option<&str>) -> EventEnvelope<AccountEvent> {
    envelope(AccountEvent::MoneyDeposited(MoneyDeposited {
        amount,
        balance: amount,
        email: "u@x".to_owned(),
        reference: reference.map(str::to_owned),
    }))
}

fn assert_share(amount: i64, share: i64) {
    let reference = "bonus:bank.account/acc-1/7".to_owned();
    let command = AccountCommand::DepositMoney(DepositMoney {
        amount: Some(share),
        reference: Some(Reference::try_from(reference).unwrap()),
        below_balance: Some(100_000),
    });
    assert_eq!(
        bonus().react("acc-1", &deposited(amount, None)),
        [FollowUp::to::<Account>("CEO", &command)]
    );
}

#[test]
fn s4_a_hundredth_of_a_deposit_rounded_down_goes_to_the_bonus_account() {
    assert_share(10_000, 100);
    assert_share(12_345, 123);
    assert_share(100, 1);
    assert_share(199, 1);
    assert_share(i64::MAX, i64::MAX / 100);
}

#[test]
fn s4_a_share_that_rounds_to_nothing_is_none() {
    for amount in [1, 99] {
        assert!(bonus().react("acc-1", &deposited(amount, None)).is_empty());
    }
}

#[test]
fn s4_a_direct_deposit_to_the_bonus_account_has_no_bonus() {
    assert!(bonus().react("CEO", &deposited(10_000, None)).is_empty());
    assert_eq!(bonus().react("ceo", &deposited(10_000, None)).len(), 1);
}

#[test]
fn s4_a_deposit_with_a_reference_has_no_bonus() {
    for reference in ["", "transfer:t-1", "bonus:bank.account/acc-1/2"] {
        let deposited = deposited(10_000, Some(reference));
        assert!(bonus().react("acc-1", &deposited).is_empty());
    }
}

#[test]
fn s4_nothing_but_a_deposit_has_a_bonus() {
    let text = || "x".to_owned();
    for payload in [
        AccountEvent::AccountOpened(AccountOpened {
            first_name: text(),
            last_name: text(),
            email: text(),
            password_hash: None,
            initial_balance: 10_000,
        }),
        AccountEvent::MoneyWithdrawn(MoneyWithdrawn {
            amount: 10_000,
            balance: 0,
            reference: None,
        }),
        AccountEvent::MoneyRefunded(MoneyRefunded {
            amount: 10_000,
            balance: 10_000,
            reference: text(),
        }),
        AccountEvent::EmailAddressChanged(EmailAddressChanged {
            previous: text(),
            email: text(),
        }),
        AccountEvent::PasswordChanged(PasswordChanged {
            password_hash: PasswordHash::from(text()),
        }),
        AccountEvent::AccountClosed(AccountClosed {}),
    ] {
        assert!(bonus().react("acc-1", &envelope(payload)).is_empty());
    }
}

#[test]
fn nobody_awaits_the_answer() {
    let asked = bonus().react("acc-1", &deposited(10_000, None));
    assert_eq!(asked[0].reply_to, None);
    assert_eq!(Bonus::NAME, "bank.policy.bonus");
    assert_eq!(Bonus::TARGETS, ["bank.account"]);
}

#[test]
fn account_divisor_and_cap_are_settings() {
    let other = Bonus {
        account: "acc-9".to_owned(),
        divisor: 3,
        cap: -1,
    };
    let asked = other.react("CEO", &deposited(10, None));
    assert_eq!(asked[0].aggregate_id, "acc-9");
    assert_eq!(asked[0].data["amount"], 3);
    assert_eq!(asked[0].data["below_balance"], -1);
}

#[test]
fn no_divisor_makes_it_panic() {
    for divisor in [i64::MIN, -1, 0] {
        let strange = Bonus { divisor, ..bonus() };
        for amount in [i64::MIN, -1, 1, i64::MAX] {
            let asked = strange.react("acc-1", &deposited(amount, None));
            assert!(asked.is_empty() || amount < 0);
        }
    }
}
