//! Where a projection begins, how far it says it is, and when it refuses to begin.

use std::time::Duration;

use millrace_runtime::engine::StartAt;

use super::world::{EVENTS, GROUP, PARTITIONS, Settings, World, partition_of_id};

#[test]
fn a_new_projection_begins_at_the_first_event_or_at_the_end() {
    for (start, rows) in [(StartAt::Beginning, 2), (StartAt::End, 1)] {
        let mut world = World::new(Settings {
            start,
            ..Settings::default()
        });
        world.event("old", "a", 1);
        world.hire();
        world.steps_for(Duration::from_secs(3));
        world.event("new", "a", 1);
        world.until("projected", World::is_projected);
        assert_eq!(world.rows().len(), rows, "{start:?}");
    }
}

#[test]
fn a_projection_that_began_at_the_end_does_not_begin_there_again() {
    let mut world = World::new(Settings {
        start: StartAt::End,
        ..Settings::default()
    });
    let worker = world.hire();
    world.steps_for(Duration::from_secs(3));
    world.workers.remove(worker).log.crash();
    world.broker.expire_crashed();
    world.event("item", "a", 1);
    world.hire();
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
}

#[test]
fn a_position_out_of_the_logs_range_stops_the_task_and_names_both() {
    for (stored, deleted) in [(1, 3), (9, 0)] {
        let mut world = World::new(Settings::default());
        let source = partition_of_id("item");
        for number in 0..5 {
            world.event("item", "a", number);
        }
        world.broker.delete_before(source, deleted);
        world.broker.reset_group(GROUP, source, Some(stored));
        let worker = world.hire();
        world.steps_for(Duration::from_secs(3));
        let reasons = world.workers[worker].reasons();
        let range = format!("the position {stored} is out of the log's range {deleted} to 5");
        assert_eq!(reasons, [range]);
        assert!(world.workers[worker].states().contains(&"failed"));
        assert_eq!(
            world.group_offset(source.partition),
            Some(stored),
            "it skips nothing"
        );

        world.workers.remove(worker);
        world.settings.accept_gap = true;
        world.hire();
        world.until("projected", World::is_projected);
        world.until("stored", World::is_stored);
    }
}

#[test]
fn a_log_that_loses_what_is_to_be_read_next_stops_the_task_too() {
    let mut world = World::new(Settings::default());
    let source = partition_of_id("item");
    let worker = world.hire();
    world.until("stored", World::is_stored);
    world.workers[worker].records_max = 0;
    for number in 0..5 {
        world.event("item", "a", number);
    }
    world.broker.reset_group(GROUP, source, None);
    world.broker.delete_before(source, 3);
    world.workers[worker].records_max = 10;
    world.steps_for(Duration::from_secs(5));
    assert_eq!(
        world.workers[worker].reasons(),
        ["the position 0 is out of the log's range 3 to 5"],
        "although the group has no position, and a new task would begin at 3"
    );
}

#[test]
fn positions_pass_markers_without_further_work() {
    let mut world = World::new(Settings::default());
    world.hire();
    for number in 0..6 {
        world.transacted(&format!("item-{number}"), "a", number);
    }
    let begun = world.elapsed;
    world.until("projected", World::is_projected);
    assert!(world.since(begun) < Duration::from_secs(10));
    world.until("stored", World::is_stored);
    assert!(world.since(begun) < Duration::from_secs(35));
}

#[test]
fn an_answer_about_an_earlier_position_moves_nothing_after_going_back() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.steps_for(Duration::from_secs(1));
    world.transacted("item", "a", 1);
    world.workers[worker].log.faults().delay_answers(30);
    world.steps_for(Duration::from_millis(4_500));
    // The question past the marker is on its way while the row is lost.
    world.crash_store(Duration::ZERO);
    world.workers[worker].records_max = 0;
    world.steps_for(Duration::from_secs(5));
    world.workers[worker].records_max = 10;
    world.until("healed", |world| world.rows() == world.fold());
}

#[test]
fn tables_of_another_revision_are_left_alone_until_they_are_rebuilt() {
    let mut world = World::new(Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    });
    let worker = world.hire();
    world.event("item", "a", 1);
    world.until("stored", World::is_stored);
    drop(world.workers.remove(worker));

    world.settings.revision = 2;
    world.event("item", "a", 2);
    let (rows, written) = (world.rows(), world.store.acknowledged());
    let worker = world.hire();
    world.steps_for(Duration::from_secs(10));
    let reasons = world.workers[worker].reasons();
    assert_eq!(reasons.len(), PARTITIONS as usize);
    assert_eq!(
        reasons[0],
        "the tables were made by revision 1 of `toys.items`, this is revision 2: rebuild"
    );
    assert_eq!((world.rows(), world.store.acknowledged()), (rows, written));

    world
        .store
        .truncate("toys", "items", &[&super::world::ITEMS])
        .unwrap();
    for partition in 0..PARTITIONS {
        world
            .broker
            .reset_group(GROUP, EVENTS.partition(partition), None);
    }
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
    assert_eq!(world.progress(0).unwrap().revision, 2);
}

#[test]
fn revoked_partitions_finish_what_is_on_its_way_and_lose_nothing() {
    let mut world = World::new(Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    });
    world.hire();
    for number in 0..60 {
        world.event(&format!("item-{}", number % 7), "a", number);
        if number % 10 == 5 {
            world.hire();
        }
        if number % 20 == 15 {
            world.workers[0].projector.stop();
            let stop = |world: &World| world.workers[0].projector.is_stopped();
            world.until("stopped", stop);
            world.workers.remove(0);
        }
        world.step();
    }
    world.until("stored", World::is_stored);
    assert_eq!(world.rows(), world.fold());
}

#[test]
fn a_graceful_stop_stores_what_is_safe_and_drops_what_waits_for_the_store() {
    let mut world = World::new(Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    });
    let worker = world.hire();
    world.steps_for(Duration::from_secs(1));
    world.event("item", "a", 1);
    let now = world.now();
    world.workers[worker].turn(now);
    world.workers[worker].projector.stop();
    world.until("stopped", |world| {
        world.workers[worker].projector.is_stopped()
    });
    assert!(
        world.is_stored(),
        "the batch on its way was finished and stored"
    );

    world.workers.remove(worker);
    world.store.set_down(false);
    let worker = world.hire();
    world.steps_for(Duration::from_secs(1));
    world.event("item", "a", 2);
    world.store.set_down(true);
    world.steps_for(Duration::from_secs(5));
    world.workers[worker].projector.stop();
    let asked = world.elapsed;
    world.until("stopped", |world| {
        world.workers[worker].projector.is_stopped()
    });
    assert!(
        world.since(asked) < Duration::from_secs(1),
        "it does not wait for the store"
    );
}
