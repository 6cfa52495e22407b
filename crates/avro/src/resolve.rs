//! From the schema a record was written with to the one it is read with, by the rules of Avro:
//! fields and types match by name or the reader's alias, new fields take their defaults, numbers
//! widen, branches of unions match by type and name.
//!
//! The rules are applied once for a pair of schemas and give a [`Plan`], which turns bytes into
//! bytes. The resolution of apache-avro does not serve here: it works on values without record
//! names and takes the first branch of a union that has the same fields, so that one event becomes
//! another; it does not look for aliases, and reads a truncated record as one that ends in nulls.

mod default;
mod plan;
mod planner;
mod transcode;
mod types;

use std::fmt;

pub(crate) use plan::Plan;
pub(crate) use planner::plan;
pub(crate) use transcode::{DEPTH_MAX, Fault};

/// A place in which records of one schema cannot be read as records of another.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Incompatibility {
    /// Names of fields and branches that lead there, joined by dots.
    pub path: String,
    /// What does not fit.
    pub reason: String,
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.reason)
    }
}

impl Incompatibility {
    /// All of them in one line.
    pub(crate) fn list(problems: &[Self]) -> String {
        let problems: Vec<_> = problems.iter().map(Self::to_string).collect();
        problems.join("; ")
    }
}
