//! The producer that a worker writes with at the moment, and those it had before.

use millrace_runtime::log::CommitFailure;

use crate::ask::Writer;

/// What a log is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Commits, with producers called `<producers>.<random part>`. The random part makes them
    /// unique: two processes of one name must not fence each other for ever.
    Worker {
        /// For people: instance, task and worker, as `millrace.a.bank.account.commands.0`.
        producers: String,
    },
    /// Only reads, commits offsets and publishes: it never gets a producer.
    Reader,
}

/// Whom the worker writes with.
#[derive(Debug)]
pub(crate) struct Writing {
    role: Role,
    writer: Option<Writer>,
    /// Producers of ours that may have left a transaction open.
    left_open: Vec<String>,
}

impl Writing {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            writer: None,
            left_open: Vec::new(),
        }
    }

    pub(crate) fn writer(&self) -> Result<&Writer, CommitFailure> {
        let missing = || CommitFailure::Fenced("there is no producer".to_owned());
        self.writer.as_ref().ok_or_else(missing)
    }

    /// The next producer's name, never used before.
    pub(crate) fn next_id(&self) -> Option<String> {
        match &self.role {
            Role::Worker { producers } => Some(format!("{producers}.{:016x}", fastrand::u64(..))),
            Role::Reader => None,
        }
    }

    /// Uses this one from now on. What the ones before left open was ended when it was made.
    pub(crate) fn begin(&mut self, writer: Writer) {
        let former = self.writer.replace(writer);
        self.left_open = former.map(|writer| writer.id).into_iter().collect();
    }

    /// Uses it no more, and says whose transactions are to be ended.
    pub(crate) fn give_up(&mut self) -> Vec<String> {
        if let Some(writer) = self.writer.take() {
            self.left_open.push(writer.id);
        }
        self.left_open.clone()
    }
}
