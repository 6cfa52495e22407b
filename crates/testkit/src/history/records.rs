//! Command records: each comes to an end, and progress never goes back.

use std::collections::{BTreeMap, BTreeSet};

use millrace_eventsourcing::Aggregate;
use millrace_runtime::partitioner::partition_of;

use super::{History, Place, Violation, key_of, violation};
use crate::memory_log::StoredRecord;

impl<A: Aggregate> History<A> {
    /// Nothing is dropped silently: every record below its task's position was answered, set
    /// aside, moved, or repeats an earlier one; and none of them twice.
    pub fn every_record_has_an_end(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        let answered: BTreeSet<Place> = self.answered_places();
        let set_aside = self.places_set_aside(&mut wrong);
        let mut unanswered: BTreeMap<i32, (usize, usize)> = BTreeMap::new();
        for (place, record) in &self.commands {
            let next = self.position(place.partition).unwrap_or(0);
            if place.offset >= next || answered.contains(place) {
                continue;
            }
            let (silent, perhaps) = unanswered.entry(place.partition).or_default();
            match self.home(record) {
                _ if set_aside.contains(place) => *perhaps += 1,
                Some(home) if home == place.partition => *silent += 1,
                // Only its body tells where it belongs.
                None => *perhaps += 1,
                Some(_) if self.was_moved(record) => {}
                Some(_) => {
                    let what = "stands in the wrong partition and was not moved";
                    wrong.push(violation(self.topics.commands, *place, &what));
                }
            }
        }
        for (partition, (silent, perhaps)) in unanswered {
            let repeated = self.repeated(partition);
            if !(silent..=silent + perhaps).contains(&repeated) {
                let what = format!(
                    "{silent} records must repeat earlier ones and {perhaps} more can, but \
                     {repeated} answers are repeated"
                );
                let place = format!("{}/{partition}", self.topics.commands);
                wrong.push(Violation { place, what });
            }
        }
        wrong
    }

    /// Positions in task records never go back.
    pub fn progress_never_goes_back(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        for records in self.task_records.values() {
            let mut last = 0;
            for (place, record) in records {
                if record.next_offset < last {
                    let what = format!(
                        "the position goes back from {last} to {}",
                        record.next_offset
                    );
                    wrong.push(violation(self.topics.state, *place, &what));
                }
                last = record.next_offset;
            }
        }
        wrong
    }

    /// The first record of a partition that is not yet part of the outputs.
    pub fn position(&self, partition: i32) -> Option<i64> {
        let (_, last) = self.task_records.get(&partition)?.last()?;
        Some(last.next_offset)
    }

    fn answered_places(&self) -> BTreeSet<Place> {
        let first = self
            .outcomes
            .iter()
            .filter(|(_, outcome)| !outcome.duplicate);
        let place = |outcome: &millrace_runtime::outcome::Outcome<'_>| Place {
            partition: outcome.partition,
            offset: outcome.offset,
        };
        first.map(|(_, outcome)| place(outcome)).collect()
    }

    fn places_set_aside(&self, wrong: &mut Vec<Violation>) -> BTreeSet<Place> {
        let mut places = BTreeSet::new();
        for (at, letter) in &self.dead_letters {
            let number = |name| header(letter, name).and_then(|text| text.parse().ok());
            let offset = number("dead-letter-offset").unwrap_or(-1);
            let partition = header(letter, "dead-letter-partition");
            if partition != Some(at.partition.to_string()) {
                let what = "stands in another partition than its record";
                wrong.push(violation(self.topics.dead_letters, *at, &what));
            }
            let partition = at.partition;
            if !places.insert(Place { partition, offset }) {
                let what = format!("the record at {offset} was set aside twice");
                wrong.push(violation(self.topics.dead_letters, *at, &what));
            }
        }
        places
    }

    /// The partition that a record's key belongs to; only a record with a key can be judged here.
    fn home(&self, record: &StoredRecord) -> Option<i32> {
        let key = record.key.as_deref().filter(|key| !key.is_empty())?;
        let id = A::normalise_id(str::from_utf8(key).ok()?);
        Some(partition_of(id.as_bytes(), self.topics.partitions))
    }

    fn was_moved(&self, record: &StoredRecord) -> bool {
        self.commands.iter().any(|(place, other)| {
            self.home(record) == Some(place.partition)
                && other.value == record.value
                && A::normalise_id(&key_of(record)) == key_of(other)
        })
    }

    fn repeated(&self, partition: i32) -> usize {
        let all = self.outcomes.iter();
        all.filter(|(place, outcome)| place.partition == partition && outcome.duplicate)
            .count()
    }
}

fn header(record: &StoredRecord, name: &str) -> Option<String> {
    let (_, value) = record.headers.iter().find(|(header, _)| header == name)?;
    String::from_utf8(value.clone()?).ok()
}
