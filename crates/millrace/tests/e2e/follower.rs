//! Records of a topic as they come.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// Reads a topic with another program until it is dropped. One that ends because the broker went
/// away is followed by another, which begins again.
#[derive(Debug)]
pub(crate) struct Follower {
    reader: Arc<Mutex<Option<Child>>>,
    records: Arc<Mutex<Vec<Value>>>,
}

/// A program that prints a record a line, from the topic's beginning, and does not end.
pub(crate) struct Program {
    pub(crate) command: Command,
    /// Makes of a line what kcat prints.
    pub(crate) record: fn(&str) -> Option<Value>,
}

impl Program {
    pub(crate) fn kcat(kafka: &str, topic: &str, environment: &[(&str, String)]) -> Self {
        let mut command = Command::new("kcat");
        command
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .args(["-b", kafka, "-C", "-t", topic, "-o", "beginning"])
            .args(["-u", "-q", "-J", "-X", "isolation.level=read_committed"])
            .args(["-X", "fetch.wait.max.ms=20"]);
        Self {
            command,
            record: |line| serde_json::from_str(line).ok(),
        }
    }

    /// `millrace tail --follow --json`
    pub(crate) fn tail(command: Command) -> Self {
        Self {
            command,
            record: |line| serde_json::from_str(line).ok().map(as_kcat_prints),
        }
    }
}

/// Headers in a row, and the value as text.
fn as_kcat_prints(mut record: Value) -> Value {
    let headers = record["headers"].take();
    let mut list = Vec::new();
    for (name, value) in headers.as_object().into_iter().flatten() {
        let values = value.as_array().cloned();
        for value in values.unwrap_or_else(|| vec![value.clone()]) {
            list.extend([json!(name), value]);
        }
    }
    record["headers"] = list.into();
    let value = record["value"].take();
    record["payload"] = if value.is_null() || value.is_string() {
        value
    } else {
        value.to_string().into()
    };
    record
}

impl Follower {
    pub(crate) fn start(mut program: Program) -> Self {
        program
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let reader = Arc::new(Mutex::new(Some(program.command.spawn().unwrap())));
        let records = Arc::new(Mutex::new(Vec::new()));
        let (shared, into) = (Arc::clone(&reader), Arc::clone(&records));
        std::thread::spawn(move || {
            while let Some(output) = Self::output(&shared) {
                Self::collect(output, program.record, &into);
                let mut reader = shared.lock().unwrap();
                let Some(ended) = reader.as_mut() else { return };
                ended.wait().ok();
                into.lock().unwrap().clear();
                *reader = Some(program.command.spawn().unwrap());
                drop(reader);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { reader, records }
    }

    fn output(reader: &Mutex<Option<Child>>) -> Option<ChildStdout> {
        reader.lock().unwrap().as_mut()?.stdout.take()
    }

    /// Values need not be UTF-8; kcat prints them as they are.
    fn collect(output: ChildStdout, record: fn(&str) -> Option<Value>, into: &Mutex<Vec<Value>>) {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line);
            let record = record(&line);
            into.lock()
                .unwrap()
                .push(record.unwrap_or_else(|| json!({ "unreadable": line })));
        }
    }

    /// How many records there are so far.
    pub(crate) fn len(&self) -> usize {
        self.records.lock().unwrap().len()
    }

    /// The records that `is_wanted`, as kcat prints them.
    pub(crate) fn records(&self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let records = self.records.lock().unwrap();
        records
            .iter()
            .filter(|record| is_wanted(record))
            .cloned()
            .collect()
    }

    /// The values of the records that are JSON and `is_wanted`.
    pub(crate) fn payloads(&self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let records = self.records.lock().unwrap();
        let payloads = records
            .iter()
            .filter_map(|record| serde_json::from_str(record["payload"].as_str()?).ok());
        payloads
            .filter(|payload: &Value| is_wanted(payload))
            .collect()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(mut reader) = self.reader.lock().unwrap().take() {
            reader.kill().ok();
            reader.wait().ok();
        }
    }
}

/// A record header as kcat prints it.
pub(crate) fn header<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    let list = record["headers"].as_array()?;
    let (pairs, _) = list.as_chunks::<2>();
    pairs.iter().find(|[key, _]| key == name)?[1].as_str()
}
