//! Working memory of packed operators: reserved when they are prepared, reused by every run.

use std::sync::{Mutex, PoisonError};

/// Buffers that packed operators work in, one per thread and one shared. Make one per prepared graph, let every operator reserve
/// in it, then hand it to each run; a run allocates only if nobody reserved for it.
#[derive(Debug, Default)]
pub struct Scratch {
    lanes: Vec<Lane>,
    /// Ranges by all threads of one run.
    shared: Vec<u64>,
}

/// A thread's buffer; words so that any element type is aligned in it.
#[derive(Debug, Default)]
pub(crate) struct Lane(Mutex<Vec<u64>>);

impl Lane {
    /// Calls `work` with the buffer of the thread that calls. Threads beyond the number of lanes wait for each other.
    pub fn of_thread<R>(lanes: &[Lane], work: impl FnOnce(&mut [u64]) -> R) -> Option<R> {
        let thread = rayon::current_thread_index().unwrap_or(0);
        let lane = lanes.get(thread % lanes.len().max(1))?;
        // Whatever a panic left there, work begins with writing.
        let mut words = lane.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(work(&mut words))
    }
}

impl Scratch {
    /// No memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// At least `lanes` buffers of `lane_bytes`, and `shared_bytes` in the shared one.
    pub(crate) fn reserve(&mut self, lanes: usize, lane_bytes: usize, shared_bytes: usize) {
        if self.lanes.len() < lanes {
            self.lanes.resize_with(lanes, Lane::default);
        }
        let words = lane_bytes.div_ceil(8);
        for Lane(lane) in self.lanes.iter_mut().take(lanes) {
            let lane = lane.get_mut().unwrap_or_else(PoisonError::into_inner);
            if lane.len() < words {
                lane.resize(words, 0);
            }
        }
        let words = shared_bytes.div_ceil(8);
        if self.shared.len() < words {
            self.shared.resize(words, 0);
        }
    }

    /// As [`Scratch::reserve`]; `lanes` buffers and the shared one.
    pub(crate) fn parts(
        &mut self,
        lanes: usize,
        lane_bytes: usize,
        shared_bytes: usize,
    ) -> (&[Lane], &mut [u64]) {
        let lanes = lanes.max(1);
        self.reserve(lanes, lane_bytes, shared_bytes);
        (&self.lanes[..lanes], &mut self.shared)
    }
}
