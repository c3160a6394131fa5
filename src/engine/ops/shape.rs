//! Builders of operators on shapes: EXPAND_DIMS, SQUEEZE, RANK, BROADCAST_ARGS, FILL, RANGE and DENSIFY.

use super::layout::{expect_same_scale, extents};
use super::reduce::resolve_axis;
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx};
use crate::error::Result;
use crate::graph::DType;
use crate::{invalid, malformed};

pub(super) fn expand_dims(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    let axis = cx.input(1)?;
    let &[at] = &axis.known_integers("axis")?[..] else {
        return malformed!("{axis} has {} elements, not 1", axis.elements());
    };
    let mut shape = input.shape.to_vec();
    shape.insert(resolve_axis(at, shape.len() + 1)?, 1);
    Built::alias(shape)
}

/// `axes`: which axes of extent 1 vanish; all of them if it is empty.
pub(super) fn squeeze(cx: &NodeCx<'_>, axes: &[i32]) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    let mut gone = vec![axes.is_empty(); input.shape.len()];
    for &axis in axes {
        let axis = resolve_axis(axis.into(), input.shape.len())?;
        if input.shape[axis] != 1 {
            return malformed!(
                "axis {axis} of {input} has extent {}, so it cannot vanish",
                input.shape[axis]
            );
        }
        gone[axis] = true;
    }
    let kept = |(extent, gone): (&usize, bool)| (*extent != 1 || !gone).then_some(*extent);
    Built::alias(input.shape.iter().zip(gone).filter_map(kept).collect())
}

/// Sparse constants are dense from the start of preparing.
pub(super) fn densify(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    Built::alias(input.shape.to_vec())
}

pub(super) fn rank(cx: &NodeCx<'_>) -> Result<Built> {
    cx.expect_output(DType::Int32)?;
    let rank = cx.input(0)?.shape.len() as i32;
    Built::known(vec![], rank.to_le_bytes().to_vec())
}

pub(super) fn broadcast_args(cx: &NodeCx<'_>) -> Result<Built> {
    let (left, right) = (cx.input(0)?, cx.input(1)?);
    right.expect(left.dtype())?;
    cx.expect_output(left.dtype())?;
    left.expect_rank(1)?;
    right.expect_rank(1)?;
    let shape = vec![left.elements().max(right.elements())];
    with_quantized!(left.dtype(), [Int32 => i32, Int64 => i64], T => {
        Built::working(shape, |io, out, _| {
            let out = typed_mut::<T>(out);
            let rank = out.len();
            let extent = |shape: &[T], axis: usize| {
                (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i])
            };
            for (axis, o) in out.iter_mut().enumerate() {
                *o = match (extent(io.get(0), axis), extent(io.get(1), axis)) {
                    (a, b) if a == b => a,
                    (1, b) => b,
                    (a, 1) => a,
                    (a, b) => return invalid!("extents {a} and {b} of axis {axis} do not fit each other"),
                };
            }
            Ok(())
        })
    }, malformed!("{left} is {}, not int32 or int64", left.dtype()))
}

pub(super) fn fill(cx: &NodeCx<'_>) -> Result<Built> {
    let (dims, value) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(value.dtype())?;
    expect_same_scale(cx, value)?;
    if value.elements() != 1 {
        return malformed!("{value} has {} elements, not 1", value.elements());
    }
    let size = value.element_size()?;
    Built::kernel(extents(dims, "shape")?, move |io, out| {
        for o in out.chunks_exact_mut(size) {
            o.copy_from_slice(io.bytes(1));
        }
    })
}

/// Numbers that RANGE can count in.
trait Counted: bytemuck::Pod + Send {
    /// How many steps lead from `start` to `limit`, which is left out; `None` if none ever do.
    fn count(start: Self, limit: Self, step: Self) -> Option<usize>;
    fn next(self, step: Self) -> Self;
}

macro_rules! counted {
    ($($t:ty),*) => { $(impl Counted for $t {
        fn count(start: Self, limit: Self, step: Self) -> Option<usize> {
            let way = i128::from(limit) - i128::from(start);
            let step = i128::from(step);
            let fits = step != 0 && (way == 0 || (way > 0) == (step > 0));
            fits.then(|| way.unsigned_abs().div_ceil(step.unsigned_abs()))
                .and_then(|n| usize::try_from(n).ok())
        }
        fn next(self, step: Self) -> Self { self.wrapping_add(step) }
    })* };
}
counted!(i32, i64);

impl Counted for f32 {
    fn count(start: Self, limit: Self, step: Self) -> Option<usize> {
        let steps = ((limit - start) / step).ceil();
        (0.0..9e15).contains(&steps).then_some(steps as usize)
    }
    fn next(self, step: Self) -> Self {
        self + step
    }
}

pub(super) fn range(cx: &NodeCx<'_>) -> Result<Built> {
    let dtype = cx.input(0)?.dtype();
    with_quantized!(dtype, [Int32 => i32, Int64 => i64, Float32 => f32],
        T => counted::<T>(cx, dtype), cx.no_kernel(dtype))
}

fn counted<T: Counted>(cx: &NodeCx<'_>, dtype: DType) -> Result<Built> {
    cx.expect_output(dtype)?;
    let mut parts = vec![];
    for (i, what) in ["start", "limit", "step"].into_iter().enumerate() {
        let part = cx.input(i)?;
        part.expect(dtype)?;
        let &[value] = part.known::<T>(what)? else {
            return malformed!("{part} has {} elements, not 1", part.elements());
        };
        parts.push(value);
    }
    let &[start, limit, step] = &parts[..] else {
        return malformed!("start, limit or step are missing");
    };
    let Some(count) = T::count(start, limit, step) else {
        return malformed!("its steps never lead from its start to its limit");
    };
    Built::kernel(vec![count], move |_, out| {
        let mut value = start;
        for o in typed_mut::<T>(out) {
            *o = value;
            value = value.next(step);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_the_limit_out_and_must_get_there() {
        assert_eq!(i32::count(0, 7, 3), Some(3));
        assert_eq!(i32::count(0, 6, 3), Some(2));
        assert_eq!(i64::count(5, -1, -2), Some(3));
        assert_eq!(i32::count(4, 4, 1), Some(0));
        for (start, limit, step) in [(0, 1, 0), (0, 1, -1), (1, 0, 1)] {
            assert_eq!(i32::count(start, limit, step), None);
        }
        assert_eq!(i64::count(i64::MIN, i64::MAX, 1), Some(usize::MAX));
        assert_eq!(f32::count(0.0, f32::INFINITY, 1.0), None);
        assert_eq!(f32::count(0.0, f32::NAN, 1.0), None);
    }
}
