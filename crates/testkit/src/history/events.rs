//! Events, and the state that they add up to.

use millrace_eventsourcing::{Aggregate, Snapshot, Version};
use millrace_runtime::partitioner::partition_of;

use super::{DAWN, History, Violation, violation};

impl<A: Aggregate> History<A> {
    /// Versions 1, 2, 3 … without gap or duplicate, in log order, in the aggregate's own partition;
    /// times and command offsets never go back.
    pub fn versions_are_gapless(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        for (id, events) in &self.events {
            let home = partition_of(id.as_bytes(), self.topics.partitions);
            let (mut version, mut time, mut offset) = (Version::NONE, DAWN, -1);
            let created_at = events.first().map(|(_, event)| event.recorded_at);
            for (place, event) in events {
                let mut tell =
                    |what: String| wrong.push(violation(self.topics.events, *place, &what));
                if event.version != version.next() {
                    tell(format!("`{id}`: {} follows {version}", event.version));
                }
                if place.partition != home {
                    tell(format!("`{id}` belongs to partition {home}"));
                }
                if event.recorded_at < time || Some(event.created_at) != created_at {
                    tell(format!("`{id}`: times go back"));
                }
                if event.command_offset < offset {
                    tell(format!("`{id}`: commands are out of order"));
                }
                version = event.version;
                time = event.recorded_at;
                offset = event.command_offset;
            }
        }
        wrong
    }

    /// Every snapshot is the fold of the events up to its version, and the last one holds them all.
    pub fn state_is_the_fold_of_the_events(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        for id in self.events.keys() {
            if !self.snapshots.contains_key(id) {
                let (place, what) = (format!("`{id}`"), "has events and no state".to_owned());
                wrong.push(Violation { place, what });
            }
        }
        for (id, snapshots) in &self.snapshots {
            let folds = self.folds(id);
            let mut last = 0;
            for (place, snapshot) in snapshots {
                let version = snapshot
                    .as_ref()
                    .map_or(0, |snapshot| index(snapshot.version));
                let fold = folds.get(version);
                let state = snapshot
                    .as_ref()
                    .and_then(|snapshot| snapshot.state.as_ref());
                let mut tell =
                    |what: String| wrong.push(violation(self.topics.state, *place, &what));
                match fold {
                    Some(fold) if *fold != text_of(state) => {
                        tell(format!("`{id}` at {version} is not the fold of its events"));
                    }
                    Some(_) => {}
                    None => tell(format!("`{id}` stands at {version}, beyond its events")),
                }
                if version < last {
                    tell(format!("`{id}` goes back from {last} to {version}"));
                }
                last = version;
            }
            if last + 1 != folds.len() {
                let what = format!(
                    "the state stands at {last}, the events at {}",
                    folds.len() - 1
                );
                let place = format!("`{id}`");
                wrong.push(Violation { place, what });
            }
        }
        wrong
    }

    /// The state after 0, 1, 2 … events, as text.
    fn folds(&self, id: &str) -> Vec<String> {
        let mut state: Option<A> = None;
        let mut folds = vec![text_of(state.as_ref())];
        for (_, event) in self.events.get(id).into_iter().flatten() {
            state = A::evolve(state, &event.payload);
            folds.push(text_of(state.as_ref()));
        }
        folds
    }

    /// The last snapshot of every aggregate that has one.
    pub(super) fn last_snapshots(&self) -> impl Iterator<Item = (&str, &Snapshot<A>)> {
        self.snapshots.iter().filter_map(|(id, snapshots)| {
            let (_, snapshot) = snapshots.last()?;
            Some((id.as_str(), snapshot.as_ref()?))
        })
    }
}

/// A state in a form that can be compared.
fn text_of<A: Aggregate>(state: Option<&A>) -> String {
    serde_json::to_string(&state).unwrap_or_else(|error| error.to_string())
}

fn index(version: Version) -> usize {
    usize::try_from(version.get()).unwrap_or(usize::MAX)
}
