//! ADD, SUB and MUL with broadcasting.
//!
//! Sources: `add.cc`, `sub.cc`, `mul.cc`, `internal/reference/add.h`, `sub.h`, `mul.h`, `integer_ops/add.h`, `integer_ops/mul.h`.

use crate::kernels::fixed_point::{Multiplier, rounding_divide_by_pot};
use crate::kernels::quantize::QuantInt;

/// How two arrays are walked side by side: extents of the result, and steps of each operand (0 where it repeats).
/// Neighbouring axes that both operands walk alike are merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    extents: Vec<usize>,
    left: Vec<usize>,
    right: Vec<usize>,
}

impl Broadcast {
    /// For operands of these shapes; `None` if they do not fit each other.
    pub fn new(left: &[usize], right: &[usize]) -> Option<Self> {
        let shape = Self::shape(left, right)?;
        let steps = |operand: &[usize]| {
            let mut step = 1;
            let mut steps = vec![0; shape.len()];
            for (i, &extent) in operand.iter().enumerate().rev() {
                if extent != 1 {
                    steps[shape.len() - operand.len() + i] = step;
                }
                step *= extent;
            }
            steps
        };
        let mut merged = Self {
            extents: vec![],
            left: vec![],
            right: vec![],
        };
        for ((&extent, l), r) in shape.iter().zip(steps(left)).zip(steps(right)) {
            if extent == 1 {
                continue;
            }
            match (
                merged.extents.last_mut(),
                merged.left.last_mut(),
                merged.right.last_mut(),
            ) {
                (Some(e), Some(pl), Some(pr)) if *pl == l * extent && *pr == r * extent => {
                    (*e, *pl, *pr) = (*e * extent, l, r);
                }
                _ => {
                    merged.extents.push(extent);
                    merged.left.push(l);
                    merged.right.push(r);
                }
            }
        }
        Some(merged)
    }

    /// Whether each operand is as long as the result, a scalar, or a block that repeats from the first element on: what the
    /// vectorised kernels take.
    pub fn is_plain(&self) -> bool {
        let whole = |steps: &[usize]| {
            let mut step = 1;
            steps.iter().zip(&self.extents).rev().all(|(&s, &extent)| {
                let fits = s == step;
                step *= extent;
                fits
            })
        };
        let repeats = |steps: &[usize]| matches!(steps, [0, 1]);
        let scalar = |steps: &[usize]| steps.iter().all(|&s| s == 0);
        let plain = |steps: &[usize]| whole(steps) || repeats(steps) || scalar(steps);
        plain(&self.left) && plain(&self.right)
    }

    /// Shape of the result; `None` if the operands do not fit each other.
    pub fn shape(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
        let rank = left.len().max(right.len());
        let extent = |shape: &[usize], axis: usize| {
            (axis + shape.len())
                .checked_sub(rank)
                .map_or(1, |i| shape[i])
        };
        (0..rank)
            .map(|axis| match (extent(left, axis), extent(right, axis)) {
                (a, b) if a == b => Some(a),
                (1, b) => Some(b),
                (a, 1) => Some(a),
                _ => None,
            })
            .collect()
    }

    /// Stores `f(left, right)` for each element of the result.
    pub fn apply<A: Copy, B: Copy, O>(
        &self,
        left: &[A],
        right: &[B],
        out: &mut [O],
        f: impl Fn(A, B) -> O,
    ) {
        let Some(inner) = self.extents.len().checked_sub(1) else {
            if let (Some(o), Some(&a), Some(&b)) = (out.first_mut(), left.first(), right.first()) {
                *o = f(a, b);
            }
            return;
        };
        let (run, l_step, r_step) = (self.extents[inner], self.left[inner], self.right[inner]);
        let mut index = vec![0; inner];
        let (mut l, mut r) = (0, 0);
        for out in out.chunks_exact_mut(run.max(1)) {
            // Steps are 0 or 1: the last axis that is left is the innermost of each operand that has it.
            match (l_step, r_step) {
                (0, _) => {
                    let a = left[l];
                    for (o, &b) in out.iter_mut().zip(&right[r..]) {
                        *o = f(a, b);
                    }
                }
                (_, 0) => {
                    let b = right[r];
                    for (o, &a) in out.iter_mut().zip(&left[l..]) {
                        *o = f(a, b);
                    }
                }
                _ => {
                    for ((o, &a), &b) in out.iter_mut().zip(&left[l..]).zip(&right[r..]) {
                        *o = f(a, b);
                    }
                }
            }
            for axis in (0..inner).rev() {
                index[axis] += 1;
                l += self.left[axis];
                r += self.right[axis];
                if index[axis] < self.extents[axis] {
                    break;
                }
                l -= self.left[axis] * index[axis];
                r -= self.right[axis] * index[axis];
                index[axis] = 0;
            }
        }
    }
}

/// Parameters of a quantized ADD or SUB: both operands are brought to twice the larger scale with `left_shift` spare bits.
#[derive(Debug, Clone, Copy)]
pub struct Sum {
    left_shift: u32,
    zero_points: [i32; 3],
    left: Multiplier,
    right: Multiplier,
    output: Multiplier,
    clamp: (i32, i32),
}

impl Sum {
    /// For scales and zero points of left, right and output; `bits` of the type (8 or 16) decides the spare bits.
    pub fn new(scales: [f32; 3], zero_points: [i32; 3], bits: usize, clamp: (i32, i32)) -> Self {
        let left_shift = if bits == 16 { 15 } else { 20 };
        let [left, right, output] = scales.map(f64::from);
        let twice_max = 2.0 * left.max(right);
        Self {
            left_shift,
            zero_points,
            left: Multiplier::from_real(left / twice_max),
            right: Multiplier::from_real(right / twice_max),
            output: Multiplier::from_real(twice_max / (f64::from(1u32 << left_shift) * output)),
            clamp,
        }
    }

    /// Whether the ratio of scales is within the fixed-point format.
    pub fn is_representable(&self) -> bool {
        self.output.fits_i32()
    }

    /// left + right, or left − right if `subtract`.
    #[inline]
    pub fn apply<T: QuantInt>(&self, a: T, b: T, subtract: bool) -> T {
        let scaled = |v: T, zero_point: i32, m: Multiplier| {
            m.apply((v.to_i32() - zero_point).wrapping_mul(1 << self.left_shift))
        };
        let a = scaled(a, self.zero_points[0], self.left);
        let b = scaled(b, self.zero_points[1], self.right);
        let raw = if subtract {
            a.wrapping_sub(b)
        } else {
            a.wrapping_add(b)
        };
        let step = i64::from(self.output.apply(raw)) + i64::from(self.zero_points[2]);
        T::saturate(step.clamp(self.clamp.0.into(), self.clamp.1.into()))
    }
}

/// Parameters of an int16 ADD or SUB whose scales are powers of two: each operand is shifted right, one of them by 0.
#[derive(Debug, Clone, Copy)]
pub struct SumPot {
    /// Right shift of each operand.
    pub shifts: [i32; 2],
    /// Smallest and largest output step.
    pub clamp: (i32, i32),
}

impl SumPot {
    /// left + right, or left − right if `subtract`, saturating.
    #[inline]
    pub fn apply(&self, a: i16, b: i16, subtract: bool) -> i16 {
        let a = rounding_divide_by_pot(a.into(), self.shifts[0]);
        let b = rounding_divide_by_pot(b.into(), self.shifts[1]);
        let raw = if subtract { a - b } else { a + b };
        i16::saturate(raw.clamp(self.clamp.0, self.clamp.1).into())
    }
}

/// Parameters of a quantized MUL.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Zero points of left, right and output.
    pub zero_points: [i32; 3],
    /// left scale · right scale / output scale.
    pub multiplier: Multiplier,
    /// Smallest and largest output step.
    pub clamp: (i32, i32),
}

impl Product {
    /// left · right.
    #[inline]
    pub fn apply<T: QuantInt>(&self, a: T, b: T) -> T {
        let a = a.to_i32() - self.zero_points[0];
        let b = b.to_i32() - self.zero_points[1];
        let scaled = self.multiplier.apply(a.wrapping_mul(b));
        let step = i64::from(scaled) + i64::from(self.zero_points[2]);
        T::saturate(step.clamp(self.clamp.0.into(), self.clamp.1.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtract(left: &[usize], right: &[usize]) -> Vec<i64> {
        let b = Broadcast::new(left, right).unwrap();
        let n = Broadcast::shape(left, right).unwrap().iter().product();
        let values = |shape: &[usize], f: i64| -> Vec<i64> {
            (0..shape.iter().product::<usize>() as i64)
                .map(|v| v * f)
                .collect()
        };
        let mut out = vec![0; n];
        b.apply(&values(left, 100), &values(right, 1), &mut out, |a, b| {
            a - b
        });
        out
    }

    #[test]
    fn axes_of_extent_one_repeat() {
        assert_eq!(subtract(&[2, 1], &[1, 3]), [0, -1, -2, 100, 99, 98]);
        assert_eq!(subtract(&[3], &[2, 3]), [0, 99, 198, -3, 96, 195]);
        assert_eq!(subtract(&[], &[2]), [0, -1]);
        assert_eq!(subtract(&[], &[]), [0]);
        assert_eq!(
            subtract(&[2, 1, 2], &[2, 1]),
            [0, 100, -1, 99, 200, 300, 199, 299]
        );
        assert_eq!(Broadcast::new(&[2], &[3]), None);
        assert_eq!(subtract(&[0, 2], &[1, 2]), [0i64; 0]);
    }

    #[test]
    fn plain_operands_are_whole_scalar_or_repeat() {
        let plain = |l: &[usize], r: &[usize]| Broadcast::new(l, r).unwrap().is_plain();
        assert!(plain(&[4, 5, 6], &[4, 5, 6]));
        assert!(plain(&[4, 5, 6], &[6]));
        assert!(plain(&[1], &[4, 5, 6]));
        assert!(plain(&[5, 6], &[4, 5, 6]));
        assert!(!plain(&[4, 1, 6], &[4, 5, 6]));
        assert!(!plain(&[4, 1], &[1, 4]));
        assert!(!plain(&[4, 1], &[4, 4]));
    }

    #[test]
    fn axes_that_walk_alike_are_merged() {
        assert_eq!(
            Broadcast::new(&[4, 5, 6], &[4, 5, 6]).unwrap().extents,
            [120]
        );
        assert_eq!(
            Broadcast::new(&[4, 5, 6], &[5, 6]).unwrap().extents,
            [4, 30]
        );
        assert_eq!(Broadcast::new(&[4, 5, 6], &[]).unwrap().extents, [120]);
    }
}
