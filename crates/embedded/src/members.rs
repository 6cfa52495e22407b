//! What other processes may see of the groups, and the groups' stored offsets.

use millrace_runtime::log::GroupOffset;
use millrace_runtime::topic::TopicPartition;
use rusqlite::{Connection, OptionalExtension};

use crate::fault::Failure;
use crate::groups::Groups;
use crate::writer::Turn;

/// Writes down who is in a group now.
pub(crate) fn note(turn: &Turn<'_>, group: &str) -> Result<(), Failure> {
    turn.check_worker()?;
    write(turn.connection, &turn.shared.groups, group)?;
    Ok(())
}

fn write(connection: &Connection, groups: &Groups, group: &str) -> rusqlite::Result<()> {
    let delete = "DELETE FROM members WHERE group_name = ?1";
    connection.prepare_cached(delete)?.execute([group])?;
    let insert = "INSERT INTO members (group_name, member, client_id, topic, partition) \
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = connection.prepare_cached(insert)?;
    for (id, client_id, owned) in groups.seats(group) {
        let id = i64::try_from(id.0).unwrap_or(i64::MAX);
        if owned.is_empty() {
            let nothing: Option<i64> = None;
            insert.execute((group, id, &client_id, nothing, nothing))?;
        }
        for at in owned {
            let topic = at.topic.name();
            insert.execute((group, id, &client_id, topic, at.partition))?;
        }
    }
    Ok(())
}

/// One line for each partition of each member, or one without for a member that has none.
pub(crate) type Noted = (i64, String, Option<(String, i32)>);

/// Who was in a group when it was last written down.
pub(crate) fn noted(connection: &Connection, group: &str) -> rusqlite::Result<Vec<Noted>> {
    let select = "SELECT member, client_id, topic, partition FROM members \
                  WHERE group_name = ?1 ORDER BY member, topic, partition";
    let mut select = connection.prepare(select)?;
    let rows = select.query_map([group], |row| {
        let topic: Option<String> = row.get(2)?;
        let partition: Option<i32> = row.get(3)?;
        Ok((row.get(0)?, row.get(1)?, topic.zip(partition)))
    })?;
    rows.collect()
}

/// The stored offset of one partition.
pub(crate) fn offset(
    connection: &Connection,
    group: &str,
    source: TopicPartition,
) -> rusqlite::Result<Option<GroupOffset>> {
    let select = "SELECT next_offset, metadata FROM group_offsets \
                  WHERE group_name = ?1 AND topic = ?2 AND partition = ?3";
    let mut select = connection.prepare_cached(select)?;
    let key = (group, source.topic.name(), source.partition);
    let found = select.query_row(key, |row| {
        Ok(GroupOffset {
            source,
            next_offset: row.get(0)?,
            metadata: row.get(1)?,
        })
    });
    found.optional()
}

/// The stored offsets of these partitions; those without one are left out.
pub(crate) fn offsets(
    connection: &Connection,
    group: &str,
    sources: &[TopicPartition],
) -> rusqlite::Result<Vec<GroupOffset>> {
    let mut found = Vec::new();
    for source in sources {
        found.extend(offset(connection, group, *source)?);
    }
    Ok(found)
}

pub(crate) fn store_offset(
    connection: &Connection,
    group: &str,
    offset: &GroupOffset,
) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO group_offsets \
                  (group_name, topic, partition, next_offset, metadata) \
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let source = offset.source;
    connection.prepare_cached(insert)?.execute((
        group,
        source.topic.name(),
        source.partition,
        offset.next_offset,
        &offset.metadata,
    ))?;
    Ok(())
}
