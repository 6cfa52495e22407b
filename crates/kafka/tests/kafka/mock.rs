//! Failures that a healthy broker does not produce, from the client library's own mock.

use std::time::Duration;

use millrace_kafka::{Config, KafkaLog};
use millrace_runtime::log::{CommitFailure, Part};
use millrace_runtime::topic::Topic;
use millrace_testkit::log_contract::{Stage, one};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Error};

use crate::broker::worker;

const INPUT: Topic = Topic::new("in");
const OUTPUT: Topic = Topic::new("out");

struct Mocked {
    cluster: MockCluster<'static, DefaultProducerContext>,
    stage: Stage<KafkaLog>,
    next_offset: i64,
}

impl Mocked {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(INPUT.name(), 1, 1).unwrap();
        cluster.create_topic(OUTPUT.name(), 1, 1).unwrap();
        let mut config = Config::new(cluster.bootstrap_servers());
        config.transaction_timeout = Duration::from_secs(1);
        let mut stage = Stage::new();
        stage.enter(worker(&config, "group", &[INPUT]));
        stage.owns(0, 1);
        stage.renew(0);
        Self {
            cluster,
            stage,
            next_offset: 0,
        }
    }

    fn part(&mut self) -> Part {
        self.next_offset += 1;
        let records = one(OUTPUT.partition(0), "k", "v");
        self.stage
            .worker(0)
            .part(INPUT.partition(0), self.next_offset, records)
    }

    fn commit(&mut self) -> Result<(), CommitFailure> {
        let part = self.part();
        self.stage.commit(0, vec![part])
    }

    /// Fails, and the same commit succeeds when it is sent again.
    fn aborts(&mut self, api: Api, error: Error, class: &str) {
        let part = self.part();
        self.cluster.request_errors(api, &[error]);
        match self.stage.commit(0, vec![part.clone()]) {
            Err(CommitFailure::Aborted { class: found, .. }) => assert_eq!(found, class),
            other => panic!("{error:?}: {other:?}"),
        }
        // The library may need an abort more, to begin its sequence numbers anew.
        let again = self.stage.commit(0, vec![part.clone()]);
        if again.is_err() {
            assert!(
                matches!(again, Err(CommitFailure::Aborted { .. })),
                "{again:?}"
            );
            assert_eq!(self.stage.commit(0, vec![part]), Ok(()), "after {error:?}");
        }
    }
}

#[test]
fn what_the_group_refuses_is_aborted_and_may_be_sent_again() {
    let mut mocked = Mocked::new();
    for error in [
        Error::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        Error::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        Error::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
        Error::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
    ] {
        mocked.aborts(Api::TxnOffsetCommit, error, "generation");
    }
}

#[test]
fn a_refused_record_or_topic_is_aborted_and_may_be_sent_again() {
    let mut mocked = Mocked::new();
    let too_large = Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    mocked.aborts(Api::Produce, too_large, "record");
    let refused = Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    mocked.aborts(Api::AddPartitionsToTxn, refused, "authorization");
}

#[test]
fn what_the_library_retries_by_itself_is_no_failure() {
    let mut mocked = Mocked::new();
    let busy = Error::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS;
    mocked
        .cluster
        .request_errors(Api::AddPartitionsToTxn, &[busy]);
    mocked.cluster.request_errors(Api::AddOffsetsToTxn, &[busy]);
    let away = Error::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
    mocked.cluster.request_errors(Api::EndTxn, &[away]);
    assert_eq!(mocked.commit(), Ok(()));
}

#[test]
fn a_producer_whose_epoch_is_over_is_fenced_and_a_new_one_goes_on() {
    for (api, error) in [
        (
            Api::AddOffsetsToTxn,
            Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        ),
        (Api::EndTxn, Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH),
        (Api::EndTxn, Error::RD_KAFKA_RESP_ERR_PRODUCER_FENCED),
        (Api::EndTxn, Error::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE),
    ] {
        let mut mocked = Mocked::new();
        mocked.cluster.request_errors(api, &[error]);
        let ended = mocked.commit();
        assert!(
            matches!(ended, Err(CommitFailure::Fenced(_))),
            "{api:?} {error:?}: {ended:?}"
        );
        // Without a new one nothing is written.
        let ended = mocked.commit();
        assert!(matches!(ended, Err(CommitFailure::Fenced(_))), "{ended:?}");
        mocked.stage.renew(0);
        assert_eq!(mocked.commit(), Ok(()), "after {error:?}");
    }
}

#[test]
fn a_new_producer_first_ends_what_the_one_before_left_open() {
    let mut mocked = Mocked::new();
    let former = mocked.stage.renew(0);
    let over = Error::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE;
    mocked.cluster.request_errors(Api::EndTxn, &[over]);
    assert!(matches!(mocked.commit(), Err(CommitFailure::Fenced(_))));
    for _ in 0..2 {
        let refused = Error::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        mocked
            .cluster
            .request_errors(Api::InitProducerId, &[refused]);
        let ask = mocked.stage.worker(0).renew();
        let failure = mocked.stage.answer(0, ask).unwrap_err();
        assert!(failure.0.contains(&former), "{failure}");
    }
    mocked.stage.renew(0);
    assert_eq!(mocked.commit(), Ok(()));
}

#[test]
fn a_commit_that_hangs_is_unknown_and_a_new_producer_goes_on() {
    let mut mocked = Mocked::new();
    assert_eq!(mocked.commit(), Ok(()));
    let hang = Duration::from_mins(1);
    mocked.cluster.broker_round_trip_time(1, hang).unwrap();
    let ended = mocked.commit();
    assert!(
        matches!(
            ended,
            Err(CommitFailure::Unknown(_) | CommitFailure::Aborted { .. })
        ),
        "{ended:?}"
    );
    mocked
        .cluster
        .broker_round_trip_time(1, Duration::ZERO)
        .unwrap();
    mocked.stage.renew(0);
    assert_eq!(mocked.commit(), Ok(()));
}
