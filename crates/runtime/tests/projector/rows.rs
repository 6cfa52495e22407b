//! Rows are the fold of the events, however they come.

use std::time::Duration;

use proptest::prelude::*;

use super::world::{PARTITIONS, Settings, World, partition_of_id};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rows_are_the_fold_of_the_events_whatever_the_batches(
        events in prop::collection::vec((0..6_u8, 0..4_u8, -5..5_i64), 1..80),
        sizes in prop::collection::vec(1..7_usize, 1..10),
    ) {
        let mut world = World::new(Settings::default());
        let worker = world.hire();
        let mut sizes = sizes.into_iter().cycle();
        for (id, column, number) in events {
            let column = ["a", "b", "skip", "a"][usize::from(column)];
            world.transacted(&format!("item-{id}"), column, number);
            if number > 2 {
                world.workers[worker].records_max = sizes.next().unwrap();
                world.step();
            }
        }
        world.until("everything is projected", World::is_projected);
        prop_assert_eq!(world.rows(), world.fold());
    }
}

#[test]
fn what_arrives_while_a_batch_is_on_its_way_is_one_batch_with_one_row_a_key() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.event("item", "a", 1);
    world.until("projected", World::is_projected);
    let before = world.store.acknowledged();
    world.event("item", "a", 2);
    let now = world.now();
    world.workers[worker].turn(now);
    for number in 3..50 {
        world.event("item", "b", number);
        world.workers[worker].turn(now);
    }
    world.until("projected", World::is_projected);
    assert_eq!(world.store.acknowledged() - before, 2);
    assert_eq!(world.rows(), world.fold());
}

#[test]
fn progress_tells_the_highest_command_offset_and_survives_a_restart_in_the_group() {
    let settings = Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    };
    let mut world = World::new(settings);
    let worker = world.hire();
    world.event("item", "a", 1);
    world.event("item", "skip", 1);
    world.until("projected", World::is_projected);
    let partition = partition_of_id("item").partition;
    assert_eq!(world.progress(partition).unwrap().command_offset, Some(2));
    for other in (0..PARTITIONS).filter(|other| *other != partition) {
        assert_eq!(world.progress(other).unwrap().command_offset, None);
    }
    world.until("stored", World::is_stored);
    drop(world.workers.remove(worker));
    world.store.truncate("toys", "items", &[]).unwrap();
    world.hire();
    world.until("projected", World::is_projected);
    assert_eq!(world.progress(partition).unwrap().command_offset, Some(2));
}

#[test]
fn a_reset_group_applies_everything_again_and_no_row_goes_backwards() {
    let settings = Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    };
    let mut world = World::new(settings);
    let worker = world.hire();
    for number in 0..30 {
        world.event(&format!("item-{}", number % 4), ["a", "b"][number % 2], 100);
    }
    world.until("stored", World::is_stored);
    drop(world.workers.remove(worker));
    for partition in 0..PARTITIONS {
        world.broker.reset_group(
            super::world::GROUP,
            super::world::EVENTS.partition(partition),
            Some(0),
        );
    }
    let rows = world.rows();
    let worker = world.hire();
    world.workers[worker].records_max = 1;
    let mut went_back = false;
    for _ in 0..100 {
        world.step();
        assert_eq!(world.rows(), rows);
        went_back |= (0..PARTITIONS).any(|p| world.progress(p).unwrap().next_offset == 0);
    }
    assert!(went_back, "progress is set back with the group");
    assert!(world.is_projected());
}
