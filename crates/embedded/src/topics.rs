//! Topics as they stand in the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use millrace_runtime::access::Created;
use millrace_runtime::topic::TopicPartition;
use millrace_runtime::topic_spec::TopicSpec;
use rusqlite::{Connection, OptionalExtension};

use crate::place::Slot;

/// What is in force where nothing was set; the words and values are Kafka's.
const DEFAULTS: [(&str, &str); 6] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "604800000"),
    ("retention.bytes", "-1"),
    ("delete.retention.ms", "86400000"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.type", "LogAppendTime"),
];

/// A topic.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoredTopic {
    /// One for each partition, by its number.
    pub(crate) slots: Vec<Slot>,
    /// In force, set or by default.
    pub(crate) settings: BTreeMap<String, String>,
}

impl StoredTopic {
    pub(crate) fn slot(&self, partition: i32) -> Option<Slot> {
        let index = usize::try_from(partition).ok()?;
        self.slots.get(index).copied()
    }

    /// How many partitions.
    pub(crate) fn partitions(&self) -> i32 {
        i32::try_from(self.slots.len()).unwrap_or(i32::MAX)
    }

    pub(crate) fn is_compacted(&self) -> bool {
        let policy = self.settings.get("cleanup.policy");
        policy.is_some_and(|policy| policy.split(',').any(|word| word.trim() == "compact"))
    }

    /// A setting that is a number; none if it is below zero.
    pub(crate) fn number(&self, setting: &str) -> Option<i64> {
        let number = self.settings.get(setting)?.parse().ok()?;
        (number >= 0).then_some(number)
    }
}

/// Topics that were looked up before. A topic is never changed, so what was found once stays true.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    known: Mutex<HashMap<String, Arc<StoredTopic>>>,
}

impl Catalogue {
    pub(crate) fn find(
        &self,
        connection: &Connection,
        name: &str,
    ) -> rusqlite::Result<Option<Arc<StoredTopic>>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = known.get(name) {
            return Ok(Some(Arc::clone(topic)));
        }
        drop(known);
        let Some(topic) = read(connection, name)?.map(Arc::new) else {
            return Ok(None);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), Arc::clone(&topic));
        Ok(Some(topic))
    }

    pub(crate) fn slot(
        &self,
        connection: &Connection,
        at: TopicPartition,
    ) -> rusqlite::Result<Option<Slot>> {
        let topic = self.find(connection, at.topic.name())?;
        Ok(topic.and_then(|topic| topic.slot(at.partition)))
    }

    /// A transaction was taken back, and with it perhaps a topic that was looked up in it.
    pub(crate) fn forget_all(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }
}

fn read(connection: &Connection, name: &str) -> rusqlite::Result<Option<StoredTopic>> {
    let id = "SELECT id FROM topics WHERE name = ?1";
    let id: Option<i64> = connection
        .query_row(id, [name], |row| row.get(0))
        .optional()?;
    let Some(id) = id else {
        return Ok(None);
    };
    let mut slots =
        connection.prepare("SELECT slot FROM partitions WHERE topic = ?1 ORDER BY number")?;
    let slots = slots.query_map([id], |row| row.get(0).map(Slot))?;
    let slots = slots.collect::<rusqlite::Result<_>>()?;
    let mut set = connection.prepare("SELECT name, value FROM topic_settings WHERE topic = ?1")?;
    let set = set.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let defaults = DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings = BTreeMap::from(defaults);
    for setting in set {
        let (name, value): (String, String) = setting?;
        settings.insert(name, value);
    }
    Ok(Some(StoredTopic { slots, settings }))
}

/// All names, in order.
pub(crate) fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM topics ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

/// Makes a topic unless there is one of this name.
pub(crate) fn create(connection: &Connection, spec: &TopicSpec) -> rusqlite::Result<Created> {
    let insert = "INSERT INTO topics (name) VALUES (?1) ON CONFLICT DO NOTHING RETURNING id";
    let id: Option<i64> = connection
        .query_row(insert, [&spec.name], |row| row.get(0))
        .optional()?;
    let Some(id) = id else {
        return Ok(Created::Existing);
    };
    for number in 0..spec.partitions {
        let insert = "INSERT INTO partitions (topic, number, first_offset, next_offset) \
                      VALUES (?1, ?2, 0, 0)";
        connection.execute(insert, (id, number))?;
    }
    for (name, value) in &spec.settings {
        let insert = "INSERT INTO topic_settings (topic, name, value) VALUES (?1, ?2, ?3)";
        connection.execute(insert, (id, name, value))?;
    }
    Ok(Created::New)
}

/// First offset and end of a partition.
pub(crate) fn range(connection: &Connection, slot: Slot) -> rusqlite::Result<(i64, i64)> {
    let select = "SELECT first_offset, next_offset FROM partitions WHERE slot = ?1";
    let mut statement = connection.prepare_cached(select)?;
    statement.query_row([slot.0], |row| Ok((row.get(0)?, row.get(1)?)))
}
