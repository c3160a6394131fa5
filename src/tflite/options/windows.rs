//! Options of convolutions, pooling, FULLY_CONNECTED and BATCH_MATMUL.

use super::super::schema::*;
use super::super::types::{
    activation, activation_code, padding, padding_code, stated_dtype, stated_dtype_code,
};
use crate::error::Result;
use crate::graph::{self, Op};

pub(super) fn read_conv(o: Conv2DOptionsT) -> Result<Op> {
    Ok(Op::Conv2d(graph::Conv2d {
        padding: padding(o.padding)?,
        stride: [o.stride_h, o.stride_w],
        dilation: [o.dilation_h_factor, o.dilation_w_factor],
        activation: activation(o.fused_activation_function)?,
        quantized_bias: stated_dtype(o.quantized_bias_type)?,
    }))
}

pub(super) fn write_conv(o: &graph::Conv2d) -> BuiltinOptionsT {
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

pub(super) fn read_depthwise(o: DepthwiseConv2DOptionsT) -> Result<Op> {
    Ok(Op::DepthwiseConv2d(graph::DepthwiseConv2d {
        padding: padding(o.padding)?,
        stride: [o.stride_h, o.stride_w],
        dilation: [o.dilation_h_factor, o.dilation_w_factor],
        activation: activation(o.fused_activation_function)?,
        depth_multiplier: o.depth_multiplier,
    }))
}

pub(super) fn write_depthwise(o: &graph::DepthwiseConv2d) -> BuiltinOptionsT {
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
pub(super) fn read_fully_connected(o: FullyConnectedOptionsT) -> Result<Option<Op>> {
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

pub(super) fn write_fully_connected(o: &graph::FullyConnected) -> BuiltinOptionsT {
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

pub(super) fn read_pool(o: Pool2DOptionsT) -> Result<graph::Pool2d> {
    Ok(graph::Pool2d {
        padding: padding(o.padding)?,
        stride: [o.stride_h, o.stride_w],
        filter: [o.filter_height, o.filter_width],
        activation: activation(o.fused_activation_function)?,
    })
}

pub(super) fn write_pool(o: &graph::Pool2d) -> BuiltinOptionsT {
    BuiltinOptionsT::Pool2DOptions(Box::new(Pool2DOptionsT {
        padding: padding_code(o.padding),
        stride_h: o.stride[0],
        stride_w: o.stride[1],
        filter_height: o.filter[0],
        filter_width: o.filter[1],
        fused_activation_function: activation_code(o.activation),
    }))
}

pub(super) fn read_transpose_conv(o: TransposeConvOptionsT) -> Result<Op> {
    Ok(Op::TransposeConv(graph::TransposeConv {
        padding: padding(o.padding)?,
        stride: [o.stride_h, o.stride_w],
        activation: activation(o.fused_activation_function)?,
        quantized_bias: stated_dtype(o.quantized_bias_type)?,
    }))
}

pub(super) fn write_transpose_conv(o: &graph::TransposeConv) -> BuiltinOptionsT {
    BuiltinOptionsT::TransposeConvOptions(Box::new(TransposeConvOptionsT {
        padding: padding_code(o.padding),
        stride_h: o.stride[0],
        stride_w: o.stride[1],
        fused_activation_function: activation_code(o.activation),
        quantized_bias_type: stated_dtype_code(o.quantized_bias),
    }))
}

pub(super) fn read_conv_3d(o: Conv3DOptionsT) -> Result<graph::Conv3d> {
    Ok(graph::Conv3d {
        padding: padding(o.padding)?,
        stride: [o.stride_d, o.stride_h, o.stride_w],
        dilation: [
            o.dilation_d_factor,
            o.dilation_h_factor,
            o.dilation_w_factor,
        ],
        activation: activation(o.fused_activation_function)?,
    })
}

pub(super) fn write_conv_3d(o: &graph::Conv3d) -> BuiltinOptionsT {
    BuiltinOptionsT::Conv3DOptions(Box::new(Conv3DOptionsT {
        padding: padding_code(o.padding),
        stride_d: o.stride[0],
        stride_h: o.stride[1],
        stride_w: o.stride[2],
        fused_activation_function: activation_code(o.activation),
        dilation_d_factor: o.dilation[0],
        dilation_h_factor: o.dilation[1],
        dilation_w_factor: o.dilation[2],
    }))
}
