//! Read tables that fail are left alone for a while, probed, and taken up again; nothing is lost.

use std::time::Duration;

use millrace_runtime::breaker::{FAILURES_MAX, PROBE_INTERVAL};
use millrace_runtime::log::LogEvent;
use millrace_runtime::projector::{RequestId, StoreAnswer, StoreRequest};
use millrace_runtime::topic::TopicPartition;
use millrace_testkit::Unacknowledged;

use super::world::{DEAD_LETTERS, EVENTS, PARTITIONS, Settings, World, down, partition_of_id};

/// Time goes by in such steps here.
const TURN: Duration = Duration::from_millis(5);

/// An event in each partition, and their batches on their way to the store.
fn at_work() -> World {
    let settings = Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    };
    let mut world = World::new(settings);
    world.hire();
    world.until("at work", |world| {
        world.workers[0].states() == ["running"; 3] && world.is_projected()
    });
    for partition in 0..PARTITIONS {
        event_in(&mut world, partition);
    }
    world
}

fn event_in(world: &mut World, partition: i32) {
    let mut ids = (0..).map(|number| format!("item-{number}"));
    let id = ids.find(|id| partition_of_id(id).partition == partition);
    world.event(&id.unwrap(), "a", 1);
}

fn turn(world: &mut World) {
    world.elapsed += TURN;
    let now = world.now();
    world.workers[0].turn(now);
}

/// Batches that are with the store.
fn attempts(world: &World) -> Vec<(RequestId, TopicPartition)> {
    let requests = world.workers[0].requests.iter();
    let attempts = requests.filter_map(|(id, request)| match request {
        StoreRequest::Apply(batch) => Some((*id, batch.progress.source)),
        StoreRequest::Marks | StoreRequest::Progress => None,
    });
    attempts.collect()
}

/// The store answers nothing of that.
fn fail(world: &mut World, id: RequestId) {
    let requests = &mut world.workers[0].requests;
    requests.retain(|(known, _)| *known != id);
    let answer = StoreAnswer::Applied(Err(down("out of order")));
    world.workers[0].projector.on_store(id, answer);
}

fn until_attempt(world: &mut World) -> (RequestId, TopicPartition) {
    for _ in 0..2_000 {
        if let Some(attempt) = attempts(world).first() {
            return *attempt;
        }
        turn(world);
    }
    panic!("no attempt; {:?}", world.workers[0].reasons());
}

/// From each time to the next.
fn waits(times: &[Duration]) -> Vec<Duration> {
    let pairs = times.windows(2);
    pairs.map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

/// Five attempts have failed in a row.
fn broken() -> World {
    let mut world = at_work();
    for _ in 0..FAILURES_MAX {
        let (id, _) = until_attempt(&mut world);
        fail(&mut world, id);
    }
    // What was with the store when it opened; its end counts too.
    while let Some((id, _)) = attempts(&world).first() {
        fail(&mut world, *id);
    }
    world
}

#[test]
fn after_five_failures_in_a_row_every_partition_waits_for_one_probe() {
    let mut world = broken();
    let then = world.elapsed;
    let (id, probing) = until_attempt(&mut world);
    assert!(world.since(then) >= PROBE_INTERVAL);
    assert_eq!(world.workers[0].states(), ["paused"; 3]);
    for _ in 0..200 {
        turn(&mut world);
    }
    assert_eq!(attempts(&world), [(id, probing)], "one is enough to know");
    let reasons = world.workers[0].reasons();
    assert!(
        reasons.iter().all(|reason| reason.contains("out of order")
            || reason == "tables/toys.projection.items, left alone for a while: failed for others"),
        "{reasons:?}"
    );

    fail(&mut world, id);
    let then = world.elapsed;
    let (id, _) = until_attempt(&mut world);
    let waited = world.since(then);
    let late = PROBE_INTERVAL + TURN * 2;
    assert!((PROBE_INTERVAL..late).contains(&waited), "{waited:?}");

    let place = world.workers[0].requests.iter().position(|it| it.0 == id);
    world.answer(0, place.unwrap());
    let then = world.elapsed;
    world.until("projected", World::is_projected);
    assert!(world.since(then) < PROBE_INTERVAL, "all others come back");
    assert_eq!(world.rows(), world.fold());
    assert_eq!(world.workers[0].states(), ["running"; 3]);
}

#[test]
fn nothing_is_lost_or_skipped_and_records_that_come_meanwhile_follow() {
    let mut world = broken();
    for number in 0..60 {
        world.event(&format!("item-{}", number % 9), "b", number);
        world.steps_for(Duration::from_millis(50));
    }
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
    assert_eq!(world.broker.committed_in_topic(DEAD_LETTERS), []);
}

#[test]
fn a_probe_whose_partition_was_lost_still_tells_how_the_store_is() {
    for works in [true, false] {
        let mut world = broken();
        let (id, probing) = until_attempt(&mut world);
        let lost = LogEvent::Lost(vec![probing]);
        world.workers[0].log.tell(lost);
        turn(&mut world);
        let then = world.elapsed;
        if works {
            let place = world.workers[0].requests.iter().position(|it| it.0 == id);
            world.answer(0, place.unwrap());
        } else {
            fail(&mut world, id);
        }
        let (_, other) = until_attempt(&mut world);
        assert_ne!(other, probing);
        let waited = world.since(then);
        assert_eq!(waited < PROBE_INTERVAL, works, "{waited:?}");
    }
}

#[test]
fn who_has_no_partition_left_does_not_keep_the_breaker_open() {
    let mut world = broken();
    let all = (0..PARTITIONS).map(|partition| EVENTS.partition(partition));
    world.workers[0].log.tell(LogEvent::Lost(all.collect()));
    turn(&mut world);
    world.workers[0].log.evict();
    let then = world.elapsed;
    world.until("projected", World::is_projected);
    assert!(world.since(then) < PROBE_INTERVAL);
    assert_eq!(world.rows(), world.fold());
}

#[test]
fn records_that_cannot_be_used_do_not_count() {
    let mut world = at_work();
    let (id, source) = until_attempt(&mut world);
    fail(&mut world, id);
    for _ in 0..20 {
        world.append(source.partition, "item", b"no event");
    }
    for _ in 0..3 {
        let of_source = |world: &World| attempts(world).into_iter().find(|it| it.1 == source);
        while of_source(&world).is_none() {
            turn(&mut world);
        }
        let (id, _) = of_source(&world).unwrap();
        fail(&mut world, id);
    }
    let then = world.elapsed;
    world.until("projected", World::is_projected);
    assert!(world.since(then) < PROBE_INTERVAL, "four in a row");
    assert_eq!(world.broker.committed_in_topic(DEAD_LETTERS).len(), 20);
}

#[test]
fn another_projection_has_a_breaker_of_its_own() {
    let (mut first, mut second) = (broken(), at_work());
    second.elapsed = first.elapsed;
    turn(&mut first);
    turn(&mut second);
    assert!(attempts(&first).is_empty());
    assert_eq!(attempts(&second).len(), 3);
}

#[test]
fn a_store_that_is_down_at_the_start_is_probed_too() {
    let mut world = World::new(Settings::default());
    world.store.set_down(true);
    world.hire();
    world.steps_for(Duration::from_secs(20));
    let asked = |world: &World| {
        let mut requests = world.workers[0].requests.iter();
        requests.any(|(_, request)| *request == StoreRequest::Progress)
    };
    let mut times = Vec::new();
    for _ in 0..2_000 {
        turn(&mut world);
        if asked(&world) {
            times.push(world.elapsed);
        }
        while !world.workers[0].requests.is_empty() {
            world.answer(0, 0);
        }
    }
    let waits = waits(&times);
    assert!(waits.len() >= 3, "{waits:?}");
    let late = PROBE_INTERVAL + TURN * 2;
    let is_probe = |wait: &Duration| (PROBE_INTERVAL..late).contains(wait);
    assert!(waits.iter().all(is_probe), "{waits:?}");
    world.store.set_down(false);
    world.event("item", "a", 1);
    world.until("projected", World::is_projected);
}

#[test]
fn a_batch_that_fails_twice_has_three_attempts_and_one_effect() {
    for how in [
        Unacknowledged::Lost,
        Unacknowledged::Half,
        Unacknowledged::Whole,
    ] {
        let mut world = at_work();
        world.until("projected", World::is_projected);
        let before = world.store.acknowledged();
        world.store.fail_next(how);
        world.store.fail_next(how);
        event_in(&mut world, 0);
        let mut times = Vec::new();
        while world.store.acknowledged() == before {
            turn(&mut world);
            if !attempts(&world).is_empty() {
                times.push(world.elapsed);
            }
            while !world.workers[0].requests.is_empty() {
                world.answer(0, 0);
            }
        }
        assert_eq!(times.len(), 3, "{how:?}");
        let waits = waits(&times);
        assert!(waits[0] >= Duration::from_millis(25), "{waits:?}");
        assert!(waits[1] >= Duration::from_millis(50), "{waits:?}");
        assert_eq!(world.rows(), world.fold());
        world.steps_for(Duration::from_secs(10));
        assert_eq!(world.store.acknowledged(), before + 1, "one effect");
        assert!(world.is_projected());
    }
}
