//! Topics, tables and processes for scenarios, and the ordinary clients.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::follower::{Follower, Program};
use super::place::Place;
use super::process::Process;
use super::rows::{self, Select};
use super::servers::Servers;
use super::wait::{EVENTUALLY, until};

/// A deployment of the program.
#[derive(Debug)]
pub(crate) struct World {
    program: PathBuf,
    followers: Mutex<BTreeMap<String, Arc<Follower>>>,
    home: TempDir,
    /// Without them everything is in one file.
    servers: Option<Servers>,
    settings: Vec<String>,
    /// Of every program.
    environment: Vec<(&'static str, String)>,
    number: AtomicU32,
}

impl World {
    /// A world of its own, whose servers the test may break. Topics and tables are there.
    pub(crate) fn own(place: Place, settings: &[&str]) -> Self {
        let world = match place {
            Place::Servers => Self::on(Servers::own(), settings),
            Place::Embedded => Self::embedded(settings),
        };
        world.set_up();
        world
    }

    /// The same for tests that look at no rows: nobody need keep any.
    pub(crate) fn own_topics(place: Place, settings: &[&str]) -> Self {
        match place {
            Place::Servers => {
                let world = Self::on(Servers::own_kafka(), settings);
                world.expect(&["topics", "create"]);
                world
            }
            Place::Embedded => Self::embedded(settings),
        }
    }

    pub(crate) fn on(servers: Servers, settings: &[&str]) -> Self {
        Self::new(Some(servers), settings)
    }

    /// On a local file, which the program makes by itself.
    pub(crate) fn embedded(settings: &[&str]) -> Self {
        Self::new(None, settings)
    }

    fn new(servers: Option<Servers>, settings: &[&str]) -> Self {
        Self {
            program: PathBuf::from(env!("CARGO_BIN_EXE_millrace")),
            followers: Mutex::default(),
            home: TempDir::new().unwrap(),
            servers,
            settings: settings
                .iter()
                .map(|setting| (*setting).to_owned())
                .collect(),
            environment: Vec::new(),
            number: AtomicU32::new(0),
        }
    }

    /// The same with variables that every program sees.
    pub(crate) fn with_environment(mut self, environment: Vec<(&'static str, String)>) -> Self {
        self.environment = environment;
        self
    }

    /// The same with one of the examples for a program.
    pub(crate) fn of_example(mut self, name: &str) -> Self {
        self.program = example(name);
        self
    }

    pub(crate) fn place(&self) -> Place {
        match self.servers {
            Some(_) => Place::Servers,
            None => Place::Embedded,
        }
    }

    pub(crate) fn servers(&self) -> &Servers {
        self.servers.as_ref().expect("a test of real servers")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The file that holds everything.
    pub(crate) fn file(&self) -> PathBuf {
        self.data_dir().join("millrace.db")
    }

    /// A local file needs nothing.
    pub(crate) fn set_up(&self) {
        if self.place() == Place::Servers {
            self.expect(&["topics", "create"]);
            self.expect(&["migrate"]);
        }
    }

    /// The program with this world's settings.
    pub(crate) fn millrace(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let ours =
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MILLRACE_"));
        for (name, _) in ours {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env("MILLRACE_DATA_DIR", self.data_dir());
        if let Some(servers) = &self.servers {
            command
                .env("MILLRACE_BACKEND", "kafka")
                .env("MILLRACE_KAFKA_BROKERS", &servers.kafka)
                .env("MILLRACE_SCYLLA_NODES", &servers.cql)
                .env("MILLRACE_KAFKA_SESSION_TIMEOUT", "6s")
                .env("MILLRACE_SCYLLA_DURABLE_AFTER", "1s");
        }
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
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
        self.run_with(&[], arguments)
    }

    /// The same with more variables.
    pub(crate) fn run_with(
        &self,
        environment: &[(&'static str, String)],
        arguments: &[&str],
    ) -> Process {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let http = free_address();
        let listen = format!("http.listen={http}");
        let mut all = vec!["run", "--set", &listen];
        all.extend(arguments);
        let log = self.home.path().join(format!("process-{number}.log"));
        let mut command = self.millrace(&all);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Process::spawn(command, http, log)
    }

    /// Sends commands, one a line, to the partitions where they belong: with kcat, or with the
    /// program where there is no Kafka.
    pub(crate) fn send(&self, topic: &str, commands: &[(&str, impl Display)]) {
        let mut lines = String::new();
        for (key, command) in commands {
            match self.place() {
                Place::Servers => writeln!(lines, "{key}\t{command}").unwrap(),
                Place::Embedded => writeln!(lines, "{}", line(topic, key, command)).unwrap(),
            }
        }
        let file = tempfile::NamedTempFile::new_in(self.home.path()).unwrap();
        std::fs::write(file.path(), lines).unwrap();
        if self.place() == Place::Embedded {
            let mut send = self.millrace(&["send", "-"]);
            let output = send.stdin(file.reopen().unwrap()).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "send: {errors}");
            return;
        }
        let partitioner = ["-K", "\t", "-X", "topic.partitioner=murmur2_random", "-l"];
        let path = file.path().to_str().unwrap();
        let mut arguments = partitioner.to_vec();
        arguments.push(path);
        self.kcat_send(topic, &arguments, b"");
    }

    /// Sends one record with kcat as the arguments say; the value comes from `input`.
    pub(crate) fn kcat_send(&self, topic: &str, arguments: &[&str], input: &[u8]) {
        let mut kcat = Command::new("kcat")
            .args(["-b", &self.servers().kafka, "-P", "-t", topic])
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

    /// Every byte of keys, headers and values committed in a topic now; of a local file every byte
    /// there is, in whatever topic or table.
    pub(crate) fn bytes(&self, topic: &str) -> Vec<u8> {
        let Some(servers) = &self.servers else {
            let log = self.data_dir().join("millrace.db-wal");
            let mut bytes = std::fs::read(self.file()).unwrap();
            bytes.extend(std::fs::read(log).unwrap_or_default());
            return bytes;
        };
        let output = Command::new("kcat")
            .args(["-b", &servers.kafka, "-C", "-t", topic])
            .args(["-o", "beginning", "-e", "-q"])
            .args(["-f", "%k %h %s\\n", "-X", "isolation.level=read_committed"])
            .output()
            .expect("kcat is needed");
        output.stdout
    }

    /// Records of a topic as they come, from its beginning.
    pub(crate) fn follow(&self, topic: &str) -> Arc<Follower> {
        let mut followers = self.followers.lock().unwrap();
        let start = || {
            Arc::new(Follower::start(match &self.servers {
                Some(servers) => Program::kcat(&servers.kafka, topic, &self.environment),
                None => Program::tail(self.millrace(&["tail", topic, "--follow", "--json"])),
            }))
        };
        Arc::clone(followers.entry(topic.to_owned()).or_insert_with(start))
    }

    /// The first answer to a command of an account.
    pub(crate) fn outcome(&self, command_id: &str) -> Value {
        self.outcomes(command_id, 1, EVENTUALLY).remove(0)
    }

    /// All answers to a command of an account, once there are so many.
    pub(crate) fn outcomes(&self, command_id: &str, count: usize, limit: Duration) -> Vec<Value> {
        self.outcomes_of("bank.account", command_id, count, limit)
    }

    /// The same of any aggregate.
    pub(crate) fn outcomes_of(
        &self,
        aggregate: &str,
        command_id: &str,
        count: usize,
        limit: Duration,
    ) -> Vec<Value> {
        let follower = self.follow(&format!("{aggregate}.outcomes"));
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
        self.ask_of("bank.account", account, command)
    }

    /// The same to any aggregate.
    pub(crate) fn ask_of(&self, aggregate: &str, id: &str, command: Value) -> Value {
        let command_id = command["command_id"].as_str().expect("a command id");
        let command_id = command_id.to_owned();
        self.send(&format!("{aggregate}.commands"), &[(id, command)]);
        let outcomes = self.outcomes_of(aggregate, &command_id, 1, EVENTUALLY);
        outcomes.into_iter().next().unwrap()
    }

    /// Sends a command with an id of its own; it must be accepted. The answer.
    pub(crate) fn accepted(&self, aggregate: &str, id: &str, kind: &str, data: &Value) -> Value {
        let answer = self.ask_of(aggregate, id, command(kind, data));
        assert_eq!(answer["status"], "accepted", "{answer}");
        answer
    }

    /// The same; it must be refused with this code.
    pub(crate) fn refused(
        &self,
        aggregate: &str,
        id: &str,
        (kind, data): (&str, &Value),
        code: &str,
    ) -> Value {
        let answer = self.ask_of(aggregate, id, command(kind, data));
        assert_eq!(answer["code"], code, "{kind} {data}: {answer}");
        answer
    }

    /// The first answers to commands with these ids, in their order, once all are there.
    pub(crate) fn answers(&self, aggregate: &str, ids: &[String], limit: Duration) -> Vec<Value> {
        let follower = self.follow(&format!("{aggregate}.outcomes"));
        until(&format!("{} answers", ids.len()), limit, || {
            let mut by_id: BTreeMap<String, Value> = BTreeMap::new();
            for outcome in follower.payloads(|outcome| outcome["duplicate"] == false) {
                let id = outcome["command_id"].as_str().unwrap().to_owned();
                if let Some(before) = by_id.insert(id, outcome) {
                    panic!("answered twice: {before}");
                }
            }
            let found: Vec<_> = ids.iter().filter_map(|id| by_id.remove(id)).collect();
            if found.len() == ids.len() {
                return Ok(found);
            }
            Err(found.len())
        })
    }

    /// The one row with this key, once it is as wanted.
    pub(crate) fn row(
        &self,
        select: &Select,
        limit: Duration,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        until(&format!("{select:?}"), limit, || {
            let rows = self.rows(select);
            match rows.as_slice() {
                [row] if is_wanted(row) => Ok(row.clone()),
                _ => Err(rows),
            }
        })
    }

    /// Rows of a read table, read by the ordinary shell of its store.
    pub(crate) fn rows(&self, select: &Select) -> Vec<Value> {
        match &self.servers {
            Some(servers) => rows::rows_of_cqlsh(&rows::cqlsh(&servers.cql, &select.cql())),
            None => rows::sqlite3(&self.file(), &select.sql()),
        }
    }

    /// The balance in an account's row, if there is one.
    pub(crate) fn balance(&self, account: &str) -> Option<i64> {
        let select = Select::from("bank.accounts").only("balance");
        let rows = self.rows(&select.with("id", account));
        rows.first().and_then(|row| row["balance"].as_i64())
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

/// A command with an id of its own, and a correlation id.
pub(crate) fn command(kind: &str, data: &Value) -> Value {
    json!({"type": kind, "data": data, "command_id": unique("c"), "correlation_id": unique("k")})
}

/// A time as outcomes say it, whatever shell printed it.
pub(crate) fn instant(time: &Value) -> String {
    time.as_str().unwrap().replacen(' ', "T", 1)
}

/// A command as `millrace send -` reads it.
fn line(topic: &str, key: &str, command: &impl Display) -> String {
    let aggregate = topic.strip_suffix(".commands").unwrap();
    let command = command.to_string();
    let fields = command.strip_prefix('{').unwrap();
    format!(r#"{{"aggregate":"{aggregate}","aggregate_id":"{key}",{fields}"#)
}

/// The program of an example: they are built beside ours.
pub(crate) fn example(name: &str) -> PathBuf {
    let beside = PathBuf::from(env!("CARGO_BIN_EXE_millrace"));
    beside.with_file_name("examples").join(name)
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
