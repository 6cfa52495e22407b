//! The adapter on a real Kafka, named by `TEST_KAFKA`.

// Marked as tests, so that their helpers may unwrap.
#[cfg(test)]
mod access;
#[cfg(test)]
mod broker;
#[cfg(test)]
mod contract;
