//! Builder of BATCH_MATMUL.

use bytemuck::Pod;

use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, multiplier, multiplier_i64};
use crate::error::Result;
use crate::graph::{BatchMatMul, DType};
use crate::kernels::quantize::QuantInt;
use crate::kernels::reference::arithmetic::Broadcast;
use crate::kernels::reference::batch_matmul::{MatMul, Steps};
use crate::kernels::reference::layout::Walk;
use crate::kernels::{ConvF32, Isa, fully_connected_shape};
use crate::malformed;

pub(super) fn build(cx: &NodeCx<'_>, o: &BatchMatMul) -> Result<Built> {
    let (left, right) = (cx.input(0)?, cx.input(1)?);
    let (by, shape) = check(left, right, o)?;
    cx.output_bytes(0, &shape)?;
    let to = cx.output()?.1.dtype;
    match (left.dtype(), right.dtype(), to) {
        (DType::Float32, DType::Float32, DType::Float32) => match cx.isa {
            Some(isa) if shape.iter().all(|&d| d > 0) && by.depth > 0 => {
                packed_f32((isa, cx.in_order), by, shape, right)
            }
            _ => Built::kernel(shape, move |io, out| {
                by.f32(io.get(0), io.get(1), typed_mut(out));
            }),
        },
        (DType::Float32, DType::Int8, DType::Float32) => {
            if right.weight_zero_point()? != 0 {
                return malformed!("{right} has a zero point other than 0");
            }
            let axis = right.shape.len() - if o.adjoint_y { 2 } else { 1 };
            let scales = right.weight_scales(by.columns, axis)?;
            let asymmetric = o.asymmetric_quantize_inputs;
            Built::kernel(shape, move |io, out| {
                by.hybrid(io.get(0), io.get(1), &scales, asymmetric, typed_mut(out));
            })
        }
        (DType::Int8, DType::Int8, DType::Int8) => {
            let q = Steps {
                zero_points: [
                    left.quantization()?.1,
                    right.quantization()?.1,
                    cx.output_quantization()?.1,
                ],
                multiplier: multiplier(factor(cx, left, right)?)?,
            };
            if cx.isa.is_some() {
                let mut work = (vec![], vec![]);
                return Built::kernel(shape, move |io, out| {
                    by.i8_widened(io.get(0), io.get(1), &q, &mut work, typed_mut(out));
                });
            }
            Built::kernel(shape, move |io, out| {
                by.i8(io.get(0), io.get(1), &q, typed_mut(out));
            })
        }
        (DType::Int8, DType::Int8, DType::Int32) => Built::kernel(shape, move |io, out| {
            by.i8_to_i32(io.get(0), io.get(1), typed_mut(out));
        }),
        (DType::Int16, DType::Int16, DType::Int16) => int16::<i16>(cx, by, shape, left, right),
        (DType::Int16, DType::Int8, DType::Int16) => int16::<i8>(cx, by, shape, left, right),
        (left, right, to) => cx.no_kernel(format_args!("{left} by {right} to {to}")),
    }
}

/// left scale · right scale / output scale; the product is rounded to float32, as in LiteRT `GetQuantizedConvolutionMultipler`.
fn factor(cx: &NodeCx<'_>, left: Operand<'_>, right: Operand<'_>) -> Result<f64> {
    let product = left.quantization()?.0 * right.quantization()?.0;
    Ok(f64::from(product) / f64::from(cx.output_quantization()?.0))
}

fn int16<T: QuantInt + Pod>(
    cx: &NodeCx<'_>,
    by: MatMul,
    shape: Vec<usize>,
    left: Operand<'_>,
    right: Operand<'_>,
) -> Result<Built> {
    let zero_points = [
        left.quantization()?,
        right.quantization()?,
        cx.output_quantization()?,
    ];
    if zero_points.iter().any(|q| q.1 != 0) {
        return malformed!("tensors of an int16 product must have zero point 0");
    }
    let factor = multiplier_i64(factor(cx, left, right)?)?;
    Built::kernel(shape, move |io, out| {
        by.i16::<T>(io.get(0), io.get(1), factor, typed_mut(out));
    })
}

/// The products and the output shape.
fn check(left: Operand<'_>, right: Operand<'_>, o: &BatchMatMul) -> Result<(MatMul, Vec<usize>)> {
    let ([left_batch @ .., a, b], [right_batch @ .., c, d]) = (left.shape, right.shape) else {
        return malformed!("{left} or {right} has fewer than 2 axes");
    };
    let (rows, depth) = if o.adjoint_x { (*b, *a) } else { (*a, *b) };
    let (inner, columns) = if o.adjoint_y { (*d, *c) } else { (*c, *d) };
    let batch = Broadcast::shape(left_batch, right_batch).filter(|_| depth == inner);
    let Some(batch) = batch else {
        return malformed!(
            "{left} of shape {:?} and {right} of shape {:?} cannot be multiplied",
            left.shape,
            right.shape
        );
    };
    let count = |batch: &[usize]| batch.iter().product::<usize>();
    let mut pairs = vec![(0, 0); count(&batch)];
    if let Some(by) = Broadcast::new(left_batch, right_batch) {
        let matrices = |batch: &[usize]| (0..count(batch)).collect::<Vec<_>>();
        let (left, right) = (matrices(left_batch), matrices(right_batch));
        by.apply(&left, &right, &mut pairs, |l, r| (l, r));
    }
    let shape = [&batch[..], &[rows, columns]].concat();
    let by = MatMul {
        pairs,
        rows,
        depth,
        columns,
        left_transposed: o.adjoint_x,
        right_transposed: o.adjoint_y,
    };
    Ok((by, shape))
}

/// A matrix [a, b] as [b, a].
fn turned(matrix: &[f32], a: usize, b: usize, out: &mut Vec<f32>) {
    out.resize(a * b, 0.0);
    let out = bytemuck::cast_slice_mut(&mut out[..]);
    Walk::transposed(&[a, b], &[1, 0]).gather(4, bytemuck::cast_slice(matrix), out);
}

/// Float products by the packed fully connected layer. The right matrices are packed once if they are constant, else in every run.
fn packed_f32(
    (isa, in_order): (Isa, bool),
    by: MatMul,
    shape: Vec<usize>,
    right: Operand<'_>,
) -> Result<Built> {
    let (m, k, n) = (by.rows, by.depth, by.columns);
    let geometry = fully_connected_shape(m, k, n);
    let right_transposed = by.right_transposed;
    let pack = move |matrix: &[f32], work: &mut Vec<f32>| {
        let all = (f32::NEG_INFINITY, f32::INFINITY);
        let columns = if right_transposed {
            matrix
        } else {
            turned(matrix, k, n, work);
            work
        };
        ConvF32::new(isa, geometry, columns, None, all).map(|c| c.in_order(in_order))
    };
    let mut work = vec![];
    let mut packed = vec![];
    if let Some(right) = right.constant::<f32>() {
        for matrix in right.chunks_exact(k * n) {
            packed.push(pack(matrix, &mut work)?);
        }
    }
    Built::working(shape, move |io, out, w| {
        let (left, right) = (io.get::<f32>(0), io.get::<f32>(1));
        // The right matrix that was packed last, for products that share it.
        let mut last: Option<(usize, ConvF32)> = None;
        let mut turned_left = vec![];
        for (&(l, r), out) in by
            .pairs
            .iter()
            .zip(typed_mut::<f32>(out).chunks_exact_mut(m * n))
        {
            let mut matrix = &left[l * m * k..(l + 1) * m * k];
            if by.left_transposed {
                turned(matrix, k, m, &mut turned_left);
                matrix = &turned_left;
            }
            let operator = match (packed.get(r), &mut last) {
                (Some(operator), _) => operator,
                (None, Some((at, operator))) if *at == r => operator,
                (None, last) => {
                    let operator = pack(&right[r * k * n..(r + 1) * k * n], &mut work)?;
                    &last.insert((r, operator)).1
                }
            };
            operator.run(matrix, out, w.scratch, w.threads)?;
        }
        Ok(())
    })
}
