//! A typed command out of a type name and JSON data: the enum's variant is found by the name.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer,
    VariantAccess, Visitor,
};
use serde_json::value::RawValue;

/// Why there is no typed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No variant and no alias has this name.
    UnknownCommand,
    /// The data does not fit; a sentence with the path.
    Invalid(String),
}

/// Reads the struct that `data` holds, as that of a variant is read.
pub(super) fn decode_data<T: DeserializeOwned>(data: Option<&RawValue>) -> Result<T, Refusal> {
    Data(data).newtype_variant_seed(PhantomData)
}

/// Reads the variant called `name` from `data`.
pub(super) fn decode<C: DeserializeOwned>(
    name: &str,
    data: Option<&RawValue>,
) -> Result<C, Refusal> {
    C::deserialize(Tagged { name, data })
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand => formatter.write_str("unknown command"),
            Self::Invalid(text) => formatter.write_str(text),
        }
    }
}
impl std::error::Error for Refusal {}
impl de::Error for Refusal {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Invalid(text.to_string())
    }
}

struct Tagged<'a, 'de> {
    name: &'a str,
    data: Option<&'de RawValue>,
}

impl<'de> Deserializer<'de> for Tagged<'_, 'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        Err(Refusal::UnknownCommand)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Tagged<'_, 'de> {
    type Error = Refusal;
    type Variant = Data<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Data<'de>), Refusal> {
        let name: StrDeserializer<'_, de::value::Error> = self.name.into_deserializer();
        let variant = seed
            .deserialize(name)
            .map_err(|_| Refusal::UnknownCommand)?;
        Ok((variant, Data(self.data)))
    }
}

/// What a variant is read from.
struct Data<'de>(Option<&'de RawValue>);

impl<'de> VariantAccess<'de> for Data<'de> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        match self.0.map(RawValue::get) {
            None | Some("{}" | "null") => Ok(()),
            Some(_) => Err(Refusal::Invalid(
                "`data`: this command has no fields".to_owned(),
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        let Some(raw) = self.0 else {
            return seed.deserialize(Absent);
        };
        let mut json = serde_json::Deserializer::from_str(raw.get());
        let mut track = serde_path_to_error::Track::new();
        let located = serde_path_to_error::Deserializer::new(&mut json, &mut track);
        let read = seed.deserialize(located);
        read.map_err(|error| invalid(track, &error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refusal> {
        Err(Refusal::Invalid(
            "`data`: commands hold nothing, one struct or fields".to_owned(),
        ))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let Some(raw) = self.0 else {
            return Absent.deserialize_struct("data", fields, visitor);
        };
        let mut json = serde_json::Deserializer::from_str(raw.get());
        let mut track = serde_path_to_error::Track::new();
        let located = serde_path_to_error::Deserializer::new(&mut json, &mut track);
        let read = located.deserialize_struct("data", fields, visitor);
        read.map_err(|error| invalid(track, &error))
    }
}

/// The place in `data`, and what does not fit there.
fn invalid(track: serde_path_to_error::Track, error: &serde_json::Error) -> Refusal {
    let path = track.path().to_string();
    let place = if path == "." {
        "data".to_owned()
    } else {
        format!("data.{path}")
    };
    Refusal::Invalid(format!("`{place}`: {}", without_values(&error.to_string())))
}

/// Data that is not there: fine for a command without fields.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        Err(Refusal::Invalid("`data` is missing".to_owned()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if !fields.is_empty() {
            return Err(Refusal::Invalid("`data` is missing".to_owned()));
        }
        visitor.visit_map(de::value::MapDeserializer::new(std::iter::empty::<(
            &str,
            &str,
        )>()))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Serde's sentence without the value that did not fit, which could be a secret, and without the
/// line and column, which count from the start of a part.
fn without_values(sentence: &str) -> String {
    let sentence = sentence.split(" at line ").next().unwrap_or(sentence);
    let quotes_value = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .any(|start| sentence.starts_with(start));
    match sentence.rfind(", expected ") {
        Some(place) if quotes_value => sentence.get(place + 2..).unwrap_or("wrong type").to_owned(),
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Deposit {
        amount: Option<i64>,
    }
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Close {}
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    enum Command {
        #[serde(alias = "Credit")]
        Deposit(Deposit),
        Close(Close),
        Withdraw {
            amount: i64,
        },
        Freeze,
    }

    fn read(name: &str, data: Option<&str>) -> Result<Command, Refusal> {
        let raw: Option<&RawValue> = data.map(|json| serde_json::from_str(json).unwrap());
        decode(name, raw)
    }

    #[test]
    fn the_name_or_an_alias_finds_the_variant() {
        let deposit = Ok(Command::Deposit(Deposit { amount: Some(5) }));
        assert_eq!(read("Deposit", Some(r#"{"amount":5}"#)), deposit);
        assert_eq!(read("Credit", Some(r#"{"amount":5}"#)), deposit);
        assert_eq!(
            read("deposit", Some(r#"{"amount":5}"#)),
            Err(Refusal::UnknownCommand)
        );
    }

    #[test]
    fn data_may_be_absent_only_where_there_are_no_fields() {
        assert_eq!(read("Close", None), Ok(Command::Close(Close {})));
        assert_eq!(read("Close", Some("{}")), Ok(Command::Close(Close {})));
        assert_eq!(read("Freeze", None), Ok(Command::Freeze));
        let missing = Err(Refusal::Invalid("`data` is missing".to_owned()));
        assert_eq!(read("Deposit", None), missing);
        assert!(read("Freeze", Some(r#"{"x":1}"#)).is_err());
        assert!(read("Close", Some(r#"{"x":1}"#)).is_err());
    }

    #[test]
    fn fields_of_the_variant_itself_are_read_like_those_of_a_struct() {
        let withdraw = Ok(Command::Withdraw { amount: 5 });
        assert_eq!(read("Withdraw", Some(r#"{"amount":5}"#)), withdraw);
        for (data, expected) in [
            (None, "`data` is missing"),
            (Some(r#"{"amount":"5"}"#), "`data.amount`: expected i64"),
            (Some("{}"), "`data`: missing field `amount`"),
            (
                Some(r#"{"amount":5,"x":1}"#),
                "`data.x`: unknown field `x`, expected `amount`",
            ),
        ] {
            let refused = Err(Refusal::Invalid(expected.to_owned()));
            assert_eq!(read("Withdraw", data), refused, "{data:?}");
        }
    }

    #[test]
    fn amounts_are_integers_and_the_message_names_the_field_but_not_the_value() {
        for bad in [
            r#""$argon2id$x""#,
            "1.5",
            "1.0",
            "1e3",
            "9223372036854775808",
            "[]",
            "true",
        ] {
            let Err(Refusal::Invalid(text)) =
                read("Deposit", Some(&format!(r#"{{"amount":{bad}}}"#)))
            else {
                panic!("{bad}")
            };
            assert_eq!(text, "`data.amount`: expected i64", "{bad}");
        }
        let Err(Refusal::Invalid(text)) = read("Deposit", Some(r#""$argon2id$secret""#)) else {
            panic!()
        };
        assert!(!text.contains("secret"), "{text}");
    }
}
