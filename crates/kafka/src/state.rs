//! Reading compacted topics: restore, tails, and how far nothing stands.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use millrace_runtime::log::{StateChange, Tail};
use millrace_runtime::topic::TopicPartition;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;

use crate::client::{Clients, Isolation};
use crate::scan::{offsets, ranges, reader, scan};
use crate::watch::Abandoned;

/// Records of one hand-over to the machine.
const CHUNK_RECORDS: usize = 1_000;
/// Bytes of one hand-over, so that large states do not pile up in the channel.
const CHUNK_BYTES: usize = 1 << 20;
/// How often the stable end is asked for while an open transaction holds it back.
const STABLE_END_INTERVAL: Duration = Duration::from_millis(20);
/// How many times, until the machine is told to look after that transaction again.
const STABLE_END_TRIES: u32 = 500;
/// The last task record mostly stands within the last transaction; look there first.
const TAIL_WINDOW: i64 = 500;
const TAIL_GROWTH: i64 = 20;

/// Hands over every committed record below each target.
pub(crate) fn restore(
    clients: &Clients,
    targets: &[(TopicPartition, i64)],
    abandoned: &Abandoned,
    hand_over: &mut dyn FnMut(Vec<StateChange>) -> bool,
) -> Result<(), String> {
    let starts = restore_starts(clients, targets, abandoned)?;
    let targets: BTreeMap<_, _> = targets.iter().copied().collect();
    let mut chunk = Chunk::default();
    let mut is_heard = true;
    scan(
        clients,
        Isolation::Committed,
        &starts,
        abandoned,
        &mut |at, message| {
            let target = targets.get(&at).copied().unwrap_or(0);
            if message.offset() < target {
                chunk.push(at, message);
                if chunk.is_full() {
                    is_heard = is_heard && hand_over(chunk.take());
                }
            }
            if message.offset().saturating_add(1) >= target || !is_heard {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    )?;
    if is_heard && !chunk.changes.is_empty() {
        is_heard = hand_over(chunk.take());
    }
    if is_heard {
        Ok(())
    } else {
        Err("restore: given up".to_owned())
    }
}

/// Waits until the stable end of every partition has reached its target, so that the end of a scan
/// which begins afterwards lies behind it. Says where to begin; what is empty is left out.
fn restore_starts(
    clients: &Clients,
    targets: &[(TopicPartition, i64)],
    abandoned: &Abandoned,
) -> Result<Vec<(TopicPartition, i64)>, String> {
    let partitions: Vec<_> = targets.iter().map(|(at, _)| *at).collect();
    let reader = reader(clients, Isolation::Committed)?;
    let firsts = offsets(&reader, &partitions, Offset::Beginning)?;
    for _ in 0..STABLE_END_TRIES {
        let ends = offsets(&reader, &partitions, Offset::End)?;
        let held = targets
            .iter()
            .zip(&ends)
            .any(|((_, target), end)| end < target);
        if !held {
            let starts = targets.iter().zip(firsts);
            return Ok(starts
                .filter(|((_, target), first)| first < target)
                .map(|((at, _), first)| (*at, first))
                .collect());
        }
        if abandoned.is_set() {
            break;
        }
        thread::sleep(STABLE_END_INTERVAL);
    }
    Err(format!(
        "restore: an open transaction holds back some of {partitions:?}"
    ))
}

/// State changes on their way to the machine.
#[derive(Debug, Default)]
struct Chunk {
    changes: Vec<StateChange>,
    bytes: usize,
}

impl Chunk {
    /// Records without a key cannot stand in a compacted topic.
    fn push(&mut self, source: TopicPartition, message: &BorrowedMessage<'_>) {
        let Some(key) = message.key() else { return };
        let value = message.payload();
        self.bytes += key.len() + value.map_or(0, <[u8]>::len);
        self.changes.push(StateChange {
            source,
            offset: message.offset(),
            key: key.into(),
            value: value.map(Into::into),
        });
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= CHUNK_RECORDS || self.bytes >= CHUNK_BYTES
    }

    fn take(&mut self) -> Vec<StateChange> {
        self.bytes = 0;
        std::mem::replace(&mut self.changes, Vec::with_capacity(CHUNK_RECORDS))
    }
}

/// The last records under one key of each partition, committed and open.
pub(crate) fn tails(
    clients: &Clients,
    asked: &[(TopicPartition, Vec<u8>)],
    abandoned: &Abandoned,
) -> Result<Vec<Tail>, String> {
    let partitions: Vec<_> = asked.iter().map(|(at, _)| *at).collect();
    let keys: BTreeMap<_, _> = asked
        .iter()
        .map(|(at, key)| (*at, key.as_slice()))
        .collect();
    // The stable end first: what is committed while we look is then found in one part or the other.
    let stable = ranges(&reader(clients, Isolation::Committed)?, &partitions)?;
    let ends = offsets(
        &reader(clients, Isolation::Uncommitted)?,
        &partitions,
        Offset::End,
    )?;
    let mut committed = BTreeMap::new();
    let mut window = TAIL_WINDOW;
    loop {
        let missing: Vec<_> = stable
            .iter()
            .filter(|range| range.first < range.end && !committed.contains_key(&range.source))
            .map(|range| {
                (
                    range.source,
                    range.first.max(range.end.saturating_sub(window)),
                )
            })
            .collect();
        if missing.is_empty() {
            break;
        }
        collect_last(clients, &missing, &keys, abandoned, &mut committed)?;
        for range in &stable {
            if range.end.saturating_sub(window) <= range.first {
                // Read from its beginning: there is none.
                committed.entry(range.source).or_insert(None);
            }
        }
        window = window.saturating_mul(TAIL_GROWTH);
    }
    let held: Vec<_> = stable
        .iter()
        .zip(&ends)
        .filter(|(range, end)| range.end < **end)
        .map(|(range, _)| (range.source, range.end))
        .collect();
    let mut open: BTreeMap<TopicPartition, Vec<Vec<u8>>> = BTreeMap::new();
    scan(
        clients,
        Isolation::Uncommitted,
        &held,
        abandoned,
        &mut |at, message| {
            if is_under_key(&keys, at, message)
                && let Some(value) = message.payload()
            {
                open.entry(at).or_default().push(value.to_vec());
            }
            ControlFlow::Continue(())
        },
    )?;
    let tail = |at: &TopicPartition| Tail {
        source: *at,
        committed: committed.remove(at).flatten(),
        open: open.remove(at).unwrap_or_default(),
    };
    Ok(partitions.iter().map(tail).collect())
}

fn collect_last(
    clients: &Clients,
    starts: &[(TopicPartition, i64)],
    keys: &BTreeMap<TopicPartition, &[u8]>,
    abandoned: &Abandoned,
    last: &mut BTreeMap<TopicPartition, Option<Vec<u8>>>,
) -> Result<(), String> {
    scan(
        clients,
        Isolation::Committed,
        starts,
        abandoned,
        &mut |at, message| {
            if is_under_key(keys, at, message) {
                last.insert(at, message.payload().map(<[u8]>::to_vec));
            }
            ControlFlow::Continue(())
        },
    )
}

fn is_under_key(
    keys: &BTreeMap<TopicPartition, &[u8]>,
    at: TopicPartition,
    message: &BorrowedMessage<'_>,
) -> bool {
    keys.get(&at).copied() == message.key()
}

/// Brings positions forward over what is no committed record.
pub(crate) fn advance(
    clients: &Clients,
    positions: &[(TopicPartition, i64)],
    abandoned: &Abandoned,
) -> Result<Vec<(TopicPartition, i64)>, String> {
    let partitions: Vec<_> = positions.iter().map(|(at, _)| *at).collect();
    let ranges = ranges(&reader(clients, Isolation::Committed)?, &partitions)?;
    let mut advanced: BTreeMap<_, _> = positions.iter().copied().collect();
    let mut behind = Vec::new();
    for ((at, position), range) in positions.iter().zip(ranges) {
        // A position that the log no longer has stays where it is: that is not ours to skip.
        if (range.first..range.end).contains(position) {
            behind.push((*at, *position));
            advanced.insert(*at, range.end);
        }
    }
    scan(
        clients,
        Isolation::Committed,
        &behind,
        abandoned,
        &mut |at, message| {
            if let Some(position) = advanced.get_mut(&at) {
                *position = message.offset().min(*position);
            }
            ControlFlow::Break(())
        },
    )?;
    let in_order = positions.iter().map(|(at, position)| {
        let advanced = advanced.get(at).copied().unwrap_or(*position);
        (*at, advanced)
    });
    Ok(in_order.collect())
}
