//! Apache Cassandra: node `i` of a cluster listens on the loopback address 127.0.0.`i`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cluster::{Cluster, CommitlogSync, Node, java, lines};
use crate::maven;
use crate::ports::{Registry, loopback};

/// The port clients expect CQL on.
const USUAL_PORT: u16 = 9042;
/// The port nodes expect each other on.
const USUAL_STORAGE_PORT: u16 = 7000;
/// A node that accepts but is silent for this long is not ready.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

const LOGGING: &str = r#"<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{HH:mm:ss.SSS} %-5level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"#;

/// Nodes of a new cluster: the same two ports on one host each, as drivers expect of peers.
pub(crate) fn nodes(registry: &Registry, count: u8, port: Option<u16>) -> Result<Vec<Node>> {
    let client = registry.choose(port.unwrap_or(USUAL_PORT), count, &[])?;
    let storage = registry.choose(USUAL_STORAGE_PORT, count, &[client])?;
    let node = |number| Node {
        number,
        address: loopback(number, client),
        internal: loopback(number, storage),
    };
    Ok((1..=count).map(node).collect())
}

/// The command that runs a node, its settings written.
pub(crate) fn command(cluster: &Cluster, node: &Node) -> Result<Command> {
    let directory = cluster.node_directory(node);
    let logging = directory.join("logback.xml");
    fs::write(&logging, LOGGING)?;
    let settings = directory.join("cassandra.yaml");
    fs::write(&settings, yaml(cluster, node))?;
    let jars = maven::CASSANDRA.jars()?;
    let mut command = java(cluster, node);
    for package in EXPORTED {
        command.arg(format!("--add-exports={package}=ALL-UNNAMED"));
    }
    for package in OPENED {
        command.arg(format!("--add-opens={package}=ALL-UNNAMED"));
    }
    command
        .args(FLAGS)
        .arg(format!("-Xms{}", cluster.options.heap))
        .arg(format!("-Dcassandra.config=file://{}", settings.display()))
        .arg(format!("-Dcassandra.storagedir={}", directory.display()))
        .arg(format!("-Dcassandra.logdir={}", directory.display()))
        .arg(format!("-Dlogback.configurationFile={}", logging.display()))
        .arg(format!("-javaagent:{}", memory_meter(&jars)?))
        .arg("-cp")
        .arg(jars.join("*"))
        .arg("org.apache.cassandra.service.CassandraDaemon");
    Ok(command)
}

/// Ready: it answers a CQL frame and has met every other node that lives.
pub(crate) fn is_ready(cluster: &Cluster, node: &Node) -> bool {
    let log = fs::read_to_string(cluster.process(node).log()).unwrap_or_default();
    let met = |other: &Node| log.contains(&format!("{} is now UP", other.internal));
    let lives =
        |other: &&Node| other.number != node.number && cluster.process(other).pid().is_some();
    cluster.nodes.iter().filter(lives).all(met) && answers(node.address).unwrap_or(false)
}

/// Sends OPTIONS, protocol version 4, and looks for SUPPORTED.
fn answers(address: SocketAddr) -> Result<bool> {
    const OPTIONS: [u8; 9] = [4, 0, 0, 0, 5, 0, 0, 0, 0];
    const SUPPORTED: u8 = 6;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(&OPTIONS)?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(&[SUPPORTED]))
}

/// The agent that measures objects, without which Cassandra only guesses the size of memtables.
fn memory_meter(jars: &Path) -> Result<String> {
    for entry in fs::read_dir(jars)? {
        let path = entry?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("jamm-"))
        {
            return Ok(path.display().to_string());
        }
    }
    None.with_context(|| format!("no jamm jar in `{}`", jars.display()))
}

fn yaml(cluster: &Cluster, node: &Node) -> String {
    let mut settings: BTreeMap<String, String> = FIXED
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    settings.extend(own_settings(cluster, node).map(|(key, value)| (key.to_owned(), value)));
    if cluster.options.commitlog_sync == CommitlogSync::Periodic {
        settings.insert("commitlog_sync_period".to_owned(), "10000ms".to_owned());
    }
    if cluster.options.auth {
        settings.insert(
            "authenticator".to_owned(),
            "PasswordAuthenticator".to_owned(),
        );
        settings.insert("authorizer".to_owned(), "CassandraAuthorizer".to_owned());
    }
    settings.extend(cluster.options.settings.clone());
    lines(&settings, ": ")
}

fn own_settings(cluster: &Cluster, node: &Node) -> [(&'static str, String); 12] {
    let directory = cluster.node_directory(node);
    let inside = |name: &str| format!("\"{}\"", directory.join(name).display());
    let sync = match cluster.options.commitlog_sync {
        CommitlogSync::Periodic => "periodic",
        CommitlogSync::Batch => "batch",
    };
    let seed = cluster.nodes.first().unwrap_or(node).internal;
    let seeds = format!(
        "[{{class_name: org.apache.cassandra.locator.SimpleSeedProvider, \
         parameters: [{{seeds: \"{seed}\"}}]}}]"
    );
    [
        (
            "initial_token",
            token(node.number, cluster.nodes.len()).to_string(),
        ),
        ("seed_provider", seeds),
        ("listen_address", node.internal.ip().to_string()),
        ("rpc_address", node.address.ip().to_string()),
        ("storage_port", node.internal.port().to_string()),
        ("native_transport_port", node.address.port().to_string()),
        ("commitlog_sync", sync.to_owned()),
        ("data_file_directories", format!("[{}]", inside("data"))),
        ("commitlog_directory", inside("commitlog")),
        ("saved_caches_directory", inside("saved-caches")),
        ("hints_directory", inside("hints")),
        ("cdc_raw_directory", inside("cdc-raw")),
    ]
}

/// The node's place on the ring: equal shares, so that every node holds some of any table.
fn token(number: u8, nodes: usize) -> i128 {
    let share = (1_i128 << 64) / i128::try_from(nodes.max(1)).unwrap_or(1);
    share * (i128::from(number) - 1) + share / 2 - (1_i128 << 63)
}

const FLAGS: &[&str] = &[
    "-Xss256k",
    "-XX:MaxDirectMemorySize=256m",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Djava.net.preferIPv4Stack=true",
    "-Dfile.encoding=UTF-8",
    // Later Javas than 17 refuse the security manager that Cassandra installs, unless told.
    "-Djava.security.manager=allow",
    "-Dcassandra-foreground=yes",
    "-Dcassandra.available_processors=2",
    "-Dcassandra.jmx.local.port=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    // Each of these is a wait of seconds for nodes that are not there.
    "-Dcassandra.shutdown_announce_in_ms=0",
    "-Dcassandra.ring_delay_ms=0",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
];

const EXPORTED: &[&str] = &[
    "java.base/jdk.internal.misc",
    "java.base/java.lang.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.attach/sun.tools.attach",
];

const OPENED: &[&str] = &[
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "jdk.management/com.sun.management.internal",
    "jdk.compiler/com.sun.tools.javac",
];

const FIXED: &[(&str, &str)] = &[
    ("cluster_name", "millrace"),
    ("num_tokens", "1"),
    ("auto_bootstrap", "false"),
    ("partitioner", "org.apache.cassandra.dht.Murmur3Partitioner"),
    ("endpoint_snitch", "SimpleSnitch"),
    ("authenticator", "AllowAllAuthenticator"),
    ("authorizer", "AllowAllAuthorizer"),
    ("role_manager", "CassandraRoleManager"),
    // Grants are seen soon after they are given.
    ("roles_validity", "1000ms"),
    ("permissions_validity", "1000ms"),
    ("credentials_validity", "1000ms"),
    // Small: a test's data, not a company's.
    ("commitlog_segment_size", "8MiB"),
    ("commitlog_total_space", "128MiB"),
    ("memtable_heap_space", "64MiB"),
    ("memtable_offheap_space", "64MiB"),
    ("memtable_flush_writers", "1"),
    ("key_cache_size", "8MiB"),
    ("row_cache_size", "0MiB"),
    ("counter_cache_size", "0MiB"),
    ("file_cache_size", "32MiB"),
    ("networking_cache_size", "16MiB"),
    ("concurrent_reads", "16"),
    ("concurrent_writes", "32"),
    ("concurrent_counter_writes", "4"),
    ("concurrent_compactors", "1"),
    ("compaction_throughput", "0MiB/s"),
    ("native_transport_max_threads", "32"),
    ("disk_optimization_strategy", "ssd"),
    ("disk_access_mode", "mmap_index_only"),
    ("auto_snapshot", "false"),
    // A loaded machine is slow, not broken.
    ("read_request_timeout", "10s"),
    ("range_request_timeout", "10s"),
    ("write_request_timeout", "10s"),
    ("request_timeout", "10s"),
    ("truncate_request_timeout", "60s"),
];
