//! The adapter on a real server: the one that `TEST_CQL` names, and private ones where a test
//! restarts it or needs settings of its own.

// Marked as tests, so that their helpers may unwrap.
#[cfg(test)]
mod contract;
#[cfg(test)]
mod keyspace;
#[cfg(test)]
mod migrating;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod private;
#[cfg(test)]
mod reading;
