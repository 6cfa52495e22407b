//! Whether the cluster can be reached, and how that is noticed when nothing happens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use millrace_runtime::topic::Topic;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use tracing::{debug, info, warn};

use crate::group::Member;
use crate::watch::Signal;

/// How often a cluster that is away, or has none of our topics, is asked again.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// How long one answer may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// News about the cluster.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    Reachable(Option<String>),
    Broken(String),
}

/// What is known about the cluster. Written by callbacks and the probe, read by the polling thread.
#[derive(Debug)]
pub(crate) struct Health {
    state: Mutex<State>,
    signal: Signal,
}

#[derive(Debug, Default)]
struct State {
    /// Why it cannot be used at the moment.
    trouble: Option<Trouble>,
    told: Option<String>,
    broken: Option<String>,
}

#[derive(Debug)]
struct Trouble {
    reason: String,
    /// Only a rebalance shows that it is over; that brokers answer does not.
    is_of_group: bool,
}

impl Health {
    pub(crate) fn new(signal: Signal) -> Self {
        Self {
            state: Mutex::default(),
            signal,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has changed since the last call. The text of a trouble alone is no change.
    pub(crate) fn news(&self) -> Option<News> {
        let mut state = self.lock();
        if let Some(reason) = state.broken.take() {
            return Some(News::Broken(reason));
        }
        if state.trouble.is_some() == state.told.is_some() {
            return None;
        }
        let trouble = state.trouble.as_ref().map(|trouble| trouble.reason.clone());
        state.told.clone_from(&trouble);
        Some(News::Reachable(trouble))
    }

    /// The group has just done something for us.
    pub(crate) fn heard(&self) {
        self.lock().trouble = None;
        self.signal.raise();
    }

    /// The cluster answers, and has our topics.
    fn answered(&self) {
        let mut state = self.lock();
        if state
            .trouble
            .take_if(|trouble| !trouble.is_of_group)
            .is_some()
        {
            info!("cluster is usable again");
            self.signal.raise();
        }
    }

    pub(crate) fn broken(&self, reason: String) {
        self.lock().broken.get_or_insert(reason);
        self.signal.raise();
    }

    fn trouble(&self, reason: String, is_of_group: bool) {
        let trouble = Trouble {
            reason,
            is_of_group,
        };
        let is_news = self.lock().trouble.replace(trouble).is_none();
        if is_news {
            self.signal.raise();
        }
    }

    fn is_troubled(&self) -> bool {
        self.lock().trouble.is_some()
    }

    /// Sorts an error that belongs to no call of ours.
    pub(crate) fn client_error(&self, error: &KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Fatal) => self.broken(reason.to_owned()),
            Some(code) if means_trouble(code) => {
                warn!(%error, reason, "cluster not usable");
                let is_of_group = code == RDKafkaErrorCode::GroupAuthorizationFailed;
                self.trouble(reason.to_owned(), is_of_group);
            }
            _ => debug!(%error, reason, "client reports"),
        }
    }
}

/// Errors after which no work is possible until something outside changes. Errors of one broker
/// among several are not among them: the client goes on with the others.
fn means_trouble(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::SSL
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}

/// Asks for our topics until the log is dropped: at first and while there is trouble often, else
/// not at all. This is how the end of an outage is noticed by a member that has nothing to read.
pub(crate) fn probe(
    member: &Weak<Member>,
    topics: &[Topic],
    health: &Arc<Health>,
    stop: &Receiver<()>,
) {
    let mut is_first = true;
    loop {
        if is_first || health.is_troubled() {
            let Some(member) = member.upgrade() else {
                return;
            };
            match ask(&member, topics) {
                Ok(()) => {
                    health.answered();
                    is_first = false;
                }
                Err(reason) => health.trouble(reason, false),
            }
        }
        match stop.recv_timeout(PROBE_INTERVAL) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn ask(member: &Member, topics: &[Topic]) -> Result<(), String> {
    for topic in topics {
        let metadata = member
            .fetch_metadata(Some(topic.name()), PROBE_TIMEOUT)
            .map_err(|error| format!("ask for topic `{topic}`: {error}"))?;
        let error = metadata.topics().first().and_then(MetadataTopic::error);
        if let Some(error) = error {
            let error = RDKafkaErrorCode::from(error);
            return Err(format!("topic `{topic}` cannot be used: {error}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(Signal::new().0)
    }

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let health = health();
        let down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        health.client_error(&down, "1/1 brokers are down");
        health.client_error(&down, "1/1 brokers are still down");
        assert_eq!(
            health.news(),
            Some(News::Reachable(Some(
                "1/1 brokers are still down".to_owned()
            )))
        );
        assert_eq!(health.news(), None);
        health.heard();
        assert_eq!(health.news(), Some(News::Reachable(None)));
        assert_eq!(health.news(), None);
    }

    #[test]
    fn a_group_that_refuses_us_is_no_better_for_a_cluster_that_answers() {
        let health = health();
        let refused = KafkaError::Global(RDKafkaErrorCode::GroupAuthorizationFailed);
        health.client_error(&refused, "no right to the group");
        assert!(matches!(health.news(), Some(News::Reachable(Some(_)))));
        health.answered();
        assert_eq!(health.news(), None);
        health.heard();
        assert_eq!(health.news(), Some(News::Reachable(None)));
    }

    #[test]
    fn one_lost_connection_is_no_outage_and_a_fatal_error_breaks_the_log() {
        let health = health();
        let one = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        health.client_error(&one, "broker 2 disconnected");
        assert_eq!(health.news(), None);
        health.client_error(&KafkaError::Global(RDKafkaErrorCode::Fatal), "no way on");
        assert_eq!(health.news(), Some(News::Broken("no way on".to_owned())));
    }
}
