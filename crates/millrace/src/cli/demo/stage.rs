//! Where the story plays: workers on a fresh local file, and what it takes to send and to look.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io, thread};

use anyhow::{Context, bail};
use millrace_embedded::Database;
use millrace_eventsourcing::{Cell, Mail};
use millrace_runtime::access::{LogAccess, Span};
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::tables::TableAccess;
use millrace_runtime::topic::Topic;
use serde_json::{Value, json};

use super::Post;
use crate::cli::outcomes::{self, Awaited};
use crate::cli::send::Command;
use crate::cli::visit::guarded;
use crate::cli::{App, block_on, query};
use crate::run::Team;
use crate::settings::{self, Settings};

/// Everything in the story comes at once; a machine that is very busy takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// See the module.
pub(super) struct Stage {
    app: App,
    team: Team,
    log: Arc<dyn LogAccess>,
    post: Post,
}

impl Stage {
    /// Clears what an earlier demo left, and starts all workers.
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let mut settings = settings.clone();
        settings.backend = settings::Backend::Embedded;
        settings.data_dir.push("demo");
        clear(&settings.data_dir)?;
        let post = Post::default();
        let team = Team::start(&crate::contexts::with_post(post.clone()), settings.clone())?;
        team.wait_ready(PATIENCE)?;
        let app = App::new(crate::contexts::with_post(post.clone()), settings);
        Ok(Self {
            log: app.log()?,
            app,
            team,
            post,
        })
    }

    /// Ends the workers; what they made stays.
    pub(super) fn close(self) -> anyhow::Result<()> {
        self.team.stop()
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.app.settings.data_dir
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.app.settings
    }

    /// Sends a command and waits for its outcome.
    pub(super) fn send(
        &self,
        (aggregate, id): (&str, &str),
        (kind, data): (&str, &Value),
        correlation_id: &str,
    ) -> anyhow::Result<Value> {
        let mut line = json!({
            "aggregate": aggregate, "aggregate_id": id, "type": kind,
            "correlation_id": correlation_id,
        });
        if let Some(fields) = line.as_object_mut().filter(|_| !data.is_null()) {
            fields.insert("data".to_owned(), data.clone());
        }
        let command = Command::of_line(&self.app, &line.to_string()).map_err(anyhow::Error::msg)?;
        let topic = Topic::of(command.aggregate, "commands");
        let partition = self.partition(topic, &command.key)?;
        let mut outbox = Outbox::default();
        outbox.push(NewRecord {
            topic,
            partition,
            key: Some(command.key.as_bytes()),
            value: Some(command.value.as_bytes()),
            headers: &[],
        });
        self.log.appender()?.append(&outbox)?;
        self.outcome((aggregate, &command.key), &command.id)
    }

    /// The outcome of a command that somebody has sent or will send.
    pub(super) fn outcome(
        &self,
        (aggregate, id): (&str, &str),
        command_id: &str,
    ) -> anyhow::Result<Value> {
        let topic = Topic::of(aggregate, "outcomes");
        let bounds = self.log.bounds(topic)?;
        let from: Vec<_> = bounds
            .iter()
            .map(|bounds| (bounds.source, bounds.first))
            .collect();
        let awaited = Awaited {
            command_id: command_id.to_owned(),
            of: Some((aggregate.to_owned(), id.to_owned())),
        };
        let mut outcome = Value::Null;
        outcomes::follow(
            self.log.as_ref(),
            &from,
            [awaited],
            PATIENCE,
            &mut |found| {
                outcome = serde_json::from_str(found.text)?;
                Ok(())
            },
        )?;
        Ok(outcome)
    }

    /// The events of an aggregate with these versions, decoded.
    pub(super) fn events(
        &self,
        (aggregate, id): (&str, &str),
        versions: std::ops::RangeInclusive<i64>,
    ) -> anyhow::Result<Vec<Value>> {
        let entry = self.app.registry.aggregate(aggregate);
        let entry = entry.with_context(|| format!("there is no aggregate `{aggregate}`"))?;
        let reader = entry.reader(&self.app.catalogue()?)?;
        let topic = Topic::of(aggregate, "events");
        let partition = self.partition(topic, id)?;
        let bounds = self.log.bounds(topic)?;
        let spans: Vec<_> = bounds
            .iter()
            .filter(|bounds| bounds.source.partition == partition)
            .map(|bounds| Span {
                source: bounds.source,
                from: bounds.first,
                to: bounds.stable_end,
            })
            .collect();
        let mut events = Vec::new();
        guarded(|guard| {
            self.log.read(&spans, &mut |record| {
                if record.key != Some(id.as_bytes()) {
                    return ControlFlow::Continue(());
                }
                let event = reader.event(record.value.unwrap_or_default());
                guard.pass(event.map_err(Into::into).map(|event| {
                    let version = event.get("version").and_then(Value::as_i64);
                    if version.is_some_and(|version| versions.contains(&version)) {
                        events.push(event);
                    }
                    ControlFlow::Continue(())
                }))
            })
        })?;
        Ok(events)
    }

    /// The mail with this id, once it has come.
    pub(super) fn mail(&self, id: &str) -> anyhow::Result<Mail> {
        wait("the mail", || Ok(self.post.find(id)))
    }

    /// These columns of the rows of a table whose key begins like this, for people, once this word
    /// stands in them.
    pub(super) fn rows(
        &self,
        (name, key): (&str, &str),
        columns: &[&str],
        awaited: &str,
    ) -> anyhow::Result<String> {
        let (context, table) = query::find(&self.app, name)?;
        let store = self.app.store()?;
        wait(name, || {
            let rows = block_on(store.select(context, table, &[Cell::from(key)], 100))??;
            let text = query::grid_of(table, &rows, |name| columns.contains(&name)).to_string();
            Ok(Some(text).filter(|text| text.contains(awaited)))
        })
    }

    fn partition(&self, topic: Topic, id: &str) -> anyhow::Result<i32> {
        let found = self.log.describe(&[topic.name()])?;
        let found = found
            .first()
            .with_context(|| format!("no topic `{topic}`"))?;
        Ok(partition_of(id.as_bytes(), found.partitions))
    }
}

/// Looks until it is there.
fn wait<T>(what: &str, look: impl Fn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let clock = SystemClock::new();
    while clock.now().elapsed < PATIENCE {
        if let Some(found) = look()? {
            return Ok(found);
        }
        thread::sleep(LOOK_INTERVAL);
    }
    bail!("{what} did not come within {PATIENCE:?}")
}

/// Takes away the files of an earlier demo, unless somebody works on them. Files of others stay.
fn clear(dir: &Path) -> anyhow::Result<()> {
    if !dir.join(millrace_embedded::FILE_NAME).is_file() {
        return Ok(());
    }
    // One that cannot be opened is no reason to keep it.
    if let Ok(database) = Database::open(dir) {
        database.claim()?;
    }
    let reading = || format!("cannot clear `{}`", dir.display());
    for entry in fs::read_dir(dir).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("millrace.") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
