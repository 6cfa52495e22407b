//! Where commands of aggregates go: to those that follow-ups and answers are for.

use std::borrow::Cow;

use millrace_eventsourcing::Aggregate;

use crate::id::{ID_BYTES_MAX, fault_of_id};
use crate::partitioner::partition_of;
use crate::topic::{Topic, TopicPartition};

/// The aggregates that a program knows, each with its commands topic.
#[derive(Debug, Clone, Default)]
pub struct Addresses(Vec<Address>);

/// One aggregate's commands topic.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    aggregate: &'static str,
    commands: Topic,
    partitions: i32,
    normalise: Normalise,
}

/// See [`Aggregate::normalise_id`].
type Normalise = fn(&str) -> Cow<'_, str>;

impl Address {
    /// The address of an aggregate whose commands topic has so many partitions.
    pub fn of<A: Aggregate>(partitions: i32) -> Self {
        Self {
            aggregate: A::NAME,
            commands: Topic::of(A::NAME, "commands"),
            partitions,
            normalise: A::normalise_id,
        }
    }
}

impl FromIterator<Address> for Addresses {
    fn from_iter<I: IntoIterator<Item = Address>>(addresses: I) -> Self {
        Self(addresses.into_iter().collect())
    }
}

/// One aggregate as the addressee of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The partition of its commands topic that its id belongs to.
    pub to: TopicPartition,
    /// Its id, normalised: the record's key.
    pub id: String,
}

impl Addresses {
    /// The addressee with this id, as typed.
    ///
    /// # Errors
    /// Why there is none; a sentence that goes on where the place is named.
    pub fn find(&self, aggregate: &str, id: &str) -> Result<Addressee, String> {
        let Some(address) = self.0.iter().find(|known| known.aggregate == aggregate) else {
            return Err("names an aggregate that is not known here".to_owned());
        };
        let normalised = (address.normalise)(id).into_owned();
        let fault = fault_of_id(id, ID_BYTES_MAX);
        if let Some(fault) = fault.or_else(|| fault_of_id(&normalised, ID_BYTES_MAX)) {
            return Err(format!("names an id that {fault}"));
        }
        let partition = partition_of(normalised.as_bytes(), address.partitions);
        Ok(Addressee {
            to: address.commands.partition(partition),
            id: normalised,
        })
    }

    /// The addressee that a text `<context>.<aggregate>/<id>` names.
    ///
    /// # Errors
    /// See [`Self::find`].
    pub fn parse(&self, text: &str) -> Result<Addressee, String> {
        let (aggregate, id) = text
            .split_once('/')
            .ok_or_else(|| "is not of the form `<context>.<aggregate>/<id>`".to_owned())?;
        self.find(aggregate, id)
    }
}
