//! The Avro binary of a field's default, which a schema writes down as JSON.

use apache_avro::Schema;
use serde_json::Value;

use super::transcode::put_long;
use super::types::{Names, Type};

/// Appends the binary form of `default`.
pub(super) fn encode<'a>(
    names: &Names<'a>,
    schema: &'a Schema,
    default: &Value,
    into: &mut Vec<u8>,
) -> Result<(), String> {
    let kind = names.resolve(schema);
    let wrong = || format!("{default} is no default for {kind}");
    match (kind, default) {
        (Type::Null, Value::Null) => {}
        (Type::Boolean, Value::Bool(yes)) => into.push(u8::from(*yes)),
        (Type::Int, Value::Number(number)) => {
            let number = number.as_i64().and_then(|long| i32::try_from(long).ok());
            put_long(i64::from(number.ok_or_else(wrong)?), into);
        }
        (Type::Long, Value::Number(number)) => put_long(number.as_i64().ok_or_else(wrong)?, into),
        (Type::Float, Value::Number(number)) => {
            let number = number.to_string().parse::<f32>().map_err(|_| wrong())?;
            into.extend_from_slice(&number.to_le_bytes());
        }
        (Type::Double, Value::Number(number)) => {
            let number = number.as_f64().ok_or_else(wrong)?;
            into.extend_from_slice(&number.to_le_bytes());
        }
        (Type::String, Value::String(text)) => put_bytes(text.as_bytes(), into),
        (Type::Bytes, Value::String(text)) => {
            put_bytes(&latin_1(text).ok_or_else(wrong)?, into);
        }
        (Type::Fixed(declared), Value::String(text)) => {
            let bytes = latin_1(text).filter(|bytes| bytes.len() == declared.size);
            into.extend_from_slice(&bytes.ok_or_else(wrong)?);
        }
        (Type::Enum(declared), Value::String(symbol)) => {
            let index = declared.symbols.iter().position(|known| known == symbol);
            put_len(index.ok_or_else(wrong)?, into);
        }
        // A union's default is one of its first branch.
        (Type::Union([first, ..]), _) => {
            put_long(0, into);
            encode(names, first, default, into)?;
        }
        (Type::Array(items), Value::Array(values)) => {
            if !values.is_empty() {
                put_len(values.len(), into);
            }
            for value in values {
                encode(names, items, value, into)?;
            }
            put_long(0, into);
        }
        (Type::Map(values), Value::Object(entries)) => {
            if !entries.is_empty() {
                put_len(entries.len(), into);
            }
            for (key, value) in entries {
                put_bytes(key.as_bytes(), into);
                encode(names, values, value, into)?;
            }
            put_long(0, into);
        }
        (Type::Record(record), Value::Object(values)) => {
            for field in &record.fields {
                let value = values.get(&field.name).or(field.default.as_ref());
                encode(names, &field.schema, value.ok_or_else(wrong)?, into)?;
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn put_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    put_len(bytes.len(), into);
    into.extend_from_slice(bytes);
}

fn put_len(len: usize, into: &mut Vec<u8>) {
    put_long(i64::try_from(len).unwrap_or(i64::MAX), into);
}

/// Bytes are written in schemas as text with one character for each byte.
fn latin_1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}
