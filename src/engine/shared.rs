//! What all parts of one prepared graph share: the graph, its constants as aligned bytes, and a count of memory.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use super::buffer::Buffer;
use super::node::label;
use super::{KernelSet, Options};
use crate::error::Result;
use crate::graph::{DType, Graph, Subgraph, Tensor, TensorId};
use crate::kernels::Isa;
use crate::{invalid, malformed, unsupported};

/// Most bytes that the tensors of a run may take together; a file that asks for more is refused before anything is allocated.
const MEMORY_LIMIT: usize = 1 << 32;
/// What a prepared node takes beside its tensors, as an upper bound for the count.
const NODE_BYTES: usize = 2048;
/// Bytes that stand for a variable.
const HANDLE_BYTES: usize = 8;

/// Whether a node takes floats and int8 weights, so that it quantizes its input while running. There a float that differs in its
/// last bit may become another step, and layer after layer another answer: the other operators of such a network compute in the
/// order of LiteRT's reference kernels, to the bit, so that it answers what they answer.
fn quantizes_while_running(graph: &Graph) -> bool {
    graph.subgraphs.iter().any(|s| {
        s.nodes.iter().any(|node| {
            let inputs = node.inputs.iter().flatten();
            let takes = |d| {
                inputs
                    .clone()
                    .any(|&i| s.tensors.get(i).is_some_and(|t| t.dtype == d))
            };
            takes(DType::Float32) && takes(DType::Int8)
        })
    })
}

/// See the head of this file.
pub(super) struct Shared {
    pub graph: Arc<Graph>,
    pub options: Options,
    /// The instruction set of packed kernels; `None` where only the reference may run.
    pub isa: Option<Isa>,
    /// Whether float sums are taken in LiteRT's order: see [`quantizes_while_running`].
    pub in_order: bool,
    /// Aligned copies of constants by subgraph and tensor.
    constants: Vec<Vec<OnceLock<Arc<Buffer>>>>,
    /// Bytes that prepared segments take.
    taken: AtomicUsize,
    work: AtomicUsize,
}

impl Shared {
    pub fn new(graph: Arc<Graph>, options: Options) -> Result<Arc<Self>> {
        let isa = match options.kernels {
            KernelSet::Reference => None,
            KernelSet::Fast => Some(Isa::best()?),
        };
        let constants = graph.subgraphs.iter();
        let constants = constants.map(|s| s.tensors.iter().map(|_| OnceLock::new()).collect());
        Ok(Arc::new(Self {
            constants: constants.collect(),
            in_order: quantizes_while_running(&graph),
            graph,
            options,
            isa,
            taken: AtomicUsize::new(0),
            work: AtomicUsize::new(0),
        }))
    }

    /// Subgraph `index`, which must exist.
    pub fn subgraph(&self, index: usize) -> Result<&Subgraph> {
        match self.graph.subgraphs.get(index) {
            Some(subgraph) => Ok(subgraph),
            None => invalid!(
                "The model has {} subgraphs, so there is no subgraph {index}",
                self.graph.subgraphs.len()
            ),
        }
    }

    /// The elements of a constant, aligned; `None` if the tensor is not constant.
    pub fn constant(&self, subgraph: usize, id: TensorId) -> Result<Option<Arc<Buffer>>> {
        let tensor = self.subgraph(subgraph)?.tensors.get(id);
        let cell = self.constants.get(subgraph).and_then(|s| s.get(id));
        let (Some(tensor), Some(cell)) = (tensor, cell) else {
            return Ok(None);
        };
        let Some(data) = &tensor.data else {
            return Ok(None);
        };
        if let Some(buffer) = cell.get() {
            return Ok(Some(buffer.clone()));
        }
        let bits = tensor.dtype.bits();
        let bytes = if bits > 0 && bits.is_multiple_of(8) {
            byte_size(id, tensor, &tensor.shape)?
        } else {
            data.len()
        };
        let dense = tensor.densified();
        let dense = dense.map_err(|e| e.at(label(id, tensor)))?;
        let dense = dense.map(bytes::Bytes::from);
        let data = dense.as_ref().unwrap_or(data);
        if bytes != data.len() {
            return malformed!(
                "{} of shape {:?} has {} bytes of data",
                label(id, tensor),
                tensor.shape,
                data.len()
            );
        }
        let buffer = Arc::new(Buffer::constant(data, tensor.dtype.bits().div_ceil(8))?);
        Ok(Some(cell.get_or_init(|| buffer).clone()))
    }

    /// Counts the multiply–adds of a prepared node.
    pub fn add_work(&self, macs: usize) {
        // Wraps only where nobody would wait for the end of a run.
        self.work.fetch_add(macs, Relaxed);
    }

    /// Multiply–adds of what has been prepared so far.
    pub fn work(&self) -> usize {
        self.work.load(Relaxed)
    }

    /// Counts the memory of a segment until the result is dropped; fails if all together take too much.
    pub fn charge(self: &Arc<Self>, nodes: usize, slots: &[usize]) -> Result<Charge> {
        let start = nodes.saturating_mul(NODE_BYTES);
        let bytes = slots.iter().fold(start, |n, &s| n.saturating_add(s));
        let before = self.taken.fetch_add(bytes.min(MEMORY_LIMIT), Relaxed);
        let charge = Charge {
            shared: self.clone(),
            bytes: bytes.min(MEMORY_LIMIT),
        };
        if before.saturating_add(bytes) > MEMORY_LIMIT {
            return invalid!(
                "The model takes more than the {} GiB that a run may use",
                MEMORY_LIMIT >> 30
            );
        }
        Ok(charge)
    }
}

/// A part of the memory that a run may use.
pub(super) struct Charge {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shared.taken.fetch_sub(self.bytes, Relaxed);
    }
}

/// Bytes of a tensor of this shape.
pub(super) fn byte_size(id: TensorId, tensor: &Tensor, shape: &[usize]) -> Result<usize> {
    let size = match tensor.dtype {
        DType::Resource => HANDLE_BYTES,
        dtype if dtype.bits() > 0 && dtype.bits().is_multiple_of(8) => dtype.bits() / 8,
        dtype => {
            return unsupported!("{} is {dtype}, which cannot run yet", label(id, tensor));
        }
    };
    let bytes = shape
        .iter()
        .try_fold(size, |n, &d| n.checked_mul(d))
        .filter(|&n| n <= MEMORY_LIMIT);
    match bytes {
        Some(bytes) => Ok(bytes),
        None => invalid!(
            "{} of shape {shape:?} takes more than the {} GiB that a run may use",
            label(id, tensor),
            MEMORY_LIMIT >> 30
        ),
    }
}
