//! One aggregate behind an object-safe entry.

use std::borrow::Cow;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use millrace_avro::CatalogueError;
use millrace_eventsourcing::{Aggregate, Schemas, canonical_name, variant_names};
use millrace_runtime::addresses::Address;
use millrace_runtime::projector::{EventJournal, OutcomeJournal, Source};
use millrace_runtime::topic_spec::TopicKind;

use super::codecs;
use super::projection::source;
use super::reader::{self, Reader};
use crate::run::{End, Seat, work_on_commands};
use crate::schemas::KnownSchemas;

/// An aggregate that can be served.
pub(crate) trait AggregateEntry: Debug + Send + Sync {
    /// `<context>.<aggregate>`.
    fn name(&self) -> &'static str;
    /// Every name under which one of its commands is taken.
    fn command_types(&self) -> &'static [&'static str];
    /// The name that a command has in outcomes and metrics, of one under which it is taken. One whose
    /// fields tell nothing about that (see [`canonical_name`]) stands for itself.
    fn canonical_type(&self, name: &'static str) -> &'static str;
    /// The names of its events.
    fn event_types(&self) -> &'static [&'static str];
    /// The published schemas of its topics.
    fn schemas(&self) -> Schemas;
    /// The form in which its ids are record keys.
    fn normalise_id<'a>(&self, id: &'a str) -> Cow<'a, str>;
    /// Where commands for it go, when their topic has so many partitions.
    fn address(&self, partitions: i32) -> Address;
    /// Reads its records for people.
    ///
    /// # Errors
    /// When one of its schemas is missing.
    fn reader(&self, schemas: &KnownSchemas) -> Result<Box<dyn Reader>, CatalogueError>;
    /// What the journal follows of it.
    ///
    /// # Errors
    /// When one of its schemas is missing.
    fn journal_sources(&self, schemas: &KnownSchemas) -> Result<Vec<Source>, CatalogueError>;
    /// Decides its commands until it is time to stop.
    fn work(&self, seat: Seat<'_>) -> End;
}

pub(super) fn entry<A: Aggregate>() -> Arc<dyn AggregateEntry> {
    Arc::new(Entry::<A>(PhantomData))
}

struct Entry<A>(PhantomData<fn() -> A>);

impl<A: Aggregate> AggregateEntry for Entry<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn command_types(&self) -> &'static [&'static str] {
        variant_names::<A::Command>()
    }

    fn canonical_type(&self, name: &'static str) -> &'static str {
        canonical_name::<A::Command>(name).unwrap_or(name)
    }

    fn event_types(&self) -> &'static [&'static str] {
        variant_names::<A::Event>()
    }

    fn schemas(&self) -> Schemas {
        A::SCHEMAS
    }

    fn normalise_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        A::normalise_id(id)
    }

    fn address(&self, partitions: i32) -> Address {
        Address::of::<A>(partitions)
    }

    fn reader(&self, schemas: &KnownSchemas) -> Result<Box<dyn Reader>, CatalogueError> {
        reader::open::<A>(schemas)
    }

    fn journal_sources(&self, schemas: &KnownSchemas) -> Result<Vec<Source>, CatalogueError> {
        let events = EventJournal::<A>::new(codecs::<A>(schemas)?.events);
        let outcomes = OutcomeJournal::new(A::NAME);
        Ok(vec![
            source(A::NAME, TopicKind::Events, Box::new(events)),
            source(A::NAME, TopicKind::Outcomes, Box::new(outcomes)),
        ])
    }

    fn work(&self, seat: Seat<'_>) -> End {
        work_on_commands::<A>(seat)
    }
}

impl<A: Aggregate> Debug for Entry<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(A::NAME)
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::bank::account::Account;

    use super::*;

    #[test]
    fn every_command_type_of_this_program_tells_its_canonical_name() {
        for aggregate in crate::contexts().aggregates() {
            for kind in aggregate.command_types() {
                let canonical = aggregate.canonical_type(kind);
                assert_eq!(aggregate.canonical_type(canonical), canonical);
            }
        }
        let account = entry::<Account>();
        assert_eq!(account.canonical_type("CreditAccount"), "DepositMoney");
        assert_eq!(account.canonical_type("DepositMoney"), "DepositMoney");
        let aliases = account.command_types().iter();
        let aliases = aliases.filter(|kind| account.canonical_type(kind) != **kind);
        assert_eq!(aliases.count(), 3);
    }
}
