//! How far a step is and whether it should stop: all that the core knows of threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::error::{Error, Result};

/// A cheap, shared handle: the step reports into it, its owner reads from it and may cancel. Clones share state.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<State>);

#[derive(Debug, Default)]
struct State {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// A fresh handle at 0 of 0, not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `done` of `total` units are behind us. Fails with [`Error::Cancelled`] once somebody cancelled, so a
    /// loop that reports with `?` stops by itself; call it at least every 50 ms of work.
    pub fn report(&self, done: usize, total: usize) -> Result<()> {
        self.0.done.store(done as u64, Relaxed);
        self.0.total.store(total as u64, Relaxed);
        self.check()
    }

    /// Fails with [`Error::Cancelled`] once somebody cancelled.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Asks the step to stop.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Relaxed);
    }

    /// Whether [`Progress::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Relaxed)
    }

    /// Units done and units in all; the total is 0 until the step knows it.
    pub fn counts(&self) -> (usize, usize) {
        (
            self.0.done.load(Relaxed) as usize,
            self.0.total.load(Relaxed) as usize,
        )
    }
}
