//! Batches of a small graph side by side, one run a thread: what is too small to share the work of an operator.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::feed::{Batches, Feed};
use crate::data::Dataset;
use crate::engine::Options;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::invalid;
use crate::progress::Progress;

/// Most bytes that the constants of a graph may hold which every thread prepares for itself.
const MOST_CONSTANTS: usize = 8 << 20;
/// Most bytes of constants, packed, that all threads together may take.
const MOST_IN_ALL: usize = 256 << 20;

/// A graph prepared once for each thread.
pub struct Lanes {
    batches: Batches,
    feeds: Vec<Mutex<Feed>>,
    pool: rayon::ThreadPool,
    progress: Progress,
}

impl Lanes {
    /// Prepares the main subgraph of `graph` for runs of `batches` on each of `threads` threads; `None` where its operators are
    /// better shared among them. Runs fail once `progress` is cancelled.
    ///
    /// # Errors
    /// A graph that cannot run.
    pub fn new(
        graph: &Arc<Graph>,
        batches: &Batches,
        threads: usize,
        progress: &Progress,
    ) -> Result<Option<Self>> {
        let constants = graph.constant_bytes();
        let in_all = constants.saturating_mul(2).saturating_mul(threads);
        if threads < 2 || constants > MOST_CONSTANTS || in_all > MOST_IN_ALL {
            return Ok(None);
        }
        let mut feeds = vec![];
        for _ in 0..threads {
            let mut feed = Feed::of(graph, Options::default(), batches.clone())?;
            feed.stop_with(progress);
            feeds.push(Mutex::new(feed));
        }
        match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
            Ok(pool) => Ok(Some(Self {
                batches: batches.clone(),
                feeds,
                pool,
                progress: progress.clone(),
            })),
            Err(e) => invalid!("Cannot start {threads} threads: {e}"),
        }
    }

    /// Runs the samples of each of `ranges` and hands the outputs to `then`; the results come in the order of the ranges, up to the
    /// first that failed. Samples done are counted in `done` and reported as of `data`.
    pub fn map<R: Send>(
        &self,
        data: &dyn Dataset,
        ranges: &[Range<usize>],
        done: &AtomicUsize,
        then: impl Fn(&Range<usize>, Vec<Value>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let one = |range: &Range<usize>| {
            let before = done.fetch_add(range.len(), Relaxed);
            self.progress.report(before, data.len())?;
            let Some(feed) = rayon::current_thread_index().and_then(|i| self.feeds.get(i)) else {
                return invalid!("There are more threads than prepared models");
            };
            // Reading may lead to another range on this thread, so that the feed is taken afterwards; running does not.
            let inputs = self.batches.inputs(data, range.clone())?;
            let values = {
                let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
                feed.run_inputs(&inputs, None)?
            };
            then(range, values)
        };
        let each = || {
            ranges
                .par_iter()
                .with_max_len(1)
                .map(one)
                .collect::<Vec<_>>()
        };
        self.pool.install(each).into_iter().collect()
    }
}
