//! Topics, tables and processes for scenarios, and the two ordinary clients.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Process;
use super::servers::Servers;
use super::wait::{EVENTUALLY, until};

/// A deployment of the program.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) servers: Servers,
    home: TempDir,
    settings: Vec<String>,
    followers: Mutex<BTreeMap<String, Arc<Follower>>>,
    number: AtomicU32,
}

/// The one whose tests only differ in the ids they use, with a process of all roles.
pub(crate) struct Shared {
    pub(crate) world: World,
    process: Process,
}

impl Shared {
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

impl std::ops::Deref for Shared {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

/// The shared world, started for the first of the tests that run now and stopped after the last.
pub(crate) fn shared() -> Arc<Shared> {
    static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut weak = SHARED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(shared) = weak.upgrade() {
        return shared;
    }
    let world = World::on(Servers::shared(), &[]);
    world.set_up();
    let process = world.run(&[]);
    process.wait_ready(Duration::from_mins(1));
    let shared = Arc::new(Shared { world, process });
    *weak = Arc::downgrade(&shared);
    shared
}

impl World {
    /// A world of its own, whose servers the test may break. Topics and tables are there.
    pub(crate) fn own(settings: &[&str]) -> Self {
        let world = Self::on(Servers::own(), settings);
        world.set_up();
        world
    }

    pub(crate) fn on(servers: Servers, settings: &[&str]) -> Self {
        Self {
            servers,
            home: TempDir::new().unwrap(),
            settings: settings
                .iter()
                .map(|setting| (*setting).to_owned())
                .collect(),
            followers: Mutex::default(),
            number: AtomicU32::new(0),
        }
    }

    pub(crate) fn set_up(&self) {
        self.expect(&["topics", "create"]);
        self.expect(&["migrate"]);
    }

    /// The program with this world's settings.
    pub(crate) fn millrace(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        let ours =
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MILLRACE_"));
        for (name, _) in ours {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env("MILLRACE_BACKEND", "kafka")
            .env("MILLRACE_KAFKA_BROKERS", &self.servers.kafka)
            .env("MILLRACE_SCYLLA_NODES", &self.servers.cql)
            .env("MILLRACE_KAFKA_SESSION_TIMEOUT", "6s")
            .env("MILLRACE_SCYLLA_DURABLE_AFTER", "1s");
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.millrace(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs the program to its end, which must be good; what it printed.
    pub(crate) fn expect(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(
            output.status.success(),
            "millrace {arguments:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The lines of JSON that the program printed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.expect(arguments);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Starts `millrace run` with more arguments; does not wait until it is ready.
    pub(crate) fn run(&self, arguments: &[&str]) -> Process {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let http = free_address();
        let listen = format!("http.listen={http}");
        let mut all = vec!["run", "--set", &listen];
        all.extend(arguments);
        let log = self.home.path().join(format!("process-{number}.log"));
        Process::spawn(self.millrace(&all), http, log)
    }

    /// Sends commands with kcat, one a line, to the partitions where they belong.
    pub(crate) fn send(&self, topic: &str, commands: &[(&str, Value)]) {
        let mut lines = String::new();
        for (key, command) in commands {
            writeln!(lines, "{key}\t{command}").unwrap();
        }
        let partitioner = ["-K", "\t", "-X", "topic.partitioner=murmur2_random", "-l"];
        let file = tempfile::NamedTempFile::new_in(self.home.path()).unwrap();
        std::fs::write(file.path(), lines).unwrap();
        let path = file.path().to_str().unwrap();
        let mut arguments = partitioner.to_vec();
        arguments.push(path);
        self.kcat_send(topic, &arguments, b"");
    }

    /// Sends one record with kcat as the arguments say; the value comes from `input`.
    pub(crate) fn kcat_send(&self, topic: &str, arguments: &[&str], input: &[u8]) {
        let mut kcat = Command::new("kcat")
            .args(["-b", &self.servers.kafka, "-P", "-t", topic])
            .args(["-X", "enable.idempotence=true"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kcat is needed");
        kcat.stdin.take().unwrap().write_all(input).unwrap();
        let output = kcat.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kcat {arguments:?}: {errors}");
    }

    /// Every byte of keys, headers and values committed in a topic now.
    pub(crate) fn bytes(&self, topic: &str) -> Vec<u8> {
        let output = Command::new("kcat")
            .args([
                "-b",
                &self.servers.kafka,
                "-C",
                "-t",
                topic,
                "-o",
                "beginning",
                "-e",
                "-q",
            ])
            .args(["-f", "%k %h %s\\n", "-X", "isolation.level=read_committed"])
            .output()
            .expect("kcat is needed");
        output.stdout
    }

    /// Records of a topic as they come, from its beginning.
    pub(crate) fn follow(&self, topic: &str) -> Arc<Follower> {
        let mut followers = self.followers.lock().unwrap();
        let start = || Arc::new(Follower::start(&self.servers.kafka, topic));
        Arc::clone(followers.entry(topic.to_owned()).or_insert_with(start))
    }

    /// The first answer to a command of an account.
    pub(crate) fn outcome(&self, command_id: &str) -> Value {
        self.outcomes(command_id, 1, EVENTUALLY).remove(0)
    }

    /// All answers to a command, once there are so many.
    pub(crate) fn outcomes(&self, command_id: &str, count: usize, limit: Duration) -> Vec<Value> {
        let follower = self.follow("bank.account.outcomes");
        until(&format!("{count} outcomes of {command_id}"), limit, || {
            let found = follower.payloads(|outcome| outcome["command_id"] == *command_id);
            if found.len() >= count {
                Ok(found)
            } else {
                Err(found)
            }
        })
    }

    /// Sends one command to an account and waits for its answer.
    pub(crate) fn ask(&self, account: &str, command: Value) -> Value {
        let id = command["command_id"]
            .as_str()
            .expect("a command id")
            .to_owned();
        self.send("bank.account.commands", &[(account, command)]);
        self.outcome(&id)
    }

    /// Rows as cqlsh prints them, each as JSON.
    pub(crate) fn cql(&self, select_json: &str) -> Vec<Value> {
        let text = self.cqlsh(select_json);
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('{'));
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What cqlsh prints.
    pub(crate) fn cqlsh(&self, statement: &str) -> String {
        let cqlsh = std::env::var("MILLRACE_CQLSH").expect("MILLRACE_CQLSH: cargo xtask test");
        let (host, port) = self
            .servers
            .cql
            .split(',')
            .next()
            .unwrap()
            .split_once(':')
            .unwrap();
        let output = Command::new(cqlsh)
            .args([
                host,
                port,
                "--no-color",
                "--request-timeout",
                "30",
                "-e",
                statement,
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "cqlsh {statement}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The balance in an account's row, if there is one.
    pub(crate) fn balance(&self, account: &str) -> Option<i64> {
        let query = format!("SELECT JSON balance FROM bank.accounts WHERE id = '{account}'");
        self.cql(&query)
            .first()
            .and_then(|row| row["balance"].as_i64())
    }

    /// `/metrics` of a process: the value of every sample whose name and labels contain all words.
    pub(crate) fn metric(process: &Process, words: &[&str]) -> f64 {
        let (_, text) = process.get("/metrics").unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let matching = lines.filter(|line| words.iter().all(|word| line.contains(word)));
        matching
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

/// Reads a topic with kcat until it is dropped. A kcat that ends because the broker went away is
/// followed by another, which begins again.
#[derive(Debug)]
pub(crate) struct Follower {
    kcat: Arc<Mutex<Option<Child>>>,
    records: Arc<Mutex<Vec<Value>>>,
}

impl Follower {
    fn start(kafka: &str, topic: &str) -> Self {
        let arguments: Vec<_> = [
            "-b",
            kafka,
            "-C",
            "-t",
            topic,
            "-o",
            "beginning",
            "-u",
            "-q",
            "-J",
        ]
        .into_iter()
        .chain([
            "-X",
            "isolation.level=read_committed",
            "-X",
            "fetch.wait.max.ms=20",
        ])
        .map(str::to_owned)
        .collect();
        let kcat = Arc::new(Mutex::new(Some(Self::kcat(&arguments))));
        let records = Arc::new(Mutex::new(Vec::new()));
        let (shared, into) = (Arc::clone(&kcat), Arc::clone(&records));
        std::thread::spawn(move || {
            while let Some(output) = Self::output(&shared) {
                Self::collect(output, &into);
                let mut kcat = shared.lock().unwrap();
                let Some(ended) = kcat.as_mut() else { return };
                ended.wait().ok();
                into.lock().unwrap().clear();
                *kcat = Some(Self::kcat(&arguments));
                drop(kcat);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { kcat, records }
    }

    fn kcat(arguments: &[String]) -> Child {
        let mut command = Command::new("kcat");
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().expect("kcat is needed")
    }

    fn output(kcat: &Mutex<Option<Child>>) -> Option<ChildStdout> {
        kcat.lock().unwrap().as_mut()?.stdout.take()
    }

    /// Values need not be UTF-8; kcat prints them as they are.
    fn collect(output: ChildStdout, into: &Mutex<Vec<Value>>) {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line);
            let record = serde_json::from_str(&line);
            into.lock()
                .unwrap()
                .push(record.unwrap_or_else(|_| json!({ "unreadable": line })));
        }
    }

    /// The records that `is_wanted`, as kcat prints them.
    pub(crate) fn records(&self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let records = self.records.lock().unwrap();
        records
            .iter()
            .filter(|record| is_wanted(record))
            .cloned()
            .collect()
    }

    /// The values of the records that are JSON and `is_wanted`.
    pub(crate) fn payloads(&self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let records = self.records.lock().unwrap();
        let payloads = records
            .iter()
            .filter_map(|record| serde_json::from_str(record["payload"].as_str()?).ok());
        payloads
            .filter(|payload: &Value| is_wanted(payload))
            .collect()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(mut kcat) = self.kcat.lock().unwrap().take() {
            kcat.kill().ok();
            kcat.wait().ok();
        }
    }
}

/// An address on loopback that is free now.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// An id that no other test uses, also not in a run against the same servers.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{:x}-{number}", time.as_micros())
}

/// A record header as kcat prints it.
pub(crate) fn header<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    let list = record["headers"].as_array()?;
    let (pairs, _) = list.as_chunks::<2>();
    pairs.iter().find(|[key, _]| key == name)?[1].as_str()
}
