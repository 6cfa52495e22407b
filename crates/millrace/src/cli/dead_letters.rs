//! `millrace dead-letters list|show`

use std::io::{self, Write};
use std::ops::ControlFlow;

use anyhow::bail;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use millrace_runtime::access::Span;
use millrace_runtime::topic::Topic;
use serde::Serialize;

use super::decoded::{Decoded, Decoder, text_as_sent};
use super::visit::guarded;
use super::{App, Exit, UsageError, find};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// What was set aside last, the newest at the end
    List {
        /// Only beside the topics of this aggregate
        #[arg(value_name = "C.A")]
        aggregate: Option<String>,
        /// Dead letters at most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// One of them, whole
    Show {
        /// As `list` names it: <aggregate>/<partition>/<offset>
        #[arg(value_name = "LETTER")]
        letter: String,
        /// One JSON object in one line
        #[arg(long)]
        json: bool,
    },
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Entry {
    letter: String,
    time: String,
    code: String,
    message: String,
    /// Where the record stood: topic, partition, offset.
    from: String,
    key: String,
    task: String,
    attempts: String,
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::List {
            aggregate,
            limit,
            json,
        } => list(app, aggregate.as_deref(), usize::try_from(*limit)?, *json),
        Action::Show { letter, json } => show(app, letter, *json),
    }
}

fn list(app: &App, only: Option<&str>, limit: usize, json: bool) -> anyhow::Result<Exit> {
    let aggregates = match only {
        Some(name) => vec![find::aggregate(app, name)?.name()],
        None => app.registry.aggregates().map(|one| one.name()).collect(),
    };
    let decoder = Decoder::open(app)?;
    let log = app.log()?;
    let mut entries = Vec::new();
    for aggregate in aggregates {
        let bounds = log.bounds(Topic::of(aggregate, "dead-letters"))?;
        let spans: Vec<_> = bounds
            .iter()
            .map(|bounds| Span {
                source: bounds.source,
                from: bounds.first,
                to: bounds.stable_end,
            })
            .collect();
        log.read(&spans, &mut |record| {
            entries.push(Entry::of(aggregate, &decoder.decode(record)));
            if entries.len() >= limit.saturating_mul(2).max(1_000) {
                keep_newest(&mut entries, limit);
            }
            ControlFlow::Continue(())
        })?;
    }
    keep_newest(&mut entries, limit);
    let mut out = io::stdout().lock();
    if json {
        for entry in &entries {
            writeln!(out, "{}", serde_json::to_string(entry)?)?;
        }
    } else if entries.is_empty() {
        writeln!(out, "nothing was set aside")?;
    } else {
        writeln!(out, "{}", grid(&entries))?;
    }
    Ok(Exit::Done)
}

/// Oldest first, without those that are too many.
fn keep_newest(entries: &mut Vec<Entry>, limit: usize) {
    entries.sort_by(|a, b| a.time.cmp(&b.time));
    let too_many = entries.len().saturating_sub(limit);
    entries.drain(..too_many);
}

fn grid(entries: &[Entry]) -> comfy_table::Table {
    let mut grid = comfy_table::Table::new();
    grid.load_style(UTF8_FULL_CONDENSED);
    grid.set_header(["letter", "time", "code", "from", "key", "message"]);
    for entry in entries {
        grid.add_row([
            &entry.letter,
            &entry.time,
            &entry.code,
            &entry.from,
            &entry.key,
            &entry.message,
        ]);
    }
    grid
}

impl Entry {
    fn of(aggregate: &str, letter: &Decoded<'_>) -> Self {
        let header = |name: &str| letter.header(&format!("dead-letter-{name}")).to_owned();
        Self {
            letter: format!("{aggregate}/{}/{}", letter.partition, letter.offset),
            time: header("time"),
            code: header("code"),
            message: header("message"),
            from: ["topic", "partition", "offset"].map(header).join("/"),
            key: letter.key_text(),
            task: header("task"),
            attempts: header("attempts"),
        }
    }
}

fn show(app: &App, letter: &str, json: bool) -> anyhow::Result<Exit> {
    let (aggregate, partition, offset) = parse_letter(letter).ok_or_else(|| {
        UsageError::new(format!(
            "`{letter}` is no dead letter: expected <aggregate>/<partition>/<offset>, as \
             `millrace dead-letters list` shows it"
        ))
    })?;
    let topic = Topic::of(find::aggregate(app, aggregate)?.name(), "dead-letters");
    let decoder = Decoder::open(app)?;
    let log = app.log()?;
    let bounds = log.bounds(topic)?;
    let there = bounds.iter().find(|bounds| {
        bounds.source.partition == partition && (bounds.first..bounds.stable_end).contains(&offset)
    });
    let Some(bounds) = there else {
        bail!("`{letter}` is not there (any more)");
    };
    let span = Span {
        source: bounds.source,
        from: offset,
        to: offset + 1,
    };
    let mut out = io::stdout().lock();
    let mut found = false;
    guarded(|guard| {
        log.read(&[span], &mut |record| {
            found = true;
            let text = record.value.and_then(text_as_sent);
            let shown = write_letter(&mut out, &decoder.decode(record), text, json);
            guard.pass(shown.map(|()| ControlFlow::Break(())))
        })
    })?;
    if !found {
        bail!("there is no record at `{letter}`");
    }
    Ok(Exit::Done)
}

fn parse_letter(text: &str) -> Option<(&str, i32, i64)> {
    let (rest, offset) = text.rsplit_once('/')?;
    let (aggregate, partition) = rest.rsplit_once('/')?;
    Some((aggregate, partition.parse().ok()?, offset.parse().ok()?))
}

fn write_letter(
    out: &mut impl Write,
    letter: &Decoded<'_>,
    text: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", letter.json()?)?;
        return Ok(());
    }
    writeln!(out, "{:24}  {}", "key", letter.key_text())?;
    for (name, value) in &letter.headers {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        writeln!(out, "{name:24}  {text}")?;
    }
    match text {
        Some(text) => writeln!(out, "{:24}  {text}", "value")?,
        None => writeln!(out, "{:24}  {}", "value", letter.value)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_named_by_aggregate_partition_and_offset() {
        assert_eq!(
            parse_letter("bank.account/3/12"),
            Some(("bank.account", 3, 12))
        );
        assert_eq!(parse_letter("bank.account/3"), None);
        assert_eq!(parse_letter("bank.account/x/12"), None);
    }

    #[test]
    fn the_newest_letters_are_kept_and_stand_at_the_end() {
        let entry = |time: &str| Entry {
            letter: String::new(),
            time: time.to_owned(),
            code: String::new(),
            message: String::new(),
            from: String::new(),
            key: String::new(),
            task: String::new(),
            attempts: String::new(),
        };
        let mut entries: Vec<_> = ["3", "1", "2"].map(entry).into();
        keep_newest(&mut entries, 2);
        let times: Vec<_> = entries.iter().map(|entry| entry.time.as_str()).collect();
        assert_eq!(times, ["2", "3"]);
    }
}
