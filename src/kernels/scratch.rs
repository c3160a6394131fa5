//! Working memory of packed operators: reserved when they are prepared, reused by every run.

/// Buffers that packed operators work in, one per thread and one shared. Make one per prepared graph, let every operator reserve
/// in it, then hand it to each run; a run allocates only if nobody reserved for it.
#[derive(Debug, Default)]
pub struct Scratch {
    /// One buffer a thread; words so that any element type is aligned in it.
    lanes: Vec<Vec<u64>>,
    /// Seen by all threads of one run.
    shared: Vec<u64>,
}

impl Scratch {
    /// No memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// At least `lanes` buffers of `lane_bytes`, and `shared_bytes` in the shared one.
    pub(crate) fn reserve(&mut self, lanes: usize, lane_bytes: usize, shared_bytes: usize) {
        if self.lanes.len() < lanes {
            self.lanes.resize_with(lanes, Vec::new);
        }
        let words = lane_bytes.div_ceil(8);
        for lane in self.lanes.iter_mut().take(lanes) {
            if lane.len() < words {
                lane.resize(words, 0);
            }
        }
        let words = shared_bytes.div_ceil(8);
        if self.shared.len() < words {
            self.shared.resize(words, 0);
        }
    }

    /// The buffers, one per thread, and the shared one.
    pub(crate) fn parts(&mut self) -> (&mut [Vec<u64>], &mut [u64]) {
        (&mut self.lanes, &mut self.shared)
    }
}
