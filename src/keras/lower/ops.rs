//! One function per operator that layers are composed of: each knows the shape it gives.

use super::builder::{Builder, Dim};
use super::merge::broadcast;
use crate::error::Result;
use crate::graph::{
    Activation, BatchMatMul, Binary, Comparison, DType, Op, Reduction, StridedSlice, TensorId,
    Unary,
};
use crate::malformed;

/// An element-wise function.
pub(super) fn unary(b: &mut Builder, f: Unary, x: TensorId) -> TensorId {
    same(b, Op::Unary(f), x)
}

/// An operator that leaves the shape as it is.
pub(super) fn same(b: &mut Builder, op: Op, x: TensorId) -> TensorId {
    let shape = b.shape(x).to_vec();
    b.node(op, &[x], shape)
}

/// An element-wise function of two operands that fit each other.
pub(super) fn binary(b: &mut Builder, f: Binary, x: TensorId, y: TensorId) -> Result<TensorId> {
    let shape = broadcast(b.shape(x), b.shape(y))?;
    Ok(b.node(Op::Binary(f), &[x, y], shape))
}

/// x / y.
pub(super) fn div(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let shape = broadcast(b.shape(x), b.shape(y))?;
    let activation = Activation::None;
    Ok(b.node(Op::Div { activation }, &[x, y], shape))
}

/// A comparison; gives bool.
pub(super) fn compare(
    b: &mut Builder,
    f: Comparison,
    x: TensorId,
    y: TensorId,
) -> Result<TensorId> {
    let shape = broadcast(b.shape(x), b.shape(y))?;
    Ok(b.typed(Op::Compare(f), vec![Some(x), Some(y)], DType::Bool, shape))
}

/// x where the condition holds, y elsewhere.
pub(super) fn select(
    b: &mut Builder,
    condition: TensorId,
    x: TensorId,
    y: TensorId,
) -> Result<TensorId> {
    let values = broadcast(b.shape(x), b.shape(y))?;
    let shape = broadcast(&values, b.shape(condition))?;
    let dtype = b.dtype(x);
    let inputs = vec![Some(condition), Some(x), Some(y)];
    Ok(b.typed(Op::SelectV2, inputs, dtype, shape))
}

/// x as another type.
pub(super) fn cast(b: &mut Builder, x: TensorId, to: DType) -> TensorId {
    let from = b.dtype(x);
    if from == to {
        return x;
    }
    let shape = b.shape(x).to_vec();
    b.typed(Op::Cast { from, to }, vec![Some(x)], to, shape)
}

/// The shape without `axes`, or with 1 in their place.
fn reduced(shape: &[Dim], axes: &[usize], keep: bool) -> Vec<Dim> {
    let kept = shape
        .iter()
        .enumerate()
        .filter_map(|(i, &d)| match axes.contains(&i) {
            false => Some(d),
            true => keep.then_some(Some(1)),
        });
    kept.collect()
}

fn reduction(b: &mut Builder, op: Op, x: TensorId, axes: &[usize], keep: bool) -> TensorId {
    let shape = reduced(b.shape(x), axes, keep);
    let axes: Vec<i32> = axes.iter().map(|&a| a as i32).collect();
    let axes = b.i32s("axes", &[axes.len()], &axes);
    b.node(op, &[x, axes], shape)
}

/// The mean over some axes.
pub(super) fn mean(b: &mut Builder, x: TensorId, axes: &[usize], keep_dims: bool) -> TensorId {
    reduction(b, Op::Mean { keep_dims }, x, axes, keep_dims)
}

/// The sum, maximum, … over some axes.
pub(super) fn reduce(
    b: &mut Builder,
    kind: Reduction,
    x: TensorId,
    axes: &[usize],
    keep_dims: bool,
) -> TensorId {
    reduction(b, Op::Reduce { kind, keep_dims }, x, axes, keep_dims)
}

/// Axis i of the result is axis `order[i]` of x.
pub(super) fn transpose(b: &mut Builder, x: TensorId, order: &[usize]) -> TensorId {
    if order.iter().enumerate().all(|(i, &o)| i == o) {
        return x;
    }
    let shape = order.iter().map(|&o| b.shape(x)[o]).collect();
    let order: Vec<i32> = order.iter().map(|&o| o as i32).collect();
    let order = b.i32s("order", &[order.len()], &order);
    b.node(Op::Transpose, &[x, order], shape)
}

/// Products of matrices in the last two axes; `adjoint` says which operand is transposed. The leading axes broadcast.
pub(super) fn matmul(
    b: &mut Builder,
    x: TensorId,
    y: TensorId,
    [adjoint_x, adjoint_y]: [bool; 2],
) -> Result<TensorId> {
    let split = |id: TensorId, turned: bool| match b.shape(id) {
        [rest @ .., r, c] if turned => Ok((rest.to_vec(), *c, *r)),
        [rest @ .., r, c] => Ok((rest.to_vec(), *r, *c)),
        other => malformed!("it multiplies matrices, but is given {} axes", other.len()),
    };
    let (outer, rows, inner) = split(x, adjoint_x)?;
    let (outer_y, inner_y, columns) = split(y, adjoint_y)?;
    if let (Some(a), Some(b)) = (inner, inner_y)
        && a != b
    {
        return malformed!("it multiplies matrices of {a} columns and {b} rows");
    }
    let mut shape = broadcast(&outer, &outer_y)?;
    shape.extend([rows, columns]);
    let op = Op::BatchMatMul(BatchMatMul {
        adjoint_x,
        adjoint_y,
        asymmetric_quantize_inputs: false,
    });
    Ok(b.node(op, &[x, y], shape))
}

/// Part of a tensor: from `begin` up to `end` along each axis (`None`: to the end); where `index` is set the axis vanishes.
pub(super) struct Part {
    pub begin: i32,
    pub end: Option<i32>,
    pub index: bool,
}

impl Part {
    /// The whole axis.
    pub const ALL: Part = Part {
        begin: 0,
        end: None,
        index: false,
    };

    /// One entry; −1 is the last.
    pub fn at(i: i32) -> Self {
        Part {
            begin: i,
            end: None,
            index: true,
        }
    }

    /// From `begin` up to `end`.
    pub fn range(begin: i32, end: i32) -> Self {
        Part {
            begin,
            end: Some(end),
            index: false,
        }
    }
}

/// STRIDED_SLICE with steps of 1. Ranges lie within known extents.
pub(super) fn slice(b: &mut Builder, x: TensorId, parts: &[Part]) -> TensorId {
    let mut options = StridedSlice::default();
    let mut shape = vec![];
    let (mut begins, mut ends) = (vec![], vec![]);
    for (i, (part, &extent)) in parts.iter().zip(b.shape(x)).enumerate() {
        begins.push(part.begin);
        ends.push(part.end.unwrap_or(if part.index {
            part.begin.wrapping_add(1)
        } else {
            0
        }));
        if part.index {
            options.shrink_axis_mask |= 1 << i;
            continue;
        }
        match part.end {
            Some(end) => shape.push(Some(end.saturating_sub(part.begin).max(0) as usize)),
            None => {
                options.end_mask |= 1 << i;
                shape.push(extent.map(|n| n.saturating_sub(part.begin.max(0) as usize)));
            }
        }
        if part.begin == 0 {
            options.begin_mask |= 1 << i;
        }
    }
    let rank = begins.len();
    let begin = b.i32s("begin", &[rank], &begins);
    let end = b.i32s("end", &[rank], &ends);
    let strides = b.i32s("strides", &[rank], &vec![1; rank]);
    b.node(Op::StridedSlice(options), &[x, begin, end, strides], shape)
}

/// Equal parts along an axis of known extent that they divide.
pub(super) fn split(b: &mut Builder, x: TensorId, count: usize, axis: usize) -> Vec<TensorId> {
    let mut shape = b.shape(x).to_vec();
    shape[axis] = shape[axis].map(|n| n / count.max(1));
    let at = b.i32s("axis", &[], &[axis as i32]);
    let dtype = b.dtype(x);
    let op = Op::Split {
        count: count as i32,
    };
    b.several(op, vec![Some(at), Some(x)], vec![(dtype, shape); count])
}

/// Tensors one after the other along an axis.
pub(super) fn concatenate(b: &mut Builder, inputs: &[TensorId], axis: usize) -> TensorId {
    let mut shape = b.shape(inputs[0]).to_vec();
    shape[axis] = inputs.iter().map(|&id| b.shape(id)[axis]).sum();
    let op = Op::Concatenation {
        axis: axis as i32,
        activation: Activation::None,
    };
    b.node(op, inputs, shape)
}

/// x backwards along an axis.
pub(super) fn reverse(b: &mut Builder, x: TensorId, axis: usize) -> TensorId {
    let axes = b.i32s("axes", &[1], &[axis as i32]);
    let shape = b.shape(x).to_vec();
    b.node(Op::ReverseV2, &[x, axes], shape)
}

/// Entries along an axis at the indices, which take its place.
pub(super) fn gather(b: &mut Builder, x: TensorId, indices: TensorId, axis: usize) -> TensorId {
    let (outer, rest) = b.shape(x).split_at(axis);
    let mut shape = outer.to_vec();
    shape.extend_from_slice(b.shape(indices));
    shape.extend_from_slice(rest.get(1..).unwrap_or_default());
    let op = Op::Gather {
        axis: axis as i32,
        batch_dims: 0,
    };
    b.node(op, &[x, indices], shape)
}

/// SOFTMAX over the last axis.
pub(super) fn softmax(b: &mut Builder, x: TensorId) -> TensorId {
    same(b, Op::Softmax { beta: 1.0 }, x)
}
