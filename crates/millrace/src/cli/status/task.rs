//! The task record of a partition: who owns it, and how far it is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::Context;
use millrace_runtime::access::{Bounds, LogAccess, Span};
use millrace_runtime::step::task_key;
use millrace_runtime::topic::{Topic, TopicPartition};
use serde::{Deserialize, Serialize};

use crate::cli::visit::guarded;
use crate::registry::Reader;

/// Every transaction writes one, so the last one stands near the end.
const FIRST_STEP_RECORDS: i64 = 1_000;
/// How much further back each next look begins.
const STEP_GROWTH: i64 = 8;

/// As the state topic holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TaskRecord {
    /// The owner's transactional id; nothing after a graceful release.
    pub(super) owner: Option<String>,
    /// The first input record that is not decided yet.
    pub(super) next_offset: i64,
}

/// The last task record of each partition of `input` that has one.
pub(super) fn records(
    log: &dyn LogAccess,
    reader: &dyn Reader,
    input: Topic,
    state: Topic,
) -> anyhow::Result<BTreeMap<i32, TaskRecord>> {
    let bounds = log.bounds(state)?;
    let mut found = BTreeMap::new();
    let mut back = FIRST_STEP_RECORDS;
    loop {
        let spans: Vec<_> = bounds
            .iter()
            .filter(|bounds| !found.contains_key(&bounds.source.partition))
            .filter_map(|bounds| step(bounds, back))
            .collect();
        if spans.is_empty() {
            return Ok(found);
        }
        guarded(|guard| {
            log.read(&spans, &mut |record| {
                let partition = record.source.partition;
                let key = task_key(input.partition(partition));
                if record.key != Some(key.as_slice()) {
                    return ControlFlow::Continue(());
                }
                let read = read(reader, record.source, record.value);
                guard.pass(read.map(|task| {
                    found.insert(partition, task);
                    ControlFlow::Continue(())
                }))
            })
        })?;
        back = back.saturating_mul(STEP_GROWTH);
    }
}

/// The part of a partition that begins `back` records before its end and was not read before.
fn step(bounds: &Bounds, back: i64) -> Option<Span> {
    let before = |records: i64| bounds.stable_end.saturating_sub(records).max(bounds.first);
    let to = if back == FIRST_STEP_RECORDS {
        bounds.stable_end
    } else {
        before(back / STEP_GROWTH)
    };
    let from = before(back);
    (from < to).then_some(Span {
        source: bounds.source,
        from,
        to,
    })
}

fn read(
    reader: &dyn Reader,
    source: TopicPartition,
    value: Option<&[u8]>,
) -> anyhow::Result<TaskRecord> {
    let wrong = || format!("cannot read the task record in {source}");
    let json = reader
        .state(value.unwrap_or_default())
        .with_context(wrong)?;
    serde_json::from_value(json).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_a_partition_from_its_end_to_its_beginning_once() {
        let bounds = Bounds {
            source: Topic::new("t").partition(0),
            first: 5,
            stable_end: 10_000,
            end: 10_000,
        };
        let mut back = FIRST_STEP_RECORDS;
        let mut spans = Vec::new();
        while let Some(span) = step(&bounds, back) {
            spans.push((span.from, span.to));
            back *= STEP_GROWTH;
        }
        assert_eq!(spans, [(9_000, 10_000), (2_000, 9_000), (5, 2_000)]);
    }
}
