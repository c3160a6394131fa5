//! Builders of PAD, PADV2, CONCATENATION, RESHAPE, SHAPE, STRIDED_SLICE, PACK and TRANSPOSE.

use super::reduce::resolve_axis;
use crate::engine::node::{Built, NodeCx, Operand, label, per_tensor};
use crate::error::Result;
use crate::graph::{Activation, DType, StridedSlice, Tensor, TensorId};
use crate::kernels::reference::layout::{self, Walk};
use crate::{malformed, unsupported};

/// Whether values of this type are steps of a quantized tensor when it has a scale.
fn is_quantized(operand: Operand<'_>) -> bool {
    let integer = matches!(
        operand.dtype(),
        DType::Int8 | DType::UInt8 | DType::Int16 | DType::UInt16
    );
    let scales = operand.tensor.quantization.as_ref().map(|q| q.scales.len());
    integer && scales.unwrap_or(0) > 0
}

/// Fails unless a quantized input has the scale and zero point of every output: its steps are copied as they are.
pub(super) fn expect_same_scale(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<()> {
    (0..cx.node.outputs.len()).try_for_each(|i| {
        let (id, tensor) = cx.output_at(i)?;
        expect_output_scale(input, id, tensor)
    })
}

/// The same for one output.
pub(super) fn expect_output_scale(input: Operand<'_>, id: TensorId, output: &Tensor) -> Result<()> {
    if is_quantized(input) {
        let (input_q, output_q) = (input.quantization()?, per_tensor(id, output)?);
        if input_q != output_q {
            return malformed!(
                "{input} has scale and zero point {input_q:?}, {} has {output_q:?}; they must be equal",
                label(id, output)
            );
        }
    }
    Ok(())
}

/// A constant list of extents; none may be negative or above 32 bits.
pub(super) fn extents(operand: Operand<'_>, what: &str) -> Result<Vec<usize>> {
    let said = operand.known_integers(what)?;
    let extent = |&v: &i64| usize::try_from(v).ok().filter(|&v| v <= i32::MAX as usize);
    match said.iter().map(extent).collect() {
        Some(extents) => Ok(extents),
        None => malformed!(
            "{operand} ({what}) holds an element that is negative or too large: {said:?}"
        ),
    }
}

/// Elements in front of each axis, and the extents with the frame that a [rank, 2] operand lays around.
pub(super) fn frame(shape: &[usize], paddings: Operand<'_>) -> Result<(Vec<usize>, Vec<usize>)> {
    let amounts = extents(paddings, "paddings")?;
    if amounts.len() != 2 * shape.len() {
        return malformed!(
            "{paddings} has {} elements for {} axes",
            amounts.len(),
            shape.len()
        );
    }
    let pairs = || shape.iter().zip(amounts.chunks_exact(2));
    let framed = pairs().map(|(&extent, pair)| extent + pair[0] + pair[1]);
    Ok((pairs().map(|(_, pair)| pair[0]).collect(), framed.collect()))
}

/// The bytes of an element that stands for real 0.
pub(super) fn zero_of(input: Operand<'_>, size: usize) -> Result<Vec<u8>> {
    let mut value = vec![0; size];
    if is_quantized(input) {
        let zero_point = input.quantization()?.1.to_le_bytes();
        value.copy_from_slice(&zero_point[..size]);
    }
    Ok(value)
}

/// Fails if an output of this shape is too large, or an axis too long for a table of its places.
pub(super) fn check_tables(cx: &NodeCx<'_>, shape: &[usize]) -> Result<()> {
    const LONGEST: usize = 1 << 24;
    cx.output_bytes(0, shape)?;
    match shape.iter().find(|&&extent| extent > LONGEST) {
        Some(extent) => unsupported!("an axis of extent {extent} cannot run yet (up to {LONGEST})"),
        None => Ok(()),
    }
}

pub(super) fn pad(cx: &NodeCx<'_>) -> Result<Built> {
    padded(cx, None)
}

/// PAD with the value of input 2.
pub(super) fn pad_v2(cx: &NodeCx<'_>) -> Result<Built> {
    let value = cx.input(2)?;
    value.expect(cx.input(0)?.dtype())?;
    expect_same_scale(cx, value)?;
    if value.elements() != 1 {
        return malformed!("{value} has {} elements, not 1", value.elements());
    }
    padded(cx, Some(2))
}

fn padded(cx: &NodeCx<'_>, value_slot: Option<usize>) -> Result<Built> {
    let (input, paddings) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    let (before, out_shape) = frame(input.shape, paddings)?;
    let zero = zero_of(input, input.element_size()?)?;
    let (shape, framed) = (input.shape.to_vec(), out_shape.clone());
    Built::kernel(out_shape, move |io, out| {
        let value = value_slot.map_or(&zero[..], |slot| io.bytes(slot));
        layout::pad(&shape, &before, &framed, value, io.bytes(0), out);
    })
}

pub(super) fn concatenation(cx: &NodeCx<'_>, axis: i32, activation: Activation) -> Result<Built> {
    if activation != Activation::None {
        return unsupported!("the fused activation {activation:?} cannot run yet");
    }
    let first = cx.input(0)?;
    let axis = resolve_axis(axis.into(), first.shape.len())?;
    let size = first.element_size()?;
    let mut out_shape = first.shape.to_vec();
    out_shape[axis] = 0;
    let mut runs = vec![];
    for i in 0..cx.node.inputs.len() {
        let input = cx.input(i)?;
        input.expect(first.dtype())?;
        expect_same_scale(cx, input)?;
        let fits = input.shape.len() == out_shape.len()
            && (0..out_shape.len()).all(|a| a == axis || input.shape[a] == out_shape[a]);
        if !fits {
            return malformed!(
                "{input} has shape {:?}, which does not fit {:?} along axis {axis}",
                input.shape,
                first.shape
            );
        }
        out_shape[axis] += input.shape[axis];
        runs.push(input.shape[axis..].iter().product::<usize>() * size);
    }
    cx.expect_output(first.dtype())?;
    Built::kernel(out_shape, move |io, out| {
        layout::concatenate(&runs, |i| io.bytes(i), out);
    })
}

pub(super) fn pack(cx: &NodeCx<'_>, axis: i32) -> Result<Built> {
    let first = cx.input(0)?;
    let axis = resolve_axis(axis.into(), first.shape.len() + 1)?;
    let size = first.element_size()?;
    for i in 0..cx.node.inputs.len() {
        let input = cx.input(i)?;
        input.expect(first.dtype())?;
        expect_same_scale(cx, input)?;
        if input.shape != first.shape {
            return malformed!("{input} has shape {:?}, not {:?}", input.shape, first.shape);
        }
    }
    cx.expect_output(first.dtype())?;
    let run = first.shape[axis..].iter().product::<usize>() * size;
    let runs = vec![run; cx.node.inputs.len()];
    let mut out_shape = first.shape.to_vec();
    out_shape.insert(axis, runs.len());
    Built::kernel(out_shape, move |io, out| {
        layout::concatenate(&runs, |i| io.bytes(i), out);
    })
}

pub(super) fn transpose(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, permutation) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    let rank = input.shape.len();
    let mut axes = vec![];
    for axis in permutation.known_integers("permutation")? {
        axes.push(resolve_axis(axis, rank)?);
    }
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted.iter().copied().ne(0..rank) {
        return malformed!("{permutation} is {axes:?}, which is no permutation of {rank} axes");
    }
    let walk = Walk::transposed(input.shape, &axes);
    let size = input.element_size()?;
    Built::kernel(walk.extents.clone(), move |io, out| {
        walk.gather(size, io.bytes(0), out);
    })
}

pub(super) fn shape(cx: &NodeCx<'_>, out_type: DType) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(out_type)?;
    let bytes = match out_type {
        DType::Int32 => input
            .shape
            .iter()
            .flat_map(|&d| (d as i32).to_le_bytes())
            .collect(),
        DType::Int64 => input
            .shape
            .iter()
            .flat_map(|&d| (d as i64).to_le_bytes())
            .collect(),
        other => return malformed!("its output type is {other}, not int32 or int64"),
    };
    Built::known(vec![input.shape.len()], bytes)
}

pub(super) fn reshape(cx: &NodeCx<'_>, new_shape: Option<&[i32]>) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    let target: Vec<i64> = match (cx.optional(1)?, new_shape) {
        (Some(shape), _) if shape.dtype() == DType::Int32 && shape.shape.len() == 1 => {
            shape.known_integers("target shape")?
        }
        // Old files write [0] for a scalar.
        (_, Some([0])) => vec![],
        (_, Some(shape)) => shape.iter().map(|&d| d.into()).collect(),
        (_, None) => return malformed!("it states no target shape"),
    };
    let elements = input.elements();
    let Some(shape) = fill_in(&target, elements) else {
        return malformed!(
            "{input} of shape {:?} cannot take the shape {target:?}",
            input.shape
        );
    };
    Built::alias(shape)
}

/// `target` with its −1 replaced so that it holds `elements`; `None` if that cannot be.
fn fill_in(target: &[i64], elements: usize) -> Option<Vec<usize>> {
    let open = target.iter().filter(|&&d| d == -1).count();
    let fixed = target
        .iter()
        .filter(|&&d| d != -1)
        .try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?))?;
    let missing = match (open, fixed) {
        (0, _) if fixed == elements => 0,
        (1, 1..) if elements.is_multiple_of(fixed) => elements / fixed,
        _ => return None,
    };
    let extent = |&d: &i64| usize::try_from(d).unwrap_or(missing);
    Some(target.iter().map(extent).collect())
}

pub(super) fn strided_slice(cx: &NodeCx<'_>, o: &StridedSlice) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    let mut parts = vec![];
    for (i, what) in [(1, "begin"), (2, "end"), (3, "strides")] {
        parts.push(cx.input(i)?.known_integers(what)?);
    }
    let [begin, end, strides] = &parts[..] else {
        return malformed!("begin, end or strides are missing");
    };
    let (shape, walk) = slice_walk(input.shape, begin, end, strides, o)?;
    let size = input.element_size()?;
    Built::kernel(shape, move |io, out| walk.gather(size, io.bytes(0), out))
}

/// Shape of a slice and the walk that gathers it. Source: LiteRT `tflite/kernels/strided_slice.cc`.
fn slice_walk(
    input: &[usize],
    begin: &[i64],
    end: &[i64],
    strides: &[i64],
    o: &StridedSlice,
) -> Result<(Vec<usize>, Walk)> {
    let n = begin.len();
    if end.len() != n || strides.len() != n || n > 31 {
        return malformed!(
            "begin, end and strides have {n}, {} and {} elements",
            end.len(),
            strides.len()
        );
    }
    let bit = |mask: i32, i: usize| mask & (1 << i) != 0;
    let is_new = |i: usize| bit(o.new_axis_mask, i) && !bit(o.ellipsis_mask, i);
    let named = (0..n)
        .filter(|&i| !is_new(i) && !bit(o.ellipsis_mask, i))
        .count();
    if (0..n).filter(|&i| bit(o.ellipsis_mask, i)).count() > 1 || named > input.len() {
        return malformed!("its masks and {n} indices do not fit {} axes", input.len());
    }
    let steps = layout::strides(input);
    let (mut shape, mut walk) = (vec![], Walk::default());
    let mut axis = 0;
    let whole = |axis: usize, shape: &mut Vec<usize>, walk: &mut Walk| {
        shape.push(input[axis]);
        walk.extents.push(input[axis]);
        walk.steps.push(steps[axis] as isize);
    };
    for i in 0..n {
        if bit(o.ellipsis_mask, i) {
            for _ in 0..input.len() - named {
                whole(axis, &mut shape, &mut walk);
                axis += 1;
            }
            continue;
        }
        if is_new(i) {
            shape.push(1);
            continue;
        }
        let extent = input[axis] as i64;
        let stride = strides[i];
        if stride == 0 || i32::try_from(stride).is_err() || stride == i64::from(i32::MIN) {
            return malformed!("its stride {stride} along axis {axis} is not possible");
        }
        let shrink = bit(o.shrink_axis_mask, i);
        // Out-of-range positions clamp to the ends of the axis, which lie one further for negative strides.
        let (low, high) = if stride > 0 {
            (0, extent)
        } else {
            (-1, extent - 1)
        };
        let position = |p: i64| if p < 0 { p.saturating_add(extent) } else { p };
        let first = if bit(o.begin_mask, i) {
            if stride > 0 { low } else { high }
        } else {
            position(begin[i]).clamp(low, high)
        };
        let last = if shrink {
            first.saturating_add(1)
        } else if bit(o.end_mask, i) {
            if stride > 0 { high } else { low }
        } else {
            let stop = if o.offset {
                first.saturating_add(end[i])
            } else {
                position(end[i])
            };
            stop.clamp(low, high)
        };
        let count = if shrink {
            i64::from((0..extent).contains(&first))
        } else {
            ((last - first) as f64 / stride as f64).ceil().max(0.0) as i64
        };
        if shrink && count == 0 {
            return malformed!(
                "index {} is outside axis {axis} of extent {extent}",
                begin[i]
            );
        }
        if count > 0 {
            walk.start += first as usize * steps[axis];
        }
        walk.extents.push(count as usize);
        walk.steps.push(stride as isize * steps[axis] as isize);
        if !shrink {
            shape.push(count as usize);
        }
        axis += 1;
    }
    for axis in axis..input.len() {
        whole(axis, &mut shape, &mut walk);
    }
    Ok((shape, walk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshape_fills_in_one_extent() {
        assert_eq!(fill_in(&[-1, 4], 12), Some(vec![3, 4]));
        assert_eq!(fill_in(&[2, 6], 12), Some(vec![2, 6]));
        assert_eq!(fill_in(&[], 1), Some(vec![]));
        for bad in [&[-1, 5][..], &[-1, -1], &[-2, 6], &[7], &[-1, 0]] {
            assert_eq!(fill_in(bad, 12), None, "{bad:?}");
        }
    }

    #[test]
    fn slices_follow_the_masks() {
        let slice = |begin: &[i64], end: &[i64], strides: &[i64], o: StridedSlice| {
            let (shape, walk) = slice_walk(&[2, 3], begin, end, strides, &o).unwrap();
            let mut out = vec![0; shape.iter().product()];
            walk.gather(1, &[0, 1, 2, 3, 4, 5], &mut out);
            (shape, out)
        };
        let plain = StridedSlice::default();
        assert_eq!(
            slice(&[0, 1], &[2, 3], &[1, 1], plain.clone()),
            (vec![2, 2], vec![1, 2, 4, 5])
        );
        assert_eq!(
            slice(&[-1, -1], &[-9, -9], &[-1, -2], plain.clone()),
            (vec![2, 2], vec![5, 3, 2, 0])
        );
        let shrink = StridedSlice {
            shrink_axis_mask: 1,
            ..plain.clone()
        };
        assert_eq!(slice(&[1], &[2], &[1], shrink), (vec![3], vec![3, 4, 5]));
        let ellipsis = StridedSlice {
            ellipsis_mask: 1,
            new_axis_mask: 2,
            shrink_axis_mask: 4,
            ..plain
        };
        assert_eq!(
            slice(&[0, 0, 2], &[0, 0, 3], &[1, 1, 1], ellipsis),
            (vec![2, 1], vec![2, 5])
        );
    }
}
