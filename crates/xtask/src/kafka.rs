//! Apache Kafka in KRaft mode: every node is broker and controller.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cluster::{Cluster, Node, java, lines};
use crate::maven;
use crate::ports::{Registry, loopback};

/// The port clients expect Kafka on.
const USUAL_PORT: u16 = 9092;
/// Any 16 bytes in base64 do: nothing of ours looks at it.
const CLUSTER_ID: &str = "bWlsbHJhY2UtdGVzdHMtMA";
/// The one who may do everything where rights are checked, and the nodes' own name.
const ADMIN: &str = "admin";
/// A broker that accepts but is silent for this long is not ready.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

const LOGGING: &str = "\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = INFO
";

/// Nodes of a new cluster: a port for clients and one for the quorum each, all on one host.
pub(crate) fn nodes(registry: &Registry, count: u8, port: Option<u16>) -> Result<Vec<Node>> {
    let mut taken = Vec::new();
    let mut nodes = Vec::new();
    for number in 1..=count {
        let after = taken
            .last()
            .map_or(USUAL_PORT, |last: &u16| last.saturating_add(1));
        let usual = port.filter(|_| number == 1).unwrap_or(after);
        let client = registry.choose(usual, 1, &taken)?;
        taken.push(client);
        let quorum = registry.choose(client.saturating_add(1), 1, &taken)?;
        taken.push(quorum);
        nodes.push(Node {
            number,
            address: loopback(1, client),
            internal: loopback(1, quorum),
        });
    }
    Ok(nodes)
}

/// The command that runs a node, its settings written and its storage formatted.
pub(crate) fn command(cluster: &Cluster, node: &Node) -> Result<std::process::Command> {
    let directory = cluster.node_directory(node);
    let logging = directory.join("log4j2.properties");
    fs::write(&logging, LOGGING)?;
    let properties = directory.join("server.properties");
    fs::write(&properties, lines(&properties_of(cluster, node), "="))?;
    if !directory.join("data/meta.properties").exists() {
        format_storage(cluster, node, &properties)?;
    }
    let mut command = jvm(cluster, node)?;
    command.arg("kafka.Kafka").arg(&properties);
    Ok(command)
}

/// Ready: it says so in its log, and answers a request.
pub(crate) fn is_ready(cluster: &Cluster, node: &Node) -> bool {
    let log = fs::read_to_string(cluster.process(node).log()).unwrap_or_default();
    log.contains("Kafka Server started") && answers(node.address).unwrap_or(false)
}

/// Asks for the API versions, as every client does first.
fn answers(address: SocketAddr) -> Result<bool> {
    const CORRELATION: [u8; 4] = *b"mill";
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    // Length, ApiVersions (18) version 0, correlation id, no client id.
    let mut request = vec![0, 0, 0, 10, 0, 18, 0, 0];
    request.extend(CORRELATION);
    request.extend([0xff, 0xff]);
    stream.write_all(&request)?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(&CORRELATION))
}

fn format_storage(cluster: &Cluster, node: &Node, properties: &Path) -> Result<()> {
    let mut format = jvm(cluster, node)?;
    let output = format
        .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
        .arg(properties)
        .stdin(Stdio::null())
        .output()
        .context("start `java`: is Java 17 installed?")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        bail!(
            "format storage of kafka node {}: {}\n{said}",
            node.number,
            output.status
        );
    }
    Ok(())
}

fn jvm(cluster: &Cluster, node: &Node) -> Result<std::process::Command> {
    let mut command = java(cluster, node);
    let logging = cluster.node_directory(node).join("log4j2.properties");
    command
        .arg("-Dlog4j2.disable.jmx=true")
        .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
        .arg("-cp")
        .arg(maven::KAFKA.jars()?.join("*"));
    Ok(command)
}

/// The node's settings: small where the defaults are for large clusters, quick where they wait.
fn properties_of(cluster: &Cluster, node: &Node) -> BTreeMap<String, String> {
    let voters: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| format!("{}@{}", node.number, node.internal))
        .collect();
    let (replicas, in_sync) = if cluster.nodes.len() >= 3 {
        ("3", "2")
    } else {
        ("1", "1")
    };
    let data = cluster.node_directory(node).join("data");
    let own = [
        ("node.id", node.number.to_string()),
        ("controller.quorum.voters", voters.join(",")),
        (
            "listeners",
            format!("CLIENTS://{},CONTROLLER://{}", node.address, node.internal),
        ),
        (
            "advertised.listeners",
            format!("CLIENTS://{}", node.address),
        ),
        ("log.dirs", data.display().to_string()),
    ];
    let replication = [
        ("default.replication.factor", replicas),
        ("min.insync.replicas", in_sync),
        ("offsets.topic.replication.factor", replicas),
        ("transaction.state.log.replication.factor", replicas),
        ("transaction.state.log.min.isr", in_sync),
        ("share.coordinator.state.topic.replication.factor", replicas),
        ("share.coordinator.state.topic.min.isr", in_sync),
    ];
    let mut properties = BTreeMap::new();
    properties.extend(own.map(|(key, value)| (key.to_owned(), value)));
    properties.extend(
        replication
            .iter()
            .chain(FIXED)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    let rights = if cluster.options.auth {
        rights(&cluster.options.users)
    } else {
        vec![("listener.security.protocol.map", map_of("PLAINTEXT"))]
    };
    properties.extend(
        rights
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value)),
    );
    properties.extend(cluster.options.settings.clone());
    properties
}

/// One protocol for clients, nodes and controllers.
fn map_of(protocol: &str) -> String {
    format!("CLIENTS:{protocol},CONTROLLER:{protocol}")
}

/// Everybody gives a name and a password, which are the same; only the administrator, who the
/// nodes are too, has any right of its own.
fn rights(users: &[String]) -> Vec<(&'static str, String)> {
    let known = users.iter().map(String::as_str).chain([ADMIN]);
    let known: Vec<_> = known
        .map(|user| format!("user_{user}=\"{user}\""))
        .collect();
    let login = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"{ADMIN}\" password=\"{ADMIN}\" {};",
        known.join(" ")
    );
    let settings = [
        ("sasl.enabled.mechanisms", "PLAIN"),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
        ("sasl.mechanism.controller.protocol", "PLAIN"),
        (
            "authorizer.class.name",
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        ),
    ];
    let mut settings: Vec<_> = settings.map(|(key, value)| (key, value.to_owned())).into();
    settings.push(("listener.security.protocol.map", map_of("SASL_PLAINTEXT")));
    settings.push(("super.users", format!("User:{ADMIN}")));
    settings.push((
        "listener.name.clients.plain.sasl.jaas.config",
        login.clone(),
    ));
    settings.push(("listener.name.controller.plain.sasl.jaas.config", login));
    settings
}

const FIXED: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "CLIENTS"),
    // A topic made by a typing error would hide the error.
    ("auto.create.topics.enable", "false"),
    ("num.partitions", "4"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    // Tests of take-over wait for these.
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.min.heartbeat.interval.ms", "200"),
    (
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "500",
    ),
    ("broker.session.timeout.ms", "6000"),
    ("broker.heartbeat.interval.ms", "1000"),
    ("controller.quorum.election.timeout.ms", "500"),
    ("controller.quorum.fetch.timeout.ms", "1000"),
    // A machine of two cores, shared.
    ("num.network.threads", "2"),
    ("num.io.threads", "3"),
    ("num.recovery.threads.per.data.dir", "1"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
    ("log.segment.bytes", "134217728"),
    ("log.index.size.max.bytes", "1048576"),
];
