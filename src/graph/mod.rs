//! What a model is: plain values, validated once, shared by `Arc`, never changed in place once published.

mod dtype;
mod entry;
mod op;
mod op_names;
mod op_options;
mod sparsity;
mod tensor;
mod validate;
mod value;

pub use dtype::DType;
pub use op::*;
pub use op_options::*;
pub use sparsity::{Level, Sparsity};
pub use tensor::{Quantization, Tensor};
pub use value::{Data, Value};

use bytes::Bytes;

/// Index of a tensor within its [`Subgraph`].
pub type TensorId = usize;

/// A whole model: its subgraphs (the first is the main one), entry points and metadata.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// Free text that the file carries about itself.
    pub description: Option<String>,
    /// At least one after validation; the first is the one that runs by default.
    pub subgraphs: Vec<Subgraph>,
    /// Named entry points into subgraphs.
    pub signatures: Vec<Signature>,
    /// Named blobs, kept as they are (`min_runtime_version`, packed labels, …).
    pub metadata: Vec<Metadata>,
    /// Nameless blobs that old files list as `metadata_buffer`, kept as they are.
    pub unnamed_metadata: Vec<Bytes>,
    /// A zip archive of files that belong to the model (labels, vocabulary), as TFLite Metadata packs them.
    pub packed_files: Option<Bytes>,
}

/// One function of the model: tensors, and nodes in execution order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subgraph {
    /// Its name in the file, if any.
    pub name: Option<String>,
    /// All tensors; nodes refer to them by index.
    pub tensors: Vec<Tensor>,
    /// Fed by the caller, in order.
    pub inputs: Vec<TensorId>,
    /// Returned to the caller, in order.
    pub outputs: Vec<TensorId>,
    /// In execution order: a node's inputs are constants, subgraph inputs, variables or outputs of earlier nodes.
    pub nodes: Vec<Node>,
    /// Index into the file's debug metadata, −1 if none.
    pub debug_metadata: i32,
}

/// One operator of a subgraph.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it computes, with its options.
    pub op: Op,
    /// `None` is an optional input that is absent.
    pub inputs: Vec<Option<TensorId>>,
    /// Tensors it defines.
    pub outputs: Vec<TensorId>,
    /// Scratch tensors that the file names (LSTM).
    pub intermediates: Vec<TensorId>,
    /// Which inputs it changes in place; empty if none.
    pub mutating_inputs: Vec<bool>,
    /// Operator version as read; the writer raises it where our own operators need more.
    pub version: i32,
    /// Index into the file's debug metadata, −1 if none.
    pub debug_metadata: i32,
}

impl Node {
    /// A node of our own making, without the rarer fields.
    pub fn new(op: Op, inputs: Vec<Option<TensorId>>, outputs: Vec<TensorId>) -> Self {
        Self {
            op,
            inputs,
            outputs,
            intermediates: vec![],
            mutating_inputs: vec![],
            version: 1,
            debug_metadata: -1,
        }
    }

    /// Input `i` if the node has it.
    pub fn input(&self, i: usize) -> Option<TensorId> {
        self.inputs.get(i).copied().flatten()
    }
}

/// A named entry point: which tensors of which subgraph its argument names stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Such as `serving_default`.
    pub key: String,
    /// Which subgraph it enters.
    pub subgraph: usize,
    /// Argument name and tensor.
    pub inputs: Vec<(String, TensorId)>,
    /// Result name and tensor.
    pub outputs: Vec<(String, TensorId)>,
}

/// A named blob of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its bytes, untouched.
    pub data: Bytes,
}

impl Graph {
    /// The subgraph that runs by default.
    ///
    /// # Panics
    /// If the graph has none; no reader or builder publishes such a graph.
    pub fn main(&self) -> &Subgraph {
        &self.subgraphs[0]
    }

    /// Bytes that the constants of all subgraphs hold.
    pub fn constant_bytes(&self) -> usize {
        let tensors = self.subgraphs.iter().flat_map(|s| &s.tensors);
        let sizes = tensors.map(|t| t.data.as_ref().map_or(0, |d| d.len()));
        sizes.fold(0, usize::saturating_add)
    }
}
