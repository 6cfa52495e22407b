//! One worker whose every step somebody else decides.

use std::fmt;
use std::time::Duration;

use millrace_runtime::clock::Now;
use millrace_runtime::engine::Engine;
use millrace_runtime::log::{Effect, Log};
use millrace_runtime::step::Step;

use crate::memory_log::MemoryLog;

/// An engine and its log, without a thread: what the worker's loop does, in halves.
pub struct Worker<S: Step> {
    engine: Engine<S>,
    log: MemoryLog,
    effects: Vec<Effect>,
}

impl<S: Step> Worker<S> {
    /// A worker that has not polled yet.
    pub const fn new(engine: Engine<S>, log: MemoryLog) -> Self {
        Self {
            engine,
            log,
            effects: Vec::new(),
        }
    }

    /// Takes in what the log has, at most `records_max` records among it.
    pub fn poll(&mut self, now: Now, records_max: usize) {
        let engine = &mut self.engine;
        engine.set_now(now);
        let records_max = engine.capacity().min(records_max);
        self.log.poll(Duration::ZERO, records_max, &mut |event| {
            engine.on_event(event);
        });
    }

    /// Goes on and carries out what the engine wants.
    pub fn advance(&mut self, now: Now) {
        for effect in self.engine.advance(now) {
            self.effects.push(effect.clone());
            self.log.act(effect);
        }
    }

    /// Both, once.
    pub fn turn(&mut self, now: Now, records_max: usize) {
        self.poll(now, records_max);
        self.advance(now);
    }

    /// What the engine has wanted since this was asked last.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine<S> {
        &self.engine
    }

    /// The engine, to be told something directly.
    pub const fn engine_mut(&mut self) -> &mut Engine<S> {
        &mut self.engine
    }

    /// The log.
    pub const fn log(&self) -> &MemoryLog {
        &self.log
    }

    /// Dies with everything in memory after at most `effects` more effects were carried out; what
    /// it had open stays open.
    pub fn crash(mut self, now: Now, effects: usize) {
        if effects > 0 {
            for effect in self.engine.advance(now).into_iter().take(effects) {
                self.log.act(effect);
            }
        }
        self.log.crash();
    }
}

impl<S: Step> fmt::Debug for Worker<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Worker")
            .field("log", &self.log)
            .field("status", &self.engine.status())
            .finish_non_exhaustive()
    }
}
