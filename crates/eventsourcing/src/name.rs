//! The names of commands and events are those of their enum variants, so that they are written
//! once. Serde already knows them; these two functions ask it.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{self, Impossible, Serialize, SerializeStructVariant, Serializer};
use thiserror::Error;

/// Asked of a value that is no enum variant.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("not an enum variant")]
pub struct NameError;

impl ser::Error for NameError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}
impl de::Error for NameError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The name of the variant that `value` is.
///
/// # Errors
/// When the type is no enum.
pub fn variant_name<T: Serialize>(value: &T) -> Result<&'static str, NameError> {
    value.serialize(NameOf)
}

/// The names of all variants of an enum, in order of declaration; aliases included.
pub fn variant_names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    drop(T::deserialize(NamesOf(&mut names)));
    names
}

struct NamesOf<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for NamesOf<'_> {
    type Error = NameError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NameError> {
        Err(NameError)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NameError> {
        *self.0 = variants;
        Err(NameError)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct NameOf;

macro_rules! no_variant {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<&'static str, NameError> {
            Err(NameError)
        })*
    };
}

impl Serializer for NameOf {
    type Ok = &'static str;
    type Error = NameError;
    type SerializeSeq = Impossible<&'static str, NameError>;
    type SerializeTuple = Impossible<&'static str, NameError>;
    type SerializeTupleStruct = Impossible<&'static str, NameError>;
    type SerializeTupleVariant = Impossible<&'static str, NameError>;
    type SerializeMap = Impossible<&'static str, NameError>;
    type SerializeStruct = Impossible<&'static str, NameError>;
    type SerializeStructVariant = NamedFields;

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<&'static str, NameError> {
        Ok(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<&'static str, NameError> {
        Ok(variant)
    }

    no_variant! {
        serialize_bool(bool); serialize_i8(i8); serialize_i16(i16); serialize_i32(i32);
        serialize_i64(i64); serialize_u8(u8); serialize_u16(u16); serialize_u32(u32);
        serialize_u64(u64); serialize_f32(f32); serialize_f64(f64); serialize_char(char);
        serialize_str(&str); serialize_bytes(&[u8]); serialize_none(); serialize_unit();
        serialize_unit_struct(&'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<&'static str, NameError> {
        Err(NameError)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<&'static str, NameError> {
        Err(NameError)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, NameError> {
        Err(NameError)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, NameError> {
        Err(NameError)
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, NameError> {
        Err(NameError)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NameError> {
        let _ = variant;
        Err(NameError)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NameError> {
        Err(NameError)
    }
    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, NameError> {
        Err(NameError)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<NamedFields, NameError> {
        Ok(NamedFields(variant))
    }
}

/// The name of a variant whose fields stand in the variant itself; they do not matter.
struct NamedFields(&'static str);

impl SerializeStructVariant for NamedFields {
    type Ok = &'static str;
    type Error = NameError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        _: &T,
    ) -> Result<(), NameError> {
        Ok(())
    }

    fn end(self) -> Result<&'static str, NameError> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Amount {
        amount: i64,
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    enum Event {
        Deposited(Amount),
        Withdrawn { amount: i64 },
        Closed,
    }

    #[test]
    fn a_variant_tells_its_name() {
        assert_eq!(
            variant_name(&Event::Deposited(Amount { amount: 1 })),
            Ok("Deposited")
        );
        assert_eq!(
            variant_name(&Event::Withdrawn { amount: 1 }),
            Ok("Withdrawn")
        );
        assert_eq!(variant_name(&Event::Closed), Ok("Closed"));
        assert_eq!(variant_name(&1_i64), Err(NameError));
    }

    #[test]
    fn an_enum_tells_the_names_of_its_variants() {
        assert_eq!(
            variant_names::<Event>(),
            ["Deposited", "Withdrawn", "Closed"]
        );
        assert!(variant_names::<Amount>().is_empty());
    }
}
