//! What bytes a schema stands for, names looked up and logical types taken off.

use std::collections::HashMap;
use std::fmt;

use apache_avro::Schema;
use apache_avro::schema::{
    Alias, EnumSchema, FixedSchema, InnerDecimalSchema, RecordSchema, UuidSchema,
};

/// The physical type behind a schema.
#[derive(Clone, Copy)]
pub(super) enum Type<'a> {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(&'a FixedSchema),
    Enum(&'a EnumSchema),
    Record(&'a RecordSchema),
    Array(&'a Schema),
    Map(&'a Schema),
    Union(&'a [Schema]),
    /// Refers to a type that the schema does not declare.
    Dangling(&'a str),
}

/// The named types of one schema.
pub(super) struct Names<'a> {
    declared: HashMap<&'a str, &'a Schema>,
    ambiguous: Option<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(schema: &'a Schema) -> Self {
        let mut names = Self {
            declared: HashMap::new(),
            ambiguous: None,
        };
        names.collect(schema);
        names
    }

    /// A name that stands for two types in different namespaces, if there is one.
    pub(super) const fn ambiguous(&self) -> Option<&'a str> {
        self.ambiguous
    }

    fn collect(&mut self, schema: &'a Schema) {
        let declared = physical(schema);
        if let Some((name, _)) = declared.names()
            && self.declared.insert(name, schema).is_some()
        {
            self.ambiguous = Some(name);
        }
        match declared {
            Type::Record(record) => {
                for field in &record.fields {
                    self.collect(&field.schema);
                }
            }
            Type::Array(part) | Type::Map(part) => self.collect(part),
            Type::Union(branches) => {
                for branch in branches {
                    self.collect(branch);
                }
            }
            Type::Null
            | Type::Boolean
            | Type::Int
            | Type::Long
            | Type::Float
            | Type::Double
            | Type::Bytes
            | Type::String
            | Type::Fixed(_)
            | Type::Enum(_)
            | Type::Dangling(_) => {}
        }
    }

    /// The type behind a schema.
    pub(super) fn resolve(&self, schema: &'a Schema) -> Type<'a> {
        physical(self.declaration(schema))
    }

    /// What a schema says beyond its bytes, `timestamp-micros` for one.
    pub(super) fn meaning(&self, schema: &'a Schema) -> Option<&'static str> {
        meaning(self.declaration(schema))
    }

    fn declaration(&self, schema: &'a Schema) -> &'a Schema {
        if let Schema::Ref { name } = schema {
            return self.declared.get(name.name()).copied().unwrap_or(schema);
        }
        schema
    }
}

fn physical(schema: &Schema) -> Type<'_> {
    match schema {
        Schema::Null => Type::Null,
        Schema::Boolean => Type::Boolean,
        Schema::Int | Schema::Date | Schema::TimeMillis => Type::Int,
        Schema::Long
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Type::Long,
        Schema::Float => Type::Float,
        Schema::Double => Type::Double,
        Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Type::Bytes,
        Schema::String | Schema::Uuid(UuidSchema::String) => Type::String,
        Schema::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Bytes => Type::Bytes,
            InnerDecimalSchema::Fixed(fixed) => Type::Fixed(fixed),
        },
        Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
            Type::Fixed(fixed)
        }
        Schema::Enum(declared) => Type::Enum(declared),
        Schema::Record(record) => Type::Record(record),
        Schema::Array(array) => Type::Array(&array.items),
        Schema::Map(map) => Type::Map(&map.types),
        Schema::Union(union) => Type::Union(union.variants()),
        Schema::Ref { name } => Type::Dangling(name.name()),
    }
}

fn meaning(schema: &Schema) -> Option<&'static str> {
    match schema {
        Schema::Date => Some("date"),
        Schema::TimeMillis => Some("time-millis"),
        Schema::TimeMicros => Some("time-micros"),
        Schema::TimestampMillis => Some("timestamp-millis"),
        Schema::TimestampMicros => Some("timestamp-micros"),
        Schema::TimestampNanos => Some("timestamp-nanos"),
        Schema::LocalTimestampMillis => Some("local-timestamp-millis"),
        Schema::LocalTimestampMicros => Some("local-timestamp-micros"),
        Schema::LocalTimestampNanos => Some("local-timestamp-nanos"),
        Schema::Decimal(_) => Some("decimal"),
        Schema::BigDecimal => Some("big-decimal"),
        Schema::Uuid(_) => Some("uuid"),
        Schema::Duration(_) => Some("duration"),
        Schema::Null
        | Schema::Boolean
        | Schema::Int
        | Schema::Long
        | Schema::Float
        | Schema::Double
        | Schema::Bytes
        | Schema::String
        | Schema::Fixed(_)
        | Schema::Enum(_)
        | Schema::Record(_)
        | Schema::Array(_)
        | Schema::Map(_)
        | Schema::Union(_)
        | Schema::Ref { .. } => None,
    }
}

impl<'a> Type<'a> {
    /// Name and aliases of a type that has them, without namespaces.
    pub(super) fn names(&self) -> Option<(&'a str, Vec<&'a str>)> {
        let (name, aliases) = match self {
            Type::Fixed(declared) => (&declared.name, &declared.aliases),
            Type::Enum(declared) => (&declared.name, &declared.aliases),
            Type::Record(declared) => (&declared.name, &declared.aliases),
            Type::Null
            | Type::Boolean
            | Type::Int
            | Type::Long
            | Type::Float
            | Type::Double
            | Type::Bytes
            | Type::String
            | Type::Array(_)
            | Type::Map(_)
            | Type::Union(_)
            | Type::Dangling(_) => return None,
        };
        let aliases = aliases.iter().flatten().map(Alias::name).collect();
        Some((name.name(), aliases))
    }

    /// Whether a reader of this type is meant for values of the writer's type: the same kind, and
    /// the same name where there is one.
    pub(super) fn is_meant_for(&self, writer: &Type<'_>) -> bool {
        match (self.names(), writer.names()) {
            (Some((name, aliases)), Some((written, _))) => {
                let same_kind = std::mem::discriminant(self) == std::mem::discriminant(writer);
                same_kind && (name == written || aliases.contains(&written))
            }
            (None, None) => std::mem::discriminant(self) == std::mem::discriminant(writer),
            _ => false,
        }
    }
}

impl fmt::Display for Type<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Int => "int",
            Type::Long => "long",
            Type::Float => "float",
            Type::Double => "double",
            Type::Bytes => "bytes",
            Type::String => "string",
            Type::Array(_) => "array",
            Type::Map(_) => "map",
            Type::Union(_) => "union",
            Type::Fixed(declared) => {
                return write!(
                    formatter,
                    "fixed({}) {}",
                    declared.size,
                    declared.name.name()
                );
            }
            Type::Enum(declared) => return write!(formatter, "enum {}", declared.name.name()),
            Type::Record(declared) => return write!(formatter, "record {}", declared.name.name()),
            Type::Dangling(name) => return write!(formatter, "undeclared {name}"),
        })
    }
}
