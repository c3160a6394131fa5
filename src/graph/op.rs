//! Operators and their options: the closed list every other room matches on.

use bytes::Bytes;

use super::DType;

/// What a node computes. Operators that this version neither runs nor rewrites are kept whole in [`Op::Other`] and [`Op::Custom`].
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// CONV_2D: input NHWC, filter OHWI, optional bias.
    Conv2d(Conv2d),
    /// DEPTHWISE_CONV_2D: input NHWC, filter 1HWC (C = input channels × multiplier), optional bias.
    DepthwiseConv2d(DepthwiseConv2d),
    /// FULLY_CONNECTED: input […, in], weights [out, in], optional bias.
    FullyConnected(FullyConnected),
    /// MAX_POOL_2D, NHWC.
    MaxPool2d(Pool2d),
    /// AVERAGE_POOL_2D, NHWC; padding does not count.
    AveragePool2d(Pool2d),
    /// MEAN over the axes in input 1.
    Mean {
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// ADD with broadcasting.
    Add {
        /// Applied to the sum.
        activation: Activation,
        /// Whether int16 scales are powers of two (the runtime's default for absent options).
        pot_scale_int16: bool,
    },
    /// SUB with broadcasting.
    Sub {
        /// Applied to the difference.
        activation: Activation,
        /// Whether int16 scales are powers of two.
        pot_scale_int16: bool,
    },
    /// MUL with broadcasting.
    Mul {
        /// Applied to the product.
        activation: Activation,
    },
    /// RELU.
    Relu,
    /// RELU6.
    Relu6,
    /// LOGISTIC, 1 / (1 + e^−x).
    Logistic,
    /// TANH.
    Tanh,
    /// SOFTMAX over the last axis.
    Softmax {
        /// Factor on the input.
        beta: f32,
    },
    /// HARD_SWISH, x · relu6(x + 3) / 6.
    HardSwish,
    /// PAD with zeros; input 1 is [rank, 2].
    Pad,
    /// CONCATENATION.
    Concatenation {
        /// Axis, negative counts from the end.
        axis: i32,
        /// Applied to the result.
        activation: Activation,
    },
    /// RESHAPE; input 1, if present, overrides `new_shape`.
    Reshape {
        /// Target shape of the options, if any.
        new_shape: Option<Vec<i32>>,
    },
    /// SHAPE: the extents of the input.
    Shape {
        /// Int32 or Int64.
        out_type: DType,
    },
    /// STRIDED_SLICE: inputs 1 to 3 are begin, end, strides.
    StridedSlice(StridedSlice),
    /// PACK along a new axis.
    Pack {
        /// Where the new axis stands, negative counts from the end.
        axis: i32,
        /// Number of inputs the file states.
        values_count: i32,
    },
    /// TRANSPOSE; input 1 is the permutation.
    Transpose,
    /// QUANTIZE: float to integer, or integer to integer of another scale.
    Quantize,
    /// DEQUANTIZE: integer or float16 to float32.
    Dequantize,
    /// A builtin operator kept as it is.
    Other(OtherOp),
    /// A custom operator kept as it is.
    Custom(CustomOp),
}

/// Fused activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)] // the names say it
pub enum Activation {
    #[default]
    None,
    Relu,
    ReluN1To1,
    Relu6,
    Tanh,
    SignBit,
}

/// Padding scheme of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Padding {
    /// Output extent = ⌈input / stride⌉; the odd pixel of padding goes to the end.
    #[default]
    Same,
    /// No padding.
    Valid,
}

/// Options of CONV_2D.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2d {
    /// Padding scheme.
    pub padding: Padding,
    /// Height and width.
    pub stride: [i32; 2],
    /// Height and width.
    pub dilation: [i32; 2],
    /// Applied to the result.
    pub activation: Activation,
    /// Type of a quantized bias where the file states it (int16×8).
    pub quantized_bias: Option<DType>,
}

/// Options of DEPTHWISE_CONV_2D.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthwiseConv2d {
    /// Padding scheme.
    pub padding: Padding,
    /// Height and width.
    pub stride: [i32; 2],
    /// Height and width.
    pub dilation: [i32; 2],
    /// Applied to the result.
    pub activation: Activation,
    /// As the file states it; the runtime derives it from the shapes.
    pub depth_multiplier: i32,
}

/// Options of FULLY_CONNECTED.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FullyConnected {
    /// Applied to the result.
    pub activation: Activation,
    /// Whether weights are stored shuffled (4×16 int8), a legacy format.
    pub shuffled_weights: bool,
    /// Whether leading axes of the input are kept.
    pub keep_num_dims: bool,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
    /// Type of a quantized bias where the file states it (int16×8).
    pub quantized_bias: Option<DType>,
}

/// Options of pooling.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool2d {
    /// Padding scheme.
    pub padding: Padding,
    /// Height and width.
    pub stride: [i32; 2],
    /// Height and width of the window.
    pub filter: [i32; 2],
    /// Applied to the result.
    pub activation: Activation,
}

/// Options of STRIDED_SLICE; bit i of a mask speaks of axis i.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StridedSlice {
    /// Axes whose begin is ignored.
    pub begin_mask: i32,
    /// Axes whose end is ignored.
    pub end_mask: i32,
    /// Position of an ellipsis.
    pub ellipsis_mask: i32,
    /// New axes of extent 1.
    pub new_axis_mask: i32,
    /// Axes that vanish.
    pub shrink_axis_mask: i32,
    /// Whether `end` counts from `begin`.
    pub offset: bool,
}

/// A builtin operator kept whole: the `tflite` room knows how to write it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherOp {
    /// Code of the format's BuiltinOperator list.
    pub code: i32,
    /// Upper-case name of that code, such as `SPACE_TO_DEPTH`.
    pub name: String,
    /// Its options, in an encoding that only `tflite` reads; empty if it has none.
    pub options: Bytes,
}

/// A custom operator kept whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomOp {
    /// The name its author gave it.
    pub code: String,
    /// Its options, opaque.
    pub options: Bytes,
    /// Format of the options as the file states it (only FLEXBUFFERS = 0 is known).
    pub options_format: i8,
}

impl Op {
    /// Upper-case name as in the format: `CONV_2D`; a custom operator's own name.
    pub fn name(&self) -> &str {
        match self {
            Op::Conv2d(_) => "CONV_2D",
            Op::DepthwiseConv2d(_) => "DEPTHWISE_CONV_2D",
            Op::FullyConnected(_) => "FULLY_CONNECTED",
            Op::MaxPool2d(_) => "MAX_POOL_2D",
            Op::AveragePool2d(_) => "AVERAGE_POOL_2D",
            Op::Mean { .. } => "MEAN",
            Op::Add { .. } => "ADD",
            Op::Sub { .. } => "SUB",
            Op::Mul { .. } => "MUL",
            Op::Relu => "RELU",
            Op::Relu6 => "RELU6",
            Op::Logistic => "LOGISTIC",
            Op::Tanh => "TANH",
            Op::Softmax { .. } => "SOFTMAX",
            Op::HardSwish => "HARD_SWISH",
            Op::Pad => "PAD",
            Op::Concatenation { .. } => "CONCATENATION",
            Op::Reshape { .. } => "RESHAPE",
            Op::Shape { .. } => "SHAPE",
            Op::StridedSlice(_) => "STRIDED_SLICE",
            Op::Pack { .. } => "PACK",
            Op::Transpose => "TRANSPOSE",
            Op::Quantize => "QUANTIZE",
            Op::Dequantize => "DEQUANTIZE",
            Op::Other(o) => &o.name,
            Op::Custom(c) => &c.code,
        }
    }
}
