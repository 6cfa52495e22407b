//! A worker dies between any two effects, its last commit ends in any way, and the next one does
//! exactly what was left.

use millrace_testkit::history::{History, Violation};
use millrace_testkit::memory_log::Fate;

use super::decide::desk::{WINDOW, deposit, open, withdraw};
use super::stage::{Stage, unknown};

/// More turns than the first worker needs for everything.
const TURNS: usize = 16;
const EFFECTS_MAX: usize = 3;

fn violations(stage: &Stage) -> Vec<Violation> {
    History::of(&stage.topics, &stage.codecs, WINDOW, &stage.broker).violations()
}

/// Sends ten commands, some before the worker is there and some while it works.
fn send_part(stage: &Stage, turn: usize) {
    let keys = [stage.key_in(0), stage.key_in(1)];
    for key in &keys {
        match turn {
            0 => {
                stage.send(key, &open("c-1", 10));
                stage.send(key, &withdraw("c-2", 3));
            }
            7 => {
                stage.send(key, &withdraw("c-3", 8));
                stage.send(key, &deposit("c-4", 1));
            }
            10 => {
                stage.send_on(1 - stage.partition(key), key, &deposit("c-5", 1), &[]);
            }
            _ => {}
        }
    }
}

fn run(dies_at: usize, effects: usize, fate: Fate) {
    let mut stage = Stage::new(2);
    stage.join();
    for turn in 0..=TURNS {
        send_part(&stage, turn);
        if turn == dies_at {
            stage.fail_commit(0, fate, unknown());
            let now = stage.now();
            let mut worker = stage.workers[0].take().unwrap();
            worker.poll(now, 100);
            worker.crash(now, effects);
            stage.broker.expire_crashed();
            stage.join();
        }
        stage.turn();
    }
    let place = format!("dies in turn {dies_at} after {effects} effects, {fate:?}");
    stage.until_outcomes(10);
    stage.turns(60);
    assert_eq!(stage.outcomes().len(), 10, "{place}");
    for number in 0..2 {
        let key = stage.key_in(number);
        assert_eq!(stage.versions(&key), [1, 2, 3, 4], "{place}");
    }
    assert_eq!(violations(&stage), [], "{place}");
}

#[test]
fn a_crash_anywhere_changes_nothing() {
    let fates = [
        Fate::Unsent,
        Fate::Aborted,
        Fate::Open,
        Fate::Committing,
        Fate::Committed,
    ];
    for dies_at in 0..TURNS {
        for effects in 0..=EFFECTS_MAX {
            for fate in fates {
                run(dies_at, effects, fate);
            }
        }
    }
}
