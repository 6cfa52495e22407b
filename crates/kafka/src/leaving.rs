//! The way out of a group.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use millrace_runtime::clock::{Clock, SystemClock};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use tracing::{debug, warn};

use crate::group::{Member, Membership, list_of};
use crate::watch::spawn;

/// How long dropping waits for the group to let us go.
const LEAVE_LIMIT: Duration = Duration::from_secs(3);
/// How long threads of ours get to let go of the member, before it is closed under their hands.
const SHARED_LIMIT: Duration = Duration::from_millis(200);
const SHARED_STEP: Duration = Duration::from_millis(1);
const CLOSE_SLICE: Duration = Duration::from_millis(20);

/// Leaves the group when it is dropped, which must be after everything else that holds the member.
/// The group's other members then take over at once, instead of after the session time-out.
pub(crate) struct Leaving {
    member: Option<Arc<Member>>,
    membership: Arc<Membership>,
    pub(crate) limit: Duration,
}

impl Leaving {
    pub(crate) fn new(member: Arc<Member>, membership: Arc<Membership>) -> Self {
        Self {
            member: Some(member),
            membership,
            limit: LEAVE_LIMIT,
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let Some(member) = self.member.take() else {
            return;
        };
        let membership = Arc::clone(&self.membership);
        let (done, is_done) = bounded::<()>(1);
        let work = move || {
            leave(member, &membership);
            drop(done);
        };
        // To destroy a client can hang, so it is waited for, but not joined.
        spawn("kafka-leave", work, |reason| {
            warn!(reason, "leave the group");
        });
        if is_done.recv_timeout(self.limit) == Err(RecvTimeoutError::Timeout) {
            warn!(limit = ?self.limit, "the group has not let us go in time");
        }
    }
}

fn leave(member: Arc<Member>, membership: &Membership) {
    member.context().is_closing.store(true, Ordering::Relaxed);
    if let Err(error) = answer_revocation(&member, membership) {
        debug!(%error, "answer a revocation on leaving");
    }
    let clock = SystemClock::new();
    let mut shared = member;
    loop {
        match Arc::try_unwrap(shared) {
            // The client closes itself.
            Ok(member) => return drop(member),
            Err(back) if clock.now().elapsed > SHARED_LIMIT => return close(&back),
            Err(back) => shared = back,
        }
        thread::sleep(SHARED_STEP);
    }
}

fn answer_revocation(member: &Member, membership: &Membership) -> KafkaResult<()> {
    match membership.release_all() {
        Some(attached) => member.incremental_unassign(&list_of(&attached)),
        None => Ok(()),
    }
}

/// Closes a member that some thread still holds, perhaps for ever: one that hangs in a call would
/// else keep its partitions, for the client's own threads go on to send heartbeats.
fn close(member: &Member) {
    debug!("a thread still holds the member that is closed");
    if let Err(error) = member.close_queue() {
        warn!(%error, "leave the group");
        return;
    }
    while !member.closed() {
        // Serves the revocation that closing causes.
        drop(member.poll(CLOSE_SLICE));
    }
}
