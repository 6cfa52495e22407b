//! How far something is that takes longer than a moment: on standard error, never among results. One
//! line that is written anew where a terminal is, elsewhere a line now and then.

use std::io::{self, IsTerminal, Stderr, Write};
use std::time::Duration;

use millrace_runtime::clock::{Clock, SystemClock};

use crate::pace::{LINE_INTERVAL, PACE_AFTER};

/// How often the one line is written anew.
const REWRITE_INTERVAL: Duration = Duration::from_millis(250);
/// A line that is broken in two cannot be written anew.
const COLUMNS_MAX: usize = 79;
/// Back to the beginning of the line, and nothing behind it.
const CLEAR: &str = "\r\x1b[K";

/// Tells how far something is. What it was asked to tell too early is not told.
pub(super) struct Telling<W: Write = Stderr> {
    out: W,
    is_terminal: bool,
    clock: SystemClock,
    told_at: Option<Duration>,
    is_line_open: bool,
}

impl Telling {
    /// Of something that begins now.
    pub(super) fn new() -> Self {
        let out = io::stderr();
        let is_terminal = out.is_terminal();
        Self::to(out, is_terminal)
    }
}

impl<W: Write> Telling<W> {
    fn to(out: W, is_terminal: bool) -> Self {
        Self {
            out,
            is_terminal,
            clock: SystemClock::new(),
            told_at: None,
            is_line_open: false,
        }
    }

    /// Tells it, if it is time; `text` is given how long it has taken so far.
    pub(super) fn tell(&mut self, text: impl FnOnce(Duration) -> String) -> io::Result<()> {
        let elapsed = self.clock.now().elapsed;
        self.tell_at(elapsed, text)
    }

    fn tell_at(
        &mut self,
        elapsed: Duration,
        text: impl FnOnce(Duration) -> String,
    ) -> io::Result<()> {
        let interval = if self.is_terminal {
            REWRITE_INTERVAL
        } else {
            LINE_INTERVAL
        };
        let due = self.told_at.map_or(PACE_AFTER, |at| at + interval);
        if elapsed < due {
            return Ok(());
        }
        self.told_at = Some(elapsed);
        let text = text(elapsed);
        if !self.is_terminal {
            return writeln!(self.out, "{text}");
        }
        let text: String = text.chars().take(COLUMNS_MAX).collect();
        self.is_line_open = true;
        write!(self.out, "{CLEAR}{text}")?;
        self.out.flush()
    }

    /// Makes room for a result.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.is_line_open) {
            return Ok(());
        }
        write!(self.out, "{CLEAR}")?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Telling<W> {
    /// Whatever is written next begins a line.
    fn drop(&mut self) {
        self.clear().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told at these times, in milliseconds.
    fn told(is_terminal: bool, times: &[u64]) -> String {
        let mut out = Vec::new();
        let mut telling = Telling::to(&mut out, is_terminal);
        for millis in times {
            let elapsed = Duration::from_millis(*millis);
            telling
                .tell_at(elapsed, |elapsed| format!("{} ms", elapsed.as_millis()))
                .unwrap();
        }
        drop(telling);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_now_and_then_is_told_of_what_takes_longer_than_a_second() {
        assert_eq!(told(false, &[0, 500, 999]), "");
        let times = [0, 1_000, 2_000, 5_999, 6_000, 6_001, 11_500];
        assert_eq!(told(false, &times), "1000 ms\n6000 ms\n11500 ms\n");
    }

    #[test]
    fn a_terminal_has_one_line_that_is_written_anew_and_goes() {
        assert_eq!(told(true, &[0, 999]), "");
        let expected = format!("{CLEAR}1000 ms{CLEAR}1250 ms{CLEAR}");
        assert_eq!(told(true, &[1_000, 1_100, 1_250, 1_300]), expected);
    }

    #[test]
    fn a_line_is_never_longer_than_a_terminal() {
        let mut out = Vec::new();
        let mut telling = Telling::to(&mut out, true);
        let long = |_| "é".repeat(500);
        telling.tell_at(PACE_AFTER, long).unwrap();
        telling.clear().unwrap();
        drop(telling);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.chars().filter(|c| *c == 'é').count(), COLUMNS_MAX);
    }
}
