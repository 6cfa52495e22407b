//! Where workers tell how they stand, for `/ready` and the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by all workers and the HTTP server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<Standings>>);

#[derive(Debug, Default)]
struct Standings {
    /// By worker, why it is not ready; nothing when it is.
    workers: BTreeMap<String, Vec<String>>,
    stopping: bool,
}

impl Board {
    /// A worker will come; until it says otherwise it is not ready.
    pub(crate) fn announce(&self, worker: &str) {
        self.lock()
            .workers
            .insert(worker.to_owned(), vec!["starting".to_owned()]);
    }

    /// Why a worker is not ready; nothing when it is. Tells whether that is news.
    pub(crate) fn post(&self, worker: &str, reasons: &[String]) -> bool {
        let before = self
            .lock()
            .workers
            .insert(worker.to_owned(), reasons.to_vec());
        before.as_deref() != Some(reasons)
    }

    /// From now on nothing is ready.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
    }

    /// Why the process is not ready, a line for each reason; empty when it is.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let standings = self.lock();
        if standings.stopping {
            return vec!["stopping".to_owned()];
        }
        let lines = standings.workers.iter().flat_map(|(worker, reasons)| {
            reasons
                .iter()
                .map(move |reason| format!("{worker}: {reason}"))
        });
        lines.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Standings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_that_is_not_ready_is_enough() {
        let board = Board::default();
        assert!(board.reasons().is_empty());
        board.announce("a");
        board.announce("b");
        assert!(board.post("a", &[]));
        assert_eq!(board.reasons(), ["b: starting"]);
        assert!(board.post("b", &["Kafka is away".to_owned()]));
        assert!(!board.post("b", &["Kafka is away".to_owned()]));
        assert_eq!(board.reasons(), ["b: Kafka is away"]);
        board.post("b", &[]);
        assert!(board.reasons().is_empty());
        board.stop();
        assert_eq!(board.reasons(), ["stopping"]);
    }
}
