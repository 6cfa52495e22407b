//! Records of other schema versions.

use std::collections::BTreeMap;
use std::fmt::Debug;

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use millrace_avro::{AvroCodec, Catalogue, CatalogueError, LearnError, SchemaId};
use millrace_eventsourcing::{Codec, DecodeError};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const V1: &str = r#"{"type": "record", "name": "Event", "namespace": "test.v1", "fields": [
    {"name": "version", "type": "int"},
    {"name": "dropped", "type": {"type": "array", "items": {"type": "map", "values": "string"}}},
    {"name": "payload", "type": [
        {"type": "record", "name": "Withdrawn", "fields": [
            {"name": "amount", "type": "long"}, {"name": "memo", "type": "string"}]},
        {"type": "record", "name": "Refunded", "fields": [
            {"name": "amount", "type": "long"}, {"name": "memo", "type": "string"}]},
        {"type": "record", "name": "Ended", "fields": []}
    ]},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "OLD", "ODD"]}}
]}"#;

/// A wider number, a new field with a default, a field and a record renamed through aliases, a
/// field gone, the order of fields, branches and symbols changed, a branch added.
const V2: &str = r#"{"type": "record", "name": "Event", "namespace": "test.v2", "fields": [
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["OLD", "NEW", "OTHER"],
        "default": "OTHER"}},
    {"name": "version", "type": "long"},
    {"name": "actor", "type": ["null", "string"], "default": null},
    {"name": "weight", "type": "double", "default": 0.5},
    {"name": "tags", "type": {"type": "map", "values": {"type": "array", "items": "string"}},
        "default": {"a": ["x"]}},
    {"name": "payload", "type": [
        {"type": "record", "name": "Closed", "aliases": ["Ended"], "fields": []},
        {"type": "record", "name": "Opened", "fields": []},
        {"type": "record", "name": "Refunded", "fields": [
            {"name": "reference", "type": ["null", "string"], "aliases": ["memo"]},
            {"name": "amount", "type": "long"}]},
        {"type": "record", "name": "Withdrawn", "fields": [
            {"name": "amount", "type": "long"},
            {"name": "reference", "type": "string", "aliases": ["memo"]}]}
    ]}
]}"#;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Event {
    kind: Kind,
    version: i64,
    actor: Option<String>,
    weight: f64,
    tags: BTreeMap<String, Vec<String>>,
    payload: Payload,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Kind {
    Old,
    New,
    Other,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Payload {
    Closed(Closed),
    Opened(Closed),
    Refunded(Refunded),
    Withdrawn(Withdrawn),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Closed {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Refunded {
    reference: Option<String>,
    amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Withdrawn {
    amount: i64,
    reference: String,
}

fn codec(versions: &[&str]) -> AvroCodec<Event> {
    let mut catalogue = Catalogue::new();
    catalogue.publish("test-value", versions).unwrap();
    AvroCodec::new("test-value", &catalogue).unwrap()
}

/// A record of [`V1`], written by the reference implementation.
fn written(kind: &str, payload: (u32, Value), dropped: &[&str]) -> Vec<u8> {
    let schema = Schema::parse_str(V1).unwrap();
    let symbols = ["NEW", "OLD", "ODD"];
    let place = symbols.iter().position(|symbol| *symbol == kind).unwrap();
    let map = dropped.iter().map(|text| ((*text).into(), (*text).into()));
    let value = Value::Record(vec![
        ("version".to_owned(), Value::Int(7)),
        (
            "dropped".to_owned(),
            Value::Array(vec![Value::Map(map.collect())]),
        ),
        (
            "payload".to_owned(),
            Value::Union(payload.0, Box::new(payload.1)),
        ),
        (
            "kind".to_owned(),
            Value::Enum(u32::try_from(place).unwrap(), kind.to_owned()),
        ),
    ]);
    let mut catalogue = Catalogue::new();
    catalogue.publish("v1", &[V1]).unwrap();
    let id = catalogue.current_id("v1").unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let body = writer.write_value_to_vec(value).unwrap();
    [&[0][..], &id.get().to_be_bytes(), &body].concat()
}

fn moved(amount: i64, memo: &str) -> Value {
    Value::Record(vec![
        ("amount".to_owned(), Value::Long(amount)),
        ("memo".to_owned(), memo.into()),
    ])
}

fn read(kind: Kind, payload: Payload) -> Event {
    Event {
        kind,
        version: 7,
        actor: None,
        weight: 0.5,
        tags: [("a".to_owned(), vec!["x".to_owned()])].into(),
        payload,
    }
}

#[test]
fn an_older_record_takes_aliases_and_defaults() {
    let codec = codec(&[V1, V2]);
    assert_eq!(
        codec.decode(&written("NEW", (0, moved(5, "rent")), &["a", "bc"])),
        Ok(read(
            Kind::New,
            Payload::Withdrawn(Withdrawn {
                amount: 5,
                reference: "rent".to_owned()
            })
        ))
    );
    // The fields of this one are those of the one before it: only the name tells them apart.
    assert_eq!(
        codec.decode(&written("ODD", (1, moved(-6, "rent")), &[])),
        Ok(read(
            Kind::Other,
            Payload::Refunded(Refunded {
                amount: -6,
                reference: Some("rent".to_owned())
            })
        ))
    );
    assert_eq!(
        codec.decode(&written("OLD", (2, Value::Record(vec![])), &[])),
        Ok(read(Kind::Old, Payload::Closed(Closed {})))
    );
}

#[test]
fn an_older_record_that_is_cut_or_too_long_is_an_error() {
    let codec = codec(&[V1, V2]);
    let record = written("NEW", (0, moved(5, "rent")), &["a", "bc"]);
    for len in 5..record.len() {
        let result = codec.decode(&record[..len]);
        assert!(matches!(result, Err(DecodeError::Malformed(_))), "{len}");
    }
    let longer = [&record[..], &[0]].concat();
    assert!(matches!(
        codec.decode(&longer),
        Err(DecodeError::Malformed(_))
    ));
}

#[test]
fn a_schema_can_be_learned_at_run_time_under_any_id() {
    let codec = codec(&[V2]);
    let mut record = written("NEW", (0, moved(5, "rent")), &[]);
    record[1..5].copy_from_slice(&9_u32.to_be_bytes());
    assert_eq!(codec.decode(&record), Err(DecodeError::UnknownSchema(9)));
    codec.learn(SchemaId::new(9), V1).unwrap();
    assert_eq!(codec.decode(&record).unwrap().version, 7);
}

#[test]
fn a_newer_record_is_read_unless_it_holds_a_type_that_is_new() {
    let newer = V2.replace(
        r#"{"type": "record", "name": "Opened", "fields": []},"#,
        r#"{"type": "record", "name": "Opened", "fields": []},
           {"type": "record", "name": "Frozen", "fields": []},"#,
    );
    let writer = codec(&[V2, &newer]);
    let reader = codec(&[V2]);
    reader.learn(writer.id(), &newer).unwrap();
    let event = read(Kind::Old, Payload::Closed(Closed {}));
    let mut record = Vec::new();
    writer.encode(&event, &mut record).unwrap();
    assert_eq!(reader.decode(&record), Ok(event));
    // What was branch 1, `Opened`, is the newer schema's branch 2; its branch 2 is `Frozen`.
    *record.last_mut().unwrap() = 4;
    assert_eq!(
        reader.decode(&record),
        Err(DecodeError::UnknownSchema(writer.id().get()))
    );
}

#[test]
fn a_schema_that_cannot_be_read_at_all_is_refused_with_the_reason() {
    let refused = codec(&[V2]).learn(SchemaId::new(1), "\"string\"");
    assert!(matches!(refused, Err(LearnError::Incompatible { .. })));
    let refused = codec(&[V2]).learn(SchemaId::new(1), "{");
    assert!(matches!(refused, Err(LearnError::Schema { .. })));

    let mut catalogue = Catalogue::new();
    let narrow = V2.replace(
        r#""version", "type": "long""#,
        r#""version", "type": "int""#,
    );
    catalogue.publish("test-value", &[V2, &narrow]).unwrap();
    let error = AvroCodec::<Event>::new("test-value", &catalogue).unwrap_err();
    let CatalogueError::Unreadable(source) = error else {
        panic!("{error}")
    };
    assert!(
        source
            .to_string()
            .ends_with("version: long cannot be read as int"),
        "{source}"
    );
}

#[test]
fn types_that_differ_only_in_their_namespaces_are_refused() {
    let twice = r#"{"type": "record", "name": "test.Event", "fields": [
        {"name": "one", "type": {"type": "record", "name": "a.R", "fields": []}},
        {"name": "two", "type": {"type": "record", "name": "b.R", "fields": []}}]}"#;
    let error = codec(&[V2]).learn(SchemaId::new(1), twice).unwrap_err();
    assert!(
        error.to_string().contains("two types are called R"),
        "{error}"
    );
}

#[test]
fn a_subject_that_is_not_published_is_named() {
    let error = AvroCodec::<Event>::new("nobody", &Catalogue::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no schema is published for subject `nobody`"
    );
}

proptest! {
    #[test]
    fn random_bytes_of_an_older_schema_never_panic(body in vec(any::<u8>(), 0..200)) {
        let codec = codec(&[V1, V2]);
        let mut record = written("NEW", (0, moved(5, "rent")), &[]);
        record.truncate(5);
        record.extend_from_slice(&body);
        drop(codec.decode(&record));
    }
}
