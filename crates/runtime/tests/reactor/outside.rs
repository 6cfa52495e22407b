//! A mail server that answers when a test says so, and reactors in front of it.

use std::sync::{Arc, Mutex};

use millrace_domain::bank::account::{Account, AccountEvent};
use millrace_domain::bank::thank_you::ThankYou;
use millrace_eventsourcing::{EventEnvelope, Mail, Reactor};
use millrace_runtime::clock::Now;
use millrace_runtime::engine::Engine;
use millrace_runtime::reactor::{ActionError, AttemptId, Begun, ReactorStep};
use millrace_runtime::topic::{Topic, TopicPartition};

use crate::engine::decide::desk::codecs;
use crate::engine::line::{Line, task_codec};
use crate::policy::desk::{bytes_of, deposited, envelope};

pub(crate) const EVENTS: Topic = Topic::new("bank.account.events");
pub(crate) const LETTERS: Topic = Topic::new("bank.account.dead-letters");

type End = Result<(), ActionError>;
pub(crate) type Posts = Line<ReactorStep<ThankYou>>;

/// Works once more is tried.
pub(crate) fn transient() -> End {
    Err(ActionError::Transient("451 come back later".to_owned()))
}

/// Never works.
pub(crate) fn refused() -> End {
    Err(ActionError::Refused {
        code: "mail_refused",
        reason: "550 no such mailbox".to_owned(),
    })
}

/// See the module. Every clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outside(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    underway: Vec<Begun<Mail>>,
    ends: Vec<((TopicPartition, AttemptId), End)>,
    begun: Vec<Mail>,
}

impl Outside {
    /// A worker's turn: it is told of what has ended, and says what is to be done.
    fn turn<R: Reactor<Action = Mail>>(&self, now: Now, engine: &mut Engine<ReactorStep<R>>) {
        let mut inside = self.0.lock().unwrap();
        for ((source, attempt), end) in inside.ends.drain(..) {
            engine.step_mut().on_end(now, (source, attempt), end);
            engine.wake(source);
        }
        for begun in engine.step_mut().take_begun() {
            inside.begun.push(begun.action.clone());
            inside.underway.push(begun);
        }
    }

    /// All attempts so far.
    pub(crate) fn attempts(&self) -> Vec<Mail> {
        self.0.lock().unwrap().begun.clone()
    }

    /// The partitions in which something is at work, one for each attempt, sorted.
    pub(crate) fn underway(&self) -> Vec<i32> {
        let inside = self.0.lock().unwrap();
        let partition = |begun: &Begun<Mail>| begun.source.partition;
        let mut all: Vec<_> = inside.underway.iter().map(partition).collect();
        all.sort_unstable();
        all
    }

    /// The oldest attempt of a partition ends so; the worker learns of it in its next turn.
    pub(crate) fn end(&self, partition: i32, end: End) -> Mail {
        let mut inside = self.0.lock().unwrap();
        let mut underway = inside.underway.iter();
        let place = underway.position(|begun| begun.source.partition == partition);
        let begun = inside.underway.remove(place.unwrap());
        inside.ends.push(((begun.source, begun.attempt), end));
        begun.action
    }

    /// Whoever has begun what is underway is gone.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap().underway.clear();
    }
}

/// Reactors in front of the mail server; nobody works yet.
pub(crate) fn posts(partitions: i32) -> (Posts, Outside) {
    let outside = Outside::default();
    let posts = line(partitions, &outside, ThankYou);
    (posts, outside)
}

/// The same with any reactor.
pub(crate) fn line<R>(partitions: i32, outside: &Outside, reactor: R) -> Line<ReactorStep<R>>
where
    R: Reactor<Aggregate = Account, Action = Mail> + Clone,
{
    let mut line = Line::new(R::NAME, EVENTS, partitions, move || {
        let tasks = Arc::new(task_codec(R::NAME));
        ReactorStep::new(reactor.clone(), codecs::<Account>().events, tasks)
    });
    line.broker.create_topic(LETTERS, partitions);
    let outside = outside.clone();
    line.beside = Box::new(move |now, engine| outside.turn(now, engine));
    line
}

/// A customer's deposit, in a partition.
pub(crate) fn put<R>(line: &Line<ReactorStep<R>>, partition: i32, version: i64)
where
    R: Reactor<Aggregate = Account>,
{
    put_event(
        line,
        partition,
        &envelope(version, deposited(version, None)),
    );
}

pub(crate) fn put_event<R>(
    line: &Line<ReactorStep<R>>,
    partition: i32,
    event: &EventEnvelope<AccountEvent>,
) where
    R: Reactor<Aggregate = Account>,
{
    let key = format!("acc-{partition}");
    line.put(partition, &key, &bytes_of::<Account>(event));
}

/// Which deposits these mails are about: the amounts.
pub(crate) fn amounts(mails: &[Mail]) -> Vec<i64> {
    let amount = |mail: &Mail| {
        let (_, rest) = mail.body.split_once("deposit of ").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    mails.iter().map(amount).collect()
}
