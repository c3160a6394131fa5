//! Builders of comparisons, SELECT and SELECT_V2.

use bytemuck::Pod;
use half::f16;

use super::elementwise::Pair;
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx};
use crate::error::Result;
use crate::graph::{Comparison, DType};
use crate::kernels::reference::arithmetic::Broadcast;
use crate::kernels::reference::choose::choose;
use crate::kernels::reference::compare::CommonScale;
use crate::malformed;

/// Whether a comparison holds.
fn holds<T: PartialOrd>(op: Comparison) -> fn(&T, &T) -> bool {
    match op {
        Comparison::Equal => T::eq,
        Comparison::NotEqual => T::ne,
        Comparison::Greater => T::gt,
        Comparison::GreaterEqual => T::ge,
        Comparison::Less => T::lt,
        Comparison::LessEqual => T::le,
    }
}

fn plain<T: Pod + PartialOrd + Send + Sync>(
    cx: &NodeCx<'_>,
    p: Pair<'_>,
    op: Comparison,
) -> Result<Built> {
    // One closure each, so that the loop knows the comparison.
    match op {
        Comparison::Equal => p.each(cx, |a: T, b: T| u8::from(a == b)),
        Comparison::NotEqual => p.each(cx, |a: T, b: T| u8::from(a != b)),
        Comparison::Greater => p.each(cx, |a: T, b: T| u8::from(a > b)),
        Comparison::GreaterEqual => p.each(cx, |a: T, b: T| u8::from(a >= b)),
        Comparison::Less => p.each(cx, |a: T, b: T| u8::from(a < b)),
        Comparison::LessEqual => p.each(cx, |a: T, b: T| u8::from(a <= b)),
    }
}

/// EQUAL and its kin.
pub(super) fn compare(cx: &NodeCx<'_>, op: Comparison) -> Result<Built> {
    let p = Pair::new(cx)?;
    cx.expect_output(DType::Bool)?;
    let dtype = p.left.dtype();
    let quantized = p
        .left
        .tensor
        .quantization
        .as_ref()
        .is_some_and(|q| !q.scales.is_empty());
    let for_equality = matches!(op, Comparison::Equal | Comparison::NotEqual);
    match dtype {
        DType::Float32 => plain::<f32>(cx, p, op),
        DType::Float16 => plain::<f16>(cx, p, op),
        DType::Int32 => plain::<i32>(cx, p, op),
        DType::Int64 => plain::<i64>(cx, p, op),
        DType::Bool if for_equality => plain::<u8>(cx, p, op),
        // LiteRT orders int16 steps as they are, whatever their scales.
        DType::Int16 if !for_equality || !quantized => plain::<i16>(cx, p, op),
        _ => with_quantized!(dtype, [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
            let common = CommonScale::new(p.left.quantization()?, p.right.quantization()?);
            if !common.is_representable() {
                return malformed!("its scales are too large for fixed-point arithmetic");
            }
            let holds = holds::<i32>(op);
            p.each(cx, move |a: T, b: T| {
                let (a, b) = common.apply(a, b);
                u8::from(holds(&a, &b))
            })
        }, cx.no_kernel(format_args!("{dtype} input"))),
    }
}

/// SELECT_V2, whose three operands broadcast, or SELECT (`first_axis`), whose condition may be one value for each index of the
/// first axis.
pub(super) fn select(cx: &NodeCx<'_>, first_axis: bool) -> Result<Built> {
    let (condition, x, y) = (cx.input(0)?, cx.input(1)?, cx.input(2)?);
    condition.expect(DType::Bool)?;
    y.expect(x.dtype())?;
    cx.expect_output(x.dtype())?;
    let mut condition_shape = condition.shape.to_vec();
    if first_axis {
        let fits = condition.shape == x.shape
            || matches!(condition.shape, [] | [_]) && condition.shape.first() == x.shape.first()
            || condition.shape.is_empty();
        if x.shape != y.shape || !fits {
            return malformed!(
                "the shapes {:?}, {:?} and {:?} do not fit each other",
                condition.shape,
                x.shape,
                y.shape
            );
        }
        if condition.shape.len() == 1 {
            condition_shape.resize(x.shape.len(), 1);
        }
    }
    let shape = Broadcast::shape(x.shape, y.shape)
        .and_then(|both| Broadcast::shape(&both, &condition_shape));
    let Some(mut shape) = shape else {
        return malformed!(
            "the shapes {:?}, {:?} and {:?} do not fit each other",
            condition.shape,
            x.shape,
            y.shape
        );
    };
    // LiteRT lets the output keep its own shape where all hold a single value.
    let declared = &cx.output()?.1.shape;
    if shape.iter().all(|&d| d == 1) && declared.iter().all(|&d| d == 1) {
        shape.clone_from(declared);
    }
    let shapes = [condition_shape, x.shape.to_vec(), y.shape.to_vec()];
    match x.element_size()? {
        1 => chosen::<u8>(shapes, shape),
        2 => chosen::<u16>(shapes, shape),
        4 => chosen::<u32>(shapes, shape),
        8 => chosen::<u64>(shapes, shape),
        _ => cx.no_kernel(format_args!("{} input", x.dtype())),
    }
}

fn chosen<T: Pod>(shapes: [Vec<usize>; 3], shape: Vec<usize>) -> Result<Built> {
    let out_shape = shape.clone();
    Built::kernel(shape, move |io, out| {
        let [c, x, y] = &shapes;
        choose::<T>(
            (c, io.get(0)),
            (x, io.get(1)),
            (y, io.get(2)),
            &out_shape,
            typed_mut(out),
        );
    })
}
