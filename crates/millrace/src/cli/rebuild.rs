//! `millrace rebuild`

use std::io::{self, Write};
use std::time::Duration;

use anyhow::bail;
use millrace_runtime::clock::{Clock, SystemClock};

use super::{App, Exit, find};
use crate::run::rebuild::{Applied, Rebuild};

/// From then on there is a pace worth telling.
const PACE_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Projection, such as bank.accounts
    #[arg(value_name = "C.NAME")]
    projection: String,
    /// Also when records are gone from its topics: what only they told is lost
    #[arg(long)]
    force: bool,
}

pub(super) fn run(app: App, args: &Args) -> anyhow::Result<Exit> {
    let (context, projection) = find::projection(&app, &args.projection)?;
    let projection = std::sync::Arc::clone(projection);
    let rebuild = Rebuild::new(&app.registry, app.settings, context, projection)?;
    rebuild.refuse_members()?;
    let cut = rebuild.cut_topics()?;
    if !cut.is_empty() && !args.force {
        bail!(
            "topics `{}` no longer begin at offset 0: rows that only the records before told would \
             be lost; --force accepts that",
            cut.join("`, `")
        );
    }
    let mut out = io::stdout().lock();
    rebuild.empty_tables()?;
    writeln!(out, "tables of {} are empty", args.projection)?;
    let clock = SystemClock::new();
    let mut told = 0;
    rebuild.apply_all(&mut |progress| {
        if progress.done != told {
            told = progress.done;
            writeln!(out, "{}", line(progress, clock.now().elapsed))?;
        }
        Ok(())
    })?;
    writeln!(out, "{} is rebuilt", args.projection)?;
    Ok(Exit::Done)
}

/// How far it is after that time, and when that is long enough to tell, how fast.
fn line(Applied { done, all }: Applied, elapsed: Duration) -> String {
    let far = format!("{done} of {all} offsets");
    let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
    let pace = done.saturating_mul(1000).checked_div(millis);
    match pace {
        Some(pace) if pace > 0 && elapsed >= PACE_AFTER && done < all => {
            let left = (all - done).div_euclid(pace);
            format!("{far}, {pace} a second, {left} s left")
        }
        Some(_) | None => far,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_that_takes_long_says_how_fast_it_is_and_how_long_it_takes() {
        let after = |millis, done| {
            let applied = Applied { done, all: 1_000 };
            line(applied, Duration::from_millis(millis))
        };
        assert_eq!(after(0, 100), "100 of 1000 offsets");
        assert_eq!(after(999, 100), "100 of 1000 offsets");
        assert_eq!(
            after(2_000, 100),
            "100 of 1000 offsets, 50 a second, 18 s left"
        );
        assert_eq!(after(600_000, 1), "1 of 1000 offsets");
        assert_eq!(after(9_000, 1_000), "1000 of 1000 offsets");
    }
}
