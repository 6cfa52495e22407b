//! How many commands of one type a worker decides in a while; those beyond it wait in their
//! partitions.
//!
//! Strict: no window of the given length, wherever it begins, has more decisions than the limit
//! says. That takes the times of as many decisions as a window may have. The generic cell rate
//! algorithm would keep one time instead, but lets almost twice as many through a window that
//! begins with its burst: N at once, and N - 1 more while the bucket fills again.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Duration;

use metrics::{Counter, counter};

use crate::metrics as names;
use crate::topic::TopicPartition;

/// Decisions of one window at most; each costs a time in memory, for each worker.
pub const LIMIT_MAX: u16 = 10_000;
/// How long a place in the line is kept for a record that does not come back for it, because its
/// partition went to another worker. Longer than a turn of a worker that is busy.
const PLACE_KEPT: Duration = Duration::from_secs(1);

/// At most so many decisions in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub decisions: NonZeroU16,
    /// In how long.
    pub window: Duration,
}

/// The limits of one worker, and how far each is used up.
#[derive(Debug, Default)]
pub(super) struct Limits(Vec<Limited>);

/// A command type with a limit.
#[derive(Debug)]
struct Limited {
    kind: String,
    limit: RateLimit,
    /// When the last decisions were made that the window still has, oldest first.
    recent: VecDeque<Duration>,
    /// The first waiting record of each partition, as they came: who came first is decided first,
    /// however many wait behind it in its partition.
    line: VecDeque<Waiting>,
    held_back: Counter,
}

#[derive(Debug)]
struct Waiting {
    partition: i32,
    offset: i64,
    /// When it was told to come back.
    at: Duration,
}

impl Limits {
    /// Limits the decisions of one canonical type.
    pub(super) fn add(&mut self, aggregate: &'static str, kind: &str, limit: RateLimit) {
        let kind = kind.to_owned();
        let held_back = counter!(
            names::HELD_BACK_TOTAL,
            "aggregate" => aggregate,
            "type" => kind.clone(),
        );
        self.0.push(Limited {
            kind,
            limit,
            recent: VecDeque::new(),
            line: VecDeque::new(),
            held_back,
        });
    }

    /// Counts one decision.
    ///
    /// # Errors
    /// When to ask again; nothing of this type may be decided now.
    pub(super) fn admit(
        &mut self,
        kind: &str,
        (source, offset): (TopicPartition, i64),
        now: Duration,
    ) -> Result<(), Duration> {
        let mut limits = self.0.iter_mut();
        limits
            .find(|limited| limited.kind == kind)
            .map_or(Ok(()), |limited| {
                limited.admit((source.partition, offset), now)
            })
    }
}

impl Limited {
    fn admit(&mut self, (partition, offset): (i32, i64), now: Duration) -> Result<(), Duration> {
        let RateLimit { decisions, window } = self.limit;
        while (self.recent.front()).is_some_and(|oldest| *oldest + window <= now) {
            self.recent.pop_front();
        }
        self.line
            .retain(|waiting| waiting.partition == partition || now < waiting.at + PLACE_KEPT);
        let mut line = self.line.iter();
        let place = line.position(|waiting| waiting.partition == partition);
        let ahead = place.unwrap_or(self.line.len());
        let free = usize::from(decisions.get()).saturating_sub(self.recent.len());
        if ahead < free {
            self.line.retain(|waiting| waiting.partition != partition);
            self.recent.push_back(now);
            return Ok(());
        }
        // When so many decisions have left the window that its turn comes; those in the line ahead
        // of it may be more than one window takes.
        let leaves = self.recent.get(ahead - free);
        let at = leaves.map_or(now, |decided| *decided) + window;
        self.wait(Waiting {
            partition,
            offset,
            at,
        });
        Err(at)
    }

    /// Keeps the place that the partition has in the line, or gives it the last one.
    fn wait(&mut self, waiting: Waiting) {
        let mut line = self.line.iter_mut();
        let known = line.find(|known| known.partition == waiting.partition);
        let is_new = known
            .as_ref()
            .is_none_or(|known| known.offset != waiting.offset);
        match known {
            Some(known) => *known = waiting,
            None => self.line.push_back(waiting),
        }
        if is_new {
            self.held_back.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Topic;

    const COMMANDS: Topic = Topic::new("test.thing.commands");

    fn limits(decisions: u16, window: u64) -> Limits {
        let mut limits = Limits::default();
        let limit = RateLimit {
            decisions: NonZeroU16::new(decisions).unwrap(),
            window: ms(window),
        };
        limits.add("test.thing", "Slow", limit);
        limits
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn admit(
        limits: &mut Limits,
        (partition, offset): (i32, i64),
        now: u64,
    ) -> Result<(), Duration> {
        limits.admit("Slow", (COMMANDS.partition(partition), offset), ms(now))
    }

    #[test]
    fn the_window_slides() {
        let mut limits = limits(2, 200);
        assert_eq!(admit(&mut limits, (0, 0), 0), Ok(()));
        assert_eq!(admit(&mut limits, (0, 1), 150), Ok(()));
        assert_eq!(admit(&mut limits, (0, 2), 150), Err(ms(200)));
        assert_eq!(admit(&mut limits, (0, 2), 199), Err(ms(200)));
        assert_eq!(admit(&mut limits, (0, 2), 200), Ok(()));
        assert_eq!(admit(&mut limits, (0, 3), 210), Err(ms(350)));
    }

    #[test]
    fn other_types_have_no_limit() {
        let mut limits = limits(1, 1_000);
        for offset in 0..100 {
            let place = (COMMANDS.partition(0), offset);
            assert_eq!(limits.admit("Fast", place, ms(0)), Ok(()));
        }
    }

    #[test]
    fn who_waits_longest_is_next_and_nobody_overtakes_the_line() {
        let mut limits = limits(1, 100);
        assert_eq!(admit(&mut limits, (5, 0), 0), Ok(()));
        assert_eq!(admit(&mut limits, (5, 1), 0), Err(ms(100)));
        assert_eq!(admit(&mut limits, (0, 0), 10), Err(ms(110)));
        // Offered in the order of partitions, and somebody comes for the first time.
        assert!(admit(&mut limits, (0, 0), 100).is_err());
        assert!(admit(&mut limits, (3, 0), 100).is_err());
        assert_eq!(admit(&mut limits, (5, 1), 100), Ok(()));
        assert!(admit(&mut limits, (5, 2), 100).is_err(), "at the end of it");
        assert!(admit(&mut limits, (5, 2), 200).is_err());
        assert_eq!(admit(&mut limits, (0, 0), 200), Ok(()));
        assert!(admit(&mut limits, (5, 2), 300).is_err());
        assert_eq!(admit(&mut limits, (3, 0), 300), Ok(()));
        assert_eq!(admit(&mut limits, (5, 2), 400), Ok(()));
    }

    #[test]
    fn a_place_whose_partition_went_away_is_given_up() {
        let mut limits = limits(1, 100);
        assert_eq!(admit(&mut limits, (0, 0), 0), Ok(()));
        assert_eq!(admit(&mut limits, (0, 1), 0), Err(ms(100)));
        assert_eq!(admit(&mut limits, (1, 0), 0), Err(ms(100)));
        // Partition 0 is never seen again.
        assert!(admit(&mut limits, (1, 0), 1_099).is_err());
        assert_eq!(admit(&mut limits, (1, 0), 1_100), Ok(()));
        assert!(limits.0[0].line.is_empty());
    }
}
