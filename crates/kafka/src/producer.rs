//! A producer with the thread that serves its reports.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::outbox::{NewRecord, Outbox};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use tracing::debug;

use crate::client;

/// The client's `poll` stays for its whole time and spins at the end of it, so slices are long.
const SERVE_SLICE: Duration = Duration::from_secs(1);
/// Acknowledgements are looked for in short steps at first: a small batch needs about 2 ms.
const DRAIN_STEP_MIN: Duration = Duration::from_micros(100);
const DRAIN_STEP_MAX: Duration = Duration::from_millis(1);
/// Short steps are taken for this long.
const DRAIN_EAGER: Duration = Duration::from_millis(5);
const QUEUE_FULL_STEP: Duration = Duration::from_millis(1);

/// Used by one thread; served by another one until it is dropped.
///
/// Dropping returns at once. The serving thread notices within a second, and destroys the client.
pub(crate) struct Producer {
    inner: Arc<Inner>,
    stop: Arc<AtomicBool>,
    clock: SystemClock,
}

pub(crate) type Inner = BaseProducer<Reports>;

impl Producer {
    /// Makes a client. Does not connect.
    pub(crate) fn new(settings: &ClientConfig) -> KafkaResult<Self> {
        let inner: Arc<Inner> = Arc::new(settings.create_with_context(Reports::default())?);
        let stop = Arc::new(AtomicBool::new(false));
        let (served, stopped) = (Arc::clone(&inner), Arc::clone(&stop));
        let serve = move || {
            while !stopped.load(Ordering::Relaxed) {
                served.poll(SERVE_SLICE);
            }
        };
        thread::Builder::new()
            .name("kafka-reports".to_owned())
            .spawn(serve)
            .map_err(|error| KafkaError::ClientCreation(format!("start a thread: {error}")))?;
        Ok(Self {
            inner,
            stop,
            clock: SystemClock::new(),
        })
    }

    pub(crate) fn client(&self) -> &Inner {
        &self.inner
    }

    /// Hands all records to the client, waiting while its queue is full, at most for `limit`.
    pub(crate) fn enqueue(&self, records: &Outbox, limit: Duration) -> KafkaResult<()> {
        for record in records.iter() {
            self.enqueue_one(&record, limit)?;
        }
        Ok(())
    }

    fn enqueue_one(&self, record: &NewRecord<'_>, limit: Duration) -> KafkaResult<()> {
        let mut next = to_client(record);
        let mut since = None;
        loop {
            let (error, back) = match self.inner.send(next) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            let now = self.clock.now().elapsed;
            if now.saturating_sub(*since.get_or_insert(now)) > limit {
                return Err(error);
            }
            thread::sleep(QUEUE_FULL_STEP);
            next = back;
        }
    }

    /// Waits until every record is acknowledged or given up; says whether that came about.
    ///
    /// The client's own flush would take at least 100 ms, and so would its commit, which flushes
    /// first: with nothing in flight both return at once.
    pub(crate) fn drain(&self, limit: Duration) -> bool {
        let start = self.clock.now().elapsed;
        while self.inner.in_flight_count() > 0 {
            let waited = self.clock.now().elapsed.saturating_sub(start);
            if waited > limit {
                return false;
            }
            let eager = waited < DRAIN_EAGER;
            thread::sleep(if eager {
                DRAIN_STEP_MIN
            } else {
                DRAIN_STEP_MAX
            });
        }
        true
    }

    /// How many records were given up so far, and why the last one was.
    pub(crate) fn failures(&self) -> (usize, Option<String>) {
        self.inner.client().context().failures()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn to_client<'a>(record: &NewRecord<'a>) -> BaseRecord<'a, [u8], [u8]> {
    let mut next = BaseRecord::to(record.topic.name()).partition(record.partition);
    if let Some(key) = record.key {
        next = next.key(key);
    }
    if let Some(value) = record.value {
        next = next.payload(value);
    }
    if record.headers.is_empty() {
        return next;
    }
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (name, value) in record.headers {
        headers = headers.insert(Header {
            key: name,
            value: value.as_deref(),
        });
    }
    next.headers(headers)
}

/// Counts what could not be delivered.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    failed: AtomicUsize,
    last: Mutex<Option<String>>,
}

impl Reports {
    fn failures(&self) -> (usize, Option<String>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (self.failed.load(Ordering::Acquire), last.clone())
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "producer reports");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(error.to_string());
            self.failed.fetch_add(1, Ordering::Release);
        }
    }
}
