//! Settings: what each is, where it was given, and what is wrong with it.
//!
//! A file comes first, then the environment, then the command line; the last one wins. Every value
//! that is given is checked, also one that another replaces. An unknown key stops the start.

mod components;
mod declared;
mod parse;
mod problem;
mod show;
mod source;
mod typed;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use components::{
    Backend, BonusSettings, HttpSettings, KafkaSettings, Listen, LogFormat, LogSettings,
    ScyllaSettings, SmtpSettings, Start,
};
use declared::Setting;
use millrace_runtime::clock::SystemClock;
use millrace_runtime::decide::RateLimit;
pub(crate) use parse::{duration as parse_duration, show_duration, show_rate_limit};
pub(crate) use problem::{Problem, SettingsError};
pub(crate) use show::{defaults as show_defaults, effective as show_effective};
use source::Given;
pub(crate) use source::Origin;

/// What every variable of the environment that is ours begins with.
pub(crate) const ENVIRONMENT_PREFIX: &str = "MILLRACE_";
/// The file that is read when none is named, if it is there.
pub(crate) const DEFAULT_FILE: &str = "millrace.toml";

const KAFKA_PROPERTIES: &str = "kafka.properties.";
const RATE_LIMIT: &str = "rate-limit.";
const START: &str = ".start";
const START_WORDS: [(&str, Start); 2] = [("beginning", Start::Beginning), ("end", Start::End)];

/// All settings, each as its component takes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// `backend`
    pub(crate) backend: Backend,
    /// `data-dir`
    pub(crate) data_dir: PathBuf,
    /// `instance`; never empty.
    pub(crate) instance: String,
    /// `partitions`
    pub(crate) partitions: i32,
    /// `replication-factor`
    pub(crate) replication_factor: i32,
    /// `workers`
    pub(crate) workers: usize,
    /// `accept-gap`
    pub(crate) accept_gap: Vec<String>,
    /// `dedupe.window`
    pub(crate) dedupe_window: usize,
    /// `schema-registry.url`
    pub(crate) schema_registry_url: Option<String>,
    /// `http.…`
    pub(crate) http: HttpSettings,
    /// `log.…`
    pub(crate) log: LogSettings,
    /// `kafka.…`
    pub(crate) kafka: KafkaSettings,
    /// `scylla.…`
    pub(crate) scylla: ScyllaSettings,
    /// `smtp.…`
    pub(crate) smtp: SmtpSettings,
    /// `bonus.…`
    pub(crate) bonus: BonusSettings,
    /// `projection.<name>.start` and the like, by what stands before `.start`.
    starts: BTreeMap<String, Start>,
    /// `rate-limit.<aggregate>.<command type>`, by what stands behind `rate-limit.`
    rate_limits: BTreeMap<String, RateLimit>,
    given: BTreeMap<String, (String, Origin)>,
}

/// Names that occur in settings but are only known to the registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// `projection.<name>`, `policy.<name>`, `reactor.<name>` of all that are registered.
    pub(crate) consumers: BTreeSet<String>,
    /// All consumer groups.
    pub(crate) groups: BTreeSet<String>,
    /// `<aggregate>.<command type>` of all command types, aliases included, with the canonical
    /// one's.
    pub(crate) command_types: BTreeMap<String, String>,
}

/// Where settings are looked for.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The file that the command line names.
    pub(crate) file: Option<PathBuf>,
    /// Variables of the environment, others included.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// `KEY=VALUE` of the command line, in order.
    pub(crate) options: Vec<String>,
}

impl Settings {
    /// Reads all sources.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and where it was given.
    pub(crate) fn load(sources: &Sources, names: &Names) -> Result<Self, SettingsError> {
        let mut given = Vec::new();
        let mut problems = Vec::new();
        let environment = source::of_environment(sources.environment.iter().cloned(), |name| {
            key_of_variable(name, names)
        });
        for layer in [file_values(sources.file.as_deref()), environment] {
            match layer {
                Ok(values) => given.extend(values),
                Err(wrong) => problems.extend(wrong),
            }
        }
        for option in &sources.options {
            match source::of_option(option) {
                Ok(value) => given.push(value),
                Err(wrong) => problems.push(wrong),
            }
        }
        let mut settings = Self::defaults();
        for value in given {
            if let Err(wrong) = settings.take(value, names) {
                problems.push(wrong);
            }
        }
        settings.complete();
        if problems.is_empty() {
            problems = settings.check_adapters(Arc::new(SystemClock::new()));
        }
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError(problems))
        }
    }

    fn defaults() -> Self {
        let mut settings = Self::default();
        for setting in declared::all() {
            let result = (setting.set)(&mut settings, setting.default);
            assert!(
                result.is_ok(),
                "the default of `{}` is wrong: {result:?}",
                setting.key
            );
        }
        settings
    }

    fn take(&mut self, value: Given, names: &Names) -> Result<(), Problem> {
        let Given {
            mut key,
            text,
            origin,
        } = value;
        let result = if let Some(setting) = declared(&key) {
            (setting.set)(self, &text)
        } else if let Some(property) = key.strip_prefix(KAFKA_PROPERTIES) {
            self.take_property(property, &text)
        } else if let Some(consumer) = key.strip_suffix(START) {
            self.take_start(consumer, &text, names)
        } else if let Some(kind) = key.strip_prefix(RATE_LIMIT) {
            self.take_rate_limit(kind, &text, names)
        } else {
            Err(NO_SUCH_SETTING.to_owned())
        };
        result.map_err(|reason| Problem::new(&key, Some(origin.clone()), reason))?;
        if key == "accept-gap"
            && let Some(unknown) = self
                .accept_gap
                .iter()
                .find(|name| !names.groups.contains(*name))
        {
            let reason = format!("there is no consumer group `{unknown}`");
            return Err(Problem::new(&key, Some(origin), reason));
        }
        if let Some(kind) = key.strip_prefix(RATE_LIMIT)
            && let Some(canonical) = names.command_types.get(kind)
        {
            // Whoever says it last, under whatever name, is the one who holds.
            key = format!("{RATE_LIMIT}{canonical}");
        }
        self.given.insert(key, (text, origin));
        Ok(())
    }

    fn take_property(&mut self, property: &str, text: &str) -> Result<(), String> {
        if property.is_empty() {
            return Err(NO_SUCH_SETTING.to_owned());
        }
        self.kafka
            .properties
            .insert(property.to_owned(), text.to_owned());
        Ok(())
    }

    fn take_start(&mut self, consumer: &str, text: &str, names: &Names) -> Result<(), String> {
        if !names.consumers.contains(consumer) {
            return Err(NO_SUCH_SETTING.to_owned());
        }
        let start = parse::choice(text, &START_WORDS)?;
        self.starts.insert(consumer.to_owned(), start);
        Ok(())
    }

    fn take_rate_limit(&mut self, kind: &str, text: &str, names: &Names) -> Result<(), String> {
        let canonical = names.command_types.get(kind).ok_or(NO_SUCH_SETTING)?;
        let limit = parse::rate_limit(text)?;
        self.rate_limits.insert(canonical.clone(), limit);
        Ok(())
    }

    fn complete(&mut self) {
        self.http.is_listen_given = self.is_given("http.listen");
        if self.instance.is_empty() {
            self.instance = format!("{:08x}", fastrand::u32(..));
        }
    }

    /// Whether some source gives a value for this key.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// The limits of an aggregate's command types, by their canonical names.
    pub(crate) fn rate_limits_of(
        &self,
        aggregate: &str,
    ) -> impl Iterator<Item = (&str, RateLimit)> {
        self.rate_limits.iter().filter_map(move |(name, limit)| {
            let kind = name.strip_prefix(aggregate)?.strip_prefix('.')?;
            (!kind.contains('.')).then_some((kind, *limit))
        })
    }

    /// Where a group begins that has no position yet; `group` is `<context>.projection.<name>` and
    /// the like.
    pub(crate) fn start_of(&self, group: &str) -> Start {
        self.start(
            group
                .split_once('.')
                .map_or(group, |(_, consumer)| consumer),
        )
    }

    /// Where a consumer begins that has no position yet; `consumer` is `projection.<name>` and the
    /// like.
    fn start(&self, consumer: &str) -> Start {
        let default = default_start(consumer);
        self.starts.get(consumer).copied().unwrap_or(default)
    }
}

const NO_SUCH_SETTING: &str = "there is no such setting";

fn default_start(consumer: &str) -> Start {
    if consumer.starts_with("reactor.") {
        Start::End
    } else {
        Start::Beginning
    }
}

fn declared(key: &str) -> Option<&'static Setting> {
    declared::all().find(|setting| setting.key == key)
}

/// The key that a variable stands for; `name` is what follows the prefix.
fn key_of_variable(name: &str, names: &Names) -> Option<String> {
    let fixed = declared::all().map(|setting| setting.key.to_owned());
    let starts = names
        .consumers
        .iter()
        .map(|consumer| format!("{consumer}{START}"));
    let limits = names.command_types.keys();
    let limits = limits.map(|kind| format!("{RATE_LIMIT}{kind}"));
    let exact = fixed
        .chain(starts)
        .chain(limits)
        .find(|key| variable_of_key(key) == name);
    exact.or_else(|| {
        let property = name.strip_prefix("KAFKA_PROPERTIES_")?;
        let is_plain =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let is_property = !property.is_empty() && property.bytes().all(is_plain);
        let dotted = || property.replace('_', ".").to_ascii_lowercase();
        is_property.then(|| format!("{KAFKA_PROPERTIES}{}", dotted()))
    })
}

fn variable_of_key(key: &str) -> String {
    key.replace(['.', '-'], "_").to_ascii_uppercase()
}

fn file_values(file: Option<&Path>) -> Result<Vec<Given>, Vec<Problem>> {
    let path = file.unwrap_or_else(|| Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => source::of_file(path, &text),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => {
            let reason = format!("cannot read `{}`: {error}", path.display());
            Err(vec![Problem::new("--config", None, reason)])
        }
    }
}

#[cfg(test)]
mod tests;
