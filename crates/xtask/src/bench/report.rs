//! The figures as a table, each with its aim.
#![expect(clippy::float_arithmetic, reason = "ratios for people")]

use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use super::capacity::{Cost, Load, Round};
use super::memory::Restored;
use super::ping::Pings;

const PING_RATIO_MAX: f64 = 2.0;
const CAPACITY_RATIO_MIN: f64 = 0.5;
const RESIDENT_MIB_MAX: f64 = 1024.0;
/// The window that the aim for memory is about.
const AIM_WINDOW: u32 = 10;

/// Lines to be printed when everything is measured.
#[derive(Debug)]
pub(super) struct Report {
    text: String,
    faults: Vec<String>,
}

impl Report {
    pub(super) fn begin() -> Result<Self> {
        let mut text = String::from("\n");
        let cpus = std::thread::available_parallelism()?;
        let model = fs::read_to_string("/proc/cpuinfo")?
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned());
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
        line(
            &mut text,
            &format!("machine: {cpus} x {model}; load average at the start {load}"),
        );
        Ok(Self {
            text,
            faults: Vec::new(),
        })
    }

    pub(super) fn ping(&mut self, pings: &Pings) {
        self.add("one command at a time, from append to outcome, ms");
        self.add(&format!(
            "  {:28} {:>9} {:>9} {:>9}",
            "", "p50", "p90", "p99"
        ));
        let all = |micros: &[u64]| [50, 90, 99].map(|percent| percentile_ms(micros, percent));
        let (worker, bare) = (all(&pings.worker), all(&pings.bare));
        self.row("millrace", worker);
        self.row("bare transactional loop", bare);
        let ratios = [0, 1, 2].map(|place| {
            let of = |all: &[f64; 3]| all.get(place).copied().unwrap_or_default();
            of(&worker) / of(&bare)
        });
        self.row("ratio", ratios);
        let [p50, _, p99] = ratios;
        let is_met = p50 <= PING_RATIO_MAX && p99 <= PING_RATIO_MAX;
        self.aim(
            &format!("p50 and p99 within {PING_RATIO_MAX} times the bare loop"),
            is_met,
        );
    }

    pub(super) fn capacity(&mut self, load: &Load, rounds: &[Round]) {
        self.add(&format!(
            "{} waiting commands over {} accounts, one worker",
            load.commands, load.accounts
        ));
        self.add(&format!(
            "  {:28} {:>9} {:>9} {:>9} {:>9}",
            "", "per CPU-s", "us CPU", "per s", "broker us"
        ));
        let mut worst = f64::INFINITY;
        for round in rounds {
            self.cost("millrace", round.commands, round.worker);
            self.cost("bare producer", round.commands, round.bare);
            let ratio = round.bare.cpu.as_secs_f64() / round.worker.cpu.as_secs_f64();
            worst = worst.min(ratio);
            self.add(&format!(
                "  {:28} {ratio:>9.2}   {} transactions, {:.2} records a command",
                "ratio",
                round.transactions,
                float(round.records) / float(round.commands)
            ));
            self.faults.extend(round.faults.iter().cloned());
        }
        let aim = format!("at least {CAPACITY_RATIO_MIN} of the bare producer, in every round");
        self.aim(&aim, worst >= CAPACITY_RATIO_MIN);
    }

    pub(super) fn memory(&mut self, restored: &Restored) {
        let mib = |kib: u64| float(kib) / 1024.0;
        let (wall, cpu) = (restored.wall.as_secs_f64(), restored.cpu.as_secs_f64());
        let accounts = f64::from(restored.accounts);
        self.add(&format!(
            "{} accounts restored, {} recent commands each",
            restored.accounts, restored.window
        ));
        self.add(&format!(
            "  resident {:.0} MiB (highest {:.0}), state topic {:.0} MiB, ready after {:.1} s \
             ({:.0} records/s, {:.0} per CPU-s)",
            mib(restored.resident_kib),
            mib(restored.highest_kib),
            mib(restored.bytes / 1024),
            wall,
            accounts / wall,
            accounts / cpu,
        ));
        if restored.window == AIM_WINDOW {
            let is_met = mib(restored.resident_kib) < RESIDENT_MIB_MAX;
            self.aim("under 1 GiB resident", is_met);
        }
    }

    /// Whatever makes the figures worthless.
    pub(super) fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    pub(super) fn print(&self) {
        println!("{}", self.text);
        for fault in &self.faults {
            println!("NOT SOUND: {fault}");
        }
    }

    /// Whether what was measured did what it should.
    pub(super) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    pub(super) fn add(&mut self, text: &str) {
        line(&mut self.text, text);
    }

    pub(super) fn row(&mut self, name: &str, [p50, p90, p99]: [f64; 3]) {
        self.add(&format!("  {name:28} {p50:>9.2} {p90:>9.2} {p99:>9.2}"));
    }

    fn cost(&mut self, name: &str, commands: u64, cost: Cost) {
        let commands = float(commands);
        self.add(&format!(
            "  {name:28} {:>9.0} {:>9.2} {:>9.0} {:>9.2}",
            commands / cost.cpu.as_secs_f64(),
            cost.cpu.as_secs_f64() * 1e6 / commands,
            commands / cost.wall.as_secs_f64(),
            cost.broker.as_secs_f64() * 1e6 / commands,
        ));
    }

    pub(super) fn aim(&mut self, aim: &str, is_met: bool) {
        let word = if is_met { "met" } else { "NOT MET" };
        self.add(&format!("  aim: {aim}: {word}"));
    }
}

fn line(text: &mut String, more: &str) {
    // Writing to a text has no way to fail.
    if writeln!(text, "{more}").is_err() {
        text.push_str(more);
    }
}

/// Of microseconds.
fn percentile_ms(sorted: &[u64], percent: usize) -> f64 {
    percentile(sorted, percent) / 1000.0
}

/// The smallest value that so many percent do not exceed.
pub(super) fn percentile(sorted: &[u64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    float(sorted.get(rank - 1).copied().unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=200).map(|value| value * 1000).collect();
        assert_eq!(percentile_ms(&values, 50).to_string(), "100");
        assert_eq!(percentile_ms(&values, 99).to_string(), "198");
        assert_eq!(percentile_ms(&[7000], 99).to_string(), "7");
        assert_eq!(percentile_ms(&[], 99).to_string(), "0");
    }
}
