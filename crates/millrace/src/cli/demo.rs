//! `millrace demo`: the bank's story on a local file, with nothing to install.

mod post;
mod screen;
mod stage;
mod story;

use super::{App, Exit};
pub(crate) use post::Post;
use screen::Screen;
use stage::Stage;

pub(super) fn run(app: &App) -> anyhow::Result<Exit> {
    let mut screen = Screen::new();
    let stage = Stage::open(&app.settings)?;
    let place = stage.data_dir().display().to_string();
    screen.line(&format!(
        "All workers of the bank run in this process, on one file in `{place}`."
    ))?;
    let told = story::tell(&stage, &mut screen);
    let stopped = stage.close();
    told?;
    stopped?;
    screen.chapter("Everything is still there: look around")?;
    for line in LOOK_AROUND {
        screen.line(&format!("  {}", line.replace("{dir}", &place)))?;
    }
    screen.chapter("Or go on")?;
    for line in GO_ON {
        screen.line(&format!("  {}", line.replace("{dir}", &place)))?;
    }
    Ok(Exit::Done)
}

const LOOK_AROUND: [&str; 6] = [
    "export MILLRACE_DATA_DIR={dir}",
    "millrace history bank.account acc-1",
    "millrace query bank.transfers t-1",
    "millrace tail bank.account.outcomes",
    "millrace status",
    "sqlite3 {dir}/millrace.db 'SELECT id, balance, version FROM \"bank.accounts\"'",
];

const GO_ON: [&str; 2] = [
    "millrace run &",
    "millrace send bank.account acc-1 WithdrawMoney '{\"amount\": 500}' --wait",
];
