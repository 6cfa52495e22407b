//! Kafka and Cassandra: those that the test run started, or a pair of one's own.

use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// Addresses of a Kafka and a CQL server.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) kafka: String,
    pub(crate) cql: String,
    own: Option<Own>,
}

/// Servers that are killed and wiped when this is dropped, however the test ends.
#[derive(Debug)]
struct Own {
    dir: TempDir,
    keepers: Vec<Child>,
}

impl Servers {
    /// Those that `TEST_KAFKA` and `TEST_CQL` name.
    pub(crate) fn shared() -> Self {
        let address = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set: this test needs real servers; run `cargo xtask test`")
            })
        };
        Self {
            kafka: address("TEST_KAFKA"),
            cql: address("TEST_CQL"),
            own: None,
        }
    }

    /// A pair for one test, which may break them.
    pub(crate) fn own() -> Self {
        Self::start(&["kafka", "cassandra"], &[])
    }

    /// A pair that checks rights. Kafka knows these users, and none of them has any.
    pub(crate) fn own_with_rights<'a>(users: impl IntoIterator<Item = &'a str>) -> Self {
        let users = users.into_iter().flat_map(|user| ["--user", user]);
        let options: Vec<_> = std::iter::once("--auth").chain(users).collect();
        Self::start(&["kafka", "cassandra"], &options)
    }

    /// A Kafka for one test, and nobody at the CQL address.
    pub(crate) fn own_kafka() -> Self {
        let mut servers = Self::start(&["kafka"], &[]);
        "127.0.0.1:1".clone_into(&mut servers.cql);
        servers
    }

    /// A machine that is busy may refuse a server a port that was free a moment ago, so a start
    /// that fails is tried once more, from nothing.
    ///
    /// One start at a time: it takes whole cores, and several at once would all be too late.
    fn start(services: &[&str], options: &[&str]) -> Self {
        static STARTING: Mutex<()> = Mutex::new(());
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        Self::try_start(services, options)
            .or_else(|| Self::try_start(services, options))
            .expect("the servers did not start")
    }

    fn try_start(services: &[&str], options: &[&str]) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mut keepers = Vec::new();
        for service in services {
            let mut command = xtask();
            command.args([
                "up",
                service,
                "--until-stdin-closes",
                "--print-env",
                "--dir",
            ]);
            command
                .arg(dir.path())
                .args(options)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            keepers.push(command.spawn().unwrap());
        }
        let outputs: Vec<_> = keepers
            .iter_mut()
            .map(|keeper| keeper.stdout.take())
            .collect();
        let own = Some(Own { dir, keepers });
        let mut servers = Self {
            kafka: String::new(),
            cql: String::new(),
            own,
        };
        for mut output in outputs.into_iter().flatten() {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut output, &mut text).unwrap();
            for line in text.lines() {
                match line.split_once('=') {
                    Some(("TEST_KAFKA", address)) => address.clone_into(&mut servers.kafka),
                    Some(("TEST_CQL", address)) => address.clone_into(&mut servers.cql),
                    _ => {}
                }
            }
        }
        let lacks_cql = services.contains(&"cassandra") && servers.cql.is_empty();
        (!servers.kafka.is_empty() && !lacks_cql).then_some(servers)
    }

    /// Kills a server of one's own with SIGKILL.
    pub(crate) fn kill(&self, service: &str) {
        self.node("node-kill", service);
    }

    /// Sends a signal to a server of one's own, such as `STOP`, after which it answers nobody.
    pub(crate) fn signal(&self, service: &str, name: &str) {
        let file = self.of_ours().dir.path().join(service).join("node-1/pid");
        let pid = std::fs::read_to_string(file).unwrap();
        let mut kill = Command::new("kill");
        let told = kill.args([&format!("-{name}"), pid.trim()]);
        assert!(told.status().unwrap().success());
    }

    /// Starts it again, on the same address with the same data.
    pub(crate) fn restart(&self, service: &str) {
        self.node("node-up", service);
    }

    fn of_ours(&self) -> &Own {
        let own = self.own.as_ref();
        own.expect("only one's own servers may be touched")
    }

    fn node(&self, action: &str, service: &str) {
        let status = xtask()
            .args([action, service, "1", "--dir"])
            .arg(self.of_ours().dir.path())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{action} {service}: {status}");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        for keeper in &mut self.keepers {
            drop(keeper.stdin.take());
            keeper.wait().ok();
        }
    }
}

fn xtask() -> Command {
    match std::env::var_os("MILLRACE_XTASK") {
        Some(program) => Command::new(program),
        None => panic!("MILLRACE_XTASK is not set: run `cargo xtask test`"),
    }
}
