//! The log port on Apache Kafka.
