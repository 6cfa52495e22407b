//! How the story looks: with colours where a terminal is, plain elsewhere.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use millrace_eventsourcing::Mail;
use serde_json::Value;

const HEAD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const QUIET: Style = Style::new().dimmed();
const NAME: Style = AnsiColor::Cyan.on_default();

/// Writes what happens to standard output.
pub(super) struct Screen {
    out: anstream::AutoStream<std::io::Stdout>,
    commands: u32,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            out: anstream::stdout(),
            commands: 0,
        }
    }

    pub(super) fn chapter(&mut self, title: &str) -> anyhow::Result<()> {
        writeln!(self.out, "\n{HEAD}{title}{HEAD:#}\n")?;
        Ok(())
    }

    /// Shows a command; returns the correlation id under which it is found later.
    pub(super) fn command(
        &mut self,
        (aggregate, id): (&str, &str),
        kind: &str,
        data: &Value,
    ) -> anyhow::Result<String> {
        self.commands += 1;
        let data = without_password(data);
        writeln!(
            self.out,
            "{NAME}{aggregate} {id}{NAME:#}  {HEAD}{kind}{HEAD:#} {data}"
        )?;
        Ok(format!("demo-{}", self.commands))
    }

    /// What came about by itself.
    pub(super) fn follows(&mut self, cause: &str) -> anyhow::Result<()> {
        writeln!(self.out, "{NAME}{cause}{NAME:#}")?;
        Ok(())
    }

    pub(super) fn outcome(&mut self, outcome: &Value) -> anyhow::Result<()> {
        let text = |name: &str| {
            outcome
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let version = outcome
            .get("version")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let (of, kind) = (text("aggregate_id"), text("type"));
        if text("status") == "accepted" {
            writeln!(
                self.out,
                "  {GOOD}accepted{GOOD:#}  {kind}, {of} is at version {version}"
            )?;
        } else {
            writeln!(
                self.out,
                "  {BAD}rejected{BAD:#}  {}: {}",
                text("code"),
                text("message")
            )?;
        }
        Ok(())
    }

    pub(super) fn event(&mut self, event: &Value) -> anyhow::Result<()> {
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let version = event
            .get("version")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let data = event.get("data").map(shortened).unwrap_or_default();
        writeln!(
            self.out,
            "  event {version:>3}  {kind} {QUIET}{data}{QUIET:#}"
        )?;
        Ok(())
    }

    pub(super) fn mail(&mut self, mail: &Mail) -> anyhow::Result<()> {
        writeln!(self.out, "  mail to {}: {}", mail.to, mail.subject)?;
        for line in mail.body.lines().filter(|line| !line.is_empty()) {
            writeln!(self.out, "  {QUIET}| {line}{QUIET:#}")?;
        }
        Ok(())
    }

    pub(super) fn table(&mut self, name: &str, rows: &str) -> anyhow::Result<()> {
        writeln!(self.out, "{NAME}{name}{NAME:#}\n{rows}")?;
        Ok(())
    }

    pub(super) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.out, "{line}")?;
        Ok(())
    }
}

/// As it was typed, but for the password, which is hashed before it leaves the process.
fn without_password(data: &Value) -> Value {
    let mut data = data.clone();
    if let Some(password) = data.get_mut("password") {
        *password = "(hashed before it is sent)".into();
    }
    data
}

/// Without what holds nothing, and with the beginning of a hash.
fn shortened(data: &Value) -> String {
    let Value::Object(fields) = data else {
        return data.to_string();
    };
    let mut shown = fields.clone();
    shown.retain(|_, value| !value.is_null());
    if let Some(Value::String(hash)) = shown.get_mut("password_hash") {
        hash.truncate(hash.floor_char_boundary(10));
        hash.push('…');
    }
    Value::Object(shown).to_string()
}
