//! One reactor behind an object-safe entry.

use std::fmt::Debug;
use std::marker::PhantomData;

use millrace_eventsourcing::{Aggregate, Reactor};
use millrace_runtime::reactor::Outside;

use super::local_name;
use crate::run::{End, Seat, work_on_reactor};
use crate::settings::Settings;

/// A reactor that can be served.
pub(crate) trait ReactorEntry: Debug + Send + Sync {
    /// `<context>.reactor.<name>`: the group, and the owner of the state topic.
    fn full_name(&self) -> &'static str;
    /// The aggregate whose events it follows.
    fn aggregate(&self) -> &'static str;
    /// What it needs outside.
    fn dependency(&self) -> &'static str;
    /// Why it does not consume with these settings; nothing when it does.
    fn off(&self, settings: &Settings) -> Option<String>;
    /// Acts until it is time to stop.
    fn work(&self, seat: Seat<'_>) -> End;

    /// Its name, without its context.
    fn name(&self) -> &'static str {
        local_name(self.full_name())
    }
}

/// A reactor and whoever carries its actions out, made from the settings of the process; the reason
/// why there is nobody otherwise.
pub(super) struct Entry<R, O, F> {
    pub(super) reactor: R,
    pub(super) outside: F,
    pub(super) port: PhantomData<fn() -> O>,
}

impl<R, O, F> ReactorEntry for Entry<R, O, F>
where
    R: Reactor + Clone,
    O: Outside<R::Action>,
    F: Fn(&Settings) -> Result<O, String> + Send + Sync + 'static,
{
    fn full_name(&self) -> &'static str {
        R::NAME
    }

    fn aggregate(&self) -> &'static str {
        R::Aggregate::NAME
    }

    fn dependency(&self) -> &'static str {
        R::DEPENDENCY
    }

    fn off(&self, settings: &Settings) -> Option<String> {
        (self.outside)(settings).err()
    }

    fn work(&self, seat: Seat<'_>) -> End {
        match (self.outside)(&seat.wiring.settings) {
            Ok(outside) => work_on_reactor(seat, self.reactor.clone(), outside),
            Err(reason) => End::Fatal(reason),
        }
    }
}

impl<R: Reactor, O, F> Debug for Entry<R, O, F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(R::NAME)
    }
}
