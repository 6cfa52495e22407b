//! The adapter on a real Kafka, named by `TEST_KAFKA`.

// Marked as tests, so that their helpers may unwrap.
#[cfg(test)]
mod access;
#[cfg(test)]
mod broker;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod commit;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod process;
#[cfg(test)]
mod restore;
