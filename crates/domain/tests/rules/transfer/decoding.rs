//! The JSON form of commands: what is read, and what cannot be.

use millrace_eventsourcing::variant_names;
use serde_json::{Value, json};

use super::*;

fn decode(fields: &Value) -> Result<TransferCommand, String> {
    let text = json!({ "TransferMoney": fields }).to_string();
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// A sound command with one field replaced.
fn with(field: &str, value: Value) -> Value {
    let mut fields = json!({"from_account": "acc-1", "to_account": "acc-2", "amount": AMOUNT});
    fields[field] = value;
    fields
}

#[test]
fn a_transfer_is_read() {
    let command = transfer_money("acc-1", "acc-2", Some(AMOUNT));
    assert_eq!(decode(&with("amount", json!(AMOUNT))), Ok(command));
    assert_eq!(variant_names::<TransferCommand>(), ["TransferMoney"]);
}

#[test]
fn an_absent_amount_is_left_to_the_rules() {
    let nothing = transfer_money("acc-1", "acc-2", None);
    assert_eq!(decode(&with("amount", json!(null))), Ok(nothing.clone()));
    let absent = json!({"from_account": "acc-1", "to_account": "acc-2"});
    assert_eq!(decode(&absent), Ok(nothing));
}

#[test]
fn a_transfer_names_both_accounts() {
    for field in ["from_account", "to_account"] {
        let mut fields = with(field, json!(null));
        assert!(decode(&fields).is_err());
        fields.as_object_mut().unwrap().remove(field);
        let error = decode(&fields).unwrap_err();
        assert!(
            error.contains(&format!("missing field `{field}`")),
            "{error}"
        );
    }
}

#[test]
fn a_bad_id_cannot_be_read() {
    for field in ["from_account", "to_account"] {
        for (bad, reason) in [
            (json!(""), "cannot be empty"),
            (json!("x".repeat(129)), "129 bytes"),
            (json!("a\nb"), "control characters"),
            (json!(1), "invalid type"),
            (json!(["acc-1"]), "invalid type"),
        ] {
            let error = decode(&with(field, bad)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(decode(&with(field, json!("x".repeat(128)))).is_ok());
    }
}

#[test]
fn amounts_are_whole_numbers_of_64_bits() {
    for bad in [json!(1.0), json!("5"), json!(true), json!(u64::MAX)] {
        assert!(decode(&with("amount", bad)).is_err());
    }
}

#[test]
fn unknown_fields_are_refused() {
    for field in ["reference", "reply_to", "amuont"] {
        let error = decode(&with(field, json!("x"))).unwrap_err();
        assert!(error.contains(field), "{error}");
    }
}
