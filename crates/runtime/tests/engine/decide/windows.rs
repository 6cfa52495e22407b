//! Commands of aggregates that do not exist are remembered for a day, and not for ever.

use super::desk::{Desk, Reply, deposit, open};

const HOUR: i64 = 3_600_000_000;

fn forgotten(sealed: &Reply) -> Vec<String> {
    let tombstones = sealed
        .of_kind("state")
        .into_iter()
        .filter(|written| written.value.is_none());
    tombstones
        .map(|written| String::from_utf8(written.key.clone().unwrap()).unwrap())
        .collect()
}

#[test]
fn they_are_remembered_a_day_after_the_last_one_and_then_forgotten_with_a_tombstone() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &deposit("c-1", 1));
    desk.restart();
    desk.now += 23 * HOUR;
    assert_eq!(
        desk.json("a", &deposit("c-1", 1)).outcome()["duplicate"],
        true
    );
    desk.json("a", &deposit("c-2", 1));
    desk.restart();
    desk.now += 23 * HOUR;
    assert!(forgotten(&desk.seal()).is_empty());
    assert_eq!(
        desk.json("a", &deposit("c-1", 1)).outcome()["duplicate"],
        true,
        "the last one counts"
    );
    desk.now += HOUR + 1;
    assert_eq!(forgotten(&desk.seal()), ["a"]);
    desk.restart();
    assert_eq!(
        desk.json("a", &deposit("c-1", 1)).outcome()["duplicate"],
        false
    );
}

#[test]
fn what_came_before_the_first_event_stays_in_the_window_of_the_aggregate() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &deposit("c-1", 1));
    desk.restart();
    desk.json("a", &open("c-2", 0));
    desk.restart();
    desk.now += 100 * HOUR;
    assert!(forgotten(&desk.seal()).is_empty(), "it exists by now");
    let again = desk.json("a", &deposit("c-1", 1)).outcome();
    assert_eq!(
        (&again["duplicate"], &again["code"]),
        (&true.into(), &"not_found".into())
    );
}

#[test]
fn a_restore_that_saw_older_records_of_a_key_forgets_none_that_is_still_needed() {
    let mut desk: Desk = Desk::new();
    for hour in 0..30 {
        desk.json("a", &deposit(&format!("c-{hour}"), 1));
        desk.restart();
        desk.now += HOUR;
    }
    assert!(forgotten(&desk.seal()).is_empty());
    assert_eq!(
        desk.json("a", &deposit("c-29", 1)).outcome()["duplicate"],
        true
    );
}

#[test]
fn beyond_a_hundred_thousand_in_a_partition_the_oldest_are_given_up() {
    let mut desk: Desk = Desk::of(32, 1);
    let key = |n: u32| format!("k-{n}");
    for n in 0..100_003 {
        desk.now += 1;
        desk.json(&key(n), r#"{"type":"CloseAccount"}"#);
        if n < 100_000 && n % 10_000 == 0 {
            assert!(forgotten(&desk.seal()).is_empty());
        }
    }
    assert_eq!(forgotten(&desk.seal()), [0, 1, 2].map(key));
}
