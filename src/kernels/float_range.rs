//! The range of floats: a hybrid kernel needs that of its input, and who computes the input finds it while it lies in the cache.

use std::sync::{Mutex, PoisonError};

use super::isa::Proven;
use super::parallel;
use super::simd::{self, Vectorized};

/// Values looked at in one go.
const LANES: usize = 64;

/// Smallest and greatest of some values and 0; NaN does not count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FloatRange {
    /// The smallest.
    pub low: f32,
    /// The greatest.
    pub high: f32,
}

impl FloatRange {
    /// That of the values of both.
    fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// What a hybrid kernel or the operators before it know of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ranges {
    /// Of the input, if known.
    pub input: Option<FloatRange>,
    /// Of the output, once it is computed.
    pub output: Option<FloatRange>,
}

struct Look<'a> {
    values: &'a [f32],
    out: &'a mut FloatRange,
}

impl Vectorized for Look<'_> {
    #[inline(always)]
    fn run(self) {
        let (mut low, mut high) = ([0f32; LANES], [0f32; LANES]);
        let (chunks, rest) = self.values.as_chunks::<LANES>();
        for v in chunks {
            for j in 0..LANES {
                low[j] = if v[j] < low[j] { v[j] } else { low[j] };
                high[j] = if v[j] > high[j] { v[j] } else { high[j] };
            }
        }
        // Halved while there are whole vectors.
        for half in [LANES / 2, LANES / 4] {
            for j in 0..half {
                low[j] = if low[j + half] < low[j] {
                    low[j + half]
                } else {
                    low[j]
                };
                high[j] = if high[j + half] > high[j] {
                    high[j + half]
                } else {
                    high[j]
                };
            }
        }
        let (low, high) = (&low[..LANES / 4], &high[..LANES / 4]);
        *self.out = FloatRange {
            low: low.iter().chain(rest).fold(0f32, |m, &v| m.min(v)),
            high: high.iter().chain(rest).fold(0f32, |m, &v| m.max(v)),
        };
    }
}

/// The range of `x`, looked for on `threads` threads.
pub(crate) fn range_of(isa: Proven, x: &[f32], threads: usize) -> FloatRange {
    let all = RangeFinder::new(isa, true);
    if threads <= 1 {
        all.look(x);
    } else {
        let step = x.len().div_ceil(threads).max(1);
        parallel::parts(threads, &|i| all.look(x.chunks(step).nth(i).unwrap_or(&[])));
    }
    all.found()
}

/// Gathers the range of what the threads of an operator compute, if they are wanted.
pub(crate) struct RangeFinder {
    isa: Proven,
    found: Option<Mutex<FloatRange>>,
}

impl RangeFinder {
    pub fn new(isa: Proven, wanted: bool) -> Self {
        Self {
            isa,
            found: wanted.then(Mutex::default),
        }
    }

    /// Counts some values in.
    pub fn look(&self, values: &[f32]) {
        if let Some(found) = &self.found {
            let mut here = FloatRange::default();
            let out = &mut here;
            simd::vectorized(self.isa, Look { values, out });
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            *found = found.join(here);
        }
    }

    /// The range of all values counted in.
    pub fn found(self) -> FloatRange {
        let found = self.found.unwrap_or_default();
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
