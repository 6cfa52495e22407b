//! Settings as a TOML file that could be read again.

use std::fmt::Write;

use super::declared::{self, Setting};
use super::{
    ENVIRONMENT_PREFIX, KAFKA_PROPERTIES, Names, RATE_LIMIT, START, START_WORDS, Settings, Start,
    default_start, variable_of_key,
};

/// Parts of names of librdkafka's settings whose values are secret, or may hold a secret.
const SECRET_PARTS: [&str; 7] = [
    "password", "sasl", "secret", "token", "oauth", ".key", ".pem",
];

/// Every setting with its default, kind, and variable of the environment.
pub(crate) fn defaults(names: &Names) -> String {
    let mut text = String::new();
    for setting in declared::all() {
        let Setting {
            key,
            kind,
            default,
            help,
            ..
        } = setting;
        describe(&mut text, key, &format!("{help} ({kind})"));
        assign(&mut text, key, default);
        text.push('\n');
    }
    for consumer in &names.consumers {
        let key = format!("{consumer}{START}");
        let help = "where it begins when it has no position yet";
        describe(
            &mut text,
            &key,
            &format!("{help} ({})", declared::start_kind()),
        );
        assign(&mut text, &key, start_word(default_start(consumer)));
        text.push('\n');
    }
    let help = "how many commands of a type a worker decides in how long; no limit by default";
    describe(
        &mut text,
        "rate-limit.<context>.<aggregate>.<CommandType>",
        &format!("{help} (count/duration, such as 2/200ms)"),
    );
    text.push('\n');
    let help = "any setting of librdkafka that is not ours, such as kafka.properties.linger.ms";
    describe(
        &mut text,
        "kafka.properties.*",
        &format!("{help} (as librdkafka takes it)"),
    );
    text
}

/// Every setting as it holds, secrets left out, with the place that it comes from.
pub(crate) fn effective(settings: &Settings, names: &Names) -> String {
    let mut text = String::new();
    for setting in declared::all() {
        let default = if setting.key == "instance" {
            &settings.instance
        } else {
            setting.default
        };
        show(
            &mut text,
            settings,
            (setting.key, default),
            setting.is_secret,
        );
    }
    for consumer in &names.consumers {
        let default = start_word(default_start(consumer));
        show(
            &mut text,
            settings,
            (&format!("{consumer}{START}"), default),
            false,
        );
    }
    for kind in settings.rate_limits.keys() {
        show(
            &mut text,
            settings,
            (&format!("{RATE_LIMIT}{kind}"), ""),
            false,
        );
    }
    for property in settings.kafka.properties.keys() {
        let is_secret = SECRET_PARTS.iter().any(|part| property.contains(part));
        show(
            &mut text,
            settings,
            (&format!("{KAFKA_PROPERTIES}{property}"), ""),
            is_secret,
        );
    }
    text
}

fn show(text: &mut String, settings: &Settings, (key, default): (&str, &str), is_secret: bool) {
    match settings.given.get(key) {
        Some((_, origin)) if is_secret => {
            line(text, &format!("# {key} is set, but not shown  # {origin}"));
        }
        Some((value, origin)) => {
            assign(text, key, value);
            // Behind the value, in the line that `assign` ended.
            text.truncate(text.trim_end().len());
            line(text, &format!("  # {origin}"));
        }
        None if is_secret => line(text, &format!("# {key} is not set")),
        None => assign(text, key, default),
    }
}

fn describe(text: &mut String, key: &str, help: &str) {
    line(text, &format!("# {help}"));
    let variable = variable_of_key(key);
    line(text, &format!("# {key}: {ENVIRONMENT_PREFIX}{variable}"));
}

fn assign(text: &mut String, key: &str, value: &str) {
    line(
        text,
        &format!("{key} = {}", toml::Value::String(value.to_owned())),
    );
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}

fn start_word(start: Start) -> &'static str {
    START_WORDS
        .iter()
        .find(|(_, each)| *each == start)
        .map_or("", |(word, _)| word)
}
