//! The loop around the machine: threads, a real clock, and a store that answers when it wants.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_eventsourcing::Cell;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::LogEvent;
use millrace_runtime::projector::{Projector, Shell, run};
use millrace_runtime::stop::StopToken;
use millrace_runtime::store::{Batch, Mark, Progress, ReadStore, StoreError};
use millrace_runtime::worker::{Ended, WorkerStatus};
use millrace_testkit::MemoryStore;
use tokio::runtime::Runtime;

use super::world::{EVENTS, GROUP, Settings, World};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// A client that panics on order, as clients do.
#[derive(Debug, Clone)]
struct Moody {
    store: MemoryStore,
    panics: Arc<AtomicBool>,
}

impl ReadStore for Moody {
    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        assert!(!self.panics.swap(false, Ordering::Relaxed), "on purpose");
        self.store.apply(batch).await
    }

    async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        self.store.marks().await
    }

    async fn progress(
        &self,
        context: &'static str,
        projection: &'static str,
    ) -> Result<Vec<Progress>, StoreError> {
        self.store.progress(context, projection).await
    }
}

struct Running {
    world: World,
    panics: Arc<AtomicBool>,
    stop: StopToken,
    status: Arc<Mutex<WorkerStatus>>,
    thread: JoinHandle<Ended>,
    _runtime: Runtime,
}

fn start(event: Option<LogEvent<'static>>) -> Running {
    let settings = Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    };
    let world = World::new(settings);
    let runtime = Runtime::new().unwrap();
    let mut log = world.broker.join(GROUP, &[EVENTS], "none");
    if let Some(event) = event {
        log.tell(event);
    }
    let panics = Arc::new(AtomicBool::new(false));
    let store = Moody {
        store: world.store.clone(),
        panics: Arc::clone(&panics),
    };
    let (stop, status) = (StopToken::default(), Arc::<Mutex<WorkerStatus>>::default());
    let (token, told) = (stop.clone(), Arc::clone(&status));
    let (handle, config) = (runtime.handle().clone(), world.config());
    let thread = std::thread::spawn(move || {
        let clock = SystemClock::new();
        let projector = Projector::new(config, clock.now());
        let shell = Shell {
            store,
            clock: &clock,
            stop: &token,
            handle: &handle,
        };
        run(&mut log, projector, &shell, &mut |status| {
            *told.lock().unwrap() = status;
        })
    });
    Running {
        world,
        panics,
        stop,
        status,
        thread,
        _runtime: runtime,
    }
}

impl Running {
    fn until(&self, what: &str, is_true: impl Fn(&Self) -> bool) {
        let clock = SystemClock::new();
        while !is_true(self) {
            assert!(
                clock.now().elapsed < DEADLINE,
                "never: {what}; {:?}",
                self.status
            );
            std::thread::yield_now();
        }
    }

    fn reasons(&self) -> Vec<String> {
        let status = self.status.lock().unwrap();
        status
            .tasks
            .iter()
            .filter_map(|task| task.reason.clone())
            .collect()
    }

    fn has_row(&self, id: &str) -> bool {
        self.world.rows().iter().any(|row| row[0] == Cell::from(id))
    }
}

#[test]
fn events_become_rows_and_a_stop_stores_the_positions() {
    let mut running = start(None);
    for number in 0..100 {
        running.world.event(&format!("item-{number}"), "a", number);
    }
    running.until("projected", |running| running.world.is_projected());
    assert_eq!(running.world.rows(), running.world.fold());
    running.stop.stop();
    assert_eq!(running.thread.join().unwrap(), Ended::Stopped);
    assert!(running.world.is_stored());
}

#[test]
fn a_store_that_is_away_is_told_and_waited_for() {
    let mut running = start(None);
    running.world.event("first", "a", 1);
    running.until("projected", |running| running.has_row("first"));
    running.world.store.set_down(true);
    running.world.event("second", "a", 1);
    running.until("told", |running| {
        running
            .reasons()
            .iter()
            .any(|reason| reason.contains("the store is down"))
    });
    running.world.store.set_down(false);
    running.until("healed", |running| running.has_row("second"));
    running.until("told", |running| running.reasons().is_empty());
    running.stop.stop();
    assert_eq!(running.thread.join().unwrap(), Ended::Stopped);
}

#[test]
fn a_client_that_panics_is_asked_again() {
    let mut running = start(None);
    running.panics.store(true, Ordering::Relaxed);
    running.world.event("item", "a", 1);
    running.until("projected", |running| running.has_row("item"));
    assert!(!running.panics.load(Ordering::Relaxed));
    running.stop.stop();
    assert_eq!(running.thread.join().unwrap(), Ended::Stopped);
}

#[test]
fn a_broken_log_ends_the_worker() {
    let running = start(Some(LogEvent::Broken("gone".to_owned())));
    assert_eq!(
        running.thread.join().unwrap(),
        Ended::Broken("gone".to_owned())
    );
}
