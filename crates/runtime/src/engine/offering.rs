//! Records that were not done when they came are offered again.

use super::Engine;
use super::task::Task;
use crate::log::Effect;
use crate::step::{Step, Taken};
use crate::topic::TopicPartition;

impl<S: Step> Engine<S> {
    /// The step, for whoever carries out what it began.
    pub const fn step_mut(&mut self) -> &mut S {
        &mut self.step
    }

    /// Something that a waiting record needs has come about: it is offered with the next turn.
    pub fn wake(&mut self, source: TopicPartition) {
        if let Some(task) = self.tasks.get_mut(&source) {
            task.held.wake();
        }
    }

    /// Offers the records whose time has come, and those behind them.
    pub(super) fn offer_again(&mut self) {
        let now = self.now.elapsed;
        let due = self.tasks.iter().filter(|(_, task)| task.offers_again(now));
        let due: Vec<_> = due.map(|(source, _)| *source).collect();
        for source in due {
            while self.offer_first(source) {}
        }
    }

    /// Offers the first waiting record; whether it is done and another one waits.
    fn offer_first(&mut self, source: TopicPartition) -> bool {
        let Some(task) = self.tasks.get_mut(&source) else {
            return false;
        };
        let Task {
            state,
            staged,
            held,
            is_revoking,
            ..
        } = task;
        let Some(record) = held.first(source) else {
            return false;
        };
        let (offset, timestamp) = (record.offset, record.timestamp);
        let taken = self
            .step
            .process(self.now, state, &record, &mut staged.outbox);
        drop(record);
        match taken {
            Ok(Taken::Done) => {
                staged.took(offset, timestamp);
                self.staged_records += 1;
                let is_full = held.is_full();
                held.drop_first();
                if *is_revoking {
                    held.clear();
                } else if held.is_empty() && is_full {
                    held.clear();
                    self.effects.push(Effect::Start(source, offset + 1));
                }
                !held.is_empty()
            }
            Ok(Taken::Later(later)) => {
                held.put_off(later);
                false
            }
            Err(corrupt) => {
                self.fail(source, corrupt.to_string());
                false
            }
        }
    }
}
