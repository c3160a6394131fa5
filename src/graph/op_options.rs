//! Options of the operators, as the format has them.

use bytes::Bytes;

use super::DType;

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

/// Options of LOCAL_RESPONSE_NORMALIZATION: x / (bias + alpha · Σx²)^beta over 2 · radius + 1 channels.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the formula says it
pub struct LocalResponseNormalization {
    pub radius: i32,
    pub bias: f32,
    pub alpha: f32,
    pub beta: f32,
}

/// Options of FAKE_QUANT.
#[derive(Debug, Clone, PartialEq)]
pub struct FakeQuant {
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Width of the integers.
    pub bits: i32,
    /// Whether the smallest integer is left out.
    pub narrow_range: bool,
}

/// Options of TRANSPOSE_CONV.
#[derive(Debug, Clone, PartialEq)]
pub struct TransposeConv {
    /// Padding scheme.
    pub padding: Padding,
    /// Height and width.
    pub stride: [i32; 2],
    /// Applied to the result.
    pub activation: Activation,
    /// Type of a quantized bias where the file states it (int16×8).
    pub quantized_bias: Option<DType>,
}

/// Options of CONV_3D and CONV_3D_TRANSPOSE.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv3d {
    /// Padding scheme.
    pub padding: Padding,
    /// Depth, height and width.
    pub stride: [i32; 3],
    /// Depth, height and width.
    pub dilation: [i32; 3],
    /// Applied to the result.
    pub activation: Activation,
}

/// Options of BATCH_MATMUL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchMatMul {
    /// Whether input 0 is transposed.
    pub adjoint_x: bool,
    /// Whether input 1 is transposed.
    pub adjoint_y: bool,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
}

/// Options of resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resize {
    /// Whether the corners' centres coincide.
    pub align_corners: bool,
    /// Whether pixels are half a step from the edge.
    pub half_pixel_centers: bool,
}

/// Options of SVDF.
#[derive(Debug, Clone, PartialEq)]
pub struct Svdf {
    /// Filters per unit.
    pub rank: i32,
    /// Applied to the result.
    pub activation: Activation,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
}

/// Options of LSTM.
#[derive(Debug, Clone, PartialEq)]
pub struct Lstm {
    /// Of cell input and output.
    pub activation: Activation,
    /// Bound of the cell state; 0 for none.
    pub cell_clip: f32,
    /// Bound of the projection; 0 for none.
    pub projection_clip: f32,
    /// Whether it is the old kernel of five inputs and four outputs.
    pub basic: bool,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
}

/// Options of UNIDIRECTIONAL_SEQUENCE_LSTM.
#[derive(Debug, Clone, PartialEq)]
pub struct UnidirectionalSequenceLstm {
    /// Of cell input and output.
    pub activation: Activation,
    /// Bound of the cell state; 0 for none.
    pub cell_clip: f32,
    /// Bound of the projection; 0 for none.
    pub projection_clip: f32,
    /// Whether axis 0 is time, not batch.
    pub time_major: bool,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
    /// Whether recurrent weights are diagonal.
    pub diagonal_recurrent_tensors: bool,
}

/// Options of BIDIRECTIONAL_SEQUENCE_LSTM.
#[derive(Debug, Clone, PartialEq)]
pub struct BidirectionalSequenceLstm {
    /// Of cell input and output.
    pub activation: Activation,
    /// Bound of the cell state; 0 for none.
    pub cell_clip: f32,
    /// Bound of the projection; 0 for none.
    pub projection_clip: f32,
    /// Whether both directions go into one output.
    pub merge_outputs: bool,
    /// Whether axis 0 is time, not batch.
    pub time_major: bool,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
}

/// Options of RNN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rnn {
    /// Applied to the result.
    pub activation: Activation,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
}

/// Options of UNIDIRECTIONAL_SEQUENCE_RNN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceRnn {
    /// Whether axis 0 is time, not batch.
    pub time_major: bool,
    /// Applied to the result.
    pub activation: Activation,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
}

/// Options of BIDIRECTIONAL_SEQUENCE_RNN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BidirectionalSequenceRnn {
    /// Whether axis 0 is time, not batch.
    pub time_major: bool,
    /// Applied to the result.
    pub activation: Activation,
    /// Whether both directions go into one output.
    pub merge_outputs: bool,
    /// In dynamic mode: whether inputs are quantized with a zero point.
    pub asymmetric_quantize_inputs: bool,
}

/// Options of HASHTABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashtable {
    /// Number of the table.
    pub table: i32,
    /// Type of its keys.
    pub key: DType,
    /// Type of its values.
    pub value: DType,
}

/// Options of STABLEHLO_COMPOSITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composite {
    /// Name of the function, such as `odml.scaled_dot_product_attention`.
    pub name: Option<String>,
    /// Subgraph that computes it from simpler operators.
    pub decomposition: usize,
    /// Its attributes, opaque.
    pub attributes: Option<Bytes>,
    /// Format of the attributes as the file states it (only FLEXBUFFERS = 0 is known).
    pub attributes_format: i8,
    /// Version of the function.
    pub version: i32,
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
