//! What the group stores, a crash of the store cannot take back.

use std::time::Duration;

use millrace_runtime::projector::{StoreAnswer, StoreRequest};
use millrace_runtime::store::{Batch, ReadStore};
use millrace_testkit::Unacknowledged;

use super::world::{PARTITIONS, STEP, Settings, World, down, partition_of_id, ready};

const DURABLE_AFTER: Duration = Duration::from_secs(30);

#[test]
fn positions_are_stored_only_when_their_rows_are_durable() {
    let mut world = World::new(Settings::default());
    world.hire();
    world.steps_for(Duration::from_secs(2));
    let partition = partition_of_id("item").partition;
    assert_eq!(
        world.group_offset(partition),
        Some(0),
        "where it begins is stored at once"
    );
    world.event("item", "a", 1);
    world.until("projected", World::is_projected);
    let acknowledged = world.elapsed;
    world.until("stored", World::is_stored);
    let waited = world.since(acknowledged);
    assert!(waited >= DURABLE_AFTER.saturating_sub(STEP), "{waited:?}");
    assert!(
        waited <= DURABLE_AFTER + Duration::from_secs(3),
        "{waited:?}"
    );
}

#[test]
fn rows_lost_by_a_restarted_store_are_applied_again() {
    let mut world = World::new(Settings::default());
    world.hire();
    for number in 0..20 {
        world.event(&format!("item-{number}"), "a", number);
        world.steps_for(Duration::from_secs(2));
    }
    world.until("projected", World::is_projected);
    assert!(
        (0..PARTITIONS).any(|p| world.group_offset(p) > Some(0)),
        "some are stored"
    );
    world.crash_store(world.elapsed.saturating_sub(DURABLE_AFTER));
    assert_ne!(world.rows(), world.fold(), "the crash loses rows");
    world.until("healed", |world| {
        world.rows() == world.fold() && world.is_projected()
    });
    world.until("stored", World::is_stored);
}

#[test]
fn a_restarted_store_is_noticed_without_new_events_and_progress_is_set_back() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.event("item", "a", 1);
    world.until("projected", World::is_projected);
    let partition = partition_of_id("item").partition;
    world.steps_for(Duration::from_secs(20));
    // The row is lost, its progress is not.
    world.crash_store(Duration::MAX);
    world.workers[worker].records_max = 0;
    world.steps_for(Duration::from_secs(3));
    assert_eq!(world.progress(partition).unwrap().next_offset, 0);
    assert_eq!(world.group_offset(partition), Some(0));
    world.workers[worker].records_max = 10;
    world.until("projected", World::is_projected);
    let again = world.elapsed;
    world.until("stored", World::is_stored);
    assert!(
        world.since(again) >= DURABLE_AFTER.saturating_sub(STEP),
        "the time counts from the new rows"
    );
}

#[test]
fn a_batch_on_its_way_while_the_store_restarts_does_not_count() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.event("other", "a", 1);
    world.until("projected", World::is_projected);
    world.event("item", "a", 1);
    world.steps_for(Duration::from_secs(2));
    world.event("item", "a", 2);
    let now = world.now();
    world.workers[worker].turn(now);
    let requests = &mut world.workers[worker].requests;
    let is_apply = |r: &(_, StoreRequest)| matches!(r.1, StoreRequest::Apply(_));
    let place = requests.iter().position(is_apply).unwrap();
    let (id, apply) = requests.remove(place).unwrap();
    // It arrives, then the store crashes and loses it, and only then the answer comes.
    let answer = world.ask_store(&apply);
    assert_eq!(answer, StoreAnswer::Applied(Ok(())));
    world.crash_store(Duration::ZERO);
    world.steps_for(Duration::from_secs(2));
    world.workers[worker].projector.on_store(id, answer);
    world.until("healed", |world| world.rows() == world.fold());
    world.until("stored", World::is_stored);
}

#[test]
fn rows_go_on_without_marks_and_are_applied_again_once_there_are_marks() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.event("item", "a", 1);
    let mut are_told = false;
    let mut batches = Vec::new();
    while !are_told || !world.is_stored() {
        world.elapsed += STEP;
        let now = world.now();
        world.workers[worker].turn(now);
        while let Some((id, request)) = world.workers[worker].requests.pop_front() {
            let answer = match request {
                StoreRequest::Marks if !are_told => StoreAnswer::Marks(Err(down("one node"))),
                StoreRequest::Apply(batch) => {
                    batches.push(batch.rows.len());
                    world.ask_store(&StoreRequest::Apply(batch))
                }
                other @ (StoreRequest::Marks | StoreRequest::Progress) => world.ask_store(&other),
            };
            world.workers[worker].projector.on_store(id, answer);
        }
        if world.elapsed > Duration::from_secs(160) && !are_told {
            assert!(world.is_projected() && !world.is_stored());
            are_told = true;
            batches.clear();
        }
        assert!(world.elapsed < Duration::from_mins(5), "never stored");
    }
    assert_eq!(batches.iter().sum::<usize>(), 1, "its row once more");
}

#[test]
fn nothing_waits_when_an_acknowledged_write_is_durable() {
    let settings = Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    };
    let mut world = World::new(settings);
    world.hire();
    world.steps_for(Duration::from_secs(1));
    world.event("item", "a", 1);
    let before = world.elapsed;
    world.until("stored", World::is_stored);
    assert!(world.since(before) <= Duration::from_secs(2));
}

#[test]
fn a_batch_that_arrived_in_part_is_written_again_whole() {
    for how in [
        Unacknowledged::Lost,
        Unacknowledged::Half,
        Unacknowledged::Whole,
    ] {
        let mut world = World::new(Settings::default());
        world.hire();
        world.steps_for(Duration::from_secs(1));
        for number in 0..20 {
            world.event(&format!("item-{number}"), "a", number);
        }
        world.store.fail_next(how);
        world.until("projected", World::is_projected);
        assert_eq!(world.rows(), world.fold(), "{how:?}");
    }
}

#[test]
fn progress_that_a_lost_worker_wrote_last_is_written_again() {
    let mut world = World::new(Settings::default());
    world.hire();
    world.event("item", "a", 1);
    world.event("item", "a", 2);
    world.until("stored", World::is_stored);
    let source = partition_of_id("item");
    let mut stale = world.progress(source.partition).unwrap();
    stale.next_offset = 1;
    let batch = Batch {
        context: "toys",
        rows: Vec::new(),
        progress: stale,
    };
    ready(world.store.apply(batch)).unwrap();
    assert!(!world.is_projected());
    let before = world.elapsed;
    world.until("written again", World::is_projected);
    assert!(world.since(before) < Duration::from_secs(30));
}

#[test]
fn progress_past_markers_that_the_store_lost_is_written_again() {
    let mut world = World::new(Settings::default());
    world.hire();
    world.transacted("item", "a", 1);
    let source = partition_of_id("item");
    world.until("projected", |world| {
        world
            .progress(source.partition)
            .is_some_and(|progress| progress.next_offset == 1)
    });
    let row = world.elapsed;
    world.until("past the marker", World::is_projected);
    assert!(world.since(row) > Duration::from_secs(1));
    world.steps_for(Duration::from_secs(2));
    world.crash_store(row + STEP);
    assert!(!world.is_projected());
    let before = world.elapsed;
    world.until("written again", World::is_projected);
    assert!(world.since(before) < Duration::from_secs(30));
}
