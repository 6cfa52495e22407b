//! Two processes on one file.

use std::ops::ControlFlow;
use std::time::Duration;

use millrace_embedded::{ClaimError, Database, EmbeddedAccess};
use millrace_runtime::access::{LogAccess, Seen};
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::GroupOffset;
use millrace_testkit::log_contract::Stage;

use crate::bench::{File, append, quick, record, until};
use crate::child::Other;

/// Far less than the second after which it is looked anyway.
const SOON: Duration = Duration::from_millis(400);

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn a_worker_hears_at_once_what_another_process_sends() {
    const ROUNDS: usize = 20;
    let file = File::new();
    let input = file.topic("t.in", 1, &[]);
    let mut stage = Stage::new();
    stage.enter(file.worker("g", &[input]));
    stage.owns(0, 1);
    stage.worker(0).start_all(0);
    let mut sender = Other::start("send", file.path());
    assert_eq!(sender.hear().as_deref(), Some("ready"));
    let clock = SystemClock::new();
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        sender.tell("t.in");
        assert_eq!(sender.hear().as_deref(), Some("sent"));
        let sent = clock.now().elapsed;
        until("the record", || {
            stage.worker(0).poll(Duration::from_secs(5));
            stage.worker(0).records.len() == round
        });
        times.push(clock.now().elapsed.saturating_sub(sent));
    }
    let median = median(times);
    println!("a record of another process is there after {median:?}");
    assert!(median < SOON, "{median:?}");
}

#[test]
fn a_follower_in_another_process_than_the_worker_sees_what_is_committed() {
    let file = File::new();
    let topic = file.topic("t.out", 1, &[]);
    let beside = Database::open_with(file.path(), quick()).unwrap();
    let follower = EmbeddedAccess::new(&beside);
    let log = file.access();
    let clock = SystemClock::new();
    let mut written = Vec::new();
    let mut times = Vec::new();
    follower
        .follow(&[(topic.partition(0), 0)], &mut |what| {
            match what {
                Seen::Record(_) => {
                    let at: Duration = written.pop().unwrap();
                    times.push(clock.now().elapsed.saturating_sub(at));
                    if times.len() == 10 {
                        return ControlFlow::Break(());
                    }
                }
                Seen::Idle => assert!(clock.now().elapsed < Duration::from_secs(30)),
            }
            if written.is_empty() {
                append(&log, &record(topic.partition(0), "k", Some("v")));
                written.push(clock.now().elapsed);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let median = median(times);
    println!("a follower sees a record after {median:?}");
    assert!(median < SOON, "{median:?}");
}

#[test]
fn what_a_program_without_a_bell_writes_is_noticed_too() {
    let file = File::new();
    let input = file.topic("t.in", 1, &[]);
    let mut stage = Stage::new();
    stage.enter(file.worker("g", &[input]));
    stage.owns(0, 1);
    stage.worker(0).start_all(0);
    let path = file.path().join(millrace_embedded::FILE_NAME);
    let connection = rusqlite::Connection::open(path).unwrap();
    let insert = "BEGIN IMMEDIATE;
        INSERT INTO records SELECT slot << 40, 0, 0, NULL, x'01', NULL FROM partitions;
        UPDATE partitions SET next_offset = 1;
        COMMIT";
    connection.execute_batch(insert).unwrap();
    stage.until("the record", |workers| workers[0].records.len() == 1);
}

#[test]
fn another_process_that_works_is_named_and_its_death_frees_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Other::start("work", dir.path());
    assert_eq!(first.hear().as_deref(), Some("works"));
    let database = Database::open_with(dir.path(), quick()).unwrap();
    let error = database.claim().unwrap_err();
    assert!(matches!(error, ClaimError::Held { .. }), "{error}");
    assert!(
        error.to_string().contains(&first.id().to_string()),
        "{error}"
    );
    first.kill();
    database.claim().unwrap();
    let mut second = Other::start("work", dir.path());
    let said = second.hear().unwrap();
    assert!(said.contains(&std::process::id().to_string()), "{said}");
}

#[test]
fn the_members_of_a_group_are_seen_from_beside_and_keep_its_offsets() {
    let file = File::new();
    let topic = file.topic("t.in", 2, &[]);
    let beside = Database::open_with(file.path(), quick()).unwrap();
    let access = EmbeddedAccess::new(&beside);
    let offsets = [GroupOffset {
        source: topic.partition(0),
        next_offset: 0,
        metadata: String::new(),
    }];
    access.set_group_offsets("g", &offsets).unwrap();
    let worker = file.worker("g", &[topic]);
    until("the member", || {
        !access.group("g").unwrap().members.is_empty()
    });
    let group = access.group("g").unwrap();
    assert_eq!(group.members[0].client_id, "g.worker");
    assert_eq!(group.members[0].partitions.len(), 2);
    assert!(
        group.members[0]
            .host
            .contains(&std::process::id().to_string())
    );
    let refused = access.set_group_offsets("g", &offsets).unwrap_err();
    assert!(refused.to_string().contains("`g`"), "{refused}");
    drop(worker);
    until("nobody", || access.group("g").unwrap().members.is_empty());
    access.set_group_offsets("g", &offsets).unwrap();
}
