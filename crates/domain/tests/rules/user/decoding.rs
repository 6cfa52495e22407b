//! The JSON form of commands: what is read, and what cannot be.

use millrace_eventsourcing::variant_names;
use serde_json::{Value, json};

use super::*;

fn decode(kind: &str, fields: &Value) -> Result<UserCommand, String> {
    let text = json!({ kind: fields }).to_string();
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[test]
fn every_command_is_read_and_written() {
    let fields = json!({"username": "ada", "email": "u@x"});
    for (kind, fields, command) in [
        ("RegisterUser", fields, register(Some("ada"), Some("u@x"))),
        ("DeactivateUser", json!({}), deactivate()),
        ("ReactivateUser", json!({}), reactivate()),
        ("RequireActive", json!({}), require_active()),
    ] {
        assert_eq!(
            serde_json::to_value(&command).unwrap(),
            json!({ kind: fields })
        );
        assert_eq!(decode(kind, &fields), Ok(command));
    }
}

#[test]
fn command_types_can_be_listed() {
    assert_eq!(
        variant_names::<UserCommand>(),
        [
            "RegisterUser",
            "DeactivateUser",
            "ReactivateUser",
            "RequireActive"
        ]
    );
    assert!(decode("CreateUser", &json!({})).is_err());
}

#[test]
fn absent_and_null_fields_are_left_to_the_rules() {
    for fields in [
        json!({}),
        json!({"username": null}),
        json!({"username": null, "email": null}),
    ] {
        assert_eq!(decode("RegisterUser", &fields), Ok(register(None, None)));
    }
}

#[test]
fn texts_are_texts() {
    for field in ["username", "email"] {
        for value in [json!(1), json!(true), json!(["x"]), json!({"x": 1})] {
            let error = decode("RegisterUser", &json!({ field: value })).unwrap_err();
            assert!(error.contains("invalid type"), "{error}");
        }
    }
}

#[test]
fn unknown_and_duplicate_fields_are_refused() {
    for kind in variant_names::<UserCommand>() {
        for field in ["user_id", "Email", "name"] {
            let error = decode(kind, &json!({ field: "x" })).unwrap_err();
            assert!(error.contains(field), "{kind}: {error}");
        }
    }
    let text = r#"{"RegisterUser":{"email":"u@x","email":"u@x"}}"#;
    assert!(serde_json::from_str::<UserCommand>(text).is_err());
}
