//! Attempts on a real runtime: they succeed, fail, take too long and break.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_domain::bank::thank_you::ThankYou;
use millrace_eventsourcing::Mail;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::reactor::{ActionError, Outside, Performer};
use tokio::runtime::{Builder, Runtime};

use super::outside::{LETTERS, Posts, line, put};

/// Long enough for a slow machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Does what it is told at the first attempt, and what is asked at all others.
#[derive(Debug, Clone)]
struct Moody {
    first: First,
    attempts: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Succeeds,
    IsRefused,
    Fails,
    Panics,
    NeverEnds,
}

impl Outside<Mail> for Moody {
    async fn perform(&self, _: Mail) -> Result<(), ActionError> {
        if self.attempts.fetch_add(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        match self.first {
            First::Succeeds => Ok(()),
            First::IsRefused => Err(ActionError::Refused {
                code: "mail_refused",
                reason: "no".to_owned(),
            }),
            First::Fails => Err(ActionError::Transient("later".to_owned())),
            First::Panics => panic!("the client is broken"),
            First::NeverEnds => pending().await,
        }
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_time().build().unwrap()
}

/// Lets the worker have its turns until its only event is done; the reasons that it told.
fn reasons_until_done(line: &mut Posts) -> Vec<String> {
    let mut reasons = Vec::new();
    let clock = SystemClock::new();
    while line.task_record(0).next_offset == 0 {
        assert!(clock.now().elapsed < DEADLINE, "{reasons:?}");
        line.turn();
        let (_, reason) = line.status(0, 0);
        if !reason.is_empty() && reasons.last() != Some(&reason) {
            reasons.push(reason);
        }
        std::thread::yield_now();
    }
    reasons
}

#[test]
fn whatever_becomes_of_an_attempt_its_event_comes_to_its_end() {
    for (first, attempts, told) in [
        (First::Succeeds, 1, None),
        (First::IsRefused, 1, None),
        (First::Fails, 2, Some("later")),
        (First::Panics, 2, Some("the attempt broke")),
        (First::NeverEnds, 2, Some("no answer within 5ms")),
    ] {
        let runtime = runtime();
        let outside = Moody {
            first,
            attempts: Arc::default(),
        };
        let counted = Arc::clone(&outside.attempts);
        let handle = runtime.handle().clone();
        let performer = Performer::new(outside, handle, Duration::from_millis(5));
        let mut line = line(1, &super::outside::Outside::default(), ThankYou);
        line.beside = Box::new(move |now, engine| performer.turn(now, engine));
        line.run();
        put(&line, 0, 1);
        let reasons = reasons_until_done(&mut line);
        assert_eq!(counted.load(Ordering::SeqCst), attempts, "{first:?}");
        let found = reasons.first().map(String::as_str);
        match told {
            None => assert_eq!(found, None, "{first:?}"),
            Some(told) => assert!(found.unwrap().contains(told), "{first:?}: {reasons:?}"),
        }
        let letters = line.broker.committed_in_topic(LETTERS).len();
        assert_eq!(letters, usize::from(first == First::IsRefused));
    }
}
