//! The rules of resolution one by one, on small schemas.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{Codec, DecodeError, HandledId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::evolution::Kind;

const EMPTY: &str = r#"{"type": "record", "name": "Defaults", "fields": []}"#;

const DEFAULTS: &str = r#"{"type": "record", "name": "Defaults", "fields": [
    {"name": "yes", "type": "boolean", "default": true},
    {"name": "int", "type": "int", "default": -7},
    {"name": "long", "type": "long", "default": 9223372036854775807},
    {"name": "float", "type": "float", "default": 0.1},
    {"name": "double", "type": "double", "default": 3},
    {"name": "text", "type": "string", "default": "zwölf"},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["OLD", "NEW"]},
        "default": "NEW"},
    {"name": "list", "type": {"type": "array", "items": {"type": "map", "values": "long"}},
        "default": [{"a": 1}, {}]},
    {"name": "nested", "type": {"type": "record", "name": "Nested", "fields": [
        {"name": "given", "type": "long"},
        {"name": "left", "type": ["null", "string"], "default": null}]},
        "default": {"given": 5}}
]}"#;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Defaults {
    yes: bool,
    int: i32,
    long: i64,
    float: f32,
    double: f64,
    text: String,
    kind: Kind,
    list: Vec<BTreeMap<String, i64>>,
    nested: Nested,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested {
    given: i64,
    left: Option<String>,
}

/// A record of the first version without any bytes, read as the second.
fn read_as<T: Serialize + DeserializeOwned>(first: &str, second: &str) -> T {
    let mut catalogue = Catalogue::new();
    catalogue.publish("s", &[first, second]).unwrap();
    let codec = AvroCodec::<T>::new("s", &catalogue).unwrap();
    let id = catalogue.version("s", "1").unwrap().id;
    let record = [&[0][..], &id.get().to_be_bytes()].concat();
    codec.decode(&record).unwrap()
}

#[test]
fn every_type_can_have_a_default() {
    assert_eq!(
        read_as::<Defaults>(EMPTY, DEFAULTS),
        Defaults {
            yes: true,
            int: -7,
            long: i64::MAX,
            float: 0.1,
            double: 3.0,
            text: "zwölf".to_owned(),
            kind: Kind::New,
            list: vec![[("a".to_owned(), 1)].into(), BTreeMap::new()],
            nested: Nested {
                given: 5,
                left: None
            },
        }
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Raw {
    bytes: HandledId,
    fixed: HandledId,
}

#[test]
fn defaults_of_bytes_are_text_with_one_character_each() {
    let text = "\\u0000\\u00ff34567890abcdef";
    let raw = r#"{"type": "record", "name": "Defaults", "fields": [
        {"name": "bytes", "type": "bytes", "default": "TEXT"},
        {"name": "fixed", "type": {"type": "fixed", "name": "F", "size": 16}, "default": "TEXT"}
    ]}"#;
    let id = HandledId(*b"\x00\xff34567890abcdef");
    assert_eq!(
        read_as::<Raw>(EMPTY, &raw.replace("TEXT", text)),
        Raw {
            bytes: id,
            fixed: id
        }
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Filled {
    first: (),
    second: Option<i64>,
}

#[test]
fn of_two_fields_with_one_alias_the_first_is_filled() {
    let written = r#"{"type": "record", "name": "Defaults", "fields": [
        {"name": "given", "type": "null"}]}"#;
    let read = r#"{"type": "record", "name": "Defaults", "fields": [
        {"name": "first", "aliases": ["given"], "type": "null"},
        {"name": "second", "aliases": ["given"], "type": ["long", "null"], "default": 8}]}"#;
    assert_eq!(
        read_as::<Filled>(written, read),
        Filled {
            first: (),
            second: Some(8)
        }
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    a: i64,
    b: Option<i64>,
}

const PAIR: &str = r#"{"type": "record", "name": "Pair", "fields": [
    {"name": "a", "type": "long"}, {"name": "b", "type": ["null", "long"]}]}"#;

/// What these bytes, written as `first`, are as [`PAIR`].
fn pair(first: &str, body: &[u8]) -> Result<Pair, DecodeError> {
    let mut catalogue = Catalogue::new();
    catalogue.publish("s", &[first, PAIR]).unwrap();
    let codec = AvroCodec::<Pair>::new("s", &catalogue).unwrap();
    let id = catalogue.version("s", "1").unwrap().id;
    codec.decode(&[&[0][..], &id.get().to_be_bytes(), body].concat())
}

#[test]
fn one_difference_alone_is_not_taken_for_none() {
    let read = Ok(Pair { a: 1, b: Some(2) });
    let fields =
        |fields: &str| format!(r#"{{"type": "record", "name": "Pair", "fields": [{fields}]}}"#);
    let swapped =
        fields(r#"{"name": "b", "type": ["null", "long"]}, {"name": "a", "type": "long"}"#);
    assert_eq!(pair(&swapped, &[2, 4, 2]), read);
    let branches =
        fields(r#"{"name": "a", "type": "long"}, {"name": "b", "type": ["long", "null"]}"#);
    assert_eq!(pair(&branches, &[2, 0, 4]), read);
    let no_union = fields(r#"{"name": "a", "type": "long"}, {"name": "b", "type": "long"}"#);
    assert_eq!(pair(&no_union, &[2, 4]), read);
    let narrow = fields(r#"{"name": "a", "type": "int"}, {"name": "b", "type": ["null", "int"]}"#);
    assert_eq!(pair(&narrow, &[2, 2, 4]), read);
}

#[test]
fn a_widened_number_is_written_anew() {
    let mut catalogue = Catalogue::new();
    catalogue
        .publish("s", &["\"float\"", "\"int\"", "\"long\"", "\"double\""])
        .unwrap();
    let codec = AvroCodec::<f64>::new("s", &catalogue).unwrap();
    for (version, body, expected) in [
        ("1", &[0, 0, 0x20, 0x40][..], 2.5),
        ("2", &[5], -3.0),
        ("3", &[6], 3.0),
    ] {
        let id = catalogue.version("s", version).unwrap().id;
        let record = [&[0][..], &id.get().to_be_bytes(), body].concat();
        assert_eq!(codec.decode(&record), Ok(expected));
    }
}

#[test]
fn symbols_in_another_order_are_not_taken_for_the_same() {
    let kinds =
        |symbols: &str| format!(r#"{{"type": "enum", "name": "Kind", "symbols": [{symbols}]}}"#);
    let mut catalogue = Catalogue::new();
    let [first, second] = [kinds(r#""NEW", "OLD""#), kinds(r#""OLD", "NEW""#)];
    catalogue.publish("s", &[&first, &second]).unwrap();
    let codec = AvroCodec::<Kind>::new("s", &catalogue).unwrap();
    let id = catalogue.version("s", "1").unwrap().id;
    let header = [&[0][..], &id.get().to_be_bytes()].concat();
    assert_eq!(codec.decode(&[&header[..], &[2]].concat()), Ok(Kind::Old));
    assert!(codec.decode(&[&header[..], &[4]].concat()).is_err());
}

#[test]
fn what_is_left_out_is_read_by_the_writers_types() {
    // `Gone` is nowhere in the reader's schema, and refers to itself.
    let first = r#"{"type": "record", "name": "Pair", "fields": [
        {"name": "x", "type": {"type": "record", "name": "Gone", "fields": [
            {"name": "more", "type": {"type": "array", "items": ["null", "Gone"]}}]}},
        {"name": "a", "type": "long"},
        {"name": "y", "type": "Gone"},
        {"name": "b", "type": ["null", "long"]}]}"#;
    let body = [4, 0, 2, 0, 0, 2, 0, 2, 4];
    assert_eq!(pair(first, &body), Ok(Pair { a: 1, b: Some(2) }));
}

#[test]
fn blocks_may_tell_their_size_in_bytes() {
    let first = PAIR.replace(
        r#"{"name": "a""#,
        r#"{"name": "x", "type": {"type": "array", "items": "long"}}, {"name": "a""#,
    );
    // Two elements in two bytes, then one without the size.
    let body = [3, 4, 14, 16, 2, 18, 0, 2, 2, 4];
    assert_eq!(pair(&first, &body), Ok(Pair { a: 1, b: Some(2) }));
}

/// Neither unions of records nor aliases: the reference implementation takes the first branch that
/// has the same fields, and does not look for aliases.
const PLAIN_V1: &str = r#"{"type": "record", "name": "Plain", "fields": [
    {"name": "count", "type": "int"},
    {"name": "ratio", "type": "float"},
    {"name": "gone", "type": {"type": "map", "values": ["null", "long"]}},
    {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item",
        "fields": [{"name": "memo", "type": "string"}, {"name": "size", "type": "long"}]}}},
    {"name": "maybe", "type": ["null", "string"]},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "OLD"]}}
]}"#;

const PLAIN_V2: &str = r#"{"type": "record", "name": "Plain", "fields": [
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["OLD", "NEW", "OTHER"]}},
    {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item",
        "fields": [
            {"name": "size", "type": "double"},
            {"name": "unit", "type": "string", "default": "kg"},
            {"name": "memo", "type": "string"}]}}},
    {"name": "maybe", "type": ["string", "null"]},
    {"name": "count", "type": "long"},
    {"name": "limit", "type": ["long", "null"], "default": -1},
    {"name": "ratio", "type": "double"},
    {"name": "flags", "type": {"type": "array", "items": "boolean"}, "default": [true, false]}
]}"#;

#[derive(Debug, Clone, Serialize)]
struct PlainV1 {
    count: i32,
    ratio: f32,
    gone: BTreeMap<String, Option<i64>>,
    items: Vec<ItemV1>,
    maybe: Option<String>,
    kind: Kind,
}

#[derive(Debug, Clone, Serialize)]
struct ItemV1 {
    memo: String,
    size: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    kind: Kind,
    items: Vec<Item>,
    maybe: Option<String>,
    count: i64,
    limit: Option<i64>,
    ratio: f64,
    flags: Vec<bool>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    size: f64,
    unit: String,
    memo: String,
}

fn any_plain() -> impl Strategy<Value = PlainV1> {
    let item = any::<(String, i64)>().prop_map(|(memo, size)| ItemV1 { memo, size });
    let kind = prop_oneof![Just(Kind::New), Just(Kind::Old)];
    let numbers = (any::<i32>(), any::<f32>());
    let gone = btree_map(any::<String>(), any::<Option<i64>>(), 0..4);
    (
        numbers,
        gone,
        vec(item, 0..4),
        any::<Option<String>>(),
        kind,
    )
        .prop_map(|((count, ratio), gone, items, maybe, kind)| PlainV1 {
            count,
            ratio,
            gone,
            items,
            maybe,
            kind,
        })
}

proptest! {
    #[test]
    fn plain_schemas_resolve_as_in_the_reference_implementation(old in any_plain()) {
        let writer = Schema::parse_str(PLAIN_V1).unwrap();
        let reader = Schema::parse_str(PLAIN_V2).unwrap();
        // Its serializer takes enums by index, whose order is not the one of the Rust enum here.
        let symbol = match old.kind { Kind::New => 0, Kind::Old | Kind::Other => 1 };
        let mut value = apache_avro::to_value(&old).unwrap();
        if let Value::Record(fields) = &mut value {
            let name = ["NEW", "OLD"][symbol as usize].to_owned();
            fields[5].1 = Value::Enum(symbol, name);
        }
        let value = value.resolve(&writer).unwrap();
        let body = GenericDatumWriter::builder(&writer).build().unwrap();
        let body = body.write_value_to_vec(value).unwrap();

        let expected = GenericDatumReader::builder(&writer).reader_schema(&reader).build().unwrap();
        let expected = expected.read_value(&mut &body[..]).unwrap();
        let expected: Plain = apache_avro::from_value(&expected).unwrap();

        let mut catalogue = Catalogue::new();
        catalogue.publish("plain", &[PLAIN_V1, PLAIN_V2]).unwrap();
        let codec = AvroCodec::<Plain>::new("plain", &catalogue).unwrap();
        let id = catalogue.version("plain", "1").unwrap().id;
        let record = [&[0][..], &id.get().to_be_bytes(), &body].concat();
        prop_assert_eq!(codec.decode(&record), Ok(expected));
    }
}
