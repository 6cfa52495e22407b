//! A post that keeps the mails it is given: the demo has no mail server.

use std::sync::{Arc, Mutex, PoisonError};

use millrace_eventsourcing::Mail;
use millrace_runtime::reactor::{ActionError, Outside};

/// All mails so far. Clones are the same post.
#[derive(Debug, Clone, Default)]
pub(crate) struct Post(Arc<Mutex<Vec<Mail>>>);

impl Post {
    /// The mail with this id, if it has come.
    pub(super) fn find(&self, id: &str) -> Option<Mail> {
        let mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().find(|mail| mail.id == id).cloned()
    }
}

impl Outside<Mail> for Post {
    async fn perform(&self, mail: Mail) -> Result<(), ActionError> {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push(mail);
        Ok(())
    }
}
