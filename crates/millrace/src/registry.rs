//! The contexts that a program serves: aggregates, projections, policies and reactors behind
//! object-safe entries.

mod aggregate;
mod check;
mod codecs;
mod journal;
mod policy;
mod projection;
mod reactor;
mod reader;
mod tasks;

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use millrace_avro::{Catalogue, CatalogueError};
use millrace_eventsourcing::{Aggregate, Mail, Policy, Projection, Reactor};
use millrace_runtime::reactor::Outside;
use millrace_runtime::store::ContextTables;
use millrace_runtime::topic_spec::{Layout, TopicKind, TopicSpec, aggregate_topics};

pub(crate) use aggregate::AggregateEntry;
pub use check::DuplicateError;
pub(crate) use codecs::codecs;
use journal::Journal;
pub(crate) use policy::PolicyEntry;
pub(crate) use projection::ProjectionEntry;
pub(crate) use reactor::ReactorEntry;
pub(crate) use reader::{Fold, Reader};
pub(crate) use tasks::{TaskReader, task_codec};

use crate::mail;
use crate::settings::{Names, Settings};

/// Everything that a program serves.
#[derive(Debug, Default)]
pub struct Registry {
    contexts: Vec<Context>,
}

impl Registry {
    /// A registry of these contexts, each with its journal.
    pub fn new(contexts: impl IntoIterator<Item = Context>) -> Self {
        Self {
            contexts: contexts.into_iter().map(Context::with_journal).collect(),
        }
    }

    /// All contexts, in order of registration.
    pub(crate) fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// All aggregates of all contexts.
    pub(crate) fn aggregates(&self) -> impl Iterator<Item = &Arc<dyn AggregateEntry>> {
        self.contexts.iter().flat_map(|context| &context.aggregates)
    }

    /// All projections of all contexts, each with its context's name.
    pub(crate) fn projections(
        &self,
    ) -> impl Iterator<Item = (&'static str, &Arc<dyn ProjectionEntry>)> {
        self.contexts.iter().flat_map(|context| {
            context
                .projections
                .iter()
                .map(|projection| (context.name, projection))
        })
    }

    /// All policies of all contexts.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Arc<dyn PolicyEntry>> {
        self.contexts.iter().flat_map(|context| &context.policies)
    }

    /// All reactors of all contexts.
    pub(crate) fn reactors(&self) -> impl Iterator<Item = &Arc<dyn ReactorEntry>> {
        self.contexts.iter().flat_map(|context| &context.reactors)
    }

    /// Policies and reactors: each is a group, and the owner of a state topic with nothing but its
    /// task records. With the aggregates whose events they follow.
    pub(crate) fn task_owners(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let policies = self.policies().map(|it| (it.full_name(), it.aggregate()));
        policies.chain(self.reactors().map(|it| (it.full_name(), it.aggregate())))
    }

    /// The aggregate called `<context>.<aggregate>`.
    pub(crate) fn aggregate(&self, name: &str) -> Option<&Arc<dyn AggregateEntry>> {
        self.aggregates().find(|aggregate| aggregate.name() == name)
    }

    /// The schemas of all aggregates, with their published history.
    ///
    /// # Errors
    /// When one of them is wrong, or two have one id.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, CatalogueError> {
        let mut catalogue = Catalogue::new();
        for aggregate in self.aggregates() {
            catalogue.publish_aggregate(aggregate.name(), &aggregate.schemas())?;
        }
        for (owner, _) in self.task_owners() {
            catalogue.publish_tasks(owner)?;
        }
        Ok(catalogue)
    }

    /// The read tables of all contexts.
    pub(crate) fn tables(&self) -> Vec<ContextTables> {
        let tables = |context: &Context| {
            let projections = context.projections.iter();
            projections
                .flat_map(|projection| projection.tables())
                .copied()
                .collect()
        };
        let contexts = self.contexts.iter();
        contexts
            .map(|each| ContextTables {
                context: each.name,
                tables: tables(each),
            })
            .collect()
    }

    /// The topics of everything that is registered, as the settings want them.
    pub(crate) fn topics(&self, settings: &Settings) -> Vec<TopicSpec> {
        let layout = Layout {
            partitions: settings.partitions,
            replication_factor: settings.replication_factor,
        };
        let aggregates = self.aggregates();
        let topics = aggregates.flat_map(|aggregate| aggregate_topics(aggregate.name(), layout));
        // As many partitions as what they read has.
        let owners = self.task_owners();
        let states = owners.map(|(owner, _)| TopicSpec::of(owner, TopicKind::State, layout));
        topics.chain(states).collect()
    }

    /// The names that settings may mention.
    pub(crate) fn names(&self) -> Names {
        let mut names = Names::default();
        for aggregate in self.aggregates() {
            names
                .groups
                .insert(format!("{}.commands", aggregate.name()));
            for kind in aggregate.command_types() {
                let name = |kind| format!("{}.{kind}", aggregate.name());
                let canonical = aggregate.canonical_type(kind);
                names.command_types.insert(name(kind), name(&canonical));
            }
        }
        for (context, projection) in self.projections() {
            names
                .groups
                .insert(group_of_projection(context, projection.name()));
            names
                .consumers
                .insert(format!("projection.{}", projection.name()));
        }
        for (owner, _) in self.task_owners() {
            names.groups.insert(owner.to_owned());
        }
        let policies = self.policies().map(|it| format!("policy.{}", it.name()));
        let reactors = self.reactors().map(|it| format!("reactor.{}", it.name()));
        names.consumers.extend(policies.chain(reactors));
        names
    }
}

/// The last part of `<context>.<kind>.<name>`.
fn local_name(full_name: &'static str) -> &'static str {
    full_name.rsplit('.').next().unwrap_or(full_name)
}

/// The consumer group of a projection. Persisted.
pub(crate) fn group_of_projection(context: &str, projection: &str) -> String {
    format!("{context}.projection.{projection}")
}

/// One bounded context: a keyspace, and a prefix of topic names.
#[derive(Debug)]
pub struct Context {
    name: &'static str,
    aggregates: Vec<Arc<dyn AggregateEntry>>,
    projections: Vec<Arc<dyn ProjectionEntry>>,
    policies: Vec<Arc<dyn PolicyEntry>>,
    reactors: Vec<Arc<dyn ReactorEntry>>,
}

impl Context {
    /// A context that serves nothing yet.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            aggregates: Vec::new(),
            projections: Vec::new(),
            policies: Vec::new(),
            reactors: Vec::new(),
        }
    }

    /// Serves the commands of one more aggregate.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        self.aggregates.push(aggregate::entry::<A>());
        self
    }

    /// Keeps the tables of one more projection.
    #[must_use]
    pub fn projection<P: Projection>(mut self) -> Self {
        self.projections.push(projection::entry::<P>());
        self
    }

    /// Reacts with one more policy.
    #[must_use]
    pub fn policy<P: Policy + Clone + Debug>(self, policy: P) -> Self {
        self.policy_from(move |_| policy.clone())
    }

    /// Reacts with a policy that is made from the settings.
    #[must_use]
    pub(crate) fn policy_from<P: Policy + Debug>(
        mut self,
        make: impl Fn(&Settings) -> P + Send + Sync + 'static,
    ) -> Self {
        let policy = PhantomData;
        self.policies.push(Arc::new(policy::Entry { make, policy }));
        self
    }

    /// Acts with one more reactor, whose actions `outside` carries out.
    #[must_use]
    pub fn reactor<R, O>(self, reactor: R, outside: O) -> Self
    where
        R: Reactor + Clone,
        O: Outside<R::Action> + Clone,
    {
        self.reactor_from(reactor, move |_| Ok(outside.clone()))
    }

    /// Sends the mails of one more reactor, through the server that the settings name.
    #[must_use]
    pub fn mail_reactor<R: Reactor<Action = Mail> + Clone>(self, reactor: R) -> Self {
        self.reactor_from(reactor, mail::sender)
    }

    fn reactor_from<R, O>(
        mut self,
        reactor: R,
        outside: impl Fn(&Settings) -> Result<O, String> + Send + Sync + 'static,
    ) -> Self
    where
        R: Reactor + Clone,
        O: Outside<R::Action>,
    {
        self.reactors.push(Arc::new(reactor::Entry {
            reactor,
            outside,
            port: PhantomData,
        }));
        self
    }

    fn with_journal(mut self) -> Self {
        let aggregates = self.aggregates.clone();
        self.projections.push(Arc::new(Journal { aggregates }));
        self
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its aggregates.
    pub(crate) fn aggregates(&self) -> &[Arc<dyn AggregateEntry>] {
        &self.aggregates
    }

    /// Its projections.
    pub(crate) fn projections(&self) -> &[Arc<dyn ProjectionEntry>] {
        &self.projections
    }

    /// Its policies.
    pub(crate) fn policies(&self) -> &[Arc<dyn PolicyEntry>] {
        &self.policies
    }

    /// Its reactors.
    pub(crate) fn reactors(&self) -> &[Arc<dyn ReactorEntry>] {
        &self.reactors
    }
}
