//! `millrace send`

mod command;
mod lines;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace_runtime::access::{Appender, LogAccess};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::outcome::Status;
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::topic::{Topic, TopicPartition};

use super::outcomes::{self, Awaited};
use super::{App, Exit, UsageError};
use crate::settings::parse_duration;
pub(super) use command::Command;
use command::Envelope;
use lines::Lines;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(
        value_name = "C.A",
        help = "Aggregate, such as bank.account; or - to read JSON lines {\"aggregate\", \
                \"aggregate_id\", \"type\", …} from standard input"
    )]
    aggregate: String,
    /// Id of the aggregate that is asked
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[arg(
        value_name = "TYPE",
        help = "Type of the command, such as DepositMoney"
    )]
    kind: Option<String>,
    /// Fields of the command as a JSON object; a field `password` is replaced by its hash
    #[arg(value_name = "DATA-JSON")]
    data: Option<String>,
    /// Idempotency key within the aggregate; random by default
    #[arg(long, value_name = "X")]
    command_id: Option<String>,
    /// Conversation it belongs to; by default the command id
    #[arg(long, value_name = "X")]
    correlation_id: Option<String>,
    /// Decide only if the aggregate stands at this version
    #[arg(long, value_name = "VERSION")]
    expect: Option<i64>,
    /// Wait for the outcome and print it instead of the id; exit code 3 when it is a rejection
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
}

/// Between no time and a day.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::ZERO..=Duration::from_hours(24))
}

pub(super) fn run(app: &App, args: Args) -> anyhow::Result<Exit> {
    let mut sender = Sender::open(app, args.wait.then_some(args.timeout))?;
    if args.aggregate == "-" {
        let flags = [
            args.id.is_some(),
            args.command_id.is_some(),
            args.correlation_id.is_some(),
            args.expect.is_some(),
        ];
        if flags.contains(&true) {
            let reason = "with `-` everything about a command stands in its line";
            return Err(UsageError::new(reason).into());
        }
        return sender.send_lines(&mut Lines::new(io::stdin().lock()));
    }
    let (Some(id), Some(kind)) = (args.id, args.kind) else {
        return Err(UsageError::new("ID and TYPE are missing").into());
    };
    let data = args.data.map(serde_json::value::RawValue::from_string);
    let data = data
        .transpose()
        .map_err(|error| UsageError::new(format!("DATA-JSON is not JSON: {error}")))?;
    let mut envelope = Envelope::new(kind, data);
    envelope.command_id = args.command_id;
    envelope.correlation_id = args.correlation_id;
    envelope.expected_version = args.expect;
    let command = Command::new(app, &args.aggregate, &id, envelope).map_err(UsageError::new)?;
    sender.send(&[command])
}

/// Puts commands into their topics, and waits for their outcomes if somebody wants to.
struct Sender<'a> {
    app: &'a App,
    log: Arc<dyn LogAccess>,
    appender: Box<dyn Appender>,
    /// The commands topic of each aggregate and its number of partitions.
    topics: BTreeMap<&'static str, (Topic, i32)>,
    wait: Option<Duration>,
}

/// Who sends again needs the id, which may be ours.
fn not_acknowledged(commands: &[Command]) -> String {
    let first = commands.first().map_or("", |command| &command.id);
    match commands {
        [_] => format!("no acknowledgement; send it again with --command-id {first}"),
        _ => format!(
            "not all of {} commands from `{first}` on were written",
            commands.len()
        ),
    }
}

impl<'a> Sender<'a> {
    fn open(app: &'a App, wait: Option<Duration>) -> anyhow::Result<Self> {
        let log = app.log()?;
        Ok(Self {
            app,
            appender: log.appender()?,
            log,
            topics: BTreeMap::new(),
            wait,
        })
    }

    /// Sends what comes, as it comes. Lines before a wrong one are sent.
    fn send_lines(&mut self, lines: &mut Lines<impl io::BufRead>) -> anyhow::Result<Exit> {
        let mut exit = Exit::Done;
        let mut sent = 0;
        loop {
            let mut commands = Vec::new();
            let mut wrong = None;
            for (number, line) in lines.next_some()? {
                match Command::of_line(self.app, &line) {
                    Ok(command) => commands.push(command),
                    Err(reason) => {
                        wrong = Some(format!("line {number}: {reason}"));
                        break;
                    }
                }
            }
            if commands.is_empty() && wrong.is_none() {
                return Ok(exit);
            }
            if !commands.is_empty() {
                sent += commands.len();
                if self.send(&commands)? == Exit::Rejected {
                    exit = Exit::Rejected;
                }
            }
            match wrong {
                Some(reason) if sent == 0 => return Err(UsageError::new(reason).into()),
                Some(reason) => {
                    anyhow::bail!("{reason}; the {sent} commands before it were sent")
                }
                None => {}
            }
        }
    }

    fn send(&mut self, commands: &[Command]) -> anyhow::Result<Exit> {
        let mut outbox = Outbox::default();
        let mut targets = Vec::new();
        for command in commands {
            let (topic, partitions) = self.topic(command.aggregate)?;
            let key = command.key.as_bytes();
            let partition = partition_of(key, partitions);
            targets.push(topic.partition(partition));
            outbox.push(NewRecord {
                topic,
                partition,
                key: Some(key),
                value: Some(command.value.as_bytes()),
                headers: &[],
            });
        }
        // Noted before sending, so that no outcome can be missed.
        let from = match self.wait {
            Some(_) => self.outcomes_from(commands, &targets)?,
            None => Vec::new(),
        };
        self.appender
            .append(&outbox)
            .with_context(|| not_acknowledged(commands))?;
        let mut out = io::stdout().lock();
        let Some(wait) = self.wait else {
            for command in commands {
                writeln!(out, "{}", command.id)?;
            }
            out.flush()?;
            return Ok(Exit::Done);
        };
        let awaited = commands.iter().map(|command| Awaited {
            command_id: command.id.clone(),
            of: Some((command.aggregate.to_owned(), command.key.clone())),
        });
        let mut exit = Exit::Done;
        outcomes::follow(self.log.as_ref(), &from, awaited, wait, &mut |found| {
            if found.outcome.status == Status::Rejected {
                exit = Exit::Rejected;
            }
            writeln!(out, "{}", found.text)?;
            Ok(())
        })?;
        Ok(exit)
    }

    fn topic(&mut self, aggregate: &'static str) -> anyhow::Result<(Topic, i32)> {
        if let Some(known) = self.topics.get(aggregate) {
            return Ok(*known);
        }
        let topic = Topic::of(aggregate, "commands");
        let found = self.log.describe(&[topic.name()])?;
        let partitions = found
            .first()
            .with_context(|| {
                format!("there is no topic `{topic}`: make it with `millrace topics create`")
            })?
            .partitions;
        self.topics.insert(aggregate, (topic, partitions));
        Ok((topic, partitions))
    }

    /// Where outcomes of these commands will be appended, or later.
    fn outcomes_from(
        &self,
        commands: &[Command],
        targets: &[TopicPartition],
    ) -> anyhow::Result<Vec<(TopicPartition, i64)>> {
        let mut wanted: BTreeMap<&'static str, Vec<i32>> = BTreeMap::new();
        for (command, target) in commands.iter().zip(targets) {
            let partitions = wanted.entry(command.aggregate).or_default();
            partitions.push(target.partition);
        }
        let mut from = Vec::new();
        for (aggregate, partitions) in wanted {
            let bounds = self.log.bounds(Topic::of(aggregate, "outcomes"))?;
            let those = bounds
                .iter()
                .filter(|bounds| partitions.contains(&bounds.source.partition));
            from.extend(those.map(|bounds| (bounds.source, bounds.stable_end)));
        }
        Ok(from)
    }
}
