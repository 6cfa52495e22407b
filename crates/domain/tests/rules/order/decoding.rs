//! The JSON form of commands and events: what is read, and what cannot be.

use millrace_domain::shop::order::UserEmailError;
use millrace_eventsourcing::variant_names;
use serde_json::{Value, json};

use super::*;

fn decode(fields: &Value) -> Result<OrderCommand, String> {
    let text = json!({ "PlaceOrder": fields }).to_string();
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// A sound command with one field replaced.
fn with(field: &str, value: Value) -> Value {
    let mut fields = json!({"user_email": EMAIL, "product_id": "p-1", "quantity": 2});
    fields[field] = value;
    fields
}

#[test]
fn an_order_is_read_and_written() {
    let fields = with("quantity", json!(2));
    assert_eq!(decode(&fields), Ok(place(Some(2))));
    assert_eq!(
        serde_json::to_value(place(Some(2))).unwrap(),
        json!({ "PlaceOrder": fields })
    );
    assert_eq!(variant_names::<OrderCommand>(), ["PlaceOrder"]);
}

#[test]
fn an_absent_quantity_is_left_to_the_rules() {
    assert_eq!(decode(&with("quantity", json!(null))), Ok(place(None)));
    let absent = json!({"user_email": EMAIL, "product_id": "p-1"});
    assert_eq!(decode(&absent), Ok(place(None)));
}

#[test]
fn an_order_names_a_user_and_a_product() {
    for field in ["user_email", "product_id"] {
        let mut fields = with(field, json!(null));
        assert!(decode(&fields).is_err());
        fields.as_object_mut().unwrap().remove(field);
        let error = decode(&fields).unwrap_err();
        let missing = format!("missing field `{field}`");
        assert!(error.contains(&missing), "{error}");
    }
}

#[test]
fn a_bad_product_id_cannot_be_read() {
    for (bad, reason) in [
        (json!(""), "cannot be empty"),
        (json!("x".repeat(129)), "129 bytes"),
        (json!("a\nb"), "control characters"),
        (json!(1), "invalid type"),
        (json!(["p-1"]), "invalid type"),
    ] {
        let error = decode(&with("product_id", bad)).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    assert!(decode(&with("product_id", json!("x".repeat(128)))).is_ok());
}

#[test]
fn an_address_that_leads_to_no_user_cannot_be_read() {
    let reason = "the user's e-mail address cannot be an id";
    for (bad, reason) in [
        (json!(""), reason),
        (json!("   "), reason),
        (json!("\u{a0}\u{3000}"), reason),
        (json!("u@x\0"), reason),
        (json!("\tu@x"), reason),
        (json!("x".repeat(129)), reason),
        (json!(format!(" {}", "x".repeat(128))), reason),
        (json!(1), "invalid type"),
        (json!({"email": "u@x"}), "invalid type"),
    ] {
        let error = decode(&with("user_email", bad)).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    for good in [
        "u".to_owned(),
        "x".repeat(128),
        format!("{}  ", "é".repeat(63)),
    ] {
        assert!(decode(&with("user_email", json!(good))).is_ok());
    }
}

#[test]
fn what_is_wrong_with_an_address_is_its_cause() {
    use std::error::Error as _;
    let error: UserEmailError = UserEmail::try_from("  ".to_owned()).unwrap_err();
    let cause = error.source().unwrap();
    assert_eq!(cause.to_string(), "an id cannot be empty");
    let email = UserEmail::try_from(EMAIL.to_owned()).unwrap();
    assert_eq!(email.to_string(), EMAIL);
    assert_eq!(String::from(email), EMAIL);
}

#[test]
fn quantities_are_whole_numbers_of_64_bits() {
    for bad in [json!(1.0), json!("5"), json!(true), json!(u64::MAX)] {
        assert!(decode(&with("quantity", bad)).is_err());
    }
    for quantity in [i64::MIN, -1, 0, i64::MAX] {
        let decoded = decode(&with("quantity", json!(quantity)));
        assert_eq!(decoded, Ok(place(Some(quantity))));
    }
}

#[test]
fn unknown_and_duplicate_fields_are_refused() {
    for field in ["order_id", "reply_to", "total_price", "Quantity"] {
        let error = decode(&with(field, json!("x"))).unwrap_err();
        assert!(error.contains(field), "{error}");
    }
    let text = r#"{"PlaceOrder":{"user_email":"u@x","product_id":"p","product_id":"p"}}"#;
    assert!(serde_json::from_str::<OrderCommand>(text).is_err());
}

#[test]
fn a_decided_order_is_read_as_confirmed_or_rejected() {
    let decided = |total_price: Value, reason: Value| {
        let fields = json!({"total_price": total_price, "reason": reason, "user_email": EMAIL});
        serde_json::from_value::<OrderEvent>(json!({ "OrderDecided": fields })).unwrap()
    };
    let (null, refused) = (json!(null), json!("user_inactive"));
    assert_eq!(decided(json!(7), null.clone()), confirmed(7));
    assert_eq!(decided(json!(0), null.clone()), confirmed(0));
    assert_eq!(decided(json!(7), refused.clone()), confirmed(7));
    assert_eq!(decided(null.clone(), refused), rejected("user_inactive"));
    assert_eq!(decided(null.clone(), null), rejected(""));
    for event in histories().concat() {
        let text = serde_json::to_string(&event).unwrap();
        assert!(!text.contains("OrderDecided"), "{text}");
    }
}
