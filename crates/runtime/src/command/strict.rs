//! What serde does not look at: duplicate keys, depth, the length of texts, and passwords.
//!
//! These walks run only over records that a typed reading has refused or that could hide
//! something: nested, long, or naming a password.

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Objects and arrays within each other: contract.
const DEPTH_MAX: usize = 32;

/// A text with or without escapes, borrowed where it can be.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// What a walk found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No JSON as the contract wants it.
    Malformed(String),
    /// A text at this path has too many bytes.
    TooLong(String),
}

/// Walks a JSON value and tells the first fault. `text_bytes_max` bounds every text in it.
pub(super) fn walk(json: &str, text_bytes_max: usize) -> Result<(), Fault> {
    let raw: &RawValue =
        serde_json::from_str(json).map_err(|error| Fault::Malformed(error.to_string()))?;
    let mut path = String::new();
    walk_value(raw.get(), 0, &mut path, text_bytes_max)
}

fn walk_value(json: &str, depth: usize, path: &mut String, max: usize) -> Result<(), Fault> {
    let malformed = |error: serde_json::Error| Fault::Malformed(error.to_string());
    match json.as_bytes().first() {
        Some(b'{' | b'[') if depth == DEPTH_MAX => Err(Fault::Malformed(format!(
            "deeper than {DEPTH_MAX} levels at `{}`",
            shown(path)
        ))),
        Some(b'{') => {
            let Members(members) = serde_json::from_str(json).map_err(malformed)?;
            let mut seen = HashSet::with_capacity(members.len());
            for (key, value) in &members {
                if !seen.insert(key.as_ref()) {
                    let place = shown(path);
                    let key = crate::code::cut(key.to_string(), 128);
                    return Err(Fault::Malformed(format!(
                        "duplicate key `{key}` at `{place}`"
                    )));
                }
                let length = path.len();
                path.push('.');
                path.push_str(key);
                walk_value(value.get(), depth + 1, path, max)?;
                path.truncate(length);
            }
            Ok(())
        }
        Some(b'[') => {
            let Elements(elements) = serde_json::from_str(json).map_err(malformed)?;
            for (index, value) in elements.iter().enumerate() {
                let length = path.len();
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
                walk_value(value.get(), depth + 1, path, max)?;
                path.truncate(length);
            }
            Ok(())
        }
        Some(b'"') => {
            let Text(text) = serde_json::from_str(json).map_err(malformed)?;
            if text.len() > max {
                return Err(Fault::TooLong(shown(path)));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn shown(path: &str) -> String {
    crate::code::cut(path.trim_start_matches('.').to_owned(), 256)
}

/// The members of one object, keys unescaped, values untouched, duplicates kept.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Members<'de>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

/// The elements of one array, untouched.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Elements<'de>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Elements<'de>, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Walk)
    }
}

/// Whether the bytes could hold a field named `password`: quoted, with or without escapes, also in
/// JSON that was made a string by mistake. Cheap for the many that do not.
pub fn mentions_password(value: &[u8]) -> bool {
    if quotes_password(value) {
        return true;
    }
    if memmem::find(value, b"\\u").is_none() {
        return false;
    }
    quotes_password(&unescaped(value))
}

fn quotes_password(value: &[u8]) -> bool {
    memmem::find(value, b"\"password\"").is_some()
        || memmem::find(value, br#"\"password\""#).is_some()
}

/// The bytes with every `\u00XX` replaced by that one character: enough to see ASCII words.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, tail)) = rest.split_first() {
        let escape = rest.get(..6).filter(|bytes| bytes.starts_with(b"\\u00"));
        let digits = escape.and_then(|bytes| str::from_utf8(bytes.get(4..)?).ok());
        if let Some(character) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            plain.push(character);
            rest = rest.get(6..).unwrap_or_default();
        } else {
            plain.push(*byte);
            rest = tail;
        }
    }
    plain
}

/// What a value has to do with a password in plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// It has no field of that name.
    Absent,
    /// It is JSON, and an object in it has the field `password`.
    Field,
    /// It names a password and is no JSON, so nobody can tell.
    Unreadable,
}

/// Looks for a field `password` at any depth.
pub fn password_in(value: &[u8]) -> Password {
    if !mentions_password(value) {
        return Password::Absent;
    }
    // Checks the form alone, at any depth: no number is too large for it.
    if serde_json::from_slice::<&RawValue>(value).is_err() {
        return Password::Unreadable;
    }
    if has_key(value, "password") {
        Password::Field
    } else {
        Password::Absent
    }
}

/// Whether any object in this JSON text has such a key: a string is a key when a colon follows.
fn has_key(json: &[u8], wanted: &str) -> bool {
    let mut rest = json;
    while let Some(start) = memchr::memchr(b'"', rest) {
        let string = rest.get(start..).unwrap_or_default();
        let length = string_length(string);
        let (string, behind) = string.split_at_checked(length).unwrap_or((string, &[]));
        rest = behind;
        let is_key = behind.trim_ascii_start().first() == Some(&b':');
        let text = || serde_json::from_slice::<Text<'_>>(string);
        if is_key && text().is_ok_and(|Text(key)| key == wanted) {
            return true;
        }
    }
    false
}

/// Bytes from the opening quote to the closing one, both included.
fn string_length(string: &[u8]) -> usize {
    let mut escaped = false;
    for (index, byte) in string.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    string.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_are_found_at_any_depth_and_behind_escapes() {
        for json in [
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"a":1,"\u0061":2}}"#,
            r#"[{"a":1,"a":1}]"#,
        ] {
            let Err(Fault::Malformed(text)) = walk(json, 10) else {
                panic!("{json}")
            };
            assert!(text.contains("duplicate key `a`"), "{text}");
        }
        assert_eq!(walk(r#"{"a":{"a":1},"b":{"a":1}}"#, 10), Ok(()));
    }

    #[test]
    fn depth_32_is_the_deepest() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(walk(&nested(32), 10), Ok(()));
        for depth in [33, 100_000] {
            assert!(
                matches!(walk(&nested(depth), 10), Err(Fault::Malformed(_))),
                "{depth}"
            );
        }
    }

    #[test]
    fn a_long_text_is_told_with_its_path() {
        let json = r#"{"data":{"names":["ok","too long"]}}"#;
        assert_eq!(
            walk(json, 7),
            Err(Fault::TooLong("data.names[1]".to_owned()))
        );
        assert_eq!(walk(json, 8), Ok(()));
    }

    #[test]
    fn numbers_are_no_matter_of_form() {
        assert_eq!(walk(r#"{"a":1e999,"b":99999999999999999999}"#, 10), Ok(()));
    }

    #[test]
    fn a_password_field_is_seen_and_a_mere_mention_is_not() {
        let deep = format!("{}{}", r#"{"x":"#.repeat(500), r#"{"password":1}"#);
        let deep = format!("{deep}{}", "}".repeat(500));
        for json in [
            r#"{"password":"x"}"#,
            r#"{"data":{"password" : null}}"#,
            r#"{"data":{"p\u0061ssword":"x"}}"#,
            r#"{"data":[{"x":{"\u0070assword":1}}]}"#,
            r#"{"amount":1e999,"\"":"\\","password":1}"#,
            &deep,
        ] {
            assert_eq!(password_in(json.as_bytes()), Password::Field, "{json}");
        }
        for json in [
            r#"{"data":"password"}"#,
            r#"{"password_hash":"x"}"#,
            r#"{"data":"\"password\":"}"#,
            r#"["password"]"#,
        ] {
            assert_eq!(password_in(json.as_bytes()), Password::Absent, "{json}");
        }
        for value in [
            r#"{"password":"#,
            r#"{"password":1} x"#,
            "\u{feff}{\"password\":1}",
        ] {
            assert_eq!(
                password_in(value.as_bytes()),
                Password::Unreadable,
                "{value}"
            );
        }
        assert!(mentions_password(br#"{"password":"#));
        assert!(mentions_password(br#""{\"password\":\"x\"}""#));
        assert!(!mentions_password(br#"{"password_hash":"x"}"#));
    }
}
