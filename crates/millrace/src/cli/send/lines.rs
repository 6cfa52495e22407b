//! Lines of standard input, as many at a time as are there.

use std::io::{BufRead, Read};

use anyhow::{Context, bail};

/// Lines taken at a time: bounds memory, and how long the first of them waits for the others.
const LINES_MAX: usize = 1_000;
/// A command record is bounded by 256 KiB; a line holds a little more.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Numbered lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    from: R,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(from: R) -> Self {
        Self { from, number: 0 }
    }

    /// Waits for a line, then takes those that have come with it, without blank ones. Nothing at
    /// the end of the input.
    pub(super) fn next_some(&mut self) -> anyhow::Result<Vec<(usize, String)>> {
        let mut lines = Vec::new();
        while lines.is_empty() || (lines.len() < LINES_MAX && self.has_line()) {
            let mut line = String::new();
            let number = self.number + 1;
            let taken = (&mut self.from)
                .take(LINE_BYTES_MAX)
                .read_line(&mut line)
                .with_context(|| format!("cannot read line {number}"))?;
            if taken == 0 {
                break;
            }
            if taken as u64 == LINE_BYTES_MAX && !line.ends_with('\n') {
                bail!("line {number} is longer than {LINE_BYTES_MAX} bytes");
            }
            self.number = number;
            if !line.trim().is_empty() {
                lines.push((number, line));
            }
        }
        Ok(lines)
    }

    /// Whether a whole line is there already.
    fn has_line(&mut self) -> bool {
        self.from
            .fill_buf()
            .is_ok_and(|buffered| buffered.contains(&b'\n'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_but_are_not_taken() {
        let mut lines = Lines::new(&b"a\n\n \nb"[..]);
        let numbered = |number, text: &str| (number, text.to_owned());
        assert_eq!(lines.next_some().unwrap(), [numbered(1, "a\n")]);
        assert_eq!(lines.next_some().unwrap(), [numbered(4, "b")]);
        assert_eq!(lines.next_some().unwrap(), []);
    }

    #[test]
    fn lines_that_are_there_are_taken_together_up_to_a_bound() {
        let text = "x\n".repeat(LINES_MAX + 5);
        let mut lines = Lines::new(text.as_bytes());
        assert_eq!(lines.next_some().unwrap().len(), LINES_MAX);
        assert_eq!(lines.next_some().unwrap().len(), 5);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let text = "x".repeat(1 << 21);
        let error = Lines::new(text.as_bytes()).next_some().unwrap_err();
        assert!(error.to_string().contains("line 1 is longer"), "{error}");
    }
}
