//! What people and set-up ask of the log.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use millrace_eventsourcing::Timestamp;
use millrace_runtime::access::{
    AccessError, Appender, Bounds, Created, FoundTopic, Group, LogAccess, Member, Seen, Span,
};
use millrace_runtime::log::{GroupOffset, Record};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_runtime::topic_spec::TopicSpec;
use rusqlite::Connection;

use crate::append::append;
use crate::claim;
use crate::database::Database;
use crate::fault::Failure;
use crate::mailbox::Mailbox;
use crate::members;
use crate::place::Slot;
use crate::read::{Copied, Page, page};
use crate::topics::{self, StoredTopic, range};

/// Followers are asked this often whether to go on, while nothing comes.
const IDLE_INTERVAL: Duration = Duration::from_millis(100);
/// Records of one partition shown in a row.
const PAGE_RECORDS_MAX: usize = 256;

/// The log for everything but workers.
#[derive(Debug, Clone)]
pub struct EmbeddedAccess {
    database: Database,
}

impl EmbeddedAccess {
    /// On this database.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
        }
    }

    fn connect(&self) -> Result<Connection, Failure> {
        Ok(self.database.shared().connect_to_read()?)
    }

    fn find(
        &self,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<Arc<StoredTopic>>, Failure> {
        let catalogue = &self.database.shared().catalogue;
        Ok(catalogue.find(connection, name)?)
    }

    fn slot(&self, connection: &Connection, at: TopicPartition) -> Result<Slot, AccessError> {
        let name = at.topic.name();
        let found = self
            .find(connection, name)
            .map_err(|it| cannot("find", at, it))?;
        let found = found.ok_or_else(|| AccessError::NoSuchTopic(name.to_owned()))?;
        let missing = || {
            cannot(
                "find",
                at,
                Failure::Refused("there is no such partition".to_owned()),
            )
        };
        found.slot(at.partition).ok_or_else(missing)
    }

    /// The partitions of a topic with a connection to read them.
    fn partitions(
        &self,
        topic: Topic,
    ) -> Result<(Connection, Vec<(TopicPartition, Slot)>), AccessError> {
        let failed = |failure| cannot("look up", topic, failure);
        let connection = self.connect().map_err(failed)?;
        let Some(found) = self.find(&connection, topic.name()).map_err(failed)? else {
            return Err(AccessError::NoSuchTopic(topic.name().to_owned()));
        };
        let numbered = (0..).zip(&found.slots);
        let partitions = numbered.map(|(number, slot)| (topic.partition(number), *slot));
        Ok((connection, partitions.collect()))
    }
}

/// `verb` goes on where "cannot" begins.
fn cannot(verb: &str, what: impl std::fmt::Display, failure: Failure) -> AccessError {
    AccessError::failed(format!("{verb} `{what}`"), failure)
}

impl LogAccess for EmbeddedAccess {
    fn describe(&self, topics: &[&str]) -> Result<Vec<FoundTopic>, AccessError> {
        let failed = |failure| AccessError::failed("look topics up", failure);
        let connection = self.connect().map_err(failed)?;
        let mut all = Vec::new();
        for name in topics {
            let Some(found) = self.find(&connection, name).map_err(failed)? else {
                continue;
            };
            all.push(FoundTopic {
                name: (*name).to_owned(),
                partitions: found.partitions(),
                replication_factor: None,
                settings: found.settings.clone(),
            });
        }
        Ok(all)
    }

    fn names(&self) -> Result<Vec<String>, AccessError> {
        let names = self.connect().and_then(|it| Ok(topics::names(&it)?));
        names.map_err(|failure| AccessError::failed("list topics", failure))
    }

    fn create(&self, specs: &[TopicSpec]) -> Result<Vec<Created>, AccessError> {
        // Every program begins with this: whoever finds all of them there need not wait for a turn
        // to write.
        let known = self.names()?;
        if specs.iter().all(|spec| known.contains(&spec.name)) {
            return Ok(vec![Created::Existing; specs.len()]);
        }
        let specs = specs.to_vec();
        let created = self.database.call(0, move |turn| {
            let made = specs
                .iter()
                .map(|spec| topics::create(turn.connection, spec));
            Ok(made.collect::<rusqlite::Result<_>>()?)
        });
        created.map_err(|failure| AccessError::failed("make topics", failure))
    }

    fn bounds(&self, topic: Topic) -> Result<Vec<Bounds>, AccessError> {
        let (connection, partitions) = self.partitions(topic)?;
        let mut all = Vec::new();
        for (source, slot) in partitions {
            let found = range(&connection, slot).map_err(Failure::from);
            let (first, end) = found.map_err(|it| cannot("look up", source, it))?;
            all.push(Bounds {
                source,
                first,
                stable_end: end,
                end,
            });
        }
        Ok(all)
    }

    fn offsets_at(
        &self,
        topic: Topic,
        time: Timestamp,
    ) -> Result<Vec<(TopicPartition, i64)>, AccessError> {
        let (connection, partitions) = self.partitions(topic)?;
        let mut all = Vec::new();
        for (source, slot) in partitions {
            let found = offset_at(&connection, slot, time).map_err(Failure::from);
            all.push((source, found.map_err(|it| cannot("search", source, it))?));
        }
        Ok(all)
    }

    fn read(
        &self,
        spans: &[Span],
        visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError> {
        let connection = self.connect();
        let connection = connection.map_err(|it| AccessError::failed("read", it))?;
        for span in spans {
            let mut page = Page {
                source: span.source,
                slot: self.slot(&connection, span.source)?,
                offsets: span.from..span.to,
                records_max: PAGE_RECORDS_MAX,
            };
            while !page.offsets.is_empty() {
                for record in read_page(&connection, &mut page)? {
                    if visit(&record.borrow()).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn follow(
        &self,
        from: &[(TopicPartition, i64)],
        visit: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError> {
        let failed = |it| AccessError::failed("follow", it);
        let shared = self.database.shared();
        let mailbox = Arc::<Mailbox>::default();
        shared.ends.enter(&mailbox);
        self.database
            .watch()
            .map_err(|it| AccessError::failed("follow", it))?;
        let connection = self.connect().map_err(failed)?;
        let refreshed = shared.ends.refresh(&connection).map_err(Failure::from);
        refreshed.map_err(failed)?;
        let mut positions = Vec::new();
        for (at, offset) in from {
            positions.push((*at, self.slot(&connection, *at)?, *offset));
        }
        mailbox.set_interest(positions.iter().map(|(_, slot, _)| *slot).collect());
        loop {
            let mut is_idle = true;
            for (source, slot, next) in &mut positions {
                let mut page = Page {
                    source: *source,
                    slot: *slot,
                    offsets: *next..shared.ends.of(*slot),
                    records_max: PAGE_RECORDS_MAX,
                };
                if page.offsets.is_empty() {
                    continue;
                }
                for record in read_page(&connection, &mut page)? {
                    is_idle = false;
                    if visit(Seen::Record(record.borrow())).is_break() {
                        return Ok(());
                    }
                }
                *next = page.offsets.start;
            }
            if is_idle {
                if visit(Seen::Idle).is_break() {
                    return Ok(());
                }
                mailbox.wait(IDLE_INTERVAL);
            }
        }
    }

    fn appender(&self) -> Result<Box<dyn Appender>, AccessError> {
        let database = self.database.clone();
        Ok(Box::new(EmbeddedAppender { database }))
    }

    fn group(&self, group: &str) -> Result<Group, AccessError> {
        let members = self.members(group);
        let members = members.map_err(|it| cannot("look up group", group, it))?;
        let state = if members.is_empty() {
            "Empty"
        } else {
            "Stable"
        };
        Ok(Group {
            name: group.to_owned(),
            state: state.to_owned(),
            members,
        })
    }

    fn group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<GroupOffset>, AccessError> {
        let found = self
            .connect()
            .and_then(|it| Ok(members::offsets(&it, group, partitions)?));
        found.map_err(|it| cannot("read the offsets of group", group, it))
    }

    fn set_group_offsets(&self, group: &str, offsets: &[GroupOffset]) -> Result<(), AccessError> {
        let failed = |it| cannot("store offsets of group", group, it);
        if !self.members(group).map_err(failed)?.is_empty() {
            return Err(failed(Failure::Refused("it has members".to_owned())));
        }
        let (name, offsets) = (group.to_owned(), offsets.to_vec());
        let stored = self.database.call(0, move |turn| {
            for offset in &offsets {
                members::store_offset(turn.connection, &name, offset)?;
            }
            Ok(())
        });
        stored.map_err(failed)
    }
}

impl EmbeddedAccess {
    /// Those of this process as they are now; those of another as it has written them down, if it
    /// still works.
    fn members(&self, group: &str) -> Result<Vec<Member>, Failure> {
        let shared = self.database.shared();
        if shared.is_worker() {
            let seats = shared.groups.seats(group).into_iter();
            let own = |partitions: Vec<TopicPartition>| {
                let named = partitions.into_iter();
                named
                    .map(|at| (at.topic.name().to_owned(), at.partition))
                    .collect()
            };
            return Ok(seats
                .map(|(_, client_id, owned)| Member {
                    client_id,
                    host: format!("process {}", std::process::id()),
                    partitions: own(owned),
                })
                .collect());
        }
        let holder = claim::holder_of(&shared.dir).map_err(|error| {
            Failure::Refused(format!("cannot see whether a process works: {error}"))
        })?;
        let Some(holder) = holder else {
            return Ok(Vec::new());
        };
        let mut found: Vec<(i64, Member)> = Vec::new();
        for (id, client_id, partition) in members::noted(&self.connect()?, group)? {
            if found.last().is_none_or(|(last, _)| *last != id) {
                let member = Member {
                    client_id,
                    host: format!("process {holder}"),
                    partitions: Vec::new(),
                };
                found.push((id, member));
            }
            if let Some((_, member)) = found.last_mut() {
                member.partitions.extend(partition);
            }
        }
        Ok(found.into_iter().map(|(_, member)| member).collect())
    }
}

fn read_page(connection: &Connection, wanted: &mut Page) -> Result<Vec<Copied>, AccessError> {
    let records = page(connection, wanted).map_err(|it| cannot("read", wanted.source, it))?;
    wanted.offsets.start = match records.last() {
        Some(last) if records.len() == wanted.records_max => last.offset + 1,
        Some(_) | None => wanted.offsets.end,
    };
    Ok(records)
}

/// Where a time stands among records that were stamped one after the other. Times are those of one
/// machine's clock: where that was set back, one of the places at which the time passes.
fn offset_at(connection: &Connection, slot: Slot, time: Timestamp) -> rusqlite::Result<i64> {
    let select = "SELECT place, timestamp FROM records WHERE place >= ?1 AND place < ?2 \
                  ORDER BY place LIMIT 1";
    let mut select = connection.prepare_cached(select)?;
    let (mut from, mut to) = range(connection, slot)?;
    let end = to;
    // Records before `from` are earlier; the first at `to` or after it is not.
    while from < to {
        let middle = from + (to - from) / 2;
        let places = slot.places(middle..end);
        let mut rows = select.query((places.start, places.end))?;
        let Some(row) = rows.next()? else {
            to = middle;
            continue;
        };
        let (place, timestamp): (i64, i64) = (row.get(0)?, row.get(1)?);
        if timestamp < time.as_micros() {
            from = crate::place::offset_of(place) + 1;
        } else {
            to = middle;
        }
    }
    Ok(crate::read::first_in(connection, slot, from..end)?.unwrap_or(end))
}

#[derive(Debug)]
struct EmbeddedAppender {
    database: Database,
}

impl Appender for EmbeddedAppender {
    fn append(&mut self, records: &Outbox) -> Result<Vec<(TopicPartition, i64)>, AccessError> {
        let partitions: BTreeSet<_> = records
            .iter()
            .map(|record| record.topic.partition(record.partition).to_string())
            .collect();
        let records = records.clone();
        let appended = self
            .database
            .call(records.bytes(), move |turn| append(turn, &[&records]));
        appended.map_err(|failure| {
            let partitions: Vec<_> = partitions.into_iter().collect();
            cannot("write to", partitions.join("`, `"), failure)
        })
    }
}
