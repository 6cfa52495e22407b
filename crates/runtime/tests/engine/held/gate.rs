//! A step that lets records through or not, as a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_avro::AvroCodec;
use millrace_eventsourcing::{Codec, DecodeError, EncodeError, TaskRecord, Timestamp};
use millrace_runtime::clock::Now;
use millrace_runtime::log::Record;
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::step::{Corrupt, Later, Step, Taken};
use millrace_runtime::topic::{Topic, TopicPartition};

use super::super::line::{Line, task_codec};

pub(super) const INPUT: Topic = Topic::new("test.input");
pub(super) const OUTPUT: Topic = Topic::new("test.output");
const OWNER: &str = "test.policy.gate";
/// How long a record waits before it is offered again by itself.
pub(super) const WAIT: Duration = Duration::from_secs(1);

/// What becomes of the records with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// They wait.
    Closed,
    /// They wait for something that was begun outside.
    Underway,
    /// They cannot be processed at all.
    Broken,
}

/// Open is what has no door; the same for all steps of a test.
#[derive(Debug, Clone, Default)]
pub(super) struct Doors(Arc<Mutex<BTreeMap<String, Door>>>, Arc<Mutex<Vec<String>>>);

impl Doors {
    pub(super) fn set(&self, value: &str, door: Door) {
        self.0.lock().unwrap().insert(value.to_owned(), door);
    }

    pub(super) fn open(&self, value: &str) {
        self.0.lock().unwrap().remove(value);
    }

    /// How often a value was offered to a step.
    pub(super) fn offers(&self, value: &str) -> usize {
        let offers = self.1.lock().unwrap();
        offers.iter().filter(|offer| *offer == value).count()
    }
}

/// See the module. What goes through is copied to the output.
#[derive(Debug)]
pub(super) struct Gate {
    doors: Doors,
    tasks: AvroCodec<TaskRecord>,
}

pub(super) type Lane = Line<Gate>;

/// Nobody works yet.
pub(super) fn lane(partitions: i32, doors: &Doors) -> Lane {
    let doors = doors.clone();
    let make = move || Gate {
        doors: doors.clone(),
        tasks: task_codec(OWNER),
    };
    let line = Line::new(OWNER, INPUT, partitions, make);
    line.broker.create_topic(OUTPUT, partitions);
    line
}

impl Step for Gate {
    type State = ();

    fn state_topic(&self) -> Topic {
        Topic::of(OWNER, "state")
    }

    fn witness_topic(&self) -> Option<Topic> {
        None
    }

    fn restore(&self, (): &mut (), _: &[u8], _: Option<Box<[u8]>>) -> Result<(), Corrupt> {
        Ok(())
    }

    fn process(
        &mut self,
        now: Now,
        (): &mut (),
        record: &Record<'_>,
        out: &mut Outbox,
    ) -> Result<Taken, Corrupt> {
        let value = record.value.unwrap_or_default();
        let text = String::from_utf8_lossy(value).into_owned();
        self.doors.1.lock().unwrap().push(text.clone());
        let door = self.doors.0.lock().unwrap().get(&text).copied();
        let later = |reason: Option<&str>, is_underway| {
            Taken::Later(Later {
                at: now.elapsed + WAIT,
                reason: reason.map(str::to_owned),
                is_underway,
            })
        };
        match door {
            Some(Door::Closed) => return Ok(later(Some("the door is closed"), false)),
            Some(Door::Underway) => return Ok(later(None, true)),
            Some(Door::Broken) => return Err(Corrupt::new(value, "the door is broken")),
            None => {}
        }
        out.push(NewRecord {
            topic: OUTPUT,
            partition: record.source.partition,
            key: record.key,
            value: record.value,
            headers: &[],
        });
        Ok(Taken::Done)
    }

    fn seal(
        &mut self,
        _: Now,
        _: TopicPartition,
        (): &mut (),
        _: &mut Outbox,
    ) -> Result<(), Corrupt> {
        Ok(())
    }

    fn encode_task_record(
        &self,
        record: TaskRecord,
        into: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.tasks.encode(&record, into)
    }

    fn decode_task_record(&self, bytes: &[u8]) -> Result<TaskRecord, DecodeError> {
        self.tasks.decode(bytes)
    }

    fn committed(&self, _: Now, _: &[(Timestamp, u32)]) {}
}
