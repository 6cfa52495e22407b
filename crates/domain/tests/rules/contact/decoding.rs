//! The JSON form of commands: what is read, and what cannot be.

use millrace_eventsourcing::variant_names;
use serde_json::{Value, json};

use super::*;

fn decode(kind: &str, fields: &Value) -> Result<ContactCommand, String> {
    let text = json!({ kind: fields }).to_string();
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[test]
fn every_command_is_read_and_written() {
    for (kind, fields, command) in [
        ("AddContact", json!({"name": "Ada"}), add(Some("Ada"))),
        ("UpdateContact", json!({"name": ""}), update(Some(""))),
        ("DeleteContact", json!({}), delete()),
    ] {
        assert_eq!(
            serde_json::to_value(&command).unwrap(),
            json!({ kind: fields })
        );
        assert_eq!(decode(kind, &fields), Ok(command));
    }
    assert_eq!(
        variant_names::<ContactCommand>(),
        ["AddContact", "UpdateContact", "DeleteContact"]
    );
}

#[test]
fn absent_and_null_names_are_left_to_the_rules() {
    for fields in [json!({}), json!({"name": null})] {
        assert_eq!(decode("AddContact", &fields), Ok(add(None)));
        assert_eq!(decode("UpdateContact", &fields), Ok(update(None)));
    }
}

#[test]
fn names_are_texts() {
    for kind in ["AddContact", "UpdateContact"] {
        for value in [json!(1), json!(false), json!(["x"]), json!({"x": 1})] {
            let error = decode(kind, &json!({ "name": value })).unwrap_err();
            assert!(error.contains("invalid type"), "{error}");
        }
    }
}

#[test]
fn unknown_and_duplicate_fields_are_refused() {
    for kind in variant_names::<ContactCommand>() {
        for field in ["id", "Name", "email"] {
            let error = decode(kind, &json!({ field: "x" })).unwrap_err();
            assert!(error.contains(field), "{kind}: {error}");
        }
    }
    assert!(decode("DeleteContact", &json!({"name": "x"})).is_err());
    let text = r#"{"AddContact":{"name":"a","name":"b"}}"#;
    assert!(serde_json::from_str::<ContactCommand>(text).is_err());
}
