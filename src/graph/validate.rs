//! What every published graph holds: indices that exist, data that fill their shapes, nodes in execution order.

use super::{DType, Graph, Node, Op, Quantization, Subgraph, Tensor, TensorId};
use crate::error::Result;
use crate::malformed;

impl Graph {
    /// Checks the whole graph once, so that everything that works on it may rely on it:
    ///
    /// - there is a subgraph; every index of a tensor or subgraph exists;
    /// - extents fit 32 bits, sizes in bytes fit the address space, constants have exactly the bytes of their shape (strings,
    ///   sparse constants and types without a fixed size aside);
    /// - scales are finite and not negative, with as many zero points as scales, several scales as many as the axis has
    ///   indices, and zero points within an integer type of up to 16 bits. A scale of 0 may stand only where all it scales is
    ///   given, in constants (a dead channel) and unquantized types: to compute such a tensor would divide by it;
    /// - a tensor is defined once: as constant, input, variable or output of one node, and before it is read;
    /// - no node calls a subgraph that does not exist or that it stands in;
    /// - the operators that this crate computes have their required inputs, windows of at least 1 and axes that exist.
    ///
    /// # Errors
    /// Malformed, naming the first tensor, node or signature that is wrong.
    pub fn validate(&self) -> Result<()> {
        if self.subgraphs.is_empty() {
            return malformed!("This model has no subgraph, so there is nothing to run");
        }
        for (i, subgraph) in self.subgraphs.iter().enumerate() {
            subgraph
                .validate()
                .map_err(|e| match self.subgraphs.len() {
                    1 => e,
                    _ => e.at(format_args!("Subgraph {i}")),
                })?;
        }
        let count = self.subgraphs.len();
        for (i, subgraph) in self.subgraphs.iter().enumerate() {
            for (n, node) in subgraph.nodes.iter().enumerate() {
                let called = node.op.called_subgraphs();
                if let Some(missing) = called.into_iter().find(|&c| c >= count || c == i) {
                    return malformed!(
                        "Subgraph {i}: node {n} {} calls subgraph {missing}, but {}",
                        node.op.name(),
                        match missing < count {
                            true => "that is the one it stands in".to_owned(),
                            false => format!("the model has {count}"),
                        }
                    );
                }
            }
        }
        for signature in &self.signatures {
            let key = &signature.key;
            let Some(subgraph) = self.subgraphs.get(signature.subgraph) else {
                return malformed!(
                    "Signature {key:?} enters subgraph {}, but the model has {}",
                    signature.subgraph,
                    self.subgraphs.len()
                );
            };
            for (name, tensor) in signature.inputs.iter().chain(&signature.outputs) {
                if *tensor >= subgraph.tensors.len() {
                    return malformed!(
                        "Signature {key:?} calls tensor {tensor} {name:?}, but subgraph {} has {} tensors",
                        signature.subgraph,
                        subgraph.tensors.len()
                    );
                }
            }
        }
        Ok(())
    }
}

/// How a tensor gets its value.
#[derive(Clone, Copy, PartialEq)]
enum Defined {
    Nowhere,
    /// Constant, variable or input.
    Given,
    /// Output of this node.
    By(usize),
}

impl Subgraph {
    fn validate(&self) -> Result<()> {
        for (i, tensor) in self.tensors.iter().enumerate() {
            tensor
                .validate()
                .map_err(|e| e.at(format_args!("Tensor {i} {:?}", tensor.name)))?;
        }
        let mut defined: Vec<Defined> = self
            .tensors
            .iter()
            .map(|t| match t.is_constant() || t.is_variable {
                true => Defined::Given,
                false => Defined::Nowhere,
            })
            .collect();
        let mut seen = vec![false; self.tensors.len()];
        for &id in &self.inputs {
            let tensor = self.tensor(id, "Input")?;
            if std::mem::replace(&mut seen[id], true) {
                return malformed!("Input tensor {id} {:?} is listed twice", tensor.name);
            }
            defined[id] = Defined::Given;
        }
        for (i, node) in self.nodes.iter().enumerate() {
            self.node(i, node, &mut defined)
                .map_err(|e| e.at(format_args!("Node {i} {}", node.op.name().escape_debug())))?;
        }
        for &id in &self.outputs {
            let tensor = self.tensor(id, "Output")?;
            if defined[id] == Defined::Nowhere {
                return malformed!(
                    "Output tensor {id} {:?} is computed by no node",
                    tensor.name
                );
            }
        }
        Ok(())
    }

    fn tensor(&self, id: TensorId, what: &str) -> Result<&Tensor> {
        match self.tensors.get(id) {
            Some(tensor) => Ok(tensor),
            None => malformed!(
                "{what} tensor {id} does not exist; the subgraph has {}",
                self.tensors.len()
            ),
        }
    }

    fn node(&self, index: usize, node: &Node, defined: &mut [Defined]) -> Result<()> {
        let mutating = &node.mutating_inputs;
        if !mutating.is_empty() && mutating.len() != node.inputs.len() {
            return malformed!(
                "it says for {} inputs whether it changes them, but has {}",
                mutating.len(),
                node.inputs.len()
            );
        }
        for (slot, id) in node.inputs.iter().enumerate() {
            let Some(id) = *id else { continue };
            let tensor = self.tensor(id, "input")?;
            // State that an operator changes in place begins at zero, even where the file does not call it a variable.
            let state = mutating.get(slot) == Some(&true);
            if defined[id] == Defined::Nowhere && !state {
                return malformed!(
                    "it reads tensor {id} {:?}, which nothing has computed before",
                    tensor.name
                );
            }
        }
        for &id in &node.intermediates {
            self.tensor(id, "intermediate")?;
        }
        for &id in &node.outputs {
            let tensor = self.tensor(id, "output")?;
            match defined[id] {
                Defined::Nowhere => defined[id] = Defined::By(index),
                // A variable may be written by the node that owns it.
                Defined::Given if tensor.is_variable => {}
                Defined::Given => {
                    return malformed!(
                        "its output is tensor {id} {:?}, which is an input or a constant",
                        tensor.name
                    );
                }
                Defined::By(other) => {
                    return malformed!(
                        "its output is tensor {id} {:?}, which node {other} already computes",
                        tensor.name
                    );
                }
            }
        }
        self.options(node)
    }

    /// Arity and options of the operators that this crate computes.
    fn options(&self, node: &Node) -> Result<()> {
        let required = match &node.op {
            Op::Other(_) | Op::Custom(_) => return Ok(()),
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::FullyConnected(_) => 2,
            Op::Add { .. } | Op::Sub { .. } | Op::Mul { .. } => 2,
            Op::Mean { .. } | Op::Pad | Op::Transpose => 2,
            Op::StridedSlice(_) => 4,
            Op::MaxPool2d(_) | Op::AveragePool2d(_) | Op::Relu | Op::Relu6 => 1,
            Op::Logistic | Op::Tanh | Op::Softmax { .. } | Op::HardSwish => 1,
            Op::Reshape { .. } | Op::Shape { .. } | Op::Quantize | Op::Dequantize => 1,
            Op::While { .. }
            | Op::CallOnce { .. }
            | Op::VarHandle { .. }
            | Op::Hashtable(_)
            | Op::StablehloComposite(_) => 0,
            Op::Unary(_)
            | Op::ComplexAbs
            | Op::Real
            | Op::Imag
            | Op::Bitcast
            | Op::Cast { .. }
            | Op::LogSoftmax
            | Op::LeakyRelu { .. }
            | Op::Gelu { .. }
            | Op::L2Normalization { .. }
            | Op::LocalResponseNormalization(_)
            | Op::FakeQuant(_)
            | Op::Squeeze { .. }
            | Op::Unpack { .. }
            | Op::Rank
            | Op::SpaceToDepth { .. }
            | Op::DepthToSpace { .. }
            | Op::Where
            | Op::Unique { .. }
            | Op::MatrixDiag
            | Op::Densify
            | Op::L2Pool2d(_)
            | Op::AddN
            | Op::If { .. }
            | Op::ReadVariable
            | Op::HashtableSize
            | Op::Svdf(_)
            | Op::Lstm(_)
            | Op::UnidirectionalSequenceLstm(_)
            | Op::BidirectionalSequenceLstm(_)
            | Op::Rnn(_)
            | Op::UnidirectionalSequenceRnn(_)
            | Op::BidirectionalSequenceRnn(_) => 1,
            Op::Binary(_)
            | Op::Compare(_)
            | Op::Div { .. }
            | Op::Reduce { .. }
            | Op::ArgMax { .. }
            | Op::ArgMin { .. }
            | Op::Cumsum { .. }
            | Op::Prelu
            | Op::Rfft2d
            | Op::MirrorPad { .. }
            | Op::ExpandDims
            | Op::Split { .. }
            | Op::Gather { .. }
            | Op::GatherNd
            | Op::Tile
            | Op::BroadcastTo
            | Op::BroadcastArgs
            | Op::Fill
            | Op::ReverseV2
            | Op::ReverseSequence { .. }
            | Op::TopKV2
            | Op::MatrixSetDiag
            | Op::SegmentSum
            | Op::EmbeddingLookup
            | Op::Conv3d(_)
            | Op::BatchMatMul(_)
            | Op::ResizeBilinear(_)
            | Op::ResizeNearestNeighbor(_)
            | Op::AssignVariable => 2,
            Op::PadV2
            | Op::Slice
            | Op::SplitV { .. }
            | Op::ScatterNd
            | Op::Range
            | Op::SpaceToBatchNd
            | Op::BatchToSpaceNd
            | Op::Select
            | Op::SelectV2
            | Op::DynamicUpdateSlice
            | Op::UnsortedSegment(_)
            | Op::Dilate
            | Op::TransposeConv(_)
            | Op::Conv3dTranspose(_)
            | Op::HashtableFind
            | Op::HashtableImport => 3,
            Op::OneHot { .. } | Op::SparseToDense { .. } => 4,
            Op::NonMaxSuppressionV4 => 5,
            Op::NonMaxSuppressionV5 => 6,
            Op::Concatenation { .. } | Op::Pack { .. } => node.inputs.len().max(1),
        };
        if let Some(missing) = (0..required).find(|&i| node.input(i).is_none()) {
            return malformed!("its input {missing} is missing; it takes at least {required}");
        }
        let needs_output = !matches!(
            node.op,
            Op::CallOnce { .. }
                | Op::AssignVariable
                | Op::HashtableImport
                | Op::While { .. }
                | Op::If { .. }
        );
        if needs_output && node.outputs.is_empty() {
            return malformed!("it has no output");
        }
        let windows = |sizes: &[(&str, [i32; 2])]| {
            for (what, [height, width]) in sizes {
                if *height < 1 || *width < 1 {
                    return malformed!("its {what} {height}×{width} is below 1");
                }
            }
            Ok(())
        };
        match &node.op {
            Op::Conv2d(o) => windows(&[("stride", o.stride), ("dilation", o.dilation)]),
            Op::DepthwiseConv2d(o) => windows(&[("stride", o.stride), ("dilation", o.dilation)]),
            Op::MaxPool2d(o) | Op::AveragePool2d(o) => {
                windows(&[("stride", o.stride), ("window", o.filter)])
            }
            Op::Concatenation { axis, .. } => self.axis(node, *axis, 0),
            Op::Pack { axis, values_count } => {
                if usize::try_from(*values_count) != Ok(node.inputs.len()) {
                    return malformed!(
                        "it says it packs {values_count} tensors, but has {}",
                        node.inputs.len()
                    );
                }
                self.axis(node, *axis, 1)
            }
            Op::Softmax { beta } if !beta.is_finite() => malformed!("its beta is {beta}"),
            _ => Ok(()),
        }
    }

    /// Whether `axis` exists in the rank of input 0 plus `more`; nothing to say if the rank is unknown.
    fn axis(&self, node: &Node, axis: i32, more: i64) -> Result<()> {
        let Some(tensor) = node.input(0).and_then(|id| self.tensors.get(id)) else {
            return Ok(());
        };
        let rank = tensor.shape.len() as i64 + more;
        let known = tensor.has_rank || !tensor.shape.is_empty();
        if known && !(-rank..rank).contains(&i64::from(axis)) {
            return malformed!("its axis {axis} does not exist in {rank} axes");
        }
        Ok(())
    }
}

impl Tensor {
    fn validate(&self) -> Result<()> {
        if let Some(axis) = self.shape.iter().position(|&d| d > i32::MAX as usize) {
            return malformed!(
                "its extent {} on axis {axis} does not fit into 32 bits",
                self.shape[axis]
            );
        }
        let Some(bytes) = self.bytes() else {
            return malformed!(
                "its shape {:?} holds more than this machine can address",
                self.shape
            );
        };
        if let Some(signature) = &self.shape_signature {
            let fits = self.shape.is_empty() || self.shape.len() == signature.len();
            if !fits || signature.iter().any(|&d| d < -1) {
                return malformed!(
                    "its shape signature {signature:?} does not fit its shape {:?}",
                    self.shape
                );
            }
        }
        if let Some(data) = &self.data
            && self.dtype.bits() > 0
            && self.extra.is_none()
            && data.len() != bytes
        {
            return malformed!(
                "it has {} bytes of data, but {} of shape {:?} takes {bytes}",
                data.len(),
                self.dtype,
                self.shape
            );
        }
        match &self.quantization {
            Some(q) => q.validate(self),
            None => Ok(()),
        }
    }

    /// Bytes of the dense tensor; 0 for types without a fixed size. `None` if they cannot be addressed.
    fn bytes(&self) -> Option<usize> {
        let bits = self.elements()?.checked_mul(self.dtype.bits())?;
        let bytes = bits.div_ceil(8);
        (bytes <= isize::MAX as usize / 8).then_some(bytes)
    }
}

impl Quantization {
    fn validate(&self, tensor: &Tensor) -> Result<()> {
        let (scales, zero_points) = (self.scales.len(), self.zero_points.len());
        if zero_points != scales {
            return malformed!("it has {scales} scales, but {zero_points} zero points");
        }
        if scales > 1 && tensor.shape.get(self.axis) != Some(&scales) {
            return malformed!(
                "it has {scales} scales along axis {}, which does not fit its shape {:?}",
                self.axis,
                tensor.shape
            );
        }
        let narrow = tensor
            .dtype
            .integer_range()
            .filter(|_| tensor.dtype.bits() <= 16 && tensor.dtype != DType::Bool);
        for (i, &scale) in self.scales.iter().enumerate() {
            let computed = narrow.is_some() && !tensor.is_constant();
            if !scale.is_finite() || scale < 0.0 || (computed && scale == 0.0) {
                return malformed!("its scale {i} is {scale}; it must be a finite positive number");
            }
        }
        if let Some((low, high)) = narrow
            && let Some(i) = self.zero_points.iter().position(|z| *z < low || *z > high)
        {
            return malformed!(
                "its zero point {i} is {}, outside of {} ({low} to {high})",
                self.zero_points[i],
                tensor.dtype
            );
        }
        Ok(())
    }
}
