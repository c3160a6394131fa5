//! Builders of MAX_POOL_2D, AVERAGE_POOL_2D and MEAN.

use super::elementwise::same_type;
use super::window::{positive, window};
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, clamp_f32, multiplier};
use crate::error::Result;
use crate::graph::{DType, Pool2d};
use crate::kernels::reference::mean::{self, MeanQuantization};
use crate::kernels::reference::pool;
use crate::kernels::{Pool2dShape, pool as fast};
use crate::malformed;

/// Most elements of a window that the vectorised kernels sum in int32.
const LARGEST_FAST_WINDOW: usize = 65_535;

fn pool_shape(input: Operand<'_>, o: &Pool2d) -> Result<(Pool2dShape, Vec<usize>)> {
    input.expect_rank(4)?;
    if input.elements() == 0 {
        return malformed!("{input} is empty");
    }
    let [batches, in_h, in_w, channels] = [0, 1, 2, 3].map(|i| input.shape[i]);
    let [stride_h, stride_w] = [
        positive(o.stride[0], "stride")?,
        positive(o.stride[1], "stride")?,
    ];
    let [k_h, k_w] = [
        positive(o.filter[0], "window")?,
        positive(o.filter[1], "window")?,
    ];
    let rows = window(o.padding, in_h, k_h, stride_h, 1)?;
    let columns = window(o.padding, in_w, k_w, stride_w, 1)?;
    let shape = Pool2dShape {
        batches,
        in_h,
        in_w,
        channels,
        out_h: rows.out,
        out_w: columns.out,
        k_h,
        k_w,
        stride_h,
        stride_w,
        pad_top: rows.pad,
        pad_left: columns.pad,
    };
    Ok((shape, vec![batches, rows.out, columns.out, channels]))
}

/// Fails unless input and output are quantized alike: pooling does not rescale.
fn expect_same_quantization(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<()> {
    let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
    if input_q.1 != output_q.1 || (input_q.0 - output_q.0).abs() > 1e-6 {
        return malformed!(
            "input and output must have the same scale and zero point, not {input_q:?} and {output_q:?}"
        );
    }
    Ok(())
}

pub(super) fn max_pool(cx: &NodeCx<'_>, o: &Pool2d) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    let (shape, out_shape) = pool_shape(input, o)?;
    if input.dtype() == DType::Float32 {
        let clamp = clamp_f32(o.activation)?;
        if let Some(isa) = cx.isa {
            return Built::working(out_shape, move |io, out, w| {
                fast::max_pool_f32(isa, &shape, io.get(0), clamp, typed_mut(out), w.threads)
            });
        }
        return Built::kernel(out_shape, move |io, out| {
            pool::max_pool_f32(&shape, io.get(0), clamp, typed_mut(out));
        });
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        expect_same_quantization(cx, input)?;
        let clamp = cx.output_clamp(o.activation)?;
        if let Some(isa) = cx.isa.filter(|_| shape.k_h * shape.k_w <= LARGEST_FAST_WINDOW) {
            return Built::working(out_shape, move |io, out, w| {
                let out = typed_mut::<T>(out);
                fast::max_pool::<T>(isa, &shape, io.get(0), clamp, out, w.threads)
            });
        }
        Built::kernel(out_shape, move |io, out| {
            pool::max_pool::<T>(&shape, io.get(0), clamp, typed_mut(out));
        })
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

pub(super) fn l2_pool(cx: &NodeCx<'_>, o: &Pool2d) -> Result<Built> {
    let input = cx.input(0)?;
    input.expect(DType::Float32)?;
    cx.expect_output(DType::Float32)?;
    let (shape, out_shape) = pool_shape(input, o)?;
    let clamp = clamp_f32(o.activation)?;
    Built::kernel(out_shape, move |io, out| {
        pool::l2_pool(&shape, io.get(0), clamp, typed_mut(out));
    })
}

pub(super) fn average_pool(cx: &NodeCx<'_>, o: &Pool2d) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    let (shape, out_shape) = pool_shape(input, o)?;
    if input.dtype() == DType::Float32 {
        let clamp = clamp_f32(o.activation)?;
        if let Some(isa) = cx.isa {
            return Built::working(out_shape, move |io, out, w| {
                fast::average_pool_f32(isa, &shape, io.get(0), clamp, typed_mut(out), w.threads)
            });
        }
        return Built::kernel(out_shape, move |io, out| {
            pool::average_pool_f32(&shape, io.get(0), clamp, typed_mut(out));
        });
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        expect_same_quantization(cx, input)?;
        let clamp = cx.output_clamp(o.activation)?;
        if let Some(isa) = cx.isa.filter(|_| shape.k_h * shape.k_w <= LARGEST_FAST_WINDOW) {
            return Built::working(out_shape, move |io, out, w| {
                let out = typed_mut::<T>(out);
                fast::average_pool::<T>(isa, &shape, io.get(0), clamp, out, w.threads)
            });
        }
        Built::kernel(out_shape, move |io, out| {
            pool::average_pool::<T>(&shape, io.get(0), clamp, typed_mut(out));
        })
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

/// Axis `axis` of `rank`, negative counting from the end.
pub(super) fn resolve_axis(axis: i64, rank: usize) -> Result<usize> {
    let resolved = if axis < 0 { axis + rank as i64 } else { axis };
    match usize::try_from(resolved) {
        Ok(a) if a < rank => Ok(a),
        _ => malformed!("axis {axis} does not exist in {rank} axes"),
    }
}

/// The axes that input 1 (constant) names, marked among those of `input`, and the shape without them.
pub(super) fn reduced(
    cx: &NodeCx<'_>,
    input: Operand<'_>,
    keep_dims: bool,
) -> Result<(Vec<bool>, Vec<usize>)> {
    let axes = cx.input(1)?;
    let mut reduce = vec![false; input.shape.len()];
    if !reduce.is_empty() {
        for axis in axes.known_integers("axes")? {
            reduce[resolve_axis(axis, input.shape.len())?] = true;
        }
    }
    let mut out_shape = vec![];
    for (&extent, &reduced) in input.shape.iter().zip(&reduce) {
        match (reduced, keep_dims) {
            (false, _) => out_shape.push(extent),
            (true, true) => out_shape.push(1),
            (true, false) => {}
        }
    }
    Ok((reduce, out_shape))
}

pub(super) fn mean(cx: &NodeCx<'_>, keep_dims: bool) -> Result<Built> {
    let input = same_type(cx)?;
    let (reduce, out_shape) = reduced(cx, input, keep_dims)?;
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float32 {
        return Built::kernel(out_shape, move |io, out| {
            mean::mean_f32(&shape, &reduce, io.get(0), typed_mut(out));
        });
    }
    if let DType::Int32 | DType::Int64 = input.dtype() {
        return with_quantized!(input.dtype(), [Int32 => i32], T => Built::kernel(out_shape, move |io, out| {
            mean::mean_int::<T>(&shape, &reduce, io.get(0), typed_mut(out));
        }), Built::kernel(out_shape, move |io, out| {
            mean::mean_int::<i64>(&shape, &reduce, io.get(0), typed_mut(out));
        }));
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        let q = MeanQuantization {
            multiplier: multiplier(f64::from(input_q.0) / f64::from(output_q.0))?,
            input_zero_point: input_q.1,
            output_zero_point: output_q.1,
        };
        Built::kernel(out_shape, move |io, out| {
            mean::mean::<T>(&shape, &reduce, io.get(0), q, typed_mut(out));
        })
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}
