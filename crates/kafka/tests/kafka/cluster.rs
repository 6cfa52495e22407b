//! A cluster or a topic that is not there yet, and partitions that take long to be given back.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use millrace_kafka::Config;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::topic::Topic;
use millrace_testkit::log_contract::{Bench, Stage, fresh, one};

use crate::broker::{RealKafka, address, patient, quick, worker};

/// Begins to pass connections on to the broker.
fn forward(listener: TcpListener) {
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let broker = TcpStream::connect(address()).unwrap();
            let pairs = [
                (client.try_clone().unwrap(), broker.try_clone().unwrap()),
                (broker, client),
            ];
            for (mut from, mut to) in pairs {
                thread::spawn(move || io::copy(&mut from, &mut to));
            }
        }
    });
}

#[test]
fn a_cluster_that_is_away_at_start_is_told_and_used_when_it_comes() {
    let mut bench = RealKafka::default();
    let fresh = fresh(&mut bench, "away", 1);
    // Taken, but nobody answers: the port is free as soon as the listener is dropped.
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = reserved.local_addr().unwrap();
    drop(reserved);
    let clock = SystemClock::new();
    let mut stage = Stage::new();
    stage.enter(worker(
        &Config::new(port.to_string()),
        &fresh.group,
        &[fresh.input],
    ));
    assert!(
        clock.now().elapsed < Duration::from_secs(1),
        "opening waited for the cluster"
    );
    stage.until("it is told", |workers| {
        workers
            .iter()
            .any(|w| w.reachable.iter().any(Option::is_some))
    });
    let ask = stage.worker(0).renew();
    forward(TcpListener::bind(port).unwrap());
    stage.until("it is told again", |workers| {
        workers.iter().any(|w| w.reachable.last() == Some(&None))
    });
    stage.owns(0, 1);
    assert!(stage.answer(0, ask).is_ok());
}

#[test]
fn closing_without_a_cluster_ends_in_time() {
    let log = worker(
        &Config::new("127.0.0.1:1"),
        "nobody",
        &[Topic::new("nowhere")],
    );
    let clock = SystemClock::new();
    log.close(Duration::from_secs(2));
    assert!(
        clock.now().elapsed < Duration::from_secs(3),
        "{:?}",
        clock.now().elapsed
    );
}

#[test]
fn a_topic_that_is_missing_is_named_and_used_when_it_comes() {
    let mut bench = RealKafka::default();
    let name = bench.fresh("missing");
    let topic = Topic::intern(name.clone());
    let mut stage = Stage::new();
    stage.enter(worker(&patient(), &name, &[topic]));
    stage.until("its name", |workers| {
        let mut told = workers
            .iter()
            .flat_map(|worker| worker.reachable.iter().flatten());
        told.any(|reason| reason.contains(&name))
    });
    RealKafka::create(topic, 2, &[]);
    stage.owns(0, 2);
    stage.until("it is told", |workers| {
        workers.iter().any(|w| w.reachable.last() == Some(&None))
    });
}

#[test]
fn a_partition_may_be_held_back_for_longer_than_a_session() {
    let mut bench = RealKafka::default();
    let fresh = fresh(&mut bench, "held", 2);
    let config = quick();
    let mut stage = Stage::new();
    stage.enter(worker(&config, &fresh.group, &[fresh.input]));
    stage.owns(0, 2);
    stage.renew(0);
    stage.enter(worker(&config, &fresh.group, &[fresh.input]));
    stage.until("a revocation", |workers| {
        workers.iter().any(|w| !w.revoking.is_empty())
    });
    let clock = SystemClock::new();
    let long = config.session_timeout + Duration::from_secs(2);
    stage.until("longer than a session", |_| clock.now().elapsed > long);
    let held = stage.worker(0).revoking[0];
    assert!(stage.worker(0).lost.is_empty() && stage.worker(1).owned.is_empty());
    let part = stage
        .worker(0)
        .part(held, 1, one(fresh.output.partition(0), "k", "v"));
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
    stage.worker(0).release();
    stage.owns(1, 1);
}

#[test]
fn records_flow_again_after_a_start_in_the_middle_of_a_revocation() {
    let mut bench = RealKafka::default();
    let fresh = fresh(&mut bench, "middle", 2);
    let mut stage = Stage::new();
    stage.enter(worker(&patient(), &fresh.group, &[fresh.input]));
    stage.owns(0, 2);
    for number in 0..2 {
        bench.produce(&one(fresh.input.partition(number), "k", "v"));
    }
    stage.enter(worker(&patient(), &fresh.group, &[fresh.input]));
    stage.until("a revocation", |workers| {
        workers.iter().any(|w| !w.revoking.is_empty())
    });
    // Take-over may just end while a part of it is wanted back.
    stage.worker(0).start_all(0);
    stage.until("both records", |workers| {
        workers.iter().any(|w| w.records.len() == 2)
    });
    assert!(
        stage.worker(1).owned.is_empty(),
        "given back by a mere start"
    );
    stage.worker(0).release();
    stage.owns(1, 1);
    let kept = *stage.worker(0).owned.keys().next().unwrap();
    bench.produce(&one(kept, "k", "more"));
    stage.until("more", |workers| workers[0].values(kept).len() == 2);
}

#[test]
fn a_worker_for_whom_nothing_is_left_is_told_so() {
    let mut bench = RealKafka::default();
    let fresh = fresh(&mut bench, "idle", 1);
    let mut stage = Stage::new();
    stage.enter(worker(&patient(), &fresh.group, &[fresh.input]));
    stage.owns(0, 1);
    stage.enter(worker(&patient(), &fresh.group, &[fresh.input]));
    stage.until("an assignment of nothing", |workers| {
        workers[1].assignments > 0
    });
    assert!(stage.worker(1).owned.is_empty());
    // And gets what becomes free.
    drop(stage.workers.remove(0));
    stage.owns(0, 1);
}
