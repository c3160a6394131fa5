//! Builders of CONV_3D and CONV_3D_TRANSPOSE.

use super::layout::extents;
use super::window::{positive, window};
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, clamp_f32};
use crate::error::Result;
use crate::graph::{Conv3d, DType};
use crate::kernels::reference::conv3d::{Axis, Conv3dShape};
use crate::malformed;

fn expect_float(
    operands: &[Operand<'_>],
    bias: Option<Operand<'_>>,
    channels: usize,
) -> Result<()> {
    for operand in operands.iter().chain(&bias) {
        operand.expect(DType::Float32)?;
    }
    for operand in operands {
        operand.expect_rank(5)?;
        if operand.elements() == 0 {
            return malformed!("{operand} is empty");
        }
    }
    match bias {
        Some(b) if b.elements() != channels => {
            malformed!("{b} has {} elements, not {channels}", b.elements())
        }
        _ => Ok(()),
    }
}

/// The geometry along each axis of a window over `long` that makes `short`.
fn axes(o: &Conv3d, long: &[usize], filter: &[usize]) -> Result<[(Axis, usize); 3]> {
    let axis = |i: usize| -> Result<(Axis, usize)> {
        let stride = positive(o.stride[i], "stride")?;
        let dilation = positive(o.dilation[i], "dilation")?;
        let w = window(o.padding, long[i + 1], filter[i], stride, dilation)?;
        let axis = Axis {
            input: long[i + 1],
            output: w.out,
            size: filter[i],
            stride,
            dilation,
            pad: w.pad,
        };
        Ok((axis, w.out))
    };
    Ok([axis(0)?, axis(1)?, axis(2)?])
}

pub(super) fn conv(cx: &NodeCx<'_>, o: &Conv3d) -> Result<Built> {
    let (input, filter, bias) = (cx.input(0)?, cx.input(1)?, cx.optional(2)?);
    cx.expect_output(DType::Float32)?;
    input.expect_rank(5)?;
    filter.expect_rank(5)?;
    let (in_c, out_c) = (filter.shape[3], filter.shape[4]);
    expect_float(&[input, filter], bias, out_c)?;
    if input.shape[4] != in_c {
        return malformed!("{input} has {} channels, not {in_c}", input.shape[4]);
    }
    let axes = axes(o, input.shape, filter.shape)?.map(|(axis, _)| axis);
    let shape = Conv3dShape {
        batches: input.shape[0],
        axes,
        in_c,
        out_c,
    };
    let clamp = clamp_f32(o.activation)?;
    let [depth, height, width] = axes.map(|a| a.output);
    Built::kernel(
        vec![shape.batches, depth, height, width, out_c],
        move |io, out| {
            shape.conv(io.get(0), io.get(1), io.optional(2), clamp, typed_mut(out));
        },
    )
}

pub(super) fn transposed(cx: &NodeCx<'_>, o: &Conv3d) -> Result<Built> {
    let (filter, input, bias) = (cx.input(1)?, cx.input(2)?, cx.optional(3)?);
    cx.expect_output(DType::Float32)?;
    input.expect_rank(5)?;
    filter.expect_rank(5)?;
    let (out_c, in_c) = (filter.shape[3], filter.shape[4]);
    expect_float(&[input, filter], bias, out_c)?;
    let out_shape = extents(cx.input(0)?, "output shape")?;
    if out_shape.len() != 5
        || out_shape[4] != out_c
        || out_shape[0] != input.shape[0]
        || input.shape[4] != in_c
    {
        return malformed!(
            "{filter} of shape {:?} and the output shape {out_shape:?} do not fit {input} of shape {:?}",
            filter.shape,
            input.shape
        );
    }
    cx.output_bytes(0, &out_shape)?;
    let mut turned = axes(o, &out_shape, filter.shape)?;
    for (i, (axis, short)) in turned.iter_mut().enumerate() {
        if *short != input.shape[i + 1] {
            return malformed!(
                "an output of shape {out_shape:?} needs {short} inputs along axis {}, but {input} has {}",
                i + 1,
                input.shape[i + 1]
            );
        }
        (axis.input, axis.output) = (*short, out_shape[i + 1]);
    }
    let shape = Conv3dShape {
        batches: input.shape[0],
        axes: turned.map(|(axis, _)| axis),
        in_c,
        out_c,
    };
    let clamp = clamp_f32(o.activation)?;
    Built::kernel(out_shape, move |io, out| {
        let (input, filter) = (io.get(2), io.get(1));
        shape.transposed(input, filter, io.optional(3), clamp, typed_mut(out));
    })
}
