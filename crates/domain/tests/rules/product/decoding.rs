//! The JSON form of commands: what is read, and what cannot be.

use millrace_eventsourcing::{variant_name, variant_names};
use serde_json::{Value, json};

use super::*;

fn decode(kind: &str, fields: &Value) -> Result<ProductCommand, String> {
    let text = json!({ kind: fields }).to_string();
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[test]
fn every_command_is_read_and_written() {
    let fields = json!({"name": "Laptop", "price": PRICE, "stock": 5, "category_id": "c-1"});
    let created = CreateProduct {
        category_id: Some("c-1".to_owned()),
        ..laptop(PRICE, 5)
    };
    let reservation = json!({"order_id": "o-1", "quantity": 2});
    for (kind, fields, command) in [
        ("CreateProduct", fields, create(created)),
        ("SetStock", json!({"stock": 0}), set_stock(Some(0))),
        ("ReserveStock", reservation, reserve(Some(2))),
    ] {
        assert_eq!(
            serde_json::to_value(&command).unwrap(),
            json!({ kind: fields })
        );
        assert_eq!(decode(kind, &fields), Ok(command));
    }
}

#[test]
fn the_names_of_other_systems_are_read_as_ours() {
    let command = decode("UpdateProductStock", &json!({"stock": 7})).unwrap();
    assert_eq!(command, set_stock(Some(7)));
    assert_eq!(variant_name(&command), Ok("SetStock"));
    let mut names = variant_names::<ProductCommand>().to_vec();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "CreateProduct",
            "ReserveStock",
            "SetStock",
            "UpdateProductStock"
        ]
    );
}

#[test]
fn absent_and_null_fields_are_left_to_the_rules() {
    let nulls = json!({"name": null, "price": null, "stock": null, "category_id": null});
    let nothing = create(CreateProduct::default());
    for fields in [json!({}), nulls] {
        assert_eq!(decode("CreateProduct", &fields), Ok(nothing.clone()));
    }
    for fields in [json!({}), json!({"stock": null})] {
        assert_eq!(decode("SetStock", &fields), Ok(set_stock(None)));
    }
    for fields in [
        json!({"order_id": "o-1"}),
        json!({"order_id": "o-1", "quantity": null}),
    ] {
        assert_eq!(decode("ReserveStock", &fields), Ok(reserve(None)));
    }
}

#[test]
fn a_reservation_names_its_order() {
    let error = decode("ReserveStock", &json!({"quantity": 1})).unwrap_err();
    assert!(error.contains("missing field `order_id`"), "{error}");
    for (bad, reason) in [
        (json!(null), "invalid type"),
        (json!(1), "invalid type"),
        (json!(["o-1"]), "invalid type"),
        (json!(""), "cannot be empty"),
        (json!("x".repeat(129)), "129 bytes"),
        (json!("é".repeat(65)), "130 bytes"),
        (json!("o\n1"), "control characters"),
        (json!("o\u{85}"), "control characters"),
    ] {
        let error = decode("ReserveStock", &json!({"order_id": bad, "quantity": 1})).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    for good in ["x".repeat(128), " ".to_owned()] {
        assert!(decode("ReserveStock", &json!({ "order_id": good })).is_ok());
    }
}

#[test]
fn numbers_are_whole_and_of_64_bits() {
    for (kind, field) in [
        ("CreateProduct", "price"),
        ("CreateProduct", "stock"),
        ("SetStock", "stock"),
        ("UpdateProductStock", "stock"),
        ("ReserveStock", "quantity"),
    ] {
        for bad in [
            "1.0",
            "5e3",
            "\"5\"",
            "9223372036854775808",
            "-9223372036854775809",
            "true",
            "[1]",
        ] {
            let order = if kind == "ReserveStock" {
                "\"order_id\":\"o-1\","
            } else {
                ""
            };
            let text = |number| format!("{{\"{kind}\":{{{order}\"{field}\":{number}}}}}");
            let read = |text: &str| serde_json::from_str::<ProductCommand>(text);
            assert!(read(&text("5")).is_ok(), "{kind}");
            assert!(read(&text(bad)).is_err(), "{kind} {bad}");
        }
    }
    for number in [i64::MIN, -1, 0, i64::MAX] {
        let decoded = decode("SetStock", &json!({ "stock": number }));
        assert_eq!(decoded, Ok(set_stock(Some(number))));
    }
}

#[test]
fn texts_are_texts() {
    for field in ["name", "category_id"] {
        for value in [json!(1), json!(true), json!(["x"]), json!({"x": 1})] {
            let error = decode("CreateProduct", &json!({ field: value })).unwrap_err();
            assert!(error.contains("invalid type"), "{error}");
        }
    }
}

#[test]
fn unknown_and_duplicate_fields_are_refused() {
    for kind in variant_names::<ProductCommand>() {
        for field in ["id", "Stock", "total_price"] {
            let error = decode(kind, &json!({ field: 1 })).unwrap_err();
            assert!(error.contains(field), "{kind}: {error}");
        }
    }
    for text in [
        r#"{"SetStock":{"stock":1,"stock":2}}"#,
        r#"{"CreateProduct":{"price":1,"price":1}}"#,
    ] {
        assert!(serde_json::from_str::<ProductCommand>(text).is_err());
    }
}
