//! Builders of RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.

use super::layout::{check_tables, expect_same_scale, extents};
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::graph::{DType, Resize as Options};
use crate::kernels::reference::layout::{Tables, strides};
use crate::kernels::reference::resize::Resize;
use crate::malformed;

/// The geometry and shape of a resized input 0.
fn geometry<'a>(cx: &NodeCx<'a>, o: &Options) -> Result<(Operand<'a>, Resize)> {
    let (input, size) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    input.expect_rank(4)?;
    let &[out_h, out_w] = &extents(size, "size")?[..] else {
        return malformed!("{size} has {} elements, not 2", size.elements());
    };
    if input.elements() == 0 || out_h == 0 || out_w == 0 {
        return malformed!(
            "{input} of shape {:?} cannot become {out_h}×{out_w}",
            input.shape
        );
    }
    let [batches, in_h, in_w, channels] = [0, 1, 2, 3].map(|i| input.shape[i]);
    check_tables(cx, &[batches, out_h, out_w, channels])?;
    let by = Resize {
        batches,
        in_h,
        in_w,
        out_h,
        out_w,
        channels,
        align_corners: o.align_corners,
        half_pixel_centers: o.half_pixel_centers,
    };
    Ok((input, by))
}

pub(super) fn nearest(cx: &NodeCx<'_>, o: &Options) -> Result<Built> {
    let (input, by) = geometry(cx, o)?;
    let steps = strides(input.shape);
    let table = |input: usize, output: usize, step: usize| -> Vec<usize> {
        by.nearest(input, output)
            .iter()
            .map(|&i| i * step)
            .collect()
    };
    let tables = Tables(vec![
        Tables::plain(by.batches, steps[0]),
        table(by.in_h, by.out_h, steps[1]),
        table(by.in_w, by.out_w, steps[2]),
        Tables::plain(by.channels, 1),
    ]);
    let size = input.element_size()?;
    let shape = vec![by.batches, by.out_h, by.out_w, by.channels];
    Built::kernel(shape, move |io, out| {
        tables.gather(size, io.bytes(0), out);
    })
}

pub(super) fn bilinear(cx: &NodeCx<'_>, o: &Options) -> Result<Built> {
    if o.align_corners && o.half_pixel_centers {
        return malformed!("it wants both corners aligned and centres of pixels");
    }
    let (input, by) = geometry(cx, o)?;
    let shape = vec![by.batches, by.out_h, by.out_w, by.channels];
    match input.dtype() {
        DType::Float32 => Built::kernel(shape, move |io, out| {
            by.bilinear_f32(io.get(0), typed_mut(out));
        }),
        DType::UInt8 => Built::kernel(shape, move |io, out| by.bilinear_u8(io.get(0), out)),
        other => with_quantized!(other, [Int8 => i8, Int16 => i16], T => {
            Built::kernel(shape, move |io, out| {
                by.bilinear_int::<T>(io.get(0), typed_mut(out));
            })
        }, cx.no_kernel(other)),
    }
}
