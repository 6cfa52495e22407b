//! What cannot be read is set aside or waited for; a store that fails is waited for.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::world::{DEAD_LETTERS, Settings, World, partition_of_id};

#[test]
fn a_store_that_is_down_pauses_everything_says_why_and_heals_by_itself() {
    let mut world = World::new(Settings::default());
    world.store.set_down(true);
    let worker = world.hire();
    world.steps_for(Duration::from_secs(5));
    let reasons = world.workers[worker].reasons();
    assert_eq!(
        reasons[0],
        "cannot read progress: the store is down, as ordered"
    );
    world.store.set_down(false);
    world.event("item", "a", 1);
    world.until("projected", World::is_projected);

    world.store.set_down(true);
    for number in 0..10 {
        world.event(&format!("item-{number}"), "a", number);
    }
    world.steps_for(Duration::from_mins(1));
    let reasons = world.workers[worker].reasons();
    assert!(
        reasons[0].starts_with("cannot apply a batch: the store is down"),
        "{reasons:?}"
    );
    assert!(reasons[0].ends_with(" times in a row)"), "{reasons:?}");
    assert!(world.workers[worker].states().contains(&"paused"));
    world.store.set_down(false);
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
    world.steps_for(Duration::from_secs(1));
    assert_eq!(world.workers[worker].reasons(), [""; 0]);
}

#[test]
fn attempts_come_at_growing_distances_and_have_one_effect() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.steps_for(Duration::from_secs(2));
    world.event("item", "a", 1);
    world.store.set_down(true);
    let mut attempts = Vec::new();
    for _ in 0..2_000 {
        world.elapsed += Duration::from_millis(5);
        let now = world.now();
        world.workers[worker].turn(now);
        let requests = &world.workers[worker].requests;
        if requests
            .iter()
            .any(|(_, r)| matches!(r, millrace_runtime::projector::StoreRequest::Apply(_)))
        {
            attempts.push(world.elapsed);
        }
        while !world.workers[worker].requests.is_empty() {
            world.answer(worker, 0);
        }
    }
    let waits: Vec<_> = attempts
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .collect();
    assert!((5..20).contains(&waits.len()), "{waits:?}");
    assert!(
        waits[0] < Duration::from_millis(60) && waits[4] > waits[0] * 4,
        "{waits:?}"
    );
    world.store.set_down(false);
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
}

#[test]
fn records_of_a_paused_partition_are_not_collected_without_end() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.steps_for(Duration::from_secs(2));
    world.store.set_down(true);
    world.event("item", "a", 0);
    world.steps_for(Duration::from_secs(2));
    assert_eq!(
        world.workers[worker].projector.capacity(),
        20_000,
        "others keep their room"
    );
    for number in 0..100 {
        world.event("item", "a", number);
    }
    world.steps_for(Duration::from_secs(2));
    world.store.set_down(false);
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
}

#[test]
fn what_cannot_be_read_is_set_aside_with_the_reason_and_the_partition_goes_on() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    let source = partition_of_id("item");
    world.event("item", "a", 1);
    let malformed = world.append(source.partition, "item", b"no event \"password\"");
    world.event("item", "panic", 1);
    world.event("item", "b", 666);
    world.event("item", "b", 5);
    world.workers[worker].log.faults().fail_publishes(3);
    world.until("projected", World::is_projected);
    assert_eq!(world.rows().last().unwrap()[2], 5_i64.into());

    let letters = world
        .broker
        .committed(DEAD_LETTERS.partition(source.partition));
    let header = |letter: usize| -> BTreeMap<_, _> {
        let headers = letters[letter].headers.iter();
        headers
            .map(|(name, value)| {
                (
                    name.clone(),
                    String::from_utf8(value.clone().unwrap()).unwrap(),
                )
            })
            .collect()
    };
    let codes: Vec<_> = (0..letters.len())
        .map(|n| header(n)["dead-letter-code"].clone())
        .collect();
    assert_eq!(codes, ["malformed_avro", "handler_panicked", "too_large"]);
    let first = header(0);
    assert_eq!(first["dead-letter-task"], super::world::GROUP);
    assert_eq!(first["dead-letter-topic"], "toys.item.events");
    assert_eq!(first["dead-letter-partition"], source.partition.to_string());
    assert_eq!(first["dead-letter-offset"], malformed.to_string());
    assert_eq!(first["dead-letter-attempts"], "1");
    assert_eq!(
        letters[0].value.as_deref(),
        Some(&b""[..]),
        "a password goes nowhere"
    );
    assert_eq!(letters[0].key.as_deref(), Some(&b"item"[..]));
    assert!(letters[2].value.as_ref().unwrap().ends_with(b"666"));
}

#[test]
fn positions_do_not_go_on_before_the_dead_letter_is_written() {
    let settings = Settings {
        durable_after: Duration::ZERO,
        ..Settings::default()
    };
    let mut world = World::new(settings);
    let worker = world.hire();
    let source = partition_of_id("item");
    world.steps_for(Duration::from_secs(1));
    world.append(source.partition, "item", b"no event");
    world.workers[worker].log.faults().fail_publishes(1_000);
    world.steps_for(Duration::from_secs(20));
    assert_eq!(world.progress(source.partition).unwrap().next_offset, 0);
    assert_eq!(world.group_offset(source.partition), Some(0));
    let reasons = world.workers[worker].reasons();
    assert!(
        reasons[0].starts_with("cannot write dead letters"),
        "{reasons:?}"
    );
    world.workers[worker].log.faults().fail_publishes(0);
    world.until("stored", World::is_stored);
    assert_eq!(
        world
            .broker
            .committed(DEAD_LETTERS.partition(source.partition))
            .len(),
        1
    );
}

#[test]
fn an_unknown_schema_pauses_its_partition_only_and_loses_nothing() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.event("item", "a", 1);
    world.event("item", "new", 2);
    world.event("item", "b", 3);
    let others: Vec<_> = (0..9).map(|number| format!("other-{number}")).collect();
    for other in &others {
        world.event(other, "a", 1);
    }
    world.steps_for(Duration::from_secs(20));
    let reasons = world.workers[worker].reasons();
    let source = partition_of_id("item");
    assert_eq!(
        reasons,
        ["the record at offset 1 has the unknown schema id 7"]
    );
    assert_eq!(world.progress(source.partition).unwrap().next_offset, 1);
    let elsewhere = others
        .iter()
        .filter(|other| partition_of_id(other) != source)
        .count();
    assert_eq!(world.rows().len(), elsewhere + 1);
    assert_eq!(world.broker.committed_in_topic(DEAD_LETTERS), []);

    world.knows_schema.store(true, Ordering::Relaxed);
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
    world.steps_for(Duration::from_secs(1));
    assert_eq!(world.workers[worker].reasons(), [""; 0]);
}

#[test]
fn a_partition_that_waits_for_a_schema_survives_trouble_with_the_store() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.steps_for(Duration::from_secs(2));
    world.store.set_down(true);
    world.event("item", "a", 1);
    world.event("item", "new", 2);
    world.steps_for(Duration::from_secs(20));
    world.knows_schema.store(true, Ordering::Relaxed);
    world.steps_for(Duration::from_secs(20));
    world.store.set_down(false);
    world.until("projected", World::is_projected);
    assert_eq!(world.rows(), world.fold());
    assert_eq!(world.workers[worker].reasons(), [""; 0]);
}

#[test]
fn a_log_that_gives_no_positions_is_asked_again() {
    let mut world = World::new(Settings::default());
    let worker = world.hire();
    world.workers[worker].log.faults().fail_asks(5);
    world.event("item", "a", 1);
    world.until("projected", World::is_projected);
    world.workers[worker].log.faults().fail_offsets(3);
    world.until("stored", World::is_stored);
}
