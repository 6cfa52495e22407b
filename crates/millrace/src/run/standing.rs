//! What a worker's status means for readiness.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_runtime::engine::{Restoring, TaskState, TaskStatus};
use millrace_runtime::log::{Effect, Log, LogEvent};
use millrace_runtime::worker::WorkerStatus;

use crate::pace::{LINE_INTERVAL, PACE_AFTER, Pace};

/// A log that notes whether the group has told which partitions are ours; none is an answer too.
pub(super) struct Watched<'a, L> {
    log: L,
    has_assignment: &'a AtomicBool,
}

impl<'a, L: Log> Watched<'a, L> {
    pub(super) const fn new(log: L, has_assignment: &'a AtomicBool) -> Self {
        Self {
            log,
            has_assignment,
        }
    }

    pub(super) fn into_inner(self) -> L {
        self.log
    }
}

impl<L: Log> Log for Watched<'_, L> {
    fn poll(&mut self, wait: Duration, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>)) {
        let has_assignment = self.has_assignment;
        self.log.poll(wait, records_max, &mut |event| {
            if let LogEvent::Assigned(_) = event {
                has_assignment.store(true, Ordering::Relaxed);
            } else if let LogEvent::Lost(_) = event {
                has_assignment.store(false, Ordering::Relaxed);
            }
            on_event(event);
        });
    }

    fn act(&mut self, effect: Effect) {
        self.log.act(effect);
    }
}

/// Why a worker is not ready; nothing when it is.
pub(super) fn reasons(log_name: &str, status: &WorkerStatus, has_assignment: bool) -> Vec<String> {
    if let Some(reason) = &status.unreachable {
        return vec![format!("{log_name}: {reason}")];
    }
    if !has_assignment && status.tasks.is_empty() {
        return vec!["waiting for the group to assign partitions".to_owned()];
    }
    let waiting = status
        .tasks
        .iter()
        .filter(|task| task.state != TaskState::Running);
    waiting.map(describe).collect()
}

/// How far a restore is, said now and then: whenever reasons change, they are logged.
#[derive(Debug, Default)]
pub(super) struct RestoreReport {
    said: Option<(Duration, String)>,
}

impl RestoreReport {
    /// What is said of it now; nothing of one that may be over in a moment.
    pub(super) fn line(&mut self, now: Duration, restoring: Option<Restoring>) -> Option<String> {
        let Some(restoring) = restoring.filter(|it| it.elapsed >= PACE_AFTER) else {
            self.said = None;
            return None;
        };
        let is_due = |(at, _): &(Duration, String)| now >= *at + LINE_INTERVAL;
        if self.said.as_ref().is_none_or(is_due) {
            let pace = Pace {
                done: restoring.done,
                all: restoring.all,
                unit: "offsets",
            };
            let line = format!("restoring: {}", pace.after(restoring.elapsed));
            self.said = Some((now, line));
        }
        self.said.as_ref().map(|(_, line)| line.clone())
    }
}

fn describe(task: &TaskStatus) -> String {
    let (source, state) = (task.source, task.state.word());
    match &task.reason {
        Some(reason) if reason != state => format!("{source} {state}: {reason}"),
        Some(_) | None => format!("{source} {state}"),
    }
}

#[cfg(test)]
mod tests {
    use millrace_runtime::topic::Topic;

    use super::*;

    fn status(states: &[(TaskState, Option<&str>)]) -> WorkerStatus {
        let topic = Topic::new("t");
        let task = |(partition, (state, reason)): (i32, &(TaskState, Option<&str>))| TaskStatus {
            task: "group".to_owned(),
            source: topic.partition(partition),
            state: *state,
            reason: reason.map(str::to_owned),
        };
        WorkerStatus {
            tasks: (0..).zip(states).map(task).collect(),
            unreachable: None,
            restoring: None,
        }
    }

    #[test]
    fn ready_is_all_tasks_running_or_nothing_assigned() {
        assert!(reasons("Kafka", &status(&[]), true).is_empty());
        assert_eq!(reasons("Kafka", &status(&[]), false).len(), 1);
        assert!(reasons("Kafka", &status(&[(TaskState::Running, None)]), true).is_empty());
    }

    #[test]
    fn each_waiting_task_says_why() {
        let mixed = status(&[
            (TaskState::Running, None),
            (TaskState::Restoring, None),
            (TaskState::Failed, Some("state is corrupt")),
        ]);
        assert_eq!(
            reasons("Kafka", &mixed, true),
            ["t/1 restoring", "t/2 failed: state is corrupt"]
        );
        let away = WorkerStatus {
            unreachable: Some("no broker".to_owned()),
            ..mixed
        };
        assert_eq!(reasons("Kafka", &away, true), ["Kafka: no broker"]);
    }

    #[test]
    fn a_restore_that_takes_long_says_how_far_it_is_now_and_then() {
        let mut report = RestoreReport::default();
        let mut line = |millis, done| {
            let now = Duration::from_millis(millis);
            let restoring = Restoring {
                done,
                all: 10_000,
                elapsed: now,
            };
            report.line(now, Some(restoring)).unwrap_or_default()
        };
        assert_eq!(line(900, 900), "");
        let first = "restoring: 1000 of 10000 offsets, 1000 a second, 9 s left";
        assert_eq!(line(1_000, 1_000), first);
        assert_eq!(line(5_900, 5_900), first);
        let second = "restoring: 6000 of 10000 offsets, 1000 a second, 4 s left";
        assert_eq!(line(6_000, 6_000), second);
        assert_eq!(report.line(Duration::from_secs(10), None), None);
    }
}
