//! The JSON form of commands: what is read, and what cannot be.

use millrace_eventsourcing::{variant_name, variant_names};
use serde_json::{Value, json};

use super::*;

fn decode(kind: &str, fields: &Value) -> Result<AccountCommand, String> {
    let text = json!({ kind: fields }).to_string();
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[test]
fn every_command_is_read() {
    let fields = json!({
        "first_name": "John", "last_name": "Snow", "email": EMAIL,
        "password_hash": FIRST_HASH, "initial_balance": 7,
    });
    for (kind, fields, command) in [
        ("OpenAccount", fields, AccountCommand::OpenAccount(open(7))),
        ("DepositMoney", json!({"amount": 5000}), deposit(5_000)),
        ("WithdrawMoney", json!({"amount": 1}), withdraw(1)),
        (
            "RefundMoney",
            json!({"amount": 1, "reference": "transfer:t-1"}),
            refund(1),
        ),
        (
            "ChangeEmailAddress",
            json!({"email": "u@x"}),
            change_email("u@x"),
        ),
        (
            "ChangePassword",
            json!({"password_hash": SECOND_HASH}),
            change_password(SECOND_HASH),
        ),
        ("CloseAccount", json!({}), close()),
    ] {
        assert_eq!(decode(kind, &fields), Ok(command));
    }
}

#[test]
fn the_names_of_other_systems_are_read_as_ours() {
    for (theirs, ours) in [
        ("CreateAccount", "OpenAccount"),
        ("CreditAccount", "DepositMoney"),
        ("DebitAccount", "WithdrawMoney"),
    ] {
        let command = decode(theirs, &json!({})).unwrap();
        assert_eq!(variant_name(&command), Ok(ours));
    }
}

#[test]
fn command_types_can_be_listed() {
    let mut names = variant_names::<AccountCommand>().to_vec();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "ChangeEmailAddress",
            "ChangePassword",
            "CloseAccount",
            "CreateAccount",
            "CreditAccount",
            "DebitAccount",
            "DepositMoney",
            "OpenAccount",
            "RefundMoney",
            "WithdrawMoney",
        ]
    );
    assert!(decode("EmptyAccount", &json!({})).is_err());
}

#[test]
fn absent_and_null_fields_are_left_to_the_rules() {
    let nulls = json!({
        "first_name": null, "last_name": null, "email": null,
        "password_hash": null, "initial_balance": null,
    });
    let nothing = AccountCommand::OpenAccount(OpenAccount::default());
    assert_eq!(decode("OpenAccount", &nulls), Ok(nothing.clone()));
    assert_eq!(decode("OpenAccount", &json!({})), Ok(nothing));
    let nothing = AccountCommand::DepositMoney(DepositMoney::default());
    let nulls = json!({"amount": null, "reference": null, "below_balance": null});
    assert_eq!(decode("DepositMoney", &nulls), Ok(nothing.clone()));
    assert_eq!(decode("DepositMoney", &json!({})), Ok(nothing));
}

#[test]
fn a_refund_names_its_transfer() {
    let error = decode("RefundMoney", &json!({"amount": 1})).unwrap_err();
    assert!(error.contains("missing field `reference`"), "{error}");
    assert!(decode("RefundMoney", &json!({"amount": 1, "reference": null})).is_err());
}

#[test]
fn amounts_are_whole_numbers_of_64_bits() {
    for text in [
        "1.0",
        "5e3",
        "\"5\"",
        "9223372036854775808",
        "-9223372036854775809",
        "true",
        "[1]",
    ] {
        for (kind, field) in [
            ("DepositMoney", "amount"),
            ("OpenAccount", "initial_balance"),
        ] {
            let text = format!("{{\"{kind}\":{{\"{field}\":{text}}}}}");
            assert!(
                serde_json::from_str::<AccountCommand>(&text).is_err(),
                "{text}"
            );
        }
    }
    for amount in [i64::MIN, -1, 0, i64::MAX] {
        assert_eq!(
            decode("DepositMoney", &json!({"amount": amount})),
            Ok(deposit(amount))
        );
    }
}

#[test]
fn texts_are_texts() {
    for (kind, field) in [
        ("OpenAccount", "first_name"),
        ("ChangeEmailAddress", "email"),
        ("ChangePassword", "password_hash"),
        ("DepositMoney", "reference"),
    ] {
        for value in [json!(1), json!(true), json!(["x"]), json!({"x": 1})] {
            assert!(
                decode(kind, &json!({ field: value })).is_err(),
                "{kind} {value}"
            );
        }
    }
}

#[test]
fn unknown_fields_are_refused_by_every_command() {
    for kind in variant_names::<AccountCommand>() {
        let fields = json!({"reference": "r", "amuont": 1});
        assert!(decode(kind, &fields).is_err(), "{kind}");
        let error = decode(kind, &json!({"amuont": 1})).unwrap_err();
        assert!(error.contains("amuont"), "{error}");
    }
}

#[test]
fn duplicate_fields_are_refused() {
    let text = r#"{"DepositMoney":{"amount":1,"amount":2}}"#;
    assert!(serde_json::from_str::<AccountCommand>(text).is_err());
}

#[test]
fn references_are_bounded() {
    let fields = |reference: &str| json!({"amount": 1, "reference": reference});
    assert!(decode("DepositMoney", &fields(&"x".repeat(512))).is_ok());
    let error = decode("DepositMoney", &fields(&"x".repeat(513))).unwrap_err();
    assert!(error.contains("513 bytes"), "{error}");
    assert!(decode("WithdrawMoney", &fields("a\u{7}b")).is_err());
    assert!(decode("RefundMoney", &fields("a\nb")).is_err());
}

#[test]
fn what_is_written_is_read_again() {
    for command in [
        AccountCommand::OpenAccount(open(3)),
        deposit_below(10, 1),
        refund(2),
        close(),
    ] {
        let text = serde_json::to_string(&command).unwrap();
        assert_eq!(
            serde_json::from_str::<AccountCommand>(&text).unwrap(),
            command
        );
    }
}
