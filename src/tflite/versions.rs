//! Operator versions: the lowest one whose runtime kernel takes a node as it is.
//!
//! The rules are those of LiteRT's `tflite/converter/tools/versioning/op_version.cc`. Types decide nearly all of them, so they
//! hold for operators that are kept whole as well.

use super::opaque::Options;
use super::options;
use super::schema::{BuiltinOperator, BuiltinOptionsT, LSTMKernelType};
use crate::graph::{DType, Node, Op, Subgraph, Tensor};

/// Code of an operator in the format.
pub fn code(op: &Op) -> BuiltinOperator {
    match op {
        Op::Other(o) => BuiltinOperator(o.code),
        Op::Custom(_) => BuiltinOperator::CUSTOM,
        op => options::write(op).map_or(BuiltinOperator::CUSTOM, |(code, _)| code),
    }
}

/// A node with the tensors it names, as far as they exist.
struct Signature<'a> {
    inputs: Vec<Option<&'a Tensor>>,
    outputs: Vec<Option<&'a Tensor>>,
}

impl<'a> Signature<'a> {
    fn new(subgraph: &'a Subgraph, node: &Node) -> Self {
        let tensor = |id: usize| subgraph.tensors.get(id);
        Self {
            inputs: node.inputs.iter().map(|i| i.and_then(tensor)).collect(),
            outputs: node.outputs.iter().map(|&i| tensor(i)).collect(),
        }
    }

    fn tensor(&self, i: usize) -> Option<&'a Tensor> {
        self.inputs.get(i).copied().flatten()
    }

    fn input(&self, i: usize) -> Option<DType> {
        self.tensor(i).map(|t| t.dtype)
    }

    fn result(&self) -> Option<&'a Tensor> {
        self.outputs.first().copied().flatten()
    }

    fn output(&self, i: usize) -> Option<DType> {
        self.outputs.get(i).copied().flatten().map(|t| t.dtype)
    }

    fn rank(&self, i: usize) -> usize {
        self.tensor(i).map_or(0, |t| t.shape.len())
    }

    /// Input 0, input 1 and output 0 have these types.
    fn is(&self, input: DType, weights: DType, output: DType) -> bool {
        self.input(0) == Some(input)
            && self.input(1) == Some(weights)
            && self.output(0) == Some(output)
    }

    fn in_out(&self, dtype: DType) -> bool {
        self.input(0) == Some(dtype) && self.output(0) == Some(dtype)
    }

    fn either(&self, dtype: DType) -> bool {
        self.input(0) == Some(dtype) || self.output(0) == Some(dtype)
    }

    /// Broadcasts to more than four axes.
    fn broadcasts_far(&self) -> bool {
        let shape = |i| self.tensor(i).map(|t| &t.shape);
        let far = self.inputs.iter().flatten().any(|t| t.shape.len() > 4);
        self.inputs.len() > 1 && shape(0) != shape(1) && far
    }

    fn quantized(&self, i: usize) -> bool {
        self.tensor(i).is_some_and(|t| t.quantization.is_some())
    }

    /// Rescaling of the product of both inputs to the output.
    fn product_rescale(&self) -> Option<f32> {
        let scale = |t: Option<&Tensor>| Some(*t?.quantization.as_ref()?.scales.first()?);
        let (a, b) = (scale(self.tensor(0))?, scale(self.tensor(1))?);
        Some(a * b / scale(self.result())?).filter(|s| s.is_finite())
    }
}

/// Whether there is one scale for each index of `axis`.
fn per_channel(tensor: Option<&Tensor>, axis: usize) -> bool {
    tensor.is_some_and(|t| {
        let scales = t.quantization.as_ref().map_or(0, |q| q.scales.len());
        scales > 0 && t.shape.get(axis) == Some(&scales)
    })
}

/// Whether there are several scales, one for each index of the tensor's own axis.
fn per_own_channel(tensor: Option<&Tensor>) -> bool {
    tensor.is_some_and(|t| {
        let quantization = t.quantization.as_ref();
        quantization.is_some_and(|q| q.scales.len() > 1 && per_channel(tensor, q.axis))
    })
}

/// The lowest version that takes this node: 1 for custom operators and for those that never changed.
pub fn required(subgraph: &Subgraph, node: &Node) -> i32 {
    let s = Signature::new(subgraph, node);
    match &node.op {
        Op::Conv2d(o) => conv(&s, o.quantized_bias.is_some()),
        Op::DepthwiseConv2d(o) => depthwise(&s, o.dilation != [1, 1]),
        Op::FullyConnected(o) => fully_connected(&s, o),
        Op::Add {
            pot_scale_int16, ..
        } => add(&s, *pot_scale_int16),
        Op::Sub {
            pot_scale_int16, ..
        } => sub(&s, *pot_scale_int16),
        Op::Mul { .. } => mul(&s),
        Op::StridedSlice(o) => match s.input(0) {
            _ if o.offset => 8,
            Some(DType::UInt32) => 7,
            _ if o.ellipsis_mask != 0 || o.new_axis_mask != 0 => 6,
            Some(DType::String) => 5,
            _ if s.rank(0) > 4 => 4,
            Some(DType::Bool) => 3,
            Some(DType::Int8) => 2,
            _ => 1,
        },
        Op::Custom(_) => 1,
        Op::Other(o) => {
            let options = Options::decode(&o.options).ok();
            by_types_and_options(BuiltinOperator(o.code), options, &s)
        }
        op => match options::write(op) {
            Some((code, options)) => by_types_and_options(code, Some(options), &s),
            None => 1,
        },
    }
}

fn by_types_and_options(code: BuiltinOperator, options: Option<Options>, s: &Signature) -> i32 {
    let version = by_types(code, s);
    options.map_or(version, |o| version.max(by_options(&o.first, s)))
}

fn conv(s: &Signature, quantized_bias: bool) -> i32 {
    let grouped = match (s.tensor(0), s.tensor(1)) {
        (Some(x), Some(w)) if !x.shape.is_empty() => x.shape.get(3) != w.shape.get(3),
        _ => false,
    };
    if s.is(DType::Int16, DType::Int8, DType::Int16) && quantized_bias {
        8
    } else if grouped {
        6
    } else if s.is(DType::Int16, DType::Int16, DType::Int16) {
        4
    } else if s.is(DType::Int8, DType::Int8, DType::Int8) {
        3
    } else if s.is(DType::Int8, DType::Int4, DType::Int8) {
        7
    } else if s.is(DType::Float32, DType::Int8, DType::Float32) {
        if per_channel(s.tensor(1), 0) { 5 } else { 2 }
    } else {
        1
    }
}

fn depthwise(s: &Signature, dilated: bool) -> i32 {
    if s.is(DType::Int16, DType::Int16, DType::Int16) {
        5
    } else if s.is(DType::Float32, DType::Int8, DType::Float32) {
        if per_channel(s.tensor(1), 3) { 6 } else { 4 }
    } else if s.is(DType::Int8, DType::Int8, DType::Int8) {
        3
    } else if s.is(DType::Int8, DType::Int4, DType::Int8) {
        7
    } else if dilated {
        2
    } else {
        1
    }
}

fn fully_connected(s: &Signature, o: &crate::graph::FullyConnected) -> i32 {
    let hybrid = s.is(DType::Float32, DType::Int8, DType::Float32);
    if s.input(1) == Some(DType::Int2) {
        14
    } else if s.is(DType::Int16, DType::Int4, DType::Int16) {
        13
    } else if hybrid && per_channel(s.tensor(1), 0) {
        12
    } else if s.is(DType::Int16, DType::Int8, DType::Int16) && o.quantized_bias.is_some() {
        11
    } else if s.tensor(1).is_some_and(|t| t.extra.is_some()) {
        8
    } else if s.is(DType::Int16, DType::Int16, DType::Int16) {
        7
    } else if s.inputs.len() == 2 {
        6
    } else if o.keep_num_dims {
        5
    } else if s.is(DType::Int8, DType::Int8, DType::Int8) {
        4
    } else if s.is(DType::Int8, DType::Int4, DType::Int8) {
        10
    } else if hybrid {
        if o.asymmetric_quantize_inputs { 9 } else { 3 }
    } else if o.shuffled_weights {
        2
    } else {
        1
    }
}

fn add(s: &Signature, pot_scale: bool) -> i32 {
    match s.input(0) {
        Some(DType::Float16) => 6,
        Some(DType::Int16) if !s.quantized(0) => 5,
        Some(DType::Int64) => 4,
        Some(DType::Int16) if s.in_out(DType::Int16) && !pot_scale => 3,
        Some(DType::Int8) => 2,
        _ => 1,
    }
}

fn sub(s: &Signature, pot_scale: bool) -> i32 {
    match s.input(0) {
        Some(DType::Int16) if s.in_out(DType::Int16) && !pot_scale => 5,
        Some(DType::Int64) => 4,
        _ if s.broadcasts_far() => 3,
        Some(DType::Int8) => 2,
        _ => 1,
    }
}

fn mul(s: &Signature) -> i32 {
    match s.input(0) {
        Some(DType::Float16) => 8,
        Some(DType::Int16) if !s.quantized(0) && !s.quantized(1) => 7,
        Some(DType::UInt32) => 7,
        Some(DType::Complex64) => 6,
        Some(DType::Int64) => 5,
        Some(DType::Int16) => 4,
        _ if s.product_rescale().is_some_and(|r| r >= 1.0) => 3,
        Some(DType::Int8) => 2,
        _ => 1,
    }
}

/// Operators whose version follows from the types and shapes of their tensors.
fn by_types(code: BuiltinOperator, s: &Signature) -> i32 {
    use BuiltinOperator as B;
    use DType::*;
    let x = s.input(0);
    match code {
        B::MAX_POOL_2D | B::AVERAGE_POOL_2D | B::TANH | B::LOGISTIC => match x {
            Some(Int16) if s.in_out(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::SOFTMAX => match x {
            Some(Float16) => 4,
            Some(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::MEAN | B::MIRROR_PAD | B::REDUCE_MAX | B::REDUCE_MIN | B::RELU6 | B::RSQRT => match x {
            Some(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::RELU => match x {
            Some(Int16) => 3,
            Some(Int8 | UInt8) => 2,
            _ => 1,
        },
        B::CONCATENATION => match x {
            Some(Float16) => 6,
            Some(Int4) => 5,
            Some(UInt32) => 4,
            Some(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::PACK => match x {
            Some(UInt32) => 4,
            Some(Int16) if s.in_out(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::PAD | B::PADV2 => match x {
            Some(Bool) => 5,
            _ if s.rank(0) > 4 => 4,
            Some(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::TRANSPOSE => match x {
            Some(Float16) => 9,
            Some(BFloat16) => 8,
            _ if s.rank(0) > 6 => 8,
            Some(Int4) => 7,
            _ if s.rank(0) > 5 => 6,
            Some(Int16) => 5,
            _ if s.rank(0) > 4 => 4,
            Some(Bool) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::DEQUANTIZE => match x {
            Some(UInt4) => 8,
            Some(Int2) => 7,
            Some(Int4) => 6,
            Some(Int8) if per_own_channel(s.tensor(0)) => 5,
            Some(Int16 | Float16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::QUANTIZE => match s.output(0) {
            _ if s.either(UInt4) => 5,
            _ if s.either(Int4) => 4,
            _ if per_own_channel(s.result()) => 3,
            Some(Int16) => 2,
            _ => 1,
        },
        B::EMBEDDING_LOOKUP => match s.input(1) {
            Some(Int4) => 4,
            _ if per_own_channel(s.tensor(1)) => 4,
            Some(Int2) => 5,
            _ => 1,
        },
        B::GATHER => match x {
            Some(Int4) => 7,
            _ if s.input(1) == Some(Int16) => 6,
            Some(Int16) => 4,
            Some(Bool) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::GATHER_ND => match x {
            Some(Bool) => 5,
            _ if s.input(1) == Some(Int16) => 4,
            Some(Int16) => 3,
            Some(String) => 2,
            _ => 1,
        },
        B::SLICE => match x {
            Some(Float16) => 8,
            Some(Int4) => 7,
            Some(UInt32) => 6,
            _ if s.rank(0) > 4 => 5,
            Some(Int16) => 4,
            Some(String) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::SPLIT => match s.input(1) {
            Some(Int16) => 4,
            Some(Int32) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::UNPACK => match x {
            Some(Float16 | BFloat16) => 5,
            Some(Int16) if s.in_out(Int16) => 4,
            Some(Bool) => 3,
            Some(Int8 | UInt8) => 2,
            _ => 1,
        },
        B::SPACE_TO_BATCH_ND | B::BATCH_TO_SPACE_ND => match x {
            Some(Int16) => 4,
            _ if s.rank(0) != 4 => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::MAXIMUM | B::MINIMUM => match x {
            Some(Int16) if s.in_out(Int16) => 4,
            _ if s.broadcasts_far() => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::DIV if s.broadcasts_far() => 2,
        B::BATCH_MATMUL => match x {
            Some(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::RESIZE_BILINEAR | B::RESIZE_NEAREST_NEIGHBOR => match x {
            Some(Int16) => 4,
            Some(Int8) => 2,
            _ => 1,
        },
        B::SVDF if x == Some(Int8) => 3,
        B::TRANSPOSE_CONV => match s.input(1) {
            _ if s.inputs.len() == 4 && s.input(3).is_some() => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::UNIDIRECTIONAL_SEQUENCE_LSTM if s.in_out(Int16) && s.input(2) == Some(Int8) => 5,
        B::L2_NORMALIZATION if s.output(0) == Some(Int8) => 2,
        B::ABS => match x {
            Some(Int32) => 5,
            Some(Int16) if !s.quantized(0) => 4,
            Some(Int16) => 3,
            Some(Int8 | UInt8) => 2,
            _ => 1,
        },
        B::SPARSE_TO_DENSE => match s.input(2) {
            Some(Int8 | UInt8) => 3,
            Some(Int64) => 2,
            _ => 1,
        },
        B::FLOOR_DIV => match x {
            Some(Int16 | Int8) => 3,
            Some(Float32) => 2,
            _ => 1,
        },
        B::FLOOR_MOD | B::EXP | B::LOG | B::REDUCE_PROD | B::SQRT => match x {
            Some(Int16 | Int8) => 2,
            _ => 1,
        },
        B::REVERSE_V2 => match x {
            Some(Int8) => 3,
            Some(Bool) => 2,
            _ => 1,
        },
        B::TILE => match x {
            Some(Int8) => 3,
            Some(String) => 2,
            _ => 1,
        },
        B::SQUEEZE if x == Some(String) => 2,
        B::FILL => match s.input(1) {
            Some(Float16) => 4,
            Some(Int8 | Int16) => 3,
            Some(Bool | String) => 2,
            _ => 1,
        },
        B::EQUAL => match x {
            Some(Int16) => 5,
            Some(String) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::NOT_EQUAL => match x {
            Some(Int16) => 4,
            Some(String) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::LESS | B::GREATER_EQUAL => match x {
            Some(Int16) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::LEAKY_RELU if x == Some(Int16) => 2,
        B::RANGE if x == Some(Int64) => 2,
        B::ARG_MAX | B::ARG_MIN => match x {
            Some(Bool) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::SELECT => match x {
            Some(UInt32) => 4,
            _ if (0..3).any(|i| s.rank(i) == 5) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::SELECT_V2 if x == Some(UInt32) => 2,
        B::SPACE_TO_DEPTH
        | B::SPLIT_V
        | B::SUM
        | B::LOG_SOFTMAX
        | B::GREATER
        | B::LESS_EQUAL
        | B::SQUARED_DIFFERENCE
        | B::DEPTH_TO_SPACE
            if x == Some(Int8) =>
        {
            2
        }
        B::TOPK_V2 => match x {
            _ if [x, s.input(1), s.output(1)].contains(&Some(Int16)) => 3,
            Some(Int8) => 2,
            _ => 1,
        },
        B::DYNAMIC_UPDATE_SLICE => match x {
            Some(BFloat16) => 6,
            Some(Int4) => 5,
            Some(Int16) => 4,
            Some(Float16) => 3,
            _ if s.input(2) == Some(Int64) => 2,
            _ => 1,
        },
        B::BROADCAST_TO => match x {
            Some(Int8 | Int16) => 3,
            _ => 2,
        },
        B::CAST => match x {
            _ if s.either(Int2) || s.either(UInt4) => 8,
            _ if s.either(BFloat16) => 7,
            Some(Int4) if s.output(0) == Some(Float32) => 6,
            _ if s.either(Float64) || s.either(Float16) => 5,
            _ if s.either(UInt16) => 4,
            _ if s.either(Int8) => 3,
            _ if s.either(UInt32) => 2,
            _ => 1,
        },
        B::WHERE if x != Some(Bool) => 2,
        B::SIN | B::COS if x == Some(Float16) => 2,
        B::SIGN if x == Some(Int32) => 2,
        B::GELU if matches!(x, Some(Int8 | UInt8)) => 2,
        _ => 1,
    }
}

/// What options ask for on top.
fn by_options(options: &BuiltinOptionsT, s: &Signature) -> i32 {
    use DType::{Float32, Int8, Int16};
    let hybrid = |weights| {
        s.input(0) == Some(Float32)
            && s.input(weights) == Some(Int8)
            && s.output(0) == Some(Float32)
    };
    let hybrid_rnn = |asymmetric| match s.input(1) == Some(Int8) && s.output(0) == Some(Float32) {
        true if asymmetric => 3,
        true => 2,
        false => 1,
    };
    match options {
        BuiltinOptionsT::FakeQuantOptions(o) if o.narrow_range => 2,
        BuiltinOptionsT::GatherOptions(o) if o.batch_dims != 0 => 5,
        BuiltinOptionsT::SVDFOptions(o) if hybrid(1) => match o.asymmetric_quantize_inputs {
            true => 4,
            false => 2,
        },
        BuiltinOptionsT::TransposeConvOptions(o) => {
            let wide = s.is(Int16, Int8, Int16);
            if wide && o.quantized_bias_type.0 != 0 {
                5
            } else if o.fused_activation_function.0 != 0 {
                4
            } else {
                1
            }
        }
        BuiltinOptionsT::LSTMOptions(o) if o.kernel_type == LSTMKernelType::BASIC => 2,
        BuiltinOptionsT::LSTMOptions(_) if s.in_out(Int16) && s.input(2) == Some(Int8) => 5,
        BuiltinOptionsT::LSTMOptions(o) if hybrid(2) => match o.asymmetric_quantize_inputs {
            true => 4,
            false => 3,
        },
        BuiltinOptionsT::UnidirectionalSequenceLSTMOptions(o) if o.diagonal_recurrent_tensors => 4,
        BuiltinOptionsT::UnidirectionalSequenceLSTMOptions(o) if hybrid(2) => {
            match o.asymmetric_quantize_inputs {
                true => 3,
                false => 2,
            }
        }
        BuiltinOptionsT::ResizeBilinearOptions(o) if o.half_pixel_centers => 3,
        BuiltinOptionsT::ResizeNearestNeighborOptions(o)
            if o.half_pixel_centers || o.align_corners =>
        {
            3
        }
        BuiltinOptionsT::BatchMatMulOptions(o) if hybrid(1) && o.asymmetric_quantize_inputs => 4,
        BuiltinOptionsT::RNNOptions(o) => hybrid_rnn(o.asymmetric_quantize_inputs),
        BuiltinOptionsT::SequenceRNNOptions(o) => hybrid_rnn(o.asymmetric_quantize_inputs),
        BuiltinOptionsT::BidirectionalSequenceRNNOptions(o) => {
            hybrid_rnn(o.asymmetric_quantize_inputs)
        }
        BuiltinOptionsT::BidirectionalSequenceLSTMOptions(o) => {
            hybrid_rnn(o.asymmetric_quantize_inputs)
        }
        _ => 1,
    }
}
