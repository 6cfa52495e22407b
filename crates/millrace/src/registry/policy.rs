//! One policy behind an object-safe entry.

use std::fmt::Debug;

use millrace_eventsourcing::{Aggregate, Policy};

use super::local_name;
use crate::run::{End, Seat, work_on_policy};
use crate::settings::Settings;

/// A policy that can be served.
pub(crate) trait PolicyEntry: Debug + Send + Sync {
    /// `<context>.policy.<name>`: the group, and the owner of the state topic.
    fn full_name(&self) -> &'static str;
    /// The aggregate whose events it follows.
    fn aggregate(&self) -> &'static str;
    /// The aggregates it sends to.
    fn targets(&self) -> &'static [&'static str];
    /// What it is set to, for people; empty when there is nothing to set.
    fn describe(&self, settings: &Settings) -> String;
    /// Reacts until it is time to stop.
    fn work(&self, seat: Seat<'_>) -> End;

    /// Its name, without its context.
    fn name(&self) -> &'static str {
        local_name(self.full_name())
    }
}

/// Makes a policy from the settings of the process.
pub(super) struct Entry<P, F> {
    pub(super) make: F,
    pub(super) policy: std::marker::PhantomData<fn() -> P>,
}

impl<P, F> PolicyEntry for Entry<P, F>
where
    P: Policy + Debug,
    F: Fn(&Settings) -> P + Send + Sync + 'static,
{
    fn full_name(&self) -> &'static str {
        P::NAME
    }

    fn aggregate(&self) -> &'static str {
        P::Aggregate::NAME
    }

    fn targets(&self) -> &'static [&'static str] {
        P::TARGETS
    }

    fn describe(&self, settings: &Settings) -> String {
        format!("{:?}", (self.make)(settings))
    }

    fn work(&self, seat: Seat<'_>) -> End {
        work_on_policy(seat, (self.make)(&seat.wiring.settings))
    }
}

impl<P: Policy, F> Debug for Entry<P, F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(P::NAME)
    }
}
