//! Records as somebody else makes and reads them, in either place: no command of ours takes part.

use std::ops::ControlFlow;

use millrace_embedded::{Database, EmbeddedAccess};
use millrace_kafka::{Config, KafkaAccess};
use millrace_runtime::access::{LogAccess, Span};
use millrace_runtime::log::Record;
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::topic::Topic;

use super::place::Place;
use super::world::World;

/// A record that somebody else made, with whatever in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Raw<'r> {
    pub(crate) key: Option<&'r str>,
    /// Nothing is a tombstone, which has a key.
    pub(crate) value: Option<&'r [u8]>,
    pub(crate) header: Option<(&'r str, &'r str)>,
    pub(crate) partition: Option<i32>,
}

impl Raw<'_> {
    /// All but the value, and the key of a tombstone.
    fn kcat_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "-X".to_owned(),
            "topic.partitioner=murmur2_random".to_owned(),
        ];
        if let Some((name, value)) = self.header {
            arguments.extend(["-H".to_owned(), format!("{name}={value}")]);
        }
        if let Some(partition) = self.partition {
            arguments.extend(["-p".to_owned(), partition.to_string()]);
        }
        if let (Some(key), Some(_)) = (self.key, self.value) {
            arguments.extend(["-k".to_owned(), key.to_owned()]);
        }
        arguments
    }
}

/// A value on the way to an account.
pub(crate) fn to<'r>(key: &'r str, value: &'r [u8]) -> Raw<'r> {
    Raw {
        key: Some(key),
        value: Some(value),
        ..Raw::default()
    }
}

impl World {
    /// The log as tools of others see it.
    pub(crate) fn access(&self) -> Box<dyn LogAccess> {
        match self.place() {
            Place::Servers => Box::new(KafkaAccess::new(Config::new(&self.servers().kafka))),
            Place::Embedded => {
                let database = Database::open(&self.data_dir()).unwrap();
                Box::new(EmbeddedAccess::new(&database))
            }
        }
    }

    /// Appends a record as it is, to the partition of its key unless another one is named.
    pub(crate) fn put(&self, topic: &str, raw: &Raw<'_>) {
        if self.place() == Place::Servers {
            let mut arguments = raw.kcat_arguments();
            let file = tempfile::NamedTempFile::new().unwrap();
            if let Some(value) = raw.value {
                std::fs::write(file.path(), value).unwrap();
                arguments.push(file.path().to_str().unwrap().to_owned());
            } else {
                arguments.extend(["-Z", "-K:"].map(str::to_owned));
            }
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let key = raw.key.unwrap_or_default();
            // Read only where no file is named.
            return self.kcat_send(topic, &arguments, format!("{key}:\n").as_bytes());
        }
        let access = self.access();
        let topic = Topic::intern(topic.to_owned());
        let partitions = i32::try_from(access.bounds(topic).unwrap().len()).unwrap();
        let key = raw.key.map(str::as_bytes);
        let home = partition_of(key.unwrap_or_default(), partitions);
        let header = raw.header;
        let header = header.map(|(name, value)| (name.to_owned(), Some(value.into())));
        let mut outbox = Outbox::default();
        outbox.push(NewRecord {
            topic,
            partition: raw.partition.unwrap_or(home),
            key,
            value: raw.value,
            headers: header.as_slice(),
        });
        access.appender().unwrap().append(&outbox).unwrap();
    }

    /// Every byte of keys, headers and values of a topic's records.
    pub(crate) fn record_bytes(&self, topic: &str) -> Vec<u8> {
        let access = self.access();
        let bounds = access.bounds(Topic::intern(topic.to_owned())).unwrap();
        let spans = bounds.iter().map(|bounds| Span {
            source: bounds.source,
            from: bounds.first,
            to: bounds.stable_end,
        });
        let mut bytes = Vec::new();
        let mut take = |record: &Record<'_>| {
            bytes.extend(record.key.unwrap_or_default());
            bytes.extend(record.value.unwrap_or_default());
            for header in &record.headers {
                bytes.extend(header.name.as_bytes());
                bytes.extend(header.value.unwrap_or_default());
            }
            ControlFlow::Continue(())
        };
        access.read(&spans.collect::<Vec<_>>(), &mut take).unwrap();
        bytes
    }
}
