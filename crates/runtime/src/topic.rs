//! Topics and partitions.

use std::fmt;

/// The name of a topic. Cheap to copy: a program knows few topics, and each name is kept for its
/// whole life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(&'static str);

impl Topic {
    /// A topic whose name is a constant.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// A topic whose name was put together at start. Never frees the name.
    pub fn intern(name: String) -> Self {
        Self(Box::leak(name.into_boxed_str()))
    }

    /// `<aggregate>.<kind>`, for example `bank.account.events`.
    pub fn of(aggregate: &str, kind: &str) -> Self {
        Self::intern(format!("{aggregate}.{kind}"))
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// One of its partitions.
    pub const fn partition(self, partition: i32) -> TopicPartition {
        TopicPartition {
            topic: self,
            partition,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// One partition of one topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Topic,
    /// The partition's number.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
