//! Shape arithmetic that only carries the batch extent (SHAPE → STRIDED_SLICE → PACK → RESHAPE) becomes a constant shape with −1.
//!
//! A RESHAPE infers the one extent that is −1 from the number of elements, so the result stays the same at every batch size.

use super::plan::ShapeFold;
use crate::graph::{DType, Node, Op, Subgraph, Tensor, TensorId};

/// Longest vector worth following; a tensor of more axes does not exist in the format.
const MAX_LENGTH: usize = 16;

/// An extent as far as it is known: `None` depends on the batch or another unknown axis.
type Extents = Vec<Option<i64>>;

/// Every RESHAPE of `main` whose computed shape has at most one unknown extent.
pub fn shape_folds(main: &Subgraph) -> Vec<ShapeFold> {
    let mut known: Vec<Option<Extents>> = main.tensors.iter().map(constant).collect();
    let mut folds = vec![];
    for (i, node) in main.nodes.iter().enumerate() {
        if let Op::Reshape { .. } = node.op {
            let Some(target) = node.input(1) else {
                continue;
            };
            let computed = main.tensors.get(target).is_some_and(|t| !t.is_constant());
            if let (true, Some(Some(extents))) = (computed, known.get(target))
                && let Some(shape) = with_one_unknown(extents)
            {
                folds.push(ShapeFold { node: i, shape });
            }
        }
        if let (&[output], Some(value)) = (&node.outputs[..], evaluate(main, node, &known))
            && value.len() <= MAX_LENGTH
            && let Some(slot) = known.get_mut(output)
        {
            *slot = Some(value);
        }
    }
    folds
}

/// The shape with −1 for its unknown extent; `None` if there are two, or if a 0 would make −1 ambiguous.
fn with_one_unknown(extents: &Extents) -> Option<Vec<i32>> {
    let unknown = extents.iter().filter(|e| e.is_none()).count();
    if unknown > 1 || (unknown == 1 && extents.contains(&Some(0))) {
        return None;
    }
    extents
        .iter()
        .map(|e| match e {
            None => Some(-1),
            Some(d) => i32::try_from(*d).ok().filter(|&d| d >= -1),
        })
        .collect::<Option<Vec<i32>>>()
        .filter(|s| s.iter().filter(|&&d| d == -1).count() <= 1)
}

/// Elements of a small int32 or int64 constant.
fn constant(t: &Tensor) -> Option<Extents> {
    let data = t.data.as_ref()?;
    if t.shape.len() > 1 || t.elements()? > MAX_LENGTH {
        return None;
    }
    match t.dtype {
        DType::Int32 => Some(
            bytemuck::pod_collect_to_vec::<u8, i32>(data)
                .into_iter()
                .map(|d| Some(d.into()))
                .collect(),
        ),
        DType::Int64 => Some(
            bytemuck::pod_collect_to_vec::<u8, i64>(data)
                .into_iter()
                .map(Some)
                .collect(),
        ),
        _ => None,
    }
}

/// What `node` computes from what is known; `None` for anything but shape arithmetic on vectors and scalars.
fn evaluate(main: &Subgraph, node: &Node, known: &[Option<Extents>]) -> Option<Extents> {
    let value = |t: TensorId| known.get(t)?.as_ref();
    match &node.op {
        Op::Shape { .. } => extents_of(main.tensors.get(node.input(0)?)?),
        Op::Pack { axis, .. } => {
            let parts = node.inputs.iter().map(|&t| {
                let t = t?;
                let scalar = main.tensors.get(t)?.shape.is_empty();
                value(t)
                    .filter(|v| scalar && v.len() == 1)?
                    .first()
                    .copied()
            });
            if *axis == 0 || *axis == -1 {
                parts.collect()
            } else {
                None
            }
        }
        Op::Concatenation { axis: 0 | -1, .. } => {
            let mut all = vec![];
            for &t in &node.inputs {
                let vector = main.tensors.get(t?)?.shape.len() == 1;
                all.extend(value(t?).filter(|_| vector)?.iter().copied());
            }
            Some(all)
        }
        Op::StridedSlice(o) => {
            let x = value(node.input(0)?)?;
            let one = |i: usize| -> Option<i64> {
                match value(node.input(i)?)?[..] {
                    [Some(v)] => Some(v),
                    _ => None,
                }
            };
            let (begin, end, stride) = (one(1)?, one(2)?, one(3)?);
            if o.ellipsis_mask != 0 || o.new_axis_mask != 0 || o.offset || stride != 1 {
                return None;
            }
            let n = x.len() as i64;
            let at = |i: i64| (if i < 0 { i + n } else { i }).clamp(0, n) as usize;
            let begin_at = if o.begin_mask & 1 != 0 { 0 } else { at(begin) };
            if o.shrink_axis_mask & 1 != 0 {
                return x.get(begin_at).map(|&d| vec![d]);
            }
            let end_at = if o.end_mask & 1 != 0 {
                x.len()
            } else {
                at(end)
            };
            x.get(begin_at..end_at).map(<[_]>::to_vec)
        }
        _ => None,
    }
}

/// The extents of a tensor that hold at every batch size: axis 0 and those the file marks with −1 are unknown.
fn extents_of(t: &Tensor) -> Option<Extents> {
    let signature = t.shape_signature.as_deref();
    if !t.has_rank || t.shape.is_empty() || signature.is_some_and(|s| s.len() != t.shape.len()) {
        return None;
    }
    Some(
        t.shape
            .iter()
            .enumerate()
            .map(|(axis, &d)| {
                let fixed = axis > 0 && signature.and_then(|s| s.get(axis)).is_none_or(|&s| s >= 0);
                if fixed { i64::try_from(d).ok() } else { None }
            })
            .collect(),
    )
}
