//! Wire format: Confluent framing, schema catalogue, compatibility.
