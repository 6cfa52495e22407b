//! `millrace status`

mod group;
mod process;
mod task;

use std::io::{self, Write};

use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::{App, Exit};
use group::{GroupStatus, Place};
use process::ProcessStatus;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One JSON object a line: the process at `http.listen`, then every group
    #[arg(long)]
    json: bool,
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    let process = process::status(&app.settings.http.listen);
    let groups = group::all(app)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&process)?)?;
        for group in &groups {
            writeln!(out, "{}", serde_json::to_string(group)?)?;
        }
        return Ok(Exit::Done);
    }
    show_process(&mut out, &process)?;
    for group in &groups {
        show_group(&mut out, group)?;
    }
    Ok(Exit::Done)
}

fn show_process(out: &mut impl Write, process: &ProcessStatus) -> io::Result<()> {
    let ready = match process.ready {
        Some(true) => "ready",
        Some(false) => "not ready",
        None => "not reached",
    };
    writeln!(out, "process at {}: {ready}", process.listen)?;
    for reason in &process.reasons {
        writeln!(out, "  {reason}")?;
    }
    Ok(())
}

fn show_group(out: &mut impl Write, group: &GroupStatus) -> io::Result<()> {
    let lag: i64 = group.partitions.iter().filter_map(|place| place.lag).sum();
    writeln!(
        out,
        "\ngroup {}: {}, members {}, lag {lag}",
        group.group,
        group.state_text(),
        group.members.len()
    )?;
    for problem in &group.problems {
        writeln!(out, "  {problem}")?;
    }
    let mut grid = comfy_table::Table::new();
    grid.load_style(UTF8_FULL_CONDENSED);
    // Only groups that decide have task records.
    let has_tasks = group.partitions.iter().any(|place| place.task.is_some());
    let mut header = vec!["partition", "owner", "position", "stored", "end", "lag"];
    header.extend(has_tasks.then_some("task record"));
    grid.set_header(header);
    for place in &group.partitions {
        let mut row = vec![
            format!("{}/{}", place.topic, place.partition),
            place.owner.clone().unwrap_or_default(),
            number(place.position),
            number(place.stored),
            place.end.to_string(),
            number(place.lag),
        ];
        row.extend(has_tasks.then(|| task_text(place)));
        grid.add_row(row);
    }
    writeln!(out, "{grid}")
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn task_text(place: &Place) -> String {
    match &place.task {
        None => String::new(),
        Some(task) => {
            let owner = task.owner.as_deref().unwrap_or("released");
            format!("{owner}, next {}", task.next_offset)
        }
    }
}
