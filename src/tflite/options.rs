//! Options of the typed operators: from the format and back, side by side.

use super::schema::*;
use super::types::{
    activation, activation_code, dtype, dtype_code, padding, padding_code, stated_dtype,
    stated_dtype_code,
};
use crate::error::Result;
use crate::graph::{self, Op};

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
        BuiltinOperator::CONV_2D => read_conv(options!(builtin_options_as_conv_2_doptions))?,
        BuiltinOperator::DEPTHWISE_CONV_2D => {
            read_depthwise(options!(builtin_options_as_depthwise_conv_2_doptions))?
        }
        BuiltinOperator::FULLY_CONNECTED => {
            return read_fully_connected(options!(builtin_options_as_fully_connected_options));
        }
        BuiltinOperator::MAX_POOL_2D => {
            Op::MaxPool2d(read_pool(options!(builtin_options_as_pool_2_doptions))?)
        }
        BuiltinOperator::AVERAGE_POOL_2D => {
            Op::AveragePool2d(read_pool(options!(builtin_options_as_pool_2_doptions))?)
        }
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
            out_type: read_shape_type(options!(builtin_options_as_shape_options))?,
        },
        BuiltinOperator::STRIDED_SLICE => {
            read_strided_slice(options!(builtin_options_as_strided_slice_options))
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
        _ => return Ok(None),
    }))
}

/// Code and options of a typed operator; `None` for the kinds that are kept whole. Operators whose options hold no field get none.
pub fn write(op: &Op) -> Option<(BuiltinOperator, BuiltinOptionsT)> {
    Some(match op {
        Op::Conv2d(o) => (BuiltinOperator::CONV_2D, write_conv(o)),
        Op::DepthwiseConv2d(o) => (BuiltinOperator::DEPTHWISE_CONV_2D, write_depthwise(o)),
        Op::FullyConnected(o) => (BuiltinOperator::FULLY_CONNECTED, write_fully_connected(o)),
        Op::MaxPool2d(o) => (BuiltinOperator::MAX_POOL_2D, write_pool(o)),
        Op::AveragePool2d(o) => (BuiltinOperator::AVERAGE_POOL_2D, write_pool(o)),
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
        Op::StridedSlice(o) => (BuiltinOperator::STRIDED_SLICE, write_strided_slice(o)),
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
        Op::Other(_) | Op::Custom(_) => return None,
    })
}

fn read_conv(o: Conv2DOptionsT) -> Result<Op> {
    Ok(Op::Conv2d(graph::Conv2d {
        padding: padding(o.padding)?,
        stride: [o.stride_h, o.stride_w],
        dilation: [o.dilation_h_factor, o.dilation_w_factor],
        activation: activation(o.fused_activation_function)?,
        quantized_bias: stated_dtype(o.quantized_bias_type)?,
    }))
}

fn write_conv(o: &graph::Conv2d) -> BuiltinOptionsT {
    BuiltinOptionsT::Conv2DOptions(Box::new(Conv2DOptionsT {
        padding: padding_code(o.padding),
        stride_h: o.stride[0],
        stride_w: o.stride[1],
        dilation_h_factor: o.dilation[0],
        dilation_w_factor: o.dilation[1],
        fused_activation_function: activation_code(o.activation),
        quantized_bias_type: stated_dtype_code(o.quantized_bias),
    }))
}

fn read_depthwise(o: DepthwiseConv2DOptionsT) -> Result<Op> {
    Ok(Op::DepthwiseConv2d(graph::DepthwiseConv2d {
        padding: padding(o.padding)?,
        stride: [o.stride_h, o.stride_w],
        dilation: [o.dilation_h_factor, o.dilation_w_factor],
        activation: activation(o.fused_activation_function)?,
        depth_multiplier: o.depth_multiplier,
    }))
}

fn write_depthwise(o: &graph::DepthwiseConv2d) -> BuiltinOptionsT {
    BuiltinOptionsT::DepthwiseConv2DOptions(Box::new(DepthwiseConv2DOptionsT {
        padding: padding_code(o.padding),
        stride_h: o.stride[0],
        stride_w: o.stride[1],
        dilation_h_factor: o.dilation[0],
        dilation_w_factor: o.dilation[1],
        fused_activation_function: activation_code(o.activation),
        depth_multiplier: o.depth_multiplier,
    }))
}

/// `None` if it carries a `quant_spec`, which the typed operator has no place for.
fn read_fully_connected(o: FullyConnectedOptionsT) -> Result<Option<Op>> {
    if o.quant_spec.is_some() {
        return Ok(None);
    }
    let shuffled_weights = match o.weights_format {
        FullyConnectedOptionsWeightsFormat::DEFAULT => false,
        FullyConnectedOptionsWeightsFormat::SHUFFLED4x16INT8 => true,
        other => return crate::malformed!("weights format {} does not exist (0 or 1)", other.0),
    };
    Ok(Some(Op::FullyConnected(graph::FullyConnected {
        activation: activation(o.fused_activation_function)?,
        shuffled_weights,
        keep_num_dims: o.keep_num_dims,
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
        quantized_bias: stated_dtype(o.quantized_bias_type)?,
    })))
}

fn write_fully_connected(o: &graph::FullyConnected) -> BuiltinOptionsT {
    let weights_format = match o.shuffled_weights {
        false => FullyConnectedOptionsWeightsFormat::DEFAULT,
        true => FullyConnectedOptionsWeightsFormat::SHUFFLED4x16INT8,
    };
    BuiltinOptionsT::FullyConnectedOptions(Box::new(FullyConnectedOptionsT {
        fused_activation_function: activation_code(o.activation),
        weights_format,
        keep_num_dims: o.keep_num_dims,
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
        quantized_bias_type: stated_dtype_code(o.quantized_bias),
        quant_spec: None,
    }))
}

fn read_pool(o: Pool2DOptionsT) -> Result<graph::Pool2d> {
    Ok(graph::Pool2d {
        padding: padding(o.padding)?,
        stride: [o.stride_h, o.stride_w],
        filter: [o.filter_height, o.filter_width],
        activation: activation(o.fused_activation_function)?,
    })
}

fn write_pool(o: &graph::Pool2d) -> BuiltinOptionsT {
    BuiltinOptionsT::Pool2DOptions(Box::new(Pool2DOptionsT {
        padding: padding_code(o.padding),
        stride_h: o.stride[0],
        stride_w: o.stride[1],
        filter_height: o.filter[0],
        filter_width: o.filter[1],
        fused_activation_function: activation_code(o.activation),
    }))
}

/// Code 0 means "as the schema's comment says, int32" here, for the field was added to an operator that always gave int32.
fn read_shape_type(o: ShapeOptionsT) -> Result<graph::DType> {
    if o.out_type == TensorType::FLOAT32 {
        return Ok(graph::DType::Int32);
    }
    dtype(o.out_type)
}

fn read_strided_slice(o: StridedSliceOptionsT) -> Op {
    Op::StridedSlice(graph::StridedSlice {
        begin_mask: o.begin_mask,
        end_mask: o.end_mask,
        ellipsis_mask: o.ellipsis_mask,
        new_axis_mask: o.new_axis_mask,
        shrink_axis_mask: o.shrink_axis_mask,
        offset: o.offset,
    })
}

fn write_strided_slice(o: &graph::StridedSlice) -> BuiltinOptionsT {
    BuiltinOptionsT::StridedSliceOptions(Box::new(StridedSliceOptionsT {
        begin_mask: o.begin_mask,
        end_mask: o.end_mask,
        ellipsis_mask: o.ellipsis_mask,
        new_axis_mask: o.new_axis_mask,
        shrink_axis_mask: o.shrink_axis_mask,
        offset: o.offset,
    }))
}
