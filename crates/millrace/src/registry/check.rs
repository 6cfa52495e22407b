//! No name may have two owners.

use std::collections::BTreeSet;

use millrace_eventsourcing::Answered;
use thiserror::Error;

use super::{Context, Registry};

/// A name with two owners, or in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DuplicateError {
    /// Two contexts have it.
    #[error("context `{0}` is registered twice")]
    Context(String),
    /// Two aggregates have it.
    #[error("aggregate `{0}` is registered twice")]
    Aggregate(String),
    /// An aggregate is registered in a context whose name its own does not begin with.
    #[error("aggregate `{aggregate}` does not belong to context `{context}`")]
    Misplaced {
        /// The aggregate.
        aggregate: String,
        /// Where it was registered.
        context: String,
    },
    /// Two aggregates of one context decide it.
    #[error("command type `{0}` is decided by two aggregates of one context")]
    CommandType(String),
    /// Two projections of one context have it.
    #[error("projection `{0}` is registered twice")]
    Projection(String),
    /// Two projections of one context write to it.
    #[error("table `{0}` is written by two projections")]
    Table(String),
    /// Two policies or two reactors have it.
    #[error("`{0}` is registered twice")]
    Task(String),
    /// A policy or a reactor is registered in a context whose name its own does not begin with, or
    /// under a name of another form.
    #[error("`{name}` is not of the form `{context}.{kind}.<name>`")]
    MisplacedTask {
        /// Its name.
        name: String,
        /// Where it was registered.
        context: String,
        /// What it is.
        kind: &'static str,
    },
    /// A policy or a reactor names an aggregate that is not registered.
    #[error("`{name}` names `{aggregate}`, which is not registered")]
    UnknownPartner {
        /// The policy or the reactor.
        name: String,
        /// Whom it follows or sends to.
        aggregate: String,
    },
    /// An aggregate has a command with the name of the answer to a command.
    #[error("aggregate `{0}` has a command `Answered`: answers come through `on_answer`")]
    OwnAnswer(String),
    /// A projection follows an aggregate that is not registered.
    #[error("projection `{projection}` follows `{aggregate}`, which is not registered")]
    UnknownAggregate {
        /// The projection.
        projection: String,
        /// Whom it follows.
        aggregate: String,
    },
}

impl Registry {
    /// Refuses names that have two owners.
    ///
    /// # Errors
    /// The first such name.
    pub fn check(&self) -> Result<(), DuplicateError> {
        let mut contexts = BTreeSet::new();
        for context in self.contexts() {
            if !contexts.insert(context.name()) {
                return Err(DuplicateError::Context(context.name().to_owned()));
            }
            check_aggregates(context)?;
            self.check_projections(context)?;
            self.check_tasks(context)?;
        }
        Ok(())
    }

    fn check_tasks(&self, context: &Context) -> Result<(), DuplicateError> {
        let mut names = BTreeSet::new();
        let policies = context.policies().iter().map(|policy| {
            let partners = policy.targets().iter().copied();
            let partners = partners.chain([policy.aggregate()]).collect::<Vec<_>>();
            (policy.full_name(), "policy", partners)
        });
        let reactors = context
            .reactors()
            .iter()
            .map(|reactor| (reactor.full_name(), "reactor", vec![reactor.aggregate()]));
        for (name, kind, partners) in policies.chain(reactors) {
            if !names.insert(name) {
                return Err(DuplicateError::Task(name.to_owned()));
            }
            let local = name.strip_prefix(&format!("{}.{kind}.", context.name()));
            if local.is_none_or(|local| local.is_empty() || local.contains('.')) {
                return Err(DuplicateError::MisplacedTask {
                    name: name.to_owned(),
                    context: context.name().to_owned(),
                    kind,
                });
            }
            for aggregate in partners {
                if self.aggregate(aggregate).is_none() {
                    return Err(DuplicateError::UnknownPartner {
                        name: name.to_owned(),
                        aggregate: aggregate.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn check_projections(&self, context: &Context) -> Result<(), DuplicateError> {
        let mut names = BTreeSet::new();
        let mut tables = BTreeSet::new();
        for projection in context.projections() {
            let name = format!("{}.{}", context.name(), projection.name());
            if !names.insert(projection.name()) {
                return Err(DuplicateError::Projection(name));
            }
            for table in projection.tables() {
                if !tables.insert(table.name) {
                    let table = format!("{}.{}", context.name(), table.name);
                    return Err(DuplicateError::Table(table));
                }
            }
            for aggregate in projection.aggregates() {
                if self.aggregate(aggregate).is_none() {
                    let aggregate = aggregate.to_owned();
                    return Err(DuplicateError::UnknownAggregate {
                        projection: name,
                        aggregate,
                    });
                }
            }
        }
        Ok(())
    }
}

fn check_aggregates(context: &Context) -> Result<(), DuplicateError> {
    let mut names = BTreeSet::new();
    let mut command_types = BTreeSet::new();
    for aggregate in context.aggregates() {
        let name = aggregate.name();
        let local = name
            .strip_prefix(context.name())
            .and_then(|rest| rest.strip_prefix('.'));
        if local.is_none_or(str::is_empty) {
            let (aggregate, context) = (name.to_owned(), context.name().to_owned());
            return Err(DuplicateError::Misplaced { aggregate, context });
        }
        if !names.insert(name) {
            return Err(DuplicateError::Aggregate(name.to_owned()));
        }
        for command_type in aggregate.command_types() {
            if *command_type == Answered::TYPE {
                return Err(DuplicateError::OwnAnswer(name.to_owned()));
            }
            if !command_types.insert(*command_type) {
                return Err(DuplicateError::CommandType((*command_type).to_owned()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use millrace_domain::bank::account::Account;
    use millrace_domain::bank::accounts::Accounts;
    use millrace_domain::bank::transfer::{Transfer, TransferPolicy};
    use millrace_eventsourcing::{
        Aggregate, Context as AggregateContext, Decision, EventEnvelope, Projection, Row, Schemas,
        Table, variant_names,
    };
    use serde::{Deserialize, Serialize};

    use super::*;

    fn check(contexts: impl IntoIterator<Item = Context>) -> String {
        Registry::new(contexts).check().unwrap_err().to_string()
    }

    fn bank() -> Context {
        Context::new("bank").aggregate::<Account>()
    }

    #[test]
    fn what_this_program_serves_has_no_duplicates() {
        assert_eq!(crate::contexts().check(), Ok(()));
    }

    #[test]
    fn a_name_with_two_owners_stops_the_start() {
        assert_eq!(
            check([bank(), bank()]),
            "context `bank` is registered twice"
        );
        let twice = bank().aggregate::<Account>();
        assert_eq!(
            check([twice]),
            "aggregate `bank.account` is registered twice"
        );
        let twice = bank().projection::<Accounts>().projection::<Accounts>();
        assert_eq!(
            check([twice]),
            "projection `bank.accounts` is registered twice"
        );
    }

    /// Takes the commands of an account, too.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Twin(Account);

    impl Aggregate for Twin {
        const NAME: &'static str = "bank.twin";
        const SCHEMAS: Schemas = Account::SCHEMAS;
        type Command = <Account as Aggregate>::Command;
        type Event = <Account as Aggregate>::Event;
        type Rejection = <Account as Aggregate>::Rejection;

        fn decide(
            twin: Option<&Self>,
            command: &Self::Command,
            context: &AggregateContext<'_>,
        ) -> Result<Decision<Self::Event>, Self::Rejection> {
            Account::decide(twin.map(|Self(account)| account), command, context)
        }

        fn evolve(twin: Option<Self>, event: &Self::Event) -> Option<Self> {
            Account::evolve(twin.map(|Self(account)| account), event).map(Self)
        }
    }

    /// Writes to the tables of another projection.
    #[derive(Debug)]
    struct Copied;

    impl Projection for Copied {
        type Aggregate = Account;
        const NAME: &'static str = "copied";
        const REVISION: i32 = 1;
        const TABLES: &'static [&'static Table] = Accounts::TABLES;

        fn project(id: &str, event: &EventEnvelope<<Account as Aggregate>::Event>) -> Vec<Row> {
            Accounts::project(id, event)
        }
    }

    #[test]
    fn a_command_type_with_two_deciders_stops_the_start() {
        let error = check([bank().aggregate::<Twin>()]);
        let [first, ..] = variant_names::<<Account as Aggregate>::Command>() else {
            panic!("an account takes commands");
        };
        let text = "is decided by two aggregates of one context";
        assert_eq!(error, format!("command type `{first}` {text}"));
    }

    #[test]
    fn a_table_with_two_writers_stops_the_start() {
        let both = bank().projection::<Accounts>().projection::<Copied>();
        let table = "table `bank.accounts` is written by two projections";
        assert_eq!(check([both]), table);
    }

    #[test]
    fn a_policy_and_its_partners_are_registered_once_and_in_their_context() {
        let policy = || bank().policy(TransferPolicy);
        assert!(check([policy()]).contains("names `bank.transfer`, which is not registered"));
        let twice = bank()
            .aggregate::<Transfer>()
            .policy(TransferPolicy)
            .policy(TransferPolicy);
        assert_eq!(check([twice]), "`bank.policy.transfer` is registered twice");
        let shop = Context::new("shop").policy(TransferPolicy);
        assert!(check([bank().aggregate::<Transfer>(), shop]).contains("shop.policy.<name>"));
    }

    #[test]
    fn what_belongs_elsewhere_stops_the_start() {
        let shop = Context::new("shop").aggregate::<Account>();
        assert!(check([shop]).contains("`bank.account` does not belong to context `shop`"));
        let lonely = Context::new("bank").projection::<Accounts>();
        assert!(check([lonely]).contains("follows `bank.account`, which is not registered"));
    }
}
