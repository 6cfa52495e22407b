//! The sums of a test run, read from what the test binaries print.

use std::fmt::{self, Display};

/// How many tests did what.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Names of the failed ones, as printed.
    pub(crate) failures: Vec<String>,
}

impl Totals {
    /// Takes in one line of output; lines that say nothing about results change nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        }
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        self.passed += count(result, "passed");
        self.failed += count(result, "failed");
        self.ignored += count(result, "ignored");
    }

    /// A run that failed though no test did (a binary that crashed or did not compile) has a failure.
    pub(crate) fn with_success(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
            self.failures
                .push("the run itself: a test binary crashed or did not compile".to_owned());
        }
        self
    }
}

impl Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number before `word` in `ok. 3 passed; 0 failed; 1 ignored; ...`.
fn count(result: &str, word: &str) -> u64 {
    let words: Vec<&str> = result
        .split([' ', ';'])
        .filter(|part| !part.is_empty())
        .collect();
    let number = words.windows(2).find_map(|pair| match pair {
        [number, name] if *name == word => number.parse().ok(),
        _ => None,
    });
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Totals;

    fn totals(output: &str) -> Totals {
        let mut totals = Totals::default();
        output.lines().for_each(|line| totals.add_line(line));
        totals
    }

    #[test]
    fn the_results_of_all_binaries_are_summed() {
        let output = "running 2 tests\n\
            test a::b ... ok\n\
            test a::c ... FAILED\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 1.00s\n";
        let totals = totals(output);
        assert_eq!(totals.to_string(), "13 passed, 1 failed");
        assert_eq!(totals.ignored, 3);
        assert_eq!(totals.failures, ["a::c"]);
    }

    #[test]
    fn a_test_that_prints_about_results_is_not_counted() {
        assert_eq!(totals("we passed; 5 failed\n5 passed"), Totals::default());
    }

    #[test]
    fn a_run_that_fails_without_a_failed_test_has_one_failure() {
        let crashed = totals("running 4 tests").with_success(false);
        assert_eq!(crashed.to_string(), "0 passed, 1 failed");
        let failed =
            totals("test result: FAILED. 1 passed; 2 failed; 0 ignored").with_success(false);
        assert_eq!(failed.failed, 2);
    }
}
