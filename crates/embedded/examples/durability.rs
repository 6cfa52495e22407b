//! What it costs that an acknowledged commit survives the loss of power: commits a second with one
//! worker and with several, both ways in turn.
//!
//! `cargo run --release -p millrace-embedded --example durability [-- DIRECTORY]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example prints, and panics when it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use millrace_embedded::{Database, Durability, EmbeddedAccess, EmbeddedLog, Options, Role};
use millrace_runtime::access::LogAccess;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::{AskId, Commit, Effect, Epoch, Log, LogEvent, Part};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_runtime::topic_spec::{Layout, aggregate_topics};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const LAYOUT: Layout = Layout {
    partitions: 12,
    replication_factor: 1,
};
const VALUE: [u8; 300] = [b'x'; 300];

fn main() {
    let parent = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "{:>8} {:>8} {:>12} {:>12}",
        "workers", "round", "full", "normal"
    );
    for workers in [1, 4, 8] {
        for round in 1..=ROUNDS {
            // The order changes, so that neither has the warmer machine.
            let mut both = [Durability::PowerLoss, Durability::Crash];
            if round % 2 == 0 {
                both.reverse();
            }
            let measured =
                both.map(|durability| (durability, measure(&parent, durability, workers)));
            let of = |wanted| {
                measured
                    .iter()
                    .find(|it| it.0 == wanted)
                    .map_or(0, |it| it.1)
            };
            let (full, normal) = (of(Durability::PowerLoss), of(Durability::Crash));
            println!("{workers:>8} {round:>8} {full:>10}/s {normal:>10}/s");
        }
    }
}

/// Commits a second of so many workers together; each holds what one accepted command makes.
fn measure(parent: &Path, durability: Durability, workers: u32) -> u128 {
    let dir = parent.join(format!("millrace-durability-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let options = Options {
        durability,
        ..Options::default()
    };
    let database = Database::open_with(&dir, options).unwrap();
    database.claim().unwrap();
    let access = EmbeddedAccess::new(&database);
    let commits: Vec<_> = (0..workers)
        .map(|number| {
            access
                .create(&aggregate_topics(&format!("a{number}"), LAYOUT))
                .unwrap();
            let database = database.clone();
            thread::spawn(move || work(&database, &format!("a{number}")))
        })
        .collect();
    let commits: u128 = commits.into_iter().map(|it| it.join().unwrap()).sum();
    drop((access, database));
    std::fs::remove_dir_all(&dir).unwrap();
    commits * 1_000 / ROUND.as_millis()
}

fn work(database: &Database, aggregate: &str) -> u128 {
    let topic = |kind| Topic::of(aggregate, kind);
    let outputs = [
        topic("events"),
        topic("state"),
        topic("outcomes"),
        topic("state"),
    ];
    let role = Role::Worker {
        producers: aggregate.to_owned(),
    };
    let mut log = EmbeddedLog::open(database, aggregate, &[topic("commands")], role).unwrap();
    log.act(Effect::Renew(AskId(1)));
    let mut owned: Vec<(TopicPartition, Epoch)> = Vec::new();
    let mut renewed = false;
    while !renewed || owned.is_empty() {
        log.poll(Duration::from_secs(1), 0, &mut |event| {
            if let LogEvent::Assigned(partitions) = event {
                owned.extend(partitions);
            } else {
                renewed |= matches!(event, LogEvent::Answer(..));
            }
        });
    }
    let clock = SystemClock::new();
    let mut commits = 0;
    while clock.now().elapsed < ROUND {
        let (source, epoch) = *owned.get(commits % owned.len()).unwrap();
        let mut records = Outbox::default();
        for (place, output) in outputs.iter().enumerate() {
            records.push(NewRecord {
                topic: *output,
                partition: source.partition,
                key: Some(format!("key {place}").as_bytes()),
                value: Some(&VALUE),
                headers: &[],
            });
        }
        let part = Part {
            source,
            epoch,
            records,
            next_offset: 1,
        };
        log.act(Effect::Commit(Commit { parts: vec![part] }.into()));
        let mut is_settled = false;
        while !is_settled {
            log.poll(Duration::from_secs(1), 0, &mut |event| {
                if let LogEvent::Settled(result) = event {
                    result.unwrap();
                    is_settled = true;
                }
            });
        }
        commits += 1;
    }
    commits as u128
}
