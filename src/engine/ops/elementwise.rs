//! What builders of element-wise operators share: a function of one element, and of two that broadcast.

use bytemuck::Pod;

use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::kernels::elementwise;
use crate::kernels::reference::arithmetic::Broadcast;
use crate::{invalid, malformed};

/// Input 0, of the output's type.
pub(super) fn same_type<'a>(cx: &NodeCx<'a>) -> Result<Operand<'a>> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    Ok(input)
}

/// Applies `f` to each element of input 0; vectorised where packed kernels may run.
pub(super) fn each<A: Pod + Sync, B: Pod + Send>(
    cx: &NodeCx<'_>,
    shape: &[usize],
    f: impl Fn(A) -> B + Send + Sync + 'static,
) -> Result<Built> {
    checked_each(cx, shape, |_| true, "", f)
}

/// The same for functions that are not defined everywhere: running fails with `why` unless `defined` for every element.
pub(super) fn checked_each<A: Pod + Sync, B: Pod + Send>(
    cx: &NodeCx<'_>,
    shape: &[usize],
    defined: impl Fn(A) -> bool + Send + 'static,
    why: &'static str,
    f: impl Fn(A) -> B + Send + Sync + 'static,
) -> Result<Built> {
    let isa = cx.isa;
    Built::working(shape.to_vec(), move |io, out, w| {
        let (input, out) = (io.get::<A>(0), typed_mut::<B>(out));
        if !input.iter().all(|&v| defined(v)) {
            return invalid!("{why}");
        }
        if let Some(isa) = isa {
            return elementwise::map(isa, &f, input, out, w.threads);
        }
        for (o, &v) in out.iter_mut().zip(input) {
            *o = f(v);
        }
        Ok(())
    })
}

/// Two operands of one type that broadcast.
pub(super) struct Pair<'a> {
    pub left: Operand<'a>,
    pub right: Operand<'a>,
    pub walk: Broadcast,
    pub shape: Vec<usize>,
}

impl<'a> Pair<'a> {
    /// Inputs 0 and 1.
    pub fn new(cx: &NodeCx<'a>) -> Result<Self> {
        let (left, right) = (cx.input(0)?, cx.input(1)?);
        right.expect(left.dtype())?;
        let walk = Broadcast::new(left.shape, right.shape);
        let (Some(walk), Some(shape)) = (walk, Broadcast::shape(left.shape, right.shape)) else {
            return malformed!(
                "the shapes {:?} and {:?} do not fit each other",
                left.shape,
                right.shape
            );
        };
        Ok(Self {
            left,
            right,
            walk,
            shape,
        })
    }

    /// The same with an output of their type.
    pub fn same_type(cx: &NodeCx<'a>) -> Result<Self> {
        let pair = Self::new(cx)?;
        cx.expect_output(pair.left.dtype())?;
        Ok(pair)
    }

    /// Scales and zero points of left, right and output.
    pub fn quantizations(&self, cx: &NodeCx<'_>) -> Result<([f32; 3], [i32; 3])> {
        let [l, r, o] = [
            self.left.quantization()?,
            self.right.quantization()?,
            cx.output_quantization()?,
        ];
        Ok(([l.0, r.0, o.0], [l.1, r.1, o.1]))
    }

    /// Applies `f` to each pair of elements; vectorised where packed kernels may run and take these shapes.
    pub fn each<A: Pod + Send + Sync, B: Pod + Send + Sync>(
        self,
        cx: &NodeCx<'_>,
        f: impl Fn(A, A) -> B + Send + Sync + 'static,
    ) -> Result<Built> {
        self.checked_each(cx, |_| true, "", f)
    }

    /// The same where the right operand has values that are not allowed: running fails with `why` unless all are.
    pub fn checked_each<A: Pod + Send + Sync, B: Pod + Send + Sync>(
        self,
        cx: &NodeCx<'_>,
        allowed: impl Fn(A) -> bool + Send + 'static,
        why: &'static str,
        f: impl Fn(A, A) -> B + Send + Sync + 'static,
    ) -> Result<Built> {
        let isa = cx.isa.filter(|_| self.walk.is_plain());
        let walk = self.walk;
        Built::working(self.shape, move |io, out, w| {
            let (a, b, out) = (io.get::<A>(0), io.get::<A>(1), typed_mut::<B>(out));
            if !b.iter().all(|&v| allowed(v)) {
                return invalid!("{why}");
            }
            if let Some(isa) = isa {
                return elementwise::zip(isa, &f, a, b, out, w.threads);
            }
            walk.apply(a, b, out, &f);
            Ok(())
        })
    }
}
