//! What a prepared graph keeps between runs: the state of recurrent nodes, variables, and what ran once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::buffer::Buffer;
use crate::error::Result;
use crate::graph::{DType, TensorId};
use crate::progress::Progress;
use crate::unsupported;

/// Segments that may be entered from within each other.
const MOST_NESTED: usize = 300;

/// State, empty before the first run.
#[derive(Debug, Default)]
pub(super) struct State {
    /// State tensors by subgraph and tensor.
    tensors: BTreeMap<(usize, TensorId), Buffer>,
    /// Values of variables by their handle.
    variables: BTreeMap<u64, Variable>,
    /// Subgraphs that CALL_ONCE has run.
    called: BTreeSet<usize>,
    /// Asks runs to stop.
    pub stop: Option<Progress>,
    nested: usize,
    /// Threads that kernels may use; 0 as 1.
    pub threads: usize,
    /// How long the nodes of a subgraph take, where somebody wants to know.
    pub times: Option<Times>,
}

/// How long the nodes of subgraph `subgraph` took in one run; `None` where a node has nothing to compute while running.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub subgraph: usize,
    pub nodes: Vec<Option<Duration>>,
}

/// The value of a variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub data: Buffer,
}

impl State {
    /// Empty, for kernels on that many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            ..Self::default()
        }
    }

    /// Forgets everything that runs have left.
    pub fn reset(&mut self) {
        self.tensors.clear();
        self.variables.clear();
        self.called.clear();
    }

    /// Fails once somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        self.stop.as_ref().map_or(Ok(()), Progress::check)
    }

    /// When a node of `subgraph` begins, if its time is wanted.
    pub fn begin(&self, subgraph: usize) -> Option<Instant> {
        let wanted = self.times.as_ref().filter(|t| t.subgraph == subgraph);
        wanted.map(|_| Instant::now())
    }

    /// Counts the time since [`State::begin`] for a node.
    pub fn end(&mut self, node: usize, begun: Option<Instant>) {
        if let (Some(begun), Some(times)) = (begun, &mut self.times)
            && let Some(time) = times.nodes.get_mut(node)
        {
            *time.get_or_insert_default() += begun.elapsed();
        }
    }

    /// Says that one more segment is being run; fails if that nests too deep.
    pub fn enter(&mut self) -> Result<()> {
        if self.nested >= MOST_NESTED {
            return unsupported!(
                "More than {MOST_NESTED} subgraphs and parts whose shapes depend on values are nested, which cannot run"
            );
        }
        self.nested += 1;
        Ok(())
    }

    /// Says that a segment has been run.
    pub fn leave(&mut self) {
        self.nested = self.nested.saturating_sub(1);
    }

    /// Takes the state of a tensor out, `bytes` long and filled with `fill` if it is new.
    pub fn take(&mut self, key: (usize, TensorId), bytes: usize, fill: u8) -> Result<Buffer> {
        match self.tensors.remove(&key) {
            Some(buffer) if buffer.bytes().len() == bytes => Ok(buffer),
            _ => {
                let mut buffer = Buffer::zeros(bytes)?;
                buffer.bytes_mut().fill(fill);
                Ok(buffer)
            }
        }
    }

    /// Puts the state of a tensor back.
    pub fn put(&mut self, key: (usize, TensorId), buffer: Buffer) {
        self.tensors.insert(key, buffer);
    }

    /// The value of a variable, if one was assigned.
    pub fn variable(&self, handle: u64) -> Option<&Variable> {
        self.variables.get(&handle)
    }

    /// The memory of a variable that is about to be assigned.
    pub fn take_variable(&mut self, handle: u64) -> Buffer {
        self.variables
            .remove(&handle)
            .map(|v| v.data)
            .unwrap_or_default()
    }

    /// Assigns a variable.
    pub fn assign(&mut self, handle: u64, value: Variable) {
        self.variables.insert(handle, value);
    }

    /// Whether a subgraph that runs once still has to.
    pub fn first_call(&mut self, subgraph: usize) -> bool {
        self.called.insert(subgraph)
    }
}
