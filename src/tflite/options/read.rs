//! The operator of a file as a typed one.

use bytes::Bytes;

use super::super::schema::*;
use super::super::types::{activation, dtype};
use super::{recurrent, small, windows};
use crate::error::Result;
use crate::graph::{self, Binary, Comparison, Op, Reduction, Segment, Unary};

/// The operator as a typed one, or `None` if it is one that is kept whole. Absent options, and options of another operator,
/// stand for the schema's defaults.
///
/// # Errors
/// Malformed if an enumeration holds a value that the format does not have.
pub fn read(code: BuiltinOperator, operator: &Operator) -> Result<Option<Op>> {
    /// Options of the given table, or the table's defaults.
    macro_rules! options {
        ($accessor:ident) => {
            operator.$accessor().map(|o| o.unpack()).unwrap_or_default()
        };
    }
    Ok(Some(match code {
        BuiltinOperator::CONV_2D => {
            windows::read_conv(options!(builtin_options_as_conv_2_doptions))?
        }
        BuiltinOperator::DEPTHWISE_CONV_2D => {
            windows::read_depthwise(options!(builtin_options_as_depthwise_conv_2_doptions))?
        }
        BuiltinOperator::FULLY_CONNECTED => {
            return windows::read_fully_connected(options!(
                builtin_options_as_fully_connected_options
            ));
        }
        BuiltinOperator::MAX_POOL_2D => Op::MaxPool2d(windows::read_pool(options!(
            builtin_options_as_pool_2_doptions
        ))?),
        BuiltinOperator::AVERAGE_POOL_2D => Op::AveragePool2d(windows::read_pool(options!(
            builtin_options_as_pool_2_doptions
        ))?),
        BuiltinOperator::MEAN => Op::Mean {
            keep_dims: options!(builtin_options_as_reducer_options).keep_dims,
        },
        BuiltinOperator::ADD => {
            let o = options!(builtin_options_as_add_options);
            Op::Add {
                activation: activation(o.fused_activation_function)?,
                pot_scale_int16: o.pot_scale_int16,
            }
        }
        BuiltinOperator::SUB => {
            let o = options!(builtin_options_as_sub_options);
            Op::Sub {
                activation: activation(o.fused_activation_function)?,
                pot_scale_int16: o.pot_scale_int16,
            }
        }
        BuiltinOperator::MUL => Op::Mul {
            activation: activation(
                options!(builtin_options_as_mul_options).fused_activation_function,
            )?,
        },
        BuiltinOperator::RELU => Op::Relu,
        BuiltinOperator::RELU6 => Op::Relu6,
        BuiltinOperator::LOGISTIC => Op::Logistic,
        BuiltinOperator::TANH => Op::Tanh,
        BuiltinOperator::SOFTMAX => Op::Softmax {
            beta: options!(builtin_options_as_softmax_options).beta,
        },
        BuiltinOperator::HARD_SWISH => Op::HardSwish,
        BuiltinOperator::PAD => Op::Pad,
        BuiltinOperator::CONCATENATION => {
            let o = options!(builtin_options_as_concatenation_options);
            Op::Concatenation {
                axis: o.axis,
                activation: activation(o.fused_activation_function)?,
            }
        }
        BuiltinOperator::RESHAPE => Op::Reshape {
            new_shape: options!(builtin_options_as_reshape_options).new_shape,
        },
        BuiltinOperator::SHAPE => Op::Shape {
            out_type: small::read_shape_type(options!(builtin_options_as_shape_options))?,
        },
        BuiltinOperator::STRIDED_SLICE => {
            small::read_strided_slice(options!(builtin_options_as_strided_slice_options))
        }
        BuiltinOperator::PACK => {
            let o = options!(builtin_options_as_pack_options);
            Op::Pack {
                axis: o.axis,
                values_count: o.values_count,
            }
        }
        BuiltinOperator::TRANSPOSE => Op::Transpose,
        BuiltinOperator::QUANTIZE => Op::Quantize,
        BuiltinOperator::DEQUANTIZE => Op::Dequantize,
        BuiltinOperator::DIV => Op::Div {
            activation: activation(
                options!(builtin_options_as_div_options).fused_activation_function,
            )?,
        },
        BuiltinOperator::ARG_MAX => Op::ArgMax {
            output_type: dtype(options!(builtin_options_as_arg_max_options).output_type)?,
        },
        BuiltinOperator::ARG_MIN => Op::ArgMin {
            output_type: dtype(options!(builtin_options_as_arg_min_options).output_type)?,
        },
        BuiltinOperator::CUMSUM => {
            let o = options!(builtin_options_as_cumsum_options);
            Op::Cumsum {
                exclusive: o.exclusive,
                reverse: o.reverse,
            }
        }
        BuiltinOperator::CAST => {
            let o = options!(builtin_options_as_cast_options);
            Op::Cast {
                from: dtype(o.in_data_type)?,
                to: dtype(o.out_data_type)?,
            }
        }
        BuiltinOperator::LEAKY_RELU => Op::LeakyRelu {
            alpha: options!(builtin_options_as_leaky_relu_options).alpha,
        },
        BuiltinOperator::GELU => Op::Gelu {
            approximate: options!(builtin_options_as_gelu_options).approximate,
        },
        BuiltinOperator::L2_NORMALIZATION => Op::L2Normalization {
            activation: activation(
                options!(builtin_options_as_l2_norm_options).fused_activation_function,
            )?,
        },
        BuiltinOperator::LOCAL_RESPONSE_NORMALIZATION => {
            let o = options!(builtin_options_as_local_response_normalization_options);
            Op::LocalResponseNormalization(graph::LocalResponseNormalization {
                radius: o.radius,
                bias: o.bias,
                alpha: o.alpha,
                beta: o.beta,
            })
        }
        BuiltinOperator::FAKE_QUANT => {
            let o = options!(builtin_options_as_fake_quant_options);
            Op::FakeQuant(graph::FakeQuant {
                min: o.min,
                max: o.max,
                bits: o.num_bits,
                narrow_range: o.narrow_range,
            })
        }
        BuiltinOperator::MIRROR_PAD => Op::MirrorPad {
            symmetric: small::read_mirror(options!(builtin_options_as_mirror_pad_options).mode)?,
        },
        BuiltinOperator::SQUEEZE => Op::Squeeze {
            axes: options!(builtin_options_as_squeeze_options)
                .squeeze_dims
                .unwrap_or_default(),
        },
        BuiltinOperator::SPLIT => Op::Split {
            count: options!(builtin_options_as_split_options).num_splits,
        },
        BuiltinOperator::SPLIT_V => Op::SplitV {
            count: options!(builtin_options_as_split_voptions).num_splits,
        },
        BuiltinOperator::UNPACK => {
            let o = options!(builtin_options_as_unpack_options);
            Op::Unpack {
                count: o.num,
                axis: o.axis,
            }
        }
        BuiltinOperator::GATHER => {
            let o = options!(builtin_options_as_gather_options);
            Op::Gather {
                axis: o.axis,
                batch_dims: o.batch_dims,
            }
        }
        BuiltinOperator::REVERSE_SEQUENCE => {
            let o = options!(builtin_options_as_reverse_sequence_options);
            Op::ReverseSequence {
                sequence_axis: o.seq_dim,
                batch_axis: o.batch_dim,
            }
        }
        BuiltinOperator::SPACE_TO_DEPTH => Op::SpaceToDepth {
            block: options!(builtin_options_as_space_to_depth_options).block_size,
        },
        BuiltinOperator::DEPTH_TO_SPACE => Op::DepthToSpace {
            block: options!(builtin_options_as_depth_to_space_options).block_size,
        },
        BuiltinOperator::ONE_HOT => Op::OneHot {
            axis: options!(builtin_options_as_one_hot_options).axis,
        },
        BuiltinOperator::UNIQUE => Op::Unique {
            index_type: dtype(options!(builtin_options_as_unique_options).idx_out_type)?,
        },
        BuiltinOperator::SPARSE_TO_DENSE => Op::SparseToDense {
            validate_indices: options!(builtin_options_as_sparse_to_dense_options).validate_indices,
        },
        BuiltinOperator::TRANSPOSE_CONV => {
            windows::read_transpose_conv(options!(builtin_options_as_transpose_conv_options))?
        }
        BuiltinOperator::CONV_3D => Op::Conv3d(windows::read_conv_3d(options!(
            builtin_options_as_conv_3_doptions
        ))?),
        BuiltinOperator::CONV_3D_TRANSPOSE => Op::Conv3dTranspose(windows::read_conv_3d(
            options!(builtin_options_as_conv_3_doptions),
        )?),
        BuiltinOperator::BATCH_MATMUL => {
            let o = options!(builtin_options_as_batch_mat_mul_options);
            Op::BatchMatMul(graph::BatchMatMul {
                adjoint_x: o.adj_x,
                adjoint_y: o.adj_y,
                asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
            })
        }
        BuiltinOperator::RESIZE_BILINEAR => {
            let o = options!(builtin_options_as_resize_bilinear_options);
            Op::ResizeBilinear(graph::Resize {
                align_corners: o.align_corners,
                half_pixel_centers: o.half_pixel_centers,
            })
        }
        BuiltinOperator::RESIZE_NEAREST_NEIGHBOR => {
            let o = options!(builtin_options_as_resize_nearest_neighbor_options);
            Op::ResizeNearestNeighbor(graph::Resize {
                align_corners: o.align_corners,
                half_pixel_centers: o.half_pixel_centers,
            })
        }
        BuiltinOperator::L2_POOL_2D => Op::L2Pool2d(windows::read_pool(options!(
            builtin_options_as_pool_2_doptions
        ))?),
        BuiltinOperator::SVDF => recurrent::read_svdf(options!(builtin_options_as_svdfoptions))?,
        BuiltinOperator::LSTM => recurrent::read_lstm(options!(builtin_options_as_lstmoptions))?,
        BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_LSTM => {
            recurrent::read_unidirectional_sequence_lstm(options!(
                builtin_options_as_unidirectional_sequence_lstmoptions
            ))?
        }
        BuiltinOperator::BIDIRECTIONAL_SEQUENCE_LSTM => {
            recurrent::read_bidirectional_sequence_lstm(options!(
                builtin_options_as_bidirectional_sequence_lstmoptions
            ))?
        }
        BuiltinOperator::RNN => recurrent::read_rnn(options!(builtin_options_as_rnnoptions))?,
        BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_RNN => {
            recurrent::read_unidirectional_sequence_rnn(options!(
                builtin_options_as_sequence_rnnoptions
            ))?
        }
        BuiltinOperator::BIDIRECTIONAL_SEQUENCE_RNN => recurrent::read_bidirectional_sequence_rnn(
            options!(builtin_options_as_bidirectional_sequence_rnnoptions),
        )?,
        BuiltinOperator::IF => {
            let o = options!(builtin_options_as_if_options);
            Op::If {
                then: small::subgraph(o.then_subgraph_index)?,
                otherwise: small::subgraph(o.else_subgraph_index)?,
            }
        }
        BuiltinOperator::WHILE => {
            let o = options!(builtin_options_as_while_options);
            Op::While {
                condition: small::subgraph(o.cond_subgraph_index)?,
                body: small::subgraph(o.body_subgraph_index)?,
            }
        }
        BuiltinOperator::CALL_ONCE => Op::CallOnce {
            subgraph: small::subgraph(
                options!(builtin_options_as_call_once_options).init_subgraph_index,
            )?,
        },
        BuiltinOperator::VAR_HANDLE => {
            let o = options!(builtin_options_as_var_handle_options);
            Op::VarHandle {
                container: o.container,
                shared_name: o.shared_name,
            }
        }
        BuiltinOperator::HASHTABLE => {
            let o = options!(builtin_options_as_hashtable_options);
            Op::Hashtable(graph::Hashtable {
                table: o.table_id,
                key: dtype(o.key_dtype)?,
                value: dtype(o.value_dtype)?,
            })
        }
        BuiltinOperator::STABLEHLO_COMPOSITE => {
            let o = operator
                .builtin_options_2_as_stable_hlocomposite_options()
                .map(|o| o.unpack())
                .unwrap_or_default();
            Op::StablehloComposite(graph::Composite {
                name: o.name,
                decomposition: small::subgraph(o.decomposition_subgraph_index)?,
                attributes: o.composite_attributes.map(Bytes::from),
                attributes_format: o.composite_attributes_format.0,
                version: o.version,
            })
        }
        BuiltinOperator::SUM => Op::Reduce {
            kind: Reduction::Sum,
            keep_dims: options!(builtin_options_as_reducer_options).keep_dims,
        },
        BuiltinOperator::REDUCE_PROD => Op::Reduce {
            kind: Reduction::Prod,
            keep_dims: options!(builtin_options_as_reducer_options).keep_dims,
        },
        BuiltinOperator::REDUCE_MAX => Op::Reduce {
            kind: Reduction::Max,
            keep_dims: options!(builtin_options_as_reducer_options).keep_dims,
        },
        BuiltinOperator::REDUCE_MIN => Op::Reduce {
            kind: Reduction::Min,
            keep_dims: options!(builtin_options_as_reducer_options).keep_dims,
        },
        BuiltinOperator::REDUCE_ANY => Op::Reduce {
            kind: Reduction::Any,
            keep_dims: options!(builtin_options_as_reducer_options).keep_dims,
        },
        BuiltinOperator::REDUCE_ALL => Op::Reduce {
            kind: Reduction::All,
            keep_dims: options!(builtin_options_as_reducer_options).keep_dims,
        },
        BuiltinOperator::ADD_N => Op::AddN,
        BuiltinOperator::BITCAST => Op::Bitcast,
        BuiltinOperator::LOG_SOFTMAX => Op::LogSoftmax,
        BuiltinOperator::PRELU => Op::Prelu,
        BuiltinOperator::REAL => Op::Real,
        BuiltinOperator::IMAG => Op::Imag,
        BuiltinOperator::COMPLEX_ABS => Op::ComplexAbs,
        BuiltinOperator::RFFT2D => Op::Rfft2d,
        BuiltinOperator::PADV2 => Op::PadV2,
        BuiltinOperator::EXPAND_DIMS => Op::ExpandDims,
        BuiltinOperator::SLICE => Op::Slice,
        BuiltinOperator::GATHER_ND => Op::GatherNd,
        BuiltinOperator::SCATTER_ND => Op::ScatterNd,
        BuiltinOperator::TILE => Op::Tile,
        BuiltinOperator::BROADCAST_TO => Op::BroadcastTo,
        BuiltinOperator::BROADCAST_ARGS => Op::BroadcastArgs,
        BuiltinOperator::FILL => Op::Fill,
        BuiltinOperator::RANGE => Op::Range,
        BuiltinOperator::RANK => Op::Rank,
        BuiltinOperator::REVERSE_V2 => Op::ReverseV2,
        BuiltinOperator::SPACE_TO_BATCH_ND => Op::SpaceToBatchNd,
        BuiltinOperator::BATCH_TO_SPACE_ND => Op::BatchToSpaceNd,
        BuiltinOperator::SELECT => Op::Select,
        BuiltinOperator::SELECT_V2 => Op::SelectV2,
        BuiltinOperator::WHERE => Op::Where,
        BuiltinOperator::TOPK_V2 => Op::TopKV2,
        BuiltinOperator::MATRIX_DIAG => Op::MatrixDiag,
        BuiltinOperator::MATRIX_SET_DIAG => Op::MatrixSetDiag,
        BuiltinOperator::DYNAMIC_UPDATE_SLICE => Op::DynamicUpdateSlice,
        BuiltinOperator::SEGMENT_SUM => Op::SegmentSum,
        BuiltinOperator::DILATE => Op::Dilate,
        BuiltinOperator::EMBEDDING_LOOKUP => Op::EmbeddingLookup,
        BuiltinOperator::DENSIFY => Op::Densify,
        BuiltinOperator::NON_MAX_SUPPRESSION_V4 => Op::NonMaxSuppressionV4,
        BuiltinOperator::NON_MAX_SUPPRESSION_V5 => Op::NonMaxSuppressionV5,
        BuiltinOperator::READ_VARIABLE => Op::ReadVariable,
        BuiltinOperator::ASSIGN_VARIABLE => Op::AssignVariable,
        BuiltinOperator::HASHTABLE_FIND => Op::HashtableFind,
        BuiltinOperator::HASHTABLE_IMPORT => Op::HashtableImport,
        BuiltinOperator::HASHTABLE_SIZE => Op::HashtableSize,
        BuiltinOperator::ABS => Op::Unary(Unary::Abs),
        BuiltinOperator::CEIL => Op::Unary(Unary::Ceil),
        BuiltinOperator::COS => Op::Unary(Unary::Cos),
        BuiltinOperator::ELU => Op::Unary(Unary::Elu),
        BuiltinOperator::EXP => Op::Unary(Unary::Exp),
        BuiltinOperator::FLOOR => Op::Unary(Unary::Floor),
        BuiltinOperator::LOG => Op::Unary(Unary::Log),
        BuiltinOperator::LOGICAL_NOT => Op::Unary(Unary::LogicalNot),
        BuiltinOperator::NEG => Op::Unary(Unary::Neg),
        BuiltinOperator::RELU_0_TO_1 => Op::Unary(Unary::Relu0To1),
        BuiltinOperator::RELU_N1_TO_1 => Op::Unary(Unary::ReluN1To1),
        BuiltinOperator::ROUND => Op::Unary(Unary::Round),
        BuiltinOperator::RSQRT => Op::Unary(Unary::Rsqrt),
        BuiltinOperator::SIGN => Op::Unary(Unary::Sign),
        BuiltinOperator::SIN => Op::Unary(Unary::Sin),
        BuiltinOperator::SQRT => Op::Unary(Unary::Sqrt),
        BuiltinOperator::SQUARE => Op::Unary(Unary::Square),
        BuiltinOperator::ZEROS_LIKE => Op::Unary(Unary::ZerosLike),
        BuiltinOperator::ATAN2 => Op::Binary(Binary::Atan2),
        BuiltinOperator::BITWISE_XOR => Op::Binary(Binary::BitwiseXor),
        BuiltinOperator::FLOOR_DIV => Op::Binary(Binary::FloorDiv),
        BuiltinOperator::FLOOR_MOD => Op::Binary(Binary::FloorMod),
        BuiltinOperator::LOGICAL_AND => Op::Binary(Binary::LogicalAnd),
        BuiltinOperator::LOGICAL_OR => Op::Binary(Binary::LogicalOr),
        BuiltinOperator::MAXIMUM => Op::Binary(Binary::Maximum),
        BuiltinOperator::MINIMUM => Op::Binary(Binary::Minimum),
        BuiltinOperator::POW => Op::Binary(Binary::Pow),
        BuiltinOperator::RIGHT_SHIFT => Op::Binary(Binary::RightShift),
        BuiltinOperator::SQUARED_DIFFERENCE => Op::Binary(Binary::SquaredDifference),
        BuiltinOperator::EQUAL => Op::Compare(Comparison::Equal),
        BuiltinOperator::NOT_EQUAL => Op::Compare(Comparison::NotEqual),
        BuiltinOperator::GREATER => Op::Compare(Comparison::Greater),
        BuiltinOperator::GREATER_EQUAL => Op::Compare(Comparison::GreaterEqual),
        BuiltinOperator::LESS => Op::Compare(Comparison::Less),
        BuiltinOperator::LESS_EQUAL => Op::Compare(Comparison::LessEqual),
        BuiltinOperator::UNSORTED_SEGMENT_SUM => Op::UnsortedSegment(Segment::Sum),
        BuiltinOperator::UNSORTED_SEGMENT_PROD => Op::UnsortedSegment(Segment::Prod),
        BuiltinOperator::UNSORTED_SEGMENT_MAX => Op::UnsortedSegment(Segment::Max),
        BuiltinOperator::UNSORTED_SEGMENT_MIN => Op::UnsortedSegment(Segment::Min),
        _ => return Ok(None),
    }))
}
