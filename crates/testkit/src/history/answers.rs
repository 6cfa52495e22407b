//! Answers: one for each command, and the events that they tell of.

use std::collections::BTreeMap;

use millrace_eventsourcing::Aggregate;
use millrace_runtime::id::handled_id;
use millrace_runtime::outcome::{Outcome, Status};

use super::{History, Place, Violation, violation};

impl<A: Aggregate> History<A> {
    /// Accepted commands tell of exactly the events that carry their id, refused ones of none, and
    /// there are no events besides.
    pub fn every_event_was_announced(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        let mut announced: BTreeMap<(&str, i64), &Outcome<'static>> = BTreeMap::new();
        for (place, outcome) in self.outcomes.iter().filter(|(_, one)| !one.duplicate) {
            let mut tell = |what: &str| wrong.push(violation(self.topics.outcomes, *place, &what));
            let versions = outcome.first_version.zip(outcome.last_version);
            let is_sound = match outcome.status {
                Status::Accepted => outcome.code.is_none(),
                Status::Rejected => outcome.code.is_some() && versions.is_none(),
            };
            if !is_sound || versions.is_some_and(|(_, last)| last != outcome.version) {
                tell("status, code and versions contradict each other");
            }
            for version in versions.into_iter().flat_map(|(first, last)| first..=last) {
                if announced
                    .insert((&outcome.aggregate_id, version), outcome)
                    .is_some()
                {
                    tell("tells of an event that another outcome tells of");
                }
            }
        }
        for (id, events) in &self.events {
            for (place, event) in events {
                let told = announced.remove(&(id.as_str(), event.version.get()));
                let is_same = told.is_some_and(|outcome| {
                    outcome.command_id == event.command_id
                        && outcome.offset == event.command_offset
                        && outcome.partition == place.partition
                });
                if !is_same {
                    let what = format!("`{id}` {}: no outcome tells of it", event.version);
                    wrong.push(violation(self.topics.events, *place, &what));
                }
            }
        }
        for (id, version) in announced.keys() {
            let (place, what) = (
                format!("`{id}` {version}"),
                "announced, and not there".to_owned(),
            );
            wrong.push(Violation { place, what });
        }
        wrong
    }

    /// Each command id of an aggregate has one first answer, unless it had left the window; what
    /// repeats it says the same; the windows hold what was answered.
    pub fn every_command_has_one_answer(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        let mut stands: BTreeMap<Place, Place> = BTreeMap::new();
        let mut first: BTreeMap<(&str, &str), &Outcome<'static>> = BTreeMap::new();
        for (place, outcome) in &self.outcomes {
            let mut tell =
                |what: String| wrong.push(violation(self.topics.outcomes, *place, &what));
            let key = (outcome.aggregate_id.as_ref(), outcome.command_id.as_ref());
            if outcome.duplicate {
                if !first.get(&key).is_some_and(|first| repeats(first, outcome)) {
                    tell(format!("{key:?}: repeats an answer that was never given"));
                }
                continue;
            }
            // Refused where it stands because it must not be moved: nobody could remember it.
            if outcome.partition != place.partition {
                continue;
            }
            let offset = outcome.offset;
            let partition = outcome.partition;
            if stands.insert(Place { partition, offset }, *place).is_some() {
                tell(format!("{key:?}: the record at {offset} was decided twice"));
            }
            if let Some(earlier) = first.insert(key, outcome)
                && !self.has_left_the_window(earlier, outcome)
            {
                tell(format!("{key:?}: answered anew though it was remembered"));
            }
        }
        wrong.extend(self.windows_hold_the_answers(&first));
        wrong
    }

    /// Whether at least a window of other commands of the aggregate was answered between the two.
    fn has_left_the_window(&self, earlier: &Outcome<'_>, later: &Outcome<'_>) -> bool {
        let between = self.outcomes.iter().filter(|(place, outcome)| {
            outcome.aggregate_id == earlier.aggregate_id
                && outcome.partition == place.partition
                && !outcome.duplicate
                && outcome.offset > earlier.offset
                && outcome.offset < later.offset
        });
        between.count() >= self.window
    }

    fn windows_hold_the_answers(
        &self,
        first: &BTreeMap<(&str, &str), &Outcome<'static>>,
    ) -> Vec<Violation> {
        let mut answers = BTreeMap::new();
        for ((id, command_id), outcome) in first {
            answers.insert((*id, handled_id(command_id).0), *outcome);
        }
        let mut wrong = Vec::new();
        for (id, snapshot) in self.last_snapshots() {
            for handled in &snapshot.recent {
                let outcome = answers.get(&(id, handled.id.0));
                let is_same = outcome.is_some_and(|outcome| {
                    outcome.code.as_deref() == handled.code.as_deref()
                        && outcome.version == handled.version.get()
                        && outcome.offset == handled.offset
                });
                if !is_same {
                    let what = format!("remembers {handled:?}, which was not answered so");
                    let place = format!("`{id}`");
                    wrong.push(Violation { place, what });
                }
            }
        }
        wrong
    }
}

fn repeats(first: &Outcome<'_>, again: &Outcome<'_>) -> bool {
    (first.status, &first.code, first.version) == (again.status, &again.code, again.version)
        && (first.first_version, first.last_version) == (again.first_version, again.last_version)
        && (first.partition, first.offset) == (again.partition, again.offset)
        && first.result == again.result
}
