//! Event sourcing and CQRS on Kafka: the program.
fn main() {}
