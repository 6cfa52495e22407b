//! Every setting, declared once: reading, `check-config` and the names of environment variables
//! come from this list.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::parse::{
    address, addresses, choice, client_name, duration, integer, list, optional_url, required_text,
    text,
};
use super::{Backend, Listen, LogFormat, START_WORDS, Settings};

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in files and after `--set`.
    pub(crate) key: &'static str,
    /// What kind of value it takes, with the unit.
    pub(crate) kind: &'static str,
    /// What holds when nobody says otherwise, as it would be written.
    pub(crate) default: &'static str,
    /// What it is for.
    pub(crate) help: &'static str,
    /// Whether its value is never shown.
    pub(crate) is_secret: bool,
    /// Reads a value and keeps it; the reason why not otherwise.
    pub(crate) set: Set,
}

type Set = fn(&mut Settings, &str) -> Result<(), String>;

impl Setting {
    const fn new(key: &'static str, kind: &'static str, default: &'static str, set: Set) -> Self {
        Self {
            key,
            kind,
            default,
            help: "",
            is_secret: false,
            set,
        }
    }

    const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }
}

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

const fn seconds(least: u64, most: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(least)..=Duration::from_secs(most)
}

const NAME_BYTES_MAX: usize = 256;

/// What `log.level` and `scylla.consistency` take.
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
const CONSISTENCIES: &[&str] = &[
    "one",
    "two",
    "three",
    "quorum",
    "local-one",
    "local-quorum",
    "each-quorum",
    "all",
];

fn word(text: &str, words: &'static [&'static str]) -> Result<String, String> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("must be one of {}", words.join(", ")))
}

/// The settings of no component in particular.
pub(crate) const GENERAL: &[Setting] = &[
    Setting::new("backend", "embedded or kafka", "embedded", |to, text| {
        let words = [("embedded", Backend::Embedded), ("kafka", Backend::Kafka)];
        put(&mut to.backend, choice(text, &words))
    })
    .help("where records and rows are kept: one local file, or Kafka and a CQL store"),
    Setting::new("data-dir", "directory", "millrace-data", |to, given| {
        put(&mut to.data_dir, required_text(given, 4096).map(Into::into))
    })
    .help("where the embedded backend keeps its file"),
    Setting::new("instance", "name", "", |to, text| {
        put(&mut to.instance, client_name(text))
    })
    .help("name of this process in logs and ids; random when empty"),
    Setting::new("partitions", "count", "12", |to, text| {
        put(&mut to.partitions, integer(text, 1..=10_000))
    })
    .help("partitions of every topic that `topics create` makes"),
    Setting::new("replication-factor", "count", "1", |to, text| {
        put(&mut to.replication_factor, integer(text, 1..=100))
    })
    .help("replicas of every topic that `topics create` makes"),
    Setting::new("workers", "count", "1", |to, text| {
        put(&mut to.workers, integer(text, 1..=64))
    })
    .help("workers of each task in this process"),
    Setting::new("accept-gap", "list of consumer groups", "", |to, text| {
        put(&mut to.accept_gap, list(text))
    })
    .help("groups that go on behind records that are gone; for one start"),
    Setting::new("dedupe.window", "count", "32", |to, text| {
        put(&mut to.dedupe_window, integer(text, 1..=1_000))
    })
    .help("how many commands of an aggregate are known again when they are sent again"),
    Setting::new(
        "http.listen",
        "host:port or off",
        "127.0.0.1:8080",
        |to, text| put(&mut to.http.listen, listen(text)),
    )
    .help("where health, metrics and schemas are served; the default gives way when it is taken"),
    Setting::new("schema-registry.url", "http URL", "", |to, text| {
        put(&mut to.schema_registry_url, optional_url(text, &["http"]))
    })
    .help("where schemas are registered; without it their ids come from their content"),
    Setting::new("log.format", "text or json", "text", |to, text| {
        let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        put(&mut to.log.format, choice(text, &words))
    })
    .help("form of log lines"),
    Setting::new(
        "log.level",
        "error, warn, info, debug or trace",
        "info",
        |to, text| put(&mut to.log.level, word(text, LEVELS)),
    )
    .help("the least severe lines that are logged"),
];

/// The settings of the log.
pub(crate) const KAFKA: &[Setting] = &[
    Setting::new(
        "kafka.brokers",
        "list of host:port",
        "127.0.0.1:9092",
        |to, text| put(&mut to.kafka.brokers, addresses(text)),
    )
    .help("brokers to ask first"),
    Setting::new("kafka.session-timeout", "duration", "10s", |to, text| {
        put(
            &mut to.kafka.session_timeout,
            duration(text, seconds(1, 1_800)),
        )
    })
    .help("after which silence a process counts as gone, and others take over its partitions"),
    Setting::new(
        "kafka.transaction-timeout",
        "duration",
        "10s",
        |to, text| {
            put(
                &mut to.kafka.transaction_timeout,
                duration(text, seconds(1, 900)),
            )
        },
    )
    .help("after which silence the broker ends a transaction that was left open"),
];

/// The settings of the read tables.
pub(crate) const SCYLLA: &[Setting] = &[
    Setting::new(
        "scylla.nodes",
        "list of host:port",
        "127.0.0.1:9042",
        |to, text| put(&mut to.scylla.nodes, addresses(text)),
    )
    .help("nodes of ScyllaDB or Cassandra to ask first"),
    Setting::new("scylla.user", "text", "", |to, given| {
        put(&mut to.scylla.user, text(given, NAME_BYTES_MAX))
    })
    .help("role to log in as; none when empty"),
    Setting::new("scylla.password", "text", "", |to, given| {
        put(&mut to.scylla.password, text(given, 4096))
    })
    .help("password of that role")
    .secret(),
    Setting::new("scylla.replication-factor", "count", "1", |to, text| {
        put(&mut to.scylla.replication_factor, integer(text, 1..=100))
    })
    .help("replicas in each data centre, of keyspaces that `migrate` makes"),
    Setting::new(
        "scylla.consistency",
        "consistency level",
        "local-quorum",
        |to, text| {
            // As CQL writes it, too: LOCAL_QUORUM.
            let text = text.to_ascii_lowercase().replace('_', "-");
            put(&mut to.scylla.consistency, word(&text, CONSISTENCIES))
        },
    )
    .help("how many replicas acknowledge a row or answer a query"),
    Setting::new("scylla.durable-after", "duration", "30s", |to, text| {
        put(
            &mut to.scylla.durable_after,
            duration(text, seconds(0, 86_400)),
        )
    })
    .help("age at which an acknowledged row survives the crash of its node; 0 if at once"),
];

/// The settings of policies and reactors.
pub(crate) const BUSINESS: &[Setting] = &[
    Setting::new("smtp.url", "smtp or smtps URL", "", |to, text| {
        put(&mut to.smtp.url, optional_url(text, &["smtp", "smtps"]))
    })
    .help(
        "mail server, without which no mail is sent; smtps:// encrypts, and so does smtp:// with a \
         user, by STARTTLS; ?tls=none, opportunistic or required behind smtp:// says otherwise",
    )
    .secret(),
    Setting::new(
        "smtp.from",
        "e-mail address",
        "millrace@localhost",
        |to, text| put(&mut to.smtp.from, mail_address(text)),
    )
    .help("sender of mails"),
    Setting::new("smtp.timeout", "duration", "5s", |to, text| {
        let range = Duration::from_millis(100)..=Duration::from_mins(10);
        put(&mut to.smtp.timeout, duration(text, range))
    })
    .help("how long one attempt to send a mail may take"),
    Setting::new("bonus.account", "account id", "CEO", |to, text| {
        put(&mut to.bonus.account, required_text(text, 128))
    })
    .help("account that gets a share of every deposit"),
    Setting::new("bonus.divisor", "count", "100", |to, text| {
        put(&mut to.bonus.divisor, integer(text, 1..=i64::MAX))
    })
    .help("that share is the deposit divided by this"),
    Setting::new("bonus.cap", "minor units", "100000", |to, text| {
        put(&mut to.bonus.cap, integer(text, 0..=i64::MAX))
    })
    .help("no bonus once the account has this much"),
];

/// All settings with a fixed name, in the order in which they are listed.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    GENERAL.iter().chain(KAFKA).chain(SCYLLA).chain(BUSINESS)
}

/// Kind of the settings `projection.<name>.start` and the like.
pub(crate) fn start_kind() -> String {
    START_WORDS.map(|(word, _)| word).join(" or ")
}

fn listen(text: &str) -> Result<Listen, String> {
    match text {
        "off" => Ok(Listen::Off),
        _ => address(text)
            .map(Listen::Address)
            .map_err(|_| "must be host:port or off".to_owned()),
    }
}

fn mail_address(text: &str) -> Result<String, String> {
    let is_address = text
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if !is_address || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err("must be an e-mail address".to_owned());
    }
    super::parse::text(text, NAME_BYTES_MAX)
}
