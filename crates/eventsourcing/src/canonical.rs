//! The name that a variant has when it is known by others too.
//!
//! Serde tells all names of an enum, but not which of them belong together. It only answers with a
//! value: so one is made up for the name in question, and asked what it is called.

use std::iter::empty;

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, SeqAccess,
    VariantAccess, Visitor,
};
use serde::ser::Serialize;

use crate::name::{NameError, variant_name};

/// Made-up values are no deeper, so that a type within itself ends.
const DEPTH_MAX: u8 = 16;

/// The name under which the variant called `name` is written; nothing when there is no such
/// variant, or when its fields take no made-up values.
pub fn canonical_name<T: DeserializeOwned + Serialize>(name: &str) -> Option<&'static str> {
    let value = T::deserialize(MadeUp {
        variant: Some(name),
        depth: 0,
    });
    variant_name(&value.ok()?).ok()
}

/// Whatever is asked for: ones, empty collections, nothing where that will do.
#[derive(Clone, Copy)]
struct MadeUp<'a> {
    /// Which variant an enum is; else its first.
    variant: Option<&'a str>,
    depth: u8,
}

impl MadeUp<'_> {
    fn inner(self) -> Result<MadeUp<'static>, NameError> {
        if self.depth >= DEPTH_MAX {
            return Err(NameError);
        }
        Ok(MadeUp {
            variant: None,
            depth: self.depth + 1,
        })
    }
}

macro_rules! made_up {
    ($($method:ident => $visit:ident($($value:expr)?);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NameError> {
            visitor.$visit($($value)?)
        })*
    };
}

impl<'de> Deserializer<'de> for MadeUp<'_> {
    type Error = NameError;

    made_up! {
        deserialize_any => visit_unit();
        deserialize_ignored_any => visit_unit();
        deserialize_bool => visit_bool(true);
        deserialize_i8 => visit_i8(1);
        deserialize_i16 => visit_i16(1);
        deserialize_i32 => visit_i32(1);
        deserialize_i64 => visit_i64(1);
        deserialize_u8 => visit_u8(1);
        deserialize_u16 => visit_u16(1);
        deserialize_u32 => visit_u32(1);
        deserialize_u64 => visit_u64(1);
        deserialize_f32 => visit_f32(1.0);
        deserialize_f64 => visit_f64(1.0);
        deserialize_char => visit_char('1');
        deserialize_str => visit_str("1");
        deserialize_string => visit_str("1");
        deserialize_identifier => visit_str("1");
        deserialize_bytes => visit_bytes(b"1");
        deserialize_byte_buf => visit_bytes(b"1");
        deserialize_option => visit_none();
        deserialize_unit => visit_unit();
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NameError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NameError> {
        visitor.visit_newtype_struct(self.inner()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NameError> {
        visitor.visit_seq(Elements(0, self))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, NameError> {
        visitor.visit_seq(Elements(count, self.inner()?))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, NameError> {
        visitor.visit_seq(Elements(count, self.inner()?))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NameError> {
        visitor.visit_map(MapDeserializer::new(empty::<(&str, &str)>()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NameError> {
        visitor.visit_seq(Elements(fields.len(), self.inner()?))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NameError> {
        let first = || variants.first().copied().ok_or(NameError);
        let variant = self.variant.map_or_else(first, Ok)?;
        visitor.visit_enum(Variant(variant, self.inner()?))
    }
}

/// So many elements; of a struct its fields in their order, and more, where a field has several
/// names.
struct Elements<'a>(usize, MadeUp<'a>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = NameError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NameError> {
        let Some(left) = self.0.checked_sub(1) else {
            return Ok(None);
        };
        self.0 = left;
        seed.deserialize(self.1).map(Some)
    }
}

/// One variant, and what is in it.
struct Variant<'a>(&'a str, MadeUp<'static>);

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = NameError;
    type Variant = MadeUp<'static>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, MadeUp<'static>), NameError> {
        let variant = seed.deserialize(StrDeserializer::<NameError>::new(self.0))?;
        Ok((variant, self.1))
    }
}

impl<'de> VariantAccess<'de> for MadeUp<'_> {
    type Error = NameError;

    fn unit_variant(self) -> Result<(), NameError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, NameError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, NameError> {
        Err(NameError::custom("no command is a tuple"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NameError> {
        visitor.visit_seq(Elements(fields.len(), self))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Everything {
        #[serde(alias = "words")]
        text: String,
        number: NonZeroU8,
        share: f64,
        maybe: Option<i64>,
        list: Vec<String>,
        pair: (u8, bool),
        kind: Kind,
        wrapped: Wrapped,
        unit: (),
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum Kind {
        Plain,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Wrapped(char);

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(try_from = "String")]
    struct Picky(String);

    impl TryFrom<String> for Picky {
        type Error = &'static str;
        fn try_from(_: String) -> Result<Self, &'static str> {
            Err("never")
        }
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Endless {
        inner: Box<Endless>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum Command {
        #[serde(alias = "Add", alias = "Zap")]
        Make(Everything),
        #[serde(alias = "Alter")]
        Change {
            text: String,
        },
        #[serde(alias = "End")]
        Stop,
        Pick(Picky),
        Dig(Endless),
    }

    #[test]
    fn every_name_leads_to_the_one_that_is_written() {
        for (name, expected) in [
            ("Make", Some("Make")),
            ("Add", Some("Make")),
            ("Zap", Some("Make")),
            ("Change", Some("Change")),
            ("Alter", Some("Change")),
            ("Stop", Some("Stop")),
            ("End", Some("Stop")),
            ("stop", None),
            ("", None),
        ] {
            assert_eq!(canonical_name::<Command>(name), expected, "{name}");
        }
    }

    #[test]
    fn what_takes_no_made_up_values_tells_nothing() {
        assert_eq!(canonical_name::<Command>("Pick"), None);
        assert_eq!(canonical_name::<Command>("Dig"), None);
        assert_eq!(canonical_name::<Everything>("Everything"), None);
    }
}
