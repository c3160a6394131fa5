//! A typed operator as the format has it.

use super::super::opaque::Options;
use super::super::schema::*;
use super::super::types::{activation_code, dtype_code};
use super::{recurrent, small, windows};
use crate::graph::{Binary, Comparison, Op, Reduction, Segment, Unary};

/// Code and options of a typed operator; `None` for the kinds that are kept whole. Operators whose options hold no field get none.
pub fn write(op: &Op) -> Option<(BuiltinOperator, Options)> {
    let (code, first) = match op {
        Op::Conv2d(o) => (BuiltinOperator::CONV_2D, windows::write_conv(o)),
        Op::DepthwiseConv2d(o) => (
            BuiltinOperator::DEPTHWISE_CONV_2D,
            windows::write_depthwise(o),
        ),
        Op::FullyConnected(o) => (
            BuiltinOperator::FULLY_CONNECTED,
            windows::write_fully_connected(o),
        ),
        Op::MaxPool2d(o) => (BuiltinOperator::MAX_POOL_2D, windows::write_pool(o)),
        Op::AveragePool2d(o) => (BuiltinOperator::AVERAGE_POOL_2D, windows::write_pool(o)),
        Op::Mean { keep_dims } => (
            BuiltinOperator::MEAN,
            BuiltinOptionsT::ReducerOptions(Box::new(ReducerOptionsT {
                keep_dims: *keep_dims,
            })),
        ),
        Op::Add {
            activation,
            pot_scale_int16,
        } => (
            BuiltinOperator::ADD,
            BuiltinOptionsT::AddOptions(Box::new(AddOptionsT {
                fused_activation_function: activation_code(*activation),
                pot_scale_int16: *pot_scale_int16,
            })),
        ),
        Op::Sub {
            activation,
            pot_scale_int16,
        } => (
            BuiltinOperator::SUB,
            BuiltinOptionsT::SubOptions(Box::new(SubOptionsT {
                fused_activation_function: activation_code(*activation),
                pot_scale_int16: *pot_scale_int16,
            })),
        ),
        Op::Mul { activation } => (
            BuiltinOperator::MUL,
            BuiltinOptionsT::MulOptions(Box::new(MulOptionsT {
                fused_activation_function: activation_code(*activation),
            })),
        ),
        Op::Relu => (BuiltinOperator::RELU, BuiltinOptionsT::NONE),
        Op::Relu6 => (BuiltinOperator::RELU6, BuiltinOptionsT::NONE),
        Op::Logistic => (BuiltinOperator::LOGISTIC, BuiltinOptionsT::NONE),
        Op::Tanh => (BuiltinOperator::TANH, BuiltinOptionsT::NONE),
        Op::Softmax { beta } => (
            BuiltinOperator::SOFTMAX,
            BuiltinOptionsT::SoftmaxOptions(Box::new(SoftmaxOptionsT { beta: *beta })),
        ),
        Op::HardSwish => (BuiltinOperator::HARD_SWISH, BuiltinOptionsT::NONE),
        Op::Pad => (BuiltinOperator::PAD, BuiltinOptionsT::NONE),
        Op::Concatenation { axis, activation } => (
            BuiltinOperator::CONCATENATION,
            BuiltinOptionsT::ConcatenationOptions(Box::new(ConcatenationOptionsT {
                axis: *axis,
                fused_activation_function: activation_code(*activation),
            })),
        ),
        Op::Reshape { new_shape: None } => (BuiltinOperator::RESHAPE, BuiltinOptionsT::NONE),
        Op::Reshape { new_shape } => (
            BuiltinOperator::RESHAPE,
            BuiltinOptionsT::ReshapeOptions(Box::new(ReshapeOptionsT {
                new_shape: new_shape.clone(),
            })),
        ),
        Op::Shape { out_type } => (
            BuiltinOperator::SHAPE,
            BuiltinOptionsT::ShapeOptions(Box::new(ShapeOptionsT {
                out_type: dtype_code(*out_type),
            })),
        ),
        Op::StridedSlice(o) => (
            BuiltinOperator::STRIDED_SLICE,
            small::write_strided_slice(o),
        ),
        Op::Pack { axis, values_count } => (
            BuiltinOperator::PACK,
            BuiltinOptionsT::PackOptions(Box::new(PackOptionsT {
                values_count: *values_count,
                axis: *axis,
            })),
        ),
        Op::Transpose => (BuiltinOperator::TRANSPOSE, BuiltinOptionsT::NONE),
        Op::Quantize => (BuiltinOperator::QUANTIZE, BuiltinOptionsT::NONE),
        Op::Dequantize => (BuiltinOperator::DEQUANTIZE, BuiltinOptionsT::NONE),
        Op::Div { activation } => (
            BuiltinOperator::DIV,
            BuiltinOptionsT::DivOptions(Box::new(DivOptionsT {
                fused_activation_function: activation_code(*activation),
            })),
        ),
        Op::ArgMax { output_type } => (
            BuiltinOperator::ARG_MAX,
            BuiltinOptionsT::ArgMaxOptions(Box::new(ArgMaxOptionsT {
                output_type: dtype_code(*output_type),
            })),
        ),
        Op::ArgMin { output_type } => (
            BuiltinOperator::ARG_MIN,
            BuiltinOptionsT::ArgMinOptions(Box::new(ArgMinOptionsT {
                output_type: dtype_code(*output_type),
            })),
        ),
        Op::Cumsum { exclusive, reverse } => (
            BuiltinOperator::CUMSUM,
            BuiltinOptionsT::CumsumOptions(Box::new(CumsumOptionsT {
                exclusive: *exclusive,
                reverse: *reverse,
            })),
        ),
        Op::Cast { from, to } => (
            BuiltinOperator::CAST,
            BuiltinOptionsT::CastOptions(Box::new(CastOptionsT {
                in_data_type: dtype_code(*from),
                out_data_type: dtype_code(*to),
            })),
        ),
        Op::LeakyRelu { alpha } => (
            BuiltinOperator::LEAKY_RELU,
            BuiltinOptionsT::LeakyReluOptions(Box::new(LeakyReluOptionsT { alpha: *alpha })),
        ),
        Op::Gelu { approximate } => (
            BuiltinOperator::GELU,
            BuiltinOptionsT::GeluOptions(Box::new(GeluOptionsT {
                approximate: *approximate,
            })),
        ),
        Op::L2Normalization { activation } => (
            BuiltinOperator::L2_NORMALIZATION,
            BuiltinOptionsT::L2NormOptions(Box::new(L2NormOptionsT {
                fused_activation_function: activation_code(*activation),
            })),
        ),
        Op::LocalResponseNormalization(o) => (
            BuiltinOperator::LOCAL_RESPONSE_NORMALIZATION,
            BuiltinOptionsT::LocalResponseNormalizationOptions(Box::new(
                LocalResponseNormalizationOptionsT {
                    radius: o.radius,
                    bias: o.bias,
                    alpha: o.alpha,
                    beta: o.beta,
                },
            )),
        ),
        Op::FakeQuant(o) => (
            BuiltinOperator::FAKE_QUANT,
            BuiltinOptionsT::FakeQuantOptions(Box::new(FakeQuantOptionsT {
                min: o.min,
                max: o.max,
                num_bits: o.bits,
                narrow_range: o.narrow_range,
            })),
        ),
        Op::MirrorPad { symmetric } => (
            BuiltinOperator::MIRROR_PAD,
            BuiltinOptionsT::MirrorPadOptions(Box::new(MirrorPadOptionsT {
                mode: small::write_mirror(*symmetric),
            })),
        ),
        Op::Squeeze { axes } => (
            BuiltinOperator::SQUEEZE,
            BuiltinOptionsT::SqueezeOptions(Box::new(SqueezeOptionsT {
                squeeze_dims: Some(axes.clone()),
            })),
        ),
        Op::Split { count } => (
            BuiltinOperator::SPLIT,
            BuiltinOptionsT::SplitOptions(Box::new(SplitOptionsT { num_splits: *count })),
        ),
        Op::SplitV { count } => (
            BuiltinOperator::SPLIT_V,
            BuiltinOptionsT::SplitVOptions(Box::new(SplitVOptionsT { num_splits: *count })),
        ),
        Op::Unpack { count, axis } => (
            BuiltinOperator::UNPACK,
            BuiltinOptionsT::UnpackOptions(Box::new(UnpackOptionsT {
                num: *count,
                axis: *axis,
            })),
        ),
        Op::Gather { axis, batch_dims } => (
            BuiltinOperator::GATHER,
            BuiltinOptionsT::GatherOptions(Box::new(GatherOptionsT {
                axis: *axis,
                batch_dims: *batch_dims,
            })),
        ),
        Op::ReverseSequence {
            sequence_axis,
            batch_axis,
        } => (
            BuiltinOperator::REVERSE_SEQUENCE,
            BuiltinOptionsT::ReverseSequenceOptions(Box::new(ReverseSequenceOptionsT {
                seq_dim: *sequence_axis,
                batch_dim: *batch_axis,
            })),
        ),
        Op::SpaceToDepth { block } => (
            BuiltinOperator::SPACE_TO_DEPTH,
            BuiltinOptionsT::SpaceToDepthOptions(Box::new(SpaceToDepthOptionsT {
                block_size: *block,
            })),
        ),
        Op::DepthToSpace { block } => (
            BuiltinOperator::DEPTH_TO_SPACE,
            BuiltinOptionsT::DepthToSpaceOptions(Box::new(DepthToSpaceOptionsT {
                block_size: *block,
            })),
        ),
        Op::OneHot { axis } => (
            BuiltinOperator::ONE_HOT,
            BuiltinOptionsT::OneHotOptions(Box::new(OneHotOptionsT { axis: *axis })),
        ),
        Op::Unique { index_type } => (
            BuiltinOperator::UNIQUE,
            BuiltinOptionsT::UniqueOptions(Box::new(UniqueOptionsT {
                idx_out_type: dtype_code(*index_type),
            })),
        ),
        Op::SparseToDense { validate_indices } => (
            BuiltinOperator::SPARSE_TO_DENSE,
            BuiltinOptionsT::SparseToDenseOptions(Box::new(SparseToDenseOptionsT {
                validate_indices: *validate_indices,
            })),
        ),
        Op::TransposeConv(o) => (
            BuiltinOperator::TRANSPOSE_CONV,
            windows::write_transpose_conv(o),
        ),
        Op::Conv3d(o) => (BuiltinOperator::CONV_3D, windows::write_conv_3d(o)),
        Op::Conv3dTranspose(o) => (
            BuiltinOperator::CONV_3D_TRANSPOSE,
            windows::write_conv_3d(o),
        ),
        Op::BatchMatMul(o) => (
            BuiltinOperator::BATCH_MATMUL,
            BuiltinOptionsT::BatchMatMulOptions(Box::new(BatchMatMulOptionsT {
                adj_x: o.adjoint_x,
                adj_y: o.adjoint_y,
                asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
            })),
        ),
        Op::ResizeBilinear(o) => (
            BuiltinOperator::RESIZE_BILINEAR,
            BuiltinOptionsT::ResizeBilinearOptions(Box::new(ResizeBilinearOptionsT {
                align_corners: o.align_corners,
                half_pixel_centers: o.half_pixel_centers,
            })),
        ),
        Op::ResizeNearestNeighbor(o) => (
            BuiltinOperator::RESIZE_NEAREST_NEIGHBOR,
            BuiltinOptionsT::ResizeNearestNeighborOptions(Box::new(
                ResizeNearestNeighborOptionsT {
                    align_corners: o.align_corners,
                    half_pixel_centers: o.half_pixel_centers,
                },
            )),
        ),
        Op::L2Pool2d(o) => (BuiltinOperator::L2_POOL_2D, windows::write_pool(o)),
        Op::Svdf(o) => (BuiltinOperator::SVDF, recurrent::write_svdf(o)),
        Op::Lstm(o) => (BuiltinOperator::LSTM, recurrent::write_lstm(o)),
        Op::UnidirectionalSequenceLstm(o) => (
            BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_LSTM,
            recurrent::write_unidirectional_sequence_lstm(o),
        ),
        Op::BidirectionalSequenceLstm(o) => (
            BuiltinOperator::BIDIRECTIONAL_SEQUENCE_LSTM,
            recurrent::write_bidirectional_sequence_lstm(o),
        ),
        Op::Rnn(o) => (BuiltinOperator::RNN, recurrent::write_rnn(o)),
        Op::UnidirectionalSequenceRnn(o) => (
            BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_RNN,
            recurrent::write_unidirectional_sequence_rnn(o),
        ),
        Op::BidirectionalSequenceRnn(o) => (
            BuiltinOperator::BIDIRECTIONAL_SEQUENCE_RNN,
            recurrent::write_bidirectional_sequence_rnn(o),
        ),
        Op::If { then, otherwise } => (
            BuiltinOperator::IF,
            BuiltinOptionsT::IfOptions(Box::new(IfOptionsT {
                then_subgraph_index: small::index(*then),
                else_subgraph_index: small::index(*otherwise),
            })),
        ),
        Op::While { condition, body } => (
            BuiltinOperator::WHILE,
            BuiltinOptionsT::WhileOptions(Box::new(WhileOptionsT {
                cond_subgraph_index: small::index(*condition),
                body_subgraph_index: small::index(*body),
            })),
        ),
        Op::CallOnce { subgraph } => (
            BuiltinOperator::CALL_ONCE,
            BuiltinOptionsT::CallOnceOptions(Box::new(CallOnceOptionsT {
                init_subgraph_index: small::index(*subgraph),
            })),
        ),
        Op::VarHandle {
            container,
            shared_name,
        } => (
            BuiltinOperator::VAR_HANDLE,
            BuiltinOptionsT::VarHandleOptions(Box::new(VarHandleOptionsT {
                container: container.clone(),
                shared_name: shared_name.clone(),
            })),
        ),
        Op::Hashtable(o) => (
            BuiltinOperator::HASHTABLE,
            BuiltinOptionsT::HashtableOptions(Box::new(HashtableOptionsT {
                table_id: o.table,
                key_dtype: dtype_code(o.key),
                value_dtype: dtype_code(o.value),
            })),
        ),
        Op::StablehloComposite(_) => (BuiltinOperator::STABLEHLO_COMPOSITE, BuiltinOptionsT::NONE),
        Op::Reduce { kind, keep_dims } => (
            reduction_code(*kind),
            BuiltinOptionsT::ReducerOptions(Box::new(ReducerOptionsT {
                keep_dims: *keep_dims,
            })),
        ),
        Op::AddN => (BuiltinOperator::ADD_N, BuiltinOptionsT::NONE),
        Op::Bitcast => (BuiltinOperator::BITCAST, BuiltinOptionsT::NONE),
        Op::LogSoftmax => (BuiltinOperator::LOG_SOFTMAX, BuiltinOptionsT::NONE),
        Op::Prelu => (BuiltinOperator::PRELU, BuiltinOptionsT::NONE),
        Op::Real => (BuiltinOperator::REAL, BuiltinOptionsT::NONE),
        Op::Imag => (BuiltinOperator::IMAG, BuiltinOptionsT::NONE),
        Op::ComplexAbs => (BuiltinOperator::COMPLEX_ABS, BuiltinOptionsT::NONE),
        Op::Rfft2d => (BuiltinOperator::RFFT2D, BuiltinOptionsT::NONE),
        Op::PadV2 => (BuiltinOperator::PADV2, BuiltinOptionsT::NONE),
        Op::ExpandDims => (BuiltinOperator::EXPAND_DIMS, BuiltinOptionsT::NONE),
        Op::Slice => (BuiltinOperator::SLICE, BuiltinOptionsT::NONE),
        Op::GatherNd => (BuiltinOperator::GATHER_ND, BuiltinOptionsT::NONE),
        Op::ScatterNd => (BuiltinOperator::SCATTER_ND, BuiltinOptionsT::NONE),
        Op::Tile => (BuiltinOperator::TILE, BuiltinOptionsT::NONE),
        Op::BroadcastTo => (BuiltinOperator::BROADCAST_TO, BuiltinOptionsT::NONE),
        Op::BroadcastArgs => (BuiltinOperator::BROADCAST_ARGS, BuiltinOptionsT::NONE),
        Op::Fill => (BuiltinOperator::FILL, BuiltinOptionsT::NONE),
        Op::Range => (BuiltinOperator::RANGE, BuiltinOptionsT::NONE),
        Op::Rank => (BuiltinOperator::RANK, BuiltinOptionsT::NONE),
        Op::ReverseV2 => (BuiltinOperator::REVERSE_V2, BuiltinOptionsT::NONE),
        Op::SpaceToBatchNd => (BuiltinOperator::SPACE_TO_BATCH_ND, BuiltinOptionsT::NONE),
        Op::BatchToSpaceNd => (BuiltinOperator::BATCH_TO_SPACE_ND, BuiltinOptionsT::NONE),
        Op::Select => (BuiltinOperator::SELECT, BuiltinOptionsT::NONE),
        Op::SelectV2 => (BuiltinOperator::SELECT_V2, BuiltinOptionsT::NONE),
        Op::Where => (BuiltinOperator::WHERE, BuiltinOptionsT::NONE),
        Op::TopKV2 => (BuiltinOperator::TOPK_V2, BuiltinOptionsT::NONE),
        Op::MatrixDiag => (BuiltinOperator::MATRIX_DIAG, BuiltinOptionsT::NONE),
        Op::MatrixSetDiag => (BuiltinOperator::MATRIX_SET_DIAG, BuiltinOptionsT::NONE),
        Op::DynamicUpdateSlice => (BuiltinOperator::DYNAMIC_UPDATE_SLICE, BuiltinOptionsT::NONE),
        Op::SegmentSum => (BuiltinOperator::SEGMENT_SUM, BuiltinOptionsT::NONE),
        Op::Dilate => (BuiltinOperator::DILATE, BuiltinOptionsT::NONE),
        Op::EmbeddingLookup => (BuiltinOperator::EMBEDDING_LOOKUP, BuiltinOptionsT::NONE),
        Op::Densify => (BuiltinOperator::DENSIFY, BuiltinOptionsT::NONE),
        Op::NonMaxSuppressionV4 => (
            BuiltinOperator::NON_MAX_SUPPRESSION_V4,
            BuiltinOptionsT::NONE,
        ),
        Op::NonMaxSuppressionV5 => (
            BuiltinOperator::NON_MAX_SUPPRESSION_V5,
            BuiltinOptionsT::NONE,
        ),
        Op::ReadVariable => (BuiltinOperator::READ_VARIABLE, BuiltinOptionsT::NONE),
        Op::AssignVariable => (BuiltinOperator::ASSIGN_VARIABLE, BuiltinOptionsT::NONE),
        Op::HashtableFind => (BuiltinOperator::HASHTABLE_FIND, BuiltinOptionsT::NONE),
        Op::HashtableImport => (BuiltinOperator::HASHTABLE_IMPORT, BuiltinOptionsT::NONE),
        Op::HashtableSize => (BuiltinOperator::HASHTABLE_SIZE, BuiltinOptionsT::NONE),
        Op::Unary(kind) => (unary_code(*kind), BuiltinOptionsT::NONE),
        Op::Binary(kind) => (binary_code(*kind), BuiltinOptionsT::NONE),
        Op::Compare(kind) => (comparison_code(*kind), BuiltinOptionsT::NONE),
        Op::UnsortedSegment(kind) => (segment_code(*kind), BuiltinOptionsT::NONE),
        Op::Other(_) | Op::Custom(_) => return None,
    };
    let mut options = Options::typed(first);
    if let Op::StablehloComposite(o) = op {
        options.second =
            BuiltinOptions2T::StableHLOCompositeOptions(Box::new(StableHLOCompositeOptionsT {
                name: o.name.clone(),
                decomposition_subgraph_index: small::index(o.decomposition),
                composite_attributes: o.attributes.as_ref().map(|a| a.to_vec()),
                composite_attributes_format: CustomOptionsFormat(o.attributes_format),
                version: o.version,
            }));
    }
    Some((code, options))
}

fn unary_code(kind: Unary) -> BuiltinOperator {
    match kind {
        Unary::Abs => BuiltinOperator::ABS,
        Unary::Ceil => BuiltinOperator::CEIL,
        Unary::Cos => BuiltinOperator::COS,
        Unary::Elu => BuiltinOperator::ELU,
        Unary::Exp => BuiltinOperator::EXP,
        Unary::Floor => BuiltinOperator::FLOOR,
        Unary::Log => BuiltinOperator::LOG,
        Unary::LogicalNot => BuiltinOperator::LOGICAL_NOT,
        Unary::Neg => BuiltinOperator::NEG,
        Unary::Relu0To1 => BuiltinOperator::RELU_0_TO_1,
        Unary::ReluN1To1 => BuiltinOperator::RELU_N1_TO_1,
        Unary::Round => BuiltinOperator::ROUND,
        Unary::Rsqrt => BuiltinOperator::RSQRT,
        Unary::Sign => BuiltinOperator::SIGN,
        Unary::Sin => BuiltinOperator::SIN,
        Unary::Sqrt => BuiltinOperator::SQRT,
        Unary::Square => BuiltinOperator::SQUARE,
        Unary::ZerosLike => BuiltinOperator::ZEROS_LIKE,
    }
}

fn binary_code(kind: Binary) -> BuiltinOperator {
    match kind {
        Binary::Atan2 => BuiltinOperator::ATAN2,
        Binary::BitwiseXor => BuiltinOperator::BITWISE_XOR,
        Binary::FloorDiv => BuiltinOperator::FLOOR_DIV,
        Binary::FloorMod => BuiltinOperator::FLOOR_MOD,
        Binary::LogicalAnd => BuiltinOperator::LOGICAL_AND,
        Binary::LogicalOr => BuiltinOperator::LOGICAL_OR,
        Binary::Maximum => BuiltinOperator::MAXIMUM,
        Binary::Minimum => BuiltinOperator::MINIMUM,
        Binary::Pow => BuiltinOperator::POW,
        Binary::RightShift => BuiltinOperator::RIGHT_SHIFT,
        Binary::SquaredDifference => BuiltinOperator::SQUARED_DIFFERENCE,
    }
}

fn comparison_code(kind: Comparison) -> BuiltinOperator {
    match kind {
        Comparison::Equal => BuiltinOperator::EQUAL,
        Comparison::NotEqual => BuiltinOperator::NOT_EQUAL,
        Comparison::Greater => BuiltinOperator::GREATER,
        Comparison::GreaterEqual => BuiltinOperator::GREATER_EQUAL,
        Comparison::Less => BuiltinOperator::LESS,
        Comparison::LessEqual => BuiltinOperator::LESS_EQUAL,
    }
}

fn segment_code(kind: Segment) -> BuiltinOperator {
    match kind {
        Segment::Sum => BuiltinOperator::UNSORTED_SEGMENT_SUM,
        Segment::Prod => BuiltinOperator::UNSORTED_SEGMENT_PROD,
        Segment::Max => BuiltinOperator::UNSORTED_SEGMENT_MAX,
        Segment::Min => BuiltinOperator::UNSORTED_SEGMENT_MIN,
    }
}

fn reduction_code(kind: Reduction) -> BuiltinOperator {
    match kind {
        Reduction::Sum => BuiltinOperator::SUM,
        Reduction::Prod => BuiltinOperator::REDUCE_PROD,
        Reduction::Max => BuiltinOperator::REDUCE_MAX,
        Reduction::Min => BuiltinOperator::REDUCE_MIN,
        Reduction::Any => BuiltinOperator::REDUCE_ANY,
        Reduction::All => BuiltinOperator::REDUCE_ALL,
    }
}
