//! One Avro schema: its text, its identity, and the forms in which libraries want it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The number that stands in front of every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchemaId(u32);

impl SchemaId {
    /// The id with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A schema text that cannot be used.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// Not even JSON.
    #[error("the schema is no JSON")]
    Json(#[source] serde_json::Error),
    /// JSON, but no Avro schema.
    #[error("the schema is no Avro schema")]
    Avro(#[source] Box<apache_avro::Error>),
    /// A sound schema that the fast codec does not take, such as two types whose names differ only
    /// in their namespaces.
    #[error("the schema cannot be used for encoding: {0}")]
    Unsupported(String),
}

/// A schema that was parsed.
#[derive(Debug, Clone)]
pub struct AvroSchema {
    text: String,
    json: Value,
    id: SchemaId,
    parsed: apache_avro::Schema,
}

impl AvroSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// When the text is no Avro schema.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let json = serde_json::from_str(text).map_err(SchemaError::Json)?;
        let parsed = apache_avro::Schema::parse(&json)
            .map_err(|error| SchemaError::Avro(Box::new(error)))?;
        let id = derived_id(&json);
        Ok(Self {
            text: text.to_owned(),
            json,
            id,
            parsed,
        })
    }

    /// The text, as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The id that follows from the content alone.
    pub const fn id(&self) -> SchemaId {
        self.id
    }

    /// The schema as the reference implementation reads it.
    pub(crate) const fn parsed(&self) -> &apache_avro::Schema {
        &self.parsed
    }

    /// The schema for the fast codec, with namespaces taken away: Avro binary holds no names, and
    /// the variants of a Rust enum have names without dots.
    pub(crate) fn fast(&self) -> Result<serde_avro_fast::Schema, SchemaError> {
        let short = BARE.of(&self.json);
        let mut text = String::new();
        write_sorted(&short, &mut text);
        text.parse()
            .map_err(|error: serde_avro_fast::schema::SchemaError| {
                SchemaError::Unsupported(error.to_string())
            })
    }
}

/// 31 bits of the SHA-256 of the schema without whitespace and `doc`, keys sorted.
///
/// Not of the Parsing Canonical Form: that one leaves out defaults and aliases, which readers need
/// to resolve older records, so two schemas that differ there must have two ids.
fn derived_id(json: &Value) -> SchemaId {
    let mut text = String::new();
    write_sorted(&WITHOUT_DOC.of(json), &mut text);
    let hash: [u8; 32] = Sha256::digest(text).into();
    let [a, b, c, d, ..] = hash;
    SchemaId(u32::from_be_bytes([a & 0x7f, b, c, d]))
}

/// A form of a schema that leaves something out.
struct Form {
    /// Keys of types and fields that are left out.
    without: &'static [&'static str],
    /// Whether names lose their namespaces.
    short_names: bool,
}

const WITHOUT_DOC: Form = Form {
    without: &["doc"],
    short_names: false,
};

const BARE: Form = Form {
    without: &["doc", "namespace", "aliases", "default"],
    short_names: true,
};

impl Form {
    fn of(&self, schema: &Value) -> Value {
        match schema {
            Value::String(name) => self.name(name),
            Value::Array(parts) => parts.iter().map(|part| self.of(part)).collect(),
            Value::Object(attributes) => attributes
                .iter()
                .filter(|(key, _)| !self.without.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), self.attribute(key, value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => schema.clone(),
        }
    }

    fn attribute(&self, key: &str, value: &Value) -> Value {
        match (key, value) {
            ("type" | "items" | "values" | "fields", part) => self.of(part),
            ("name", Value::String(name)) => self.name(name),
            _ => value.clone(),
        }
    }

    fn name(&self, name: &str) -> Value {
        let short = name.rsplit('.').next().unwrap_or(name);
        if self.short_names { short } else { name }.into()
    }
}

/// JSON with sorted keys, whatever order `serde_json` was built to keep.
fn write_sorted(value: &Value, into: &mut String) {
    match value {
        Value::Object(attributes) => {
            let mut sorted: Vec<_> = attributes.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            into.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    into.push(',');
                }
                into.push_str(&Value::from(key.as_str()).to_string());
                into.push(':');
                write_sorted(value, into);
            }
            into.push('}');
        }
        Value::Array(values) => {
            into.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    into.push(',');
                }
                write_sorted(value, into);
            }
            into.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type": "record", "name": "a.b.Amount", "fields": [
        {"name": "amount", "type": "long", "default": 0},
        {"name": "next", "type": ["null", "a.b.Amount"], "default": null}]}"#;

    fn id(text: &str) -> SchemaId {
        AvroSchema::parse(text).unwrap().id()
    }

    #[test]
    fn the_id_follows_from_what_readers_need() {
        let documented = SCHEMA.replace(
            r#""name": "amount", "#,
            r#""doc":"Money.","name":"amount","#,
        );
        assert_eq!(id(SCHEMA), id(&documented));
        assert_ne!(
            id(SCHEMA),
            id(&SCHEMA.replace("\"default\": 0", "\"default\": 1"))
        );
        assert_ne!(
            id(SCHEMA),
            id(&SCHEMA.replace("\"default\": 0", "\"aliases\": [\"sum\"]"))
        );
        assert!(id(SCHEMA).get() < 1 << 31);
    }

    #[test]
    fn a_default_with_a_field_named_doc_counts() {
        let with_default = |doc: &str| {
            format!(
                r#"{{"type": "record", "name": "R", "fields": [
                    {{"name": "r", "type": {{"type": "map", "values": "string"}},
                      "default": {{"doc": "{doc}"}}}}]}}"#
            )
        };
        assert_ne!(id(&with_default("a")), id(&with_default("b")));
    }

    #[test]
    fn ids_stay_as_they_were_published() {
        assert_eq!(id(SCHEMA), SchemaId::new(1_713_123_036));
    }

    #[test]
    fn a_text_that_is_no_schema_is_refused() {
        assert!(matches!(AvroSchema::parse("{"), Err(SchemaError::Json(_))));
        for text in ["{}", "\"nothing\"", r#"{"type":"record","name":"R"}"#] {
            assert!(matches!(AvroSchema::parse(text), Err(SchemaError::Avro(_))));
        }
    }
}
