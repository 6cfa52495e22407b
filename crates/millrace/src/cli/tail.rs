//! `millrace tail`

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::str::FromStr;

use millrace_runtime::access::{Bounds, Seen, Span};
use millrace_runtime::log::Record;
use millrace_runtime::topic::Topic;

use super::decoded::Decoder;
use super::visit::{Guarded, guarded};
use super::{App, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Any topic, such as bank.account.events
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Where to begin in every partition
    #[arg(long, value_name = "beginning|end|OFFSET", default_value = "beginning")]
    from: From,
    /// Go on with what is appended later, until stopped
    #[arg(long)]
    follow: bool,
    /// One JSON object a line; a header that is repeated has a list of values
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Beginning,
    End,
    Offset(i64),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => Ok(Self::Beginning),
            "end" => Ok(Self::End),
            _ => match text.parse() {
                Ok(offset) if offset >= 0 => Ok(Self::Offset(offset)),
                _ => Err("must be beginning, end or an offset".to_owned()),
            },
        }
    }
}

impl From {
    /// Never outside of what can be read.
    fn within(self, bounds: &Bounds) -> i64 {
        match self {
            Self::Beginning => bounds.first,
            Self::End => bounds.stable_end,
            Self::Offset(offset) => offset.clamp(bounds.first, bounds.stable_end),
        }
    }
}

pub(super) fn run(app: &App, args: Args) -> anyhow::Result<Exit> {
    let decoder = Decoder::open(app)?;
    let log = app.log()?;
    let bounds = log.bounds(Topic::intern(args.topic))?;
    let mut out = io::stdout().lock();
    let mut show = |record: &Record<'_>| -> Guarded {
        let shown = decoder.decode(record);
        let line = if args.json {
            shown.json()?
        } else {
            shown.text()
        };
        writeln!(out, "{line}")?;
        Ok(ControlFlow::Continue(()))
    };
    if args.follow {
        let from: Vec<_> = bounds
            .iter()
            .map(|bounds| (bounds.source, args.from.within(bounds)))
            .collect();
        guarded(|guard| {
            log.follow(&from, &mut |seen| match seen {
                Seen::Record(record) => guard.pass(show(&record)),
                Seen::Idle => ControlFlow::Continue(()),
            })
        })?;
    } else {
        let spans: Vec<_> = bounds
            .iter()
            .map(|bounds| Span {
                source: bounds.source,
                from: args.from.within(bounds),
                to: bounds.stable_end,
            })
            .collect();
        guarded(|guard| log.read(&spans, &mut |record| guard.pass(show(record))))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_word_or_an_offset() {
        assert_eq!("beginning".parse(), Ok(From::Beginning));
        assert_eq!("end".parse(), Ok(From::End));
        assert_eq!("17".parse(), Ok(From::Offset(17)));
        assert!("-1".parse::<From>().is_err());
        assert!("start".parse::<From>().is_err());
    }

    #[test]
    fn an_offset_that_cannot_be_read_is_brought_to_one_that_can() {
        let bounds = Bounds {
            source: Topic::new("t").partition(0),
            first: 10,
            stable_end: 20,
            end: 25,
        };
        let starts = [
            From::Beginning,
            From::End,
            From::Offset(3),
            From::Offset(15),
            From::Offset(22),
        ]
        .map(|from| from.within(&bounds));
        assert_eq!(starts, [10, 20, 10, 15, 20]);
    }
}
