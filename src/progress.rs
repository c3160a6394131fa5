//! How far a step is, whether it should stop, and whether it should stand back: all that the core knows of threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A cheap, shared handle: the step reports into it, its owner reads from it and may cancel. Clones share state.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<State>);

#[derive(Debug, Default)]
struct State {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
    pause: Pause,
}

/// Lets all steps that share it stand back for a moment, so that somebody else has the cores. Clones share state.
#[derive(Debug, Clone)]
pub struct Pause(Arc<Until>);

#[derive(Debug)]
struct Until {
    /// What `end` counts from.
    zero: Instant,
    /// Microseconds.
    end: AtomicU64,
}

impl Default for Pause {
    fn default() -> Self {
        Self(Arc::new(Until {
            zero: Instant::now(),
            end: AtomicU64::new(0),
        }))
    }
}

impl Pause {
    /// From now on for `time`, steps that report wait; a longer pause that was asked for before holds.
    pub fn ask(&self, time: Duration) {
        let end = (self.0.zero.elapsed() + time).as_micros();
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        self.0.end.fetch_max(end, Relaxed);
    }

    /// What is left of it.
    fn left(&self) -> Option<Duration> {
        let end = match self.0.end.load(Relaxed) {
            0 => return None,
            end => Duration::from_micros(end),
        };
        let left = end.checked_sub(self.0.zero.elapsed());
        left.filter(|l| !l.is_zero())
    }
}

/// How long a step that stands back goes without looking whether it was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Progress {
    /// A fresh handle at 0 of 0, not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// A fresh handle whose step stands back when `pause` says so.
    pub fn with_pause(pause: &Pause) -> Self {
        Self(Arc::new(State {
            pause: pause.clone(),
            ..State::default()
        }))
    }

    /// Says that `done` of `total` units are behind us. Fails with [`Error::Cancelled`] once somebody cancelled, so a
    /// loop that reports with `?` stops by itself; call it at least every 50 ms of work, and not while
    /// time is taken: it waits for the end of a [`Pause`].
    pub fn report(&self, done: usize, total: usize) -> Result<()> {
        self.0.done.store(done as u64, Relaxed);
        self.0.total.store(total as u64, Relaxed);
        self.check()?;
        while let Some(left) = self.0.pause.left() {
            std::thread::sleep(left.min(LOOK_EVERY));
            self.check()?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_reports_waits_for_the_end_of_a_pause() {
        let pause = Pause::default();
        let (held, free) = (Progress::with_pause(&pause), Progress::new());
        let time = Duration::from_millis(30);
        let begun = Instant::now();
        pause.ask(time);
        pause.ask(Duration::ZERO);
        free.report(1, 2).unwrap();
        held.check().unwrap();
        held.report(1, 2).unwrap();
        assert!(begun.elapsed() >= time);
        assert_eq!(pause.left(), None);
    }

    #[test]
    fn a_cancelled_step_waits_for_nothing() {
        let pause = Pause::default();
        let progress = Progress::with_pause(&pause);
        pause.ask(Duration::from_secs(3600));
        progress.cancel();
        assert_eq!(progress.report(0, 1), Err(Error::Cancelled));
    }
}
