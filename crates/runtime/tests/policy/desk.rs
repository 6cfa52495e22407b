//! A react step, and one event after the other through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_domain::bank::account::{Account, AccountEvent, MoneyDeposited};
use millrace_domain::bank::transfer::Transfer;
use millrace_eventsourcing::{
    Aggregate, Codec, DecodeError, EncodeError, EventEnvelope, Policy, Timestamp, Version,
};
use millrace_runtime::addresses::{Address, Addresses};
use millrace_runtime::clock::Now;
use millrace_runtime::log::{Header, Record};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::react::{ReactStep, Waiting};
use millrace_runtime::step::{Step, Taken};
use millrace_runtime::topic::Topic;

use crate::engine::decide::desk::{NOON, Reply, codecs};
use crate::engine::line::task_codec;

/// Different numbers, so that a command that goes by its sender's own is seen.
pub(crate) const ACCOUNTS: i32 = 12;
pub(crate) const TRANSFERS: i32 = 5;
pub(crate) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub(crate) fn addresses() -> Addresses {
    let all = [
        Address::of::<Account>(ACCOUNTS),
        Address::of::<Transfer>(TRANSFERS),
    ];
    all.into_iter().collect()
}

/// Events whose schema nobody knows until it is learned, as after half of an upgrade.
pub(crate) struct Learner<E> {
    codec: Arc<dyn Codec<EventEnvelope<E>>>,
    has_learned: Arc<AtomicBool>,
}

impl<E> Learner<E> {
    /// With the switch that makes it learn.
    pub(crate) fn of(codec: Arc<dyn Codec<EventEnvelope<E>>>) -> (Self, Arc<AtomicBool>) {
        let has_learned = Arc::new(AtomicBool::new(false));
        let learner = Self {
            codec,
            has_learned: Arc::clone(&has_learned),
        };
        (learner, has_learned)
    }
}

impl<E> Codec<EventEnvelope<E>> for Learner<E> {
    fn encode(&self, value: &EventEnvelope<E>, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.codec.encode(value, into)
    }

    fn decode(&self, bytes: &[u8]) -> Result<EventEnvelope<E>, DecodeError> {
        if self.has_learned.load(Ordering::Relaxed) || bytes.last() != Some(&b'?') {
            return self.codec.decode(bytes);
        }
        Err(DecodeError::UnknownSchema(77))
    }
}

/// An event with a full envelope.
pub(crate) fn envelope<E>(version: i64, payload: E) -> EventEnvelope<E> {
    EventEnvelope {
        version: Version::new(version),
        command_id: "c-1".to_owned(),
        causation_id: Some("e/1".to_owned()),
        correlation_id: "k".to_owned(),
        actor: Some("me".to_owned()),
        on_behalf_of: None,
        recorded_at: Timestamp::from_micros(NOON),
        created_at: Timestamp::from_micros(NOON),
        command_offset: 9,
        payload,
    }
}

pub(crate) fn deposited(amount: i64, reference: Option<&str>) -> AccountEvent {
    AccountEvent::MoneyDeposited(MoneyDeposited {
        amount,
        balance: amount,
        email: "john@wall.example".to_owned(),
        reference: reference.map(str::to_owned),
    })
}

pub(crate) fn bytes_of<A: Aggregate>(event: &EventEnvelope<A::Event>) -> Vec<u8> {
    let mut bytes = Vec::new();
    codecs::<A>().events.encode(event, &mut bytes).unwrap();
    bytes
}

/// See the module.
pub(crate) struct Desk<P: Policy> {
    pub(crate) step: ReactStep<P>,
    pub(crate) now: Duration,
    waiting: Waiting,
    next_offset: i64,
}

impl<P: Policy> Desk<P> {
    pub(crate) fn new(policy: P) -> Self {
        Self::to(policy, addresses())
    }

    /// One that knows only these addresses.
    pub(crate) fn to(policy: P, addresses: Addresses) -> Self {
        let events = codecs::<P::Aggregate>().events;
        let tasks = Arc::new(task_codec(P::NAME));
        Self {
            step: ReactStep::new(policy, events, tasks, addresses),
            now: Duration::ZERO,
            waiting: Waiting::default(),
            next_offset: 0,
        }
    }

    /// What the event of the aggregate with this id leads to.
    pub(crate) fn event(
        &mut self,
        id: &str,
        event: &EventEnvelope<<P::Aggregate as Aggregate>::Event>,
    ) -> Reply {
        let bytes = bytes_of::<P::Aggregate>(event);
        self.record(Some(id.as_bytes()), &bytes)
    }

    pub(crate) fn record(&mut self, key: Option<&[u8]>, value: &[u8]) -> Reply {
        let mut out = Outbox::default();
        let header = |name, value: &'static [u8]| Header {
            name,
            value: Some(value),
        };
        self.next_offset += 1;
        let record = Record {
            source: Topic::of(P::Aggregate::NAME, "events").partition(3),
            offset: self.next_offset - 1,
            timestamp: Timestamp::from_micros(NOON),
            key,
            value: Some(value),
            headers: [
                header("traceparent", TRACE.as_bytes()),
                header("other", b"x"),
            ]
            .into_iter()
            .collect(),
        };
        let now = Now {
            wall: Timestamp::from_micros(NOON),
            elapsed: self.now,
        };
        let taken = self.step.process(now, &mut self.waiting, &record, &mut out);
        assert_eq!(taken, Ok(Taken::Done));
        Reply::of(&out)
    }
}
