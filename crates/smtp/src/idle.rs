//! Connections that wait for the next mail.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::session::Session;

/// As many partitions as may send at once without connecting anew; servers count connections.
const SESSIONS_MAX: usize = 8;
/// Less than any server waits, and than a firewall remembers.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// A few connections, the latest used on top. An old one is closed when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    sessions: Mutex<Vec<(Instant, Session)>>,
}

impl Idle {
    /// One to use again, and those that are too old for it.
    pub(crate) fn take(&self) -> (Option<Session>, Vec<Session>) {
        let now = Instant::now();
        let mut sessions = self.sessions();
        let is_fresh = |since: &Instant| now.duration_since(*since) < IDLE_MAX;
        // In the order of their age: what lies below an old one is older.
        let old_count = sessions.partition_point(|(since, _)| !is_fresh(since));
        let old = sessions.drain(..old_count).map(|(_, session)| session);
        let old = old.collect();
        (sessions.pop().map(|(_, session)| session), old)
    }

    /// Keeps one, or gives it back when there are enough.
    pub(crate) fn put(&self, session: Session) -> Option<Session> {
        let mut sessions = self.sessions();
        if sessions.len() >= SESSIONS_MAX {
            return Some(session);
        }
        sessions.push((Instant::now(), session));
        None
    }

    /// All of them.
    pub(crate) fn drain(&self) -> Vec<Session> {
        let mut sessions = self.sessions();
        sessions.drain(..).map(|(_, session)| session).collect()
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<(Instant, Session)>> {
        // Whoever panicked left whole connections behind.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
