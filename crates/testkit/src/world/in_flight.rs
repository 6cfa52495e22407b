//! Messages under way, and which of them arrives next.

use fastrand::Rng;
use serde_json::Value;

use super::Recorded;

/// In which order messages arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    Sent,
    /// The newest first.
    Reversed,
    /// Any one, by this seed.
    Any(u64),
    /// As topics keep it, by this seed: what concerns one aggregate arrives in order at each of
    /// its readers, and whose turn it is is open.
    PerKey(u64),
}

/// An order that is being followed.
#[derive(Debug)]
pub(super) struct Choice {
    order: Order,
    random: Rng,
}

impl Order {
    pub(super) fn choice(self) -> Choice {
        let seed = match self {
            Self::Sent | Self::Reversed => 0,
            Self::Any(seed) | Self::PerKey(seed) => seed,
        };
        Choice {
            order: self,
            random: Rng::with_seed(seed),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Message {
    /// To an aggregate.
    Command(Command),
    /// To a policy.
    Event {
        /// Its place among the policies.
        follower: usize,
        event: Recorded,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Command {
    /// Aggregate and id, normalised.
    pub(super) to: (&'static str, String),
    pub(super) id: String,
    pub(super) correlation_id: String,
    pub(super) causation_id: Option<String>,
    pub(super) kind: &'static str,
    pub(super) data: Value,
    pub(super) reply_to: Option<String>,
}

impl Message {
    /// Who reads it, and whom it concerns.
    fn lane(&self) -> (Option<usize>, &str, &str) {
        match self {
            Self::Command(command) => (None, command.to.0, &command.to.1),
            Self::Event { follower, event } => {
                (Some(*follower), event.aggregate, &event.aggregate_id)
            }
        }
    }
}

/// Oldest first.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    messages: Vec<Message>,
    /// Whether each is put in twice.
    pub(super) twice: bool,
}

impl InFlight {
    pub(super) fn put(&mut self, message: Message) {
        if self.twice {
            self.messages.push(message.clone());
        }
        self.messages.push(message);
    }

    pub(super) fn take(&mut self, choice: &mut Choice) -> Option<Message> {
        let last = self.messages.len().checked_sub(1)?;
        let index = match choice.order {
            Order::Sent => 0,
            Order::Reversed => last,
            Order::Any(_) => choice.random.usize(0..=last),
            Order::PerKey(_) => self.first_beside(choice.random.usize(0..=last)),
        };
        Some(self.messages.remove(index))
    }

    /// The oldest one of the lane in which this one is.
    fn first_beside(&self, index: usize) -> usize {
        let lane = self.messages.get(index).map(Message::lane);
        let mut messages = self.messages.iter();
        let first = messages.position(|message| Some(message.lane()) == lane);
        first.unwrap_or(index)
    }
}
