//! Runs a graph: [`prepare`] once for given input shapes, then [`Prepared::run`], over the kernels. An [`Observer`] sees each tensor.
//!
//! Preparing resolves every shape, computes what depends on constants alone (SHAPE → STRIDED_SLICE → PACK → RESHAPE
//! chains, DEQUANTIZE of weights), checks every node and gives each remaining tensor a place in memory that is reused
//! once nobody reads it any more. Running calls one kernel a step.

mod buffer;
mod built;
mod call;
mod node;
mod operators;
mod ops;
mod plan;
mod run;
mod segment;
mod shared;
mod state;

use crate::graph::TensorId;

pub use operators::{Runs, runs};
pub use plan::{batchable, prepare};
pub use run::Prepared;

/// Which kernels compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KernelSet {
    /// The naive reference: the specification and oracle.
    Reference,
    /// Packed, vectorised, multi-threaded.
    #[default]
    Fast,
}

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which kernels compute.
    pub kernels: KernelSet,
    /// Threads that kernels may use, the caller's included; 1 runs all on the calling thread.
    pub threads: usize,
    /// Which subgraph runs.
    pub subgraph: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kernels: KernelSet::Fast,
            threads: 1,
            subgraph: 0,
        }
    }
}

/// A look at one tensor while the engine runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View<'a> {
    /// Extents as resolved for this run.
    pub shape: &'a [usize],
    /// Elements, row-major.
    pub data: Slice<'a>,
}

/// Borrowed elements.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)] // one variant per element type
pub enum Slice<'a> {
    F32(&'a [f32]),
    F16(&'a [half::f16]),
    F64(&'a [f64]),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    Bool(&'a [bool]),
}

/// Something that a recurrent node computes at each of its steps and that is no output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The state that this input holds.
    State(usize),
    /// What this intermediate tensor stands for, whether the node has one or not: of LSTM the sums of its gates before layer
    /// normalization (0 to 3, in the order of the weights) and what enters its projection (4).
    Intermediate(usize),
}

/// Sees every tensor of the subgraph as it is defined: inputs first, then each node's outputs in execution order. It is called on
/// a thread of the run's pool, where rayon's parts go to the threads that the run may use, if there are several.
pub trait Observer: Send {
    /// `id` has just been computed (or fed).
    fn tensor(&mut self, id: TensorId, value: View<'_>);

    /// Float node `node` took `part` from `min` to `max` over the steps of this run. Comes before its outputs.
    fn part(&mut self, node: usize, part: Part, min: f32, max: f32) {
        let _ = (node, part, min, max);
    }
}
