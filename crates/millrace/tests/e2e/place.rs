//! Where a scenario plays: the same body on the real servers and on one local file.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::process::Process;
use super::servers::Servers;
use super::world::World;

/// Where records and rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In Kafka and a CQL store.
    Servers,
    /// In a file of the test's own.
    Embedded,
}

/// Makes two tests of each body: one on the servers, one on a local file.
macro_rules! in_both_places {
    ($($body:ident)*) => {
        mod on_servers {
            $(#[test]
            fn $body() {
                super::$body($crate::e2e::place::Place::Servers);
            })*
        }
        mod embedded {
            $(#[test]
            fn $body() {
                super::$body($crate::e2e::place::Place::Embedded);
            })*
        }
    };
}
pub(crate) use in_both_places;

/// A world of tests that only differ in the ids they use, with a process of all roles.
pub(crate) struct Shared {
    process: Process,
    pub(crate) world: World,
}

impl Shared {
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

impl std::ops::Deref for Shared {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

/// The shared world of this place, started for the first of the tests that run now and stopped
/// after the last.
pub(crate) fn shared(place: Place) -> Arc<Shared> {
    static ON_SERVERS: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    static EMBEDDED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let (known, world): (_, fn() -> World) = match place {
        Place::Servers => (&ON_SERVERS, || World::on(Servers::shared(), &[])),
        Place::Embedded => (&EMBEDDED, || World::embedded(&[])),
    };
    let mut weak = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = weak.upgrade() {
        return shared;
    }
    let world = world();
    world.set_up();
    let process = world.run(&[]);
    process.wait_ready(Duration::from_mins(1));
    let shared = Arc::new(Shared { process, world });
    *weak = Arc::downgrade(&shared);
    shared
}
