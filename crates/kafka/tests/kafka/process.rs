//! Workers that crash or sleep: processes of their own, because a client's threads go on to send
//! heartbeats as long as their process lives.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use millrace_kafka::KafkaLog;
use millrace_runtime::log::{Answer, Ask, CommitFailure};
use millrace_runtime::topic::Topic;
use millrace_testkit::log_contract::{Fresh, Stage, fresh, one};

use crate::broker::{RealKafka, quick, until, worker};

const PARTITIONS: i32 = 2;

/// Not a test: the process that the tests below start. Commits one record after the other to all
/// partitions that it owns, and says what became of each commit.
#[test]
#[ignore = "started by other tests"]
fn one_that_commits_without_end() {
    let [group, input, output] =
        ["GROUP", "INPUT", "OUTPUT"].map(|key| std::env::var(key).unwrap());
    let (input, output) = (Topic::intern(input), Topic::intern(output));
    let mut stage = Stage::new();
    stage.enter(worker(&quick(), &group, &[input]));
    stage.until("an assignment", |workers| !workers[0].owned.is_empty());
    println!("\nproducer {}", stage.renew(0));
    for round in 1_i64.. {
        let owned: Vec<_> = stage.worker(0).owned.keys().copied().collect();
        let part = |stage: &mut Stage<KafkaLog>, at: millrace_runtime::topic::TopicPartition| {
            let records = one(output.partition(at.partition), "child", "child");
            stage.worker(0).part(at, round, records)
        };
        let parts: Vec<_> = owned.iter().map(|at| part(&mut stage, *at)).collect();
        let said = match stage.commit(0, parts) {
            Ok(()) => "committed".to_owned(),
            Err(CommitFailure::Aborted { class, .. }) => format!("aborted {class}"),
            Err(CommitFailure::Stale(_)) => "stale".to_owned(),
            Err(failure) => format!("over {failure}"),
        };
        let is_over = said.starts_with("over");
        println!("{said}");
        if is_over {
            return;
        }
        if !stage.worker(0).revoking.is_empty() {
            stage.worker(0).release();
        }
    }
}

struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn start(fresh: &Fresh) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "process::one_that_commits_without_end",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("GROUP", &fresh.group)
            .env("INPUT", fresh.input.name())
            .env("OUTPUT", fresh.output.name())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, heard) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    fn count(&self, word: &str) -> usize {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| line.starts_with(word)).count()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn producer(&self) -> String {
        let lines = self.lines.lock().unwrap();
        let id = lines.iter().find_map(|line| line.strip_prefix("producer "));
        id.unwrap().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A process at work on one partition, and a worker of ours on the other.
fn shared(name: &str) -> (Process, Stage<KafkaLog>, Fresh) {
    let fresh = fresh(&mut RealKafka::default(), name, PARTITIONS);
    let process = Process::start(&fresh);
    until("work of the process", || process.count("committed") > 3);
    let mut stage = Stage::new();
    stage.enter(worker(&quick(), &fresh.group, &[fresh.input]));
    stage.owns(0, 1);
    stage.renew(0);
    let before = process.count("committed");
    until("more work of the process", || {
        process.count("committed") > before + 3
    });
    (process, stage, fresh)
}

#[test]
fn a_killed_worker_is_replaced_after_its_session_without_waiting_for_its_transaction() {
    let (process, mut stage, fresh) = shared("killed");
    process.signal("-KILL");
    stage.owns(0, 2);
    let fenced = stage.ask(0, &Ask::Fence(vec![process.producer()]));
    assert_eq!(fenced, Answer::Fenced);
    // Stable offsets, and readers, wait for no transaction of the dead.
    let inputs: Vec<_> = stage.worker(0).owned.keys().copied().collect();
    let Answer::GroupOffsets(offsets) = stage.ask(0, &Ask::GroupOffsets(inputs.clone())) else {
        panic!("no offsets");
    };
    assert_eq!(offsets.len(), 2);
    for at in inputs {
        let records = one(fresh.output.partition(at.partition), "k", "heir");
        let part = stage.worker(0).part(at, 1_000_000, records);
        assert_eq!(stage.commit(0, vec![part]), Ok(()));
    }
}

#[test]
fn a_worker_that_slept_through_its_session_commits_nothing_more() {
    let (process, mut stage, fresh) = shared("asleep");
    process.signal("-STOP");
    stage.owns(0, 2);
    let fenced = stage.ask(0, &Ask::Fence(vec![process.producer()]));
    assert_eq!(fenced, Answer::Fenced);
    let outputs = [0, 1].map(|number| fresh.output.partition(number));
    for at in stage.worker(0).owned.keys().copied().collect::<Vec<_>>() {
        let records = one(fresh.output.partition(at.partition), "k", "heir");
        let part = stage.worker(0).part(at, 1_000_000, records);
        assert_eq!(stage.commit(0, vec![part]), Ok(()));
    }
    process.signal("-CONT");
    let over = || process.count("over") + process.count("aborted") + process.count("stale");
    until("the sleeper's failure", || over() > 0);
    let reader = stage.enter(worker(
        &quick(),
        &format!("{}.reader", fresh.group),
        &[fresh.output],
    ));
    stage.owns(reader, 2);
    stage.worker(reader).start_all(0);
    stage.until("our records", |workers| {
        let is_there = |at: &_| workers[reader].values(*at).last() == Some(&&b"heir"[..]);
        outputs.iter().all(is_there)
    });
    // Long enough for anything the sleeper could still do.
    let quiet = Duration::from_secs(1);
    stage.worker(reader).poll(quiet);
    for at in outputs {
        let last = stage.worker(reader).values(at).last().copied();
        assert_eq!(last, Some(&b"heir"[..]), "the sleeper wrote to {at}");
    }
}
