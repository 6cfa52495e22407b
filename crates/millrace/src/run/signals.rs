//! SIGTERM and ctrl-C: the first one asks for a graceful stop, the second one ends it.

use anyhow::Context;
use millrace_runtime::stop::StopToken;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::board::Board;

/// What shells expect of a process that a signal ended.
const EXIT_INTERRUPTED: i32 = 130;

/// Begins to listen.
///
/// # Errors
/// When the system does not let us.
pub(super) fn listen(runtime: &Runtime, stop: StopToken, board: Board) -> anyhow::Result<()> {
    let (terminate, interrupt) = {
        let _inside = runtime.enter();
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        (terminate, interrupt)
    };
    runtime.spawn(wait(terminate, interrupt, stop, board));
    Ok(())
}

async fn wait(mut terminate: Signal, mut interrupt: Signal, stop: StopToken, board: Board) {
    next(&mut terminate, &mut interrupt).await;
    info!("asked to stop: finishing the batch, then leaving the groups");
    board.stop();
    stop.stop();
    next(&mut terminate, &mut interrupt).await;
    warn!("asked again: ending at once");
    end_at_once();
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[expect(
    clippy::exit,
    reason = "the second signal means that waiting for threads is not wanted"
)]
fn end_at_once() -> ! {
    std::process::exit(EXIT_INTERRUPTED)
}
