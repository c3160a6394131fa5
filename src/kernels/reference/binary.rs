//! Functions of two elements: integer division and shifts, extrema, quantized DIV and SQUARED_DIFFERENCE.
//!
//! Sources: `floor_div.cc`, `internal/reference/floor_mod.h`, `right_shift.cc`, `maximum_minimum.cc`,
//! `squared_difference.cc`, `internal/reference/div.h`.

use crate::kernels::fixed_point::{
    Multiplier, doubling_high_mul, reciprocal, rounding_divide_by_pot,
};
use crate::kernels::quantize::QuantInt;

/// An integer type with the operations that wrap.
pub trait Int: Copy + Ord + Default + Send + Sync + 'static {
    /// Bits of the type.
    const BITS: u32;
    /// ⌊a / b⌋; 0 where b is 0.
    fn floor_div(self, b: Self) -> Self;
    /// a − ⌊a / b⌋ · b; 0 where b is 0.
    fn floor_mod(self, b: Self) -> Self;
    /// a / b towards 0; 0 where b is 0.
    fn trunc_div(self, b: Self) -> Self;
    /// a >> b, b held within the bits of the type.
    fn shift_right(self, b: Self) -> Self;
    /// a ^ b.
    fn xor(self, b: Self) -> Self;
    /// a + b, wrapping.
    fn plus(self, b: Self) -> Self;
    /// a − b, wrapping.
    fn minus(self, b: Self) -> Self;
    /// a · b, wrapping.
    fn times(self, b: Self) -> Self;
}

macro_rules! int {
    ($($t:ty),*) => { $(
        #[allow(unused_comparisons)] // where the type has no sign
        impl Int for $t {
            const BITS: u32 = <$t>::BITS;
            #[inline]
            fn floor_div(self, b: Self) -> Self {
                if b == 0 { return 0; }
                let (quotient, rest) = (self.wrapping_div(b), self.wrapping_rem(b));
                if rest != 0 && ((rest < 0) != (b < 0)) { quotient.wrapping_sub(1) } else { quotient }
            }
            #[inline]
            fn floor_mod(self, b: Self) -> Self {
                if b == 0 { return 0; }
                let rest = self.wrapping_rem(b);
                if rest != 0 && ((rest < 0) != (b < 0)) { rest.wrapping_add(b) } else { rest }
            }
            #[inline]
            fn trunc_div(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_div(b) }
            }
            #[inline]
            fn shift_right(self, b: Self) -> Self {
                self >> b.clamp(0, (Self::BITS - 1) as Self)
            }
            #[inline]
            fn xor(self, b: Self) -> Self { self ^ b }
            #[inline]
            fn plus(self, b: Self) -> Self { self.wrapping_add(b) }
            #[inline]
            fn minus(self, b: Self) -> Self { self.wrapping_sub(b) }
            #[inline]
            fn times(self, b: Self) -> Self { self.wrapping_mul(b) }
        }
    )* };
}
int!(i8, u8, i16, u16, i32, u32, i64, u64);

/// a where a > b, else b (so b where one is not a number).
#[inline]
pub fn larger<T: PartialOrd>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

/// a where a < b, else b (so b where one is not a number).
#[inline]
pub fn smaller<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

/// The remainder of a / b with the sign of b.
pub fn floor_mod_f32(a: f32, b: f32) -> f32 {
    let rest = a % b;
    if rest != 0.0 && ((b < 0.0) != (rest < 0.0)) {
        rest + b
    } else {
        rest
    }
}

/// Parameters of an int8 SQUARED_DIFFERENCE: both operands are brought to twice the larger scale with 7 spare bits.
#[derive(Debug, Clone, Copy)]
pub struct SquaredDifference {
    zero_points: [i32; 3],
    left: Multiplier,
    right: Multiplier,
    output: Multiplier,
}

impl SquaredDifference {
    const LEFT_SHIFT: u32 = 7;

    /// For scales and zero points of left, right and output; `None` where the output's scale is too fine for the format.
    pub fn new(scales: [f32; 3], zero_points: [i32; 3]) -> Option<Self> {
        let [left, right, output] = scales.map(f64::from);
        // Doubled in float32, as LiteRT computes it.
        let twice_max = f64::from(2.0 * scales[0].max(scales[1]));
        let spare = f64::from(1u32 << (2 * Self::LEFT_SHIFT));
        let real = twice_max * twice_max / (spare * output);
        (real < 1.0).then(|| Self {
            zero_points,
            left: Multiplier::from_real(left / twice_max),
            right: Multiplier::from_real(right / twice_max),
            output: Multiplier::from_real(real),
        })
    }

    /// (left − right)².
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let scaled = |v: i8, zero_point: i32, m: Multiplier| {
            m.apply((i32::from(v) - zero_point) << Self::LEFT_SHIFT)
        };
        let difference = scaled(a, self.zero_points[0], self.left).wrapping_sub(scaled(
            b,
            self.zero_points[1],
            self.right,
        ));
        let step = self.output.apply(difference.wrapping_mul(difference));
        i8::saturate(i64::from(step) + i64::from(self.zero_points[2]))
    }
}

/// Parameters of a quantized DIV.
#[derive(Debug, Clone, Copy)]
pub struct Quotient {
    /// Zero points of left, right and output.
    pub zero_points: [i32; 3],
    /// left scale / (right scale · output scale).
    pub multiplier: Multiplier,
    /// Smallest and largest output step.
    pub clamp: (i32, i32),
}

impl Quotient {
    /// left / right by a fixed-point reciprocal; a right step at its zero point counts as the smallest positive one.
    #[inline]
    pub fn apply<T: QuantInt>(&self, a: T, b: T) -> T {
        let (mut a, mut b) = (
            a.to_i32() - self.zero_points[0],
            b.to_i32() - self.zero_points[1],
        );
        if b < 0 {
            (a, b) = (-a, -b);
        }
        let (inverse, over_unit) = reciprocal(b.max(1), 31);
        let headroom = if a >= 0 { a } else { !a }.leading_zeros() as i32 - 1;
        let unscaled = doubling_high_mul(a.wrapping_shl(headroom as u32), inverse);
        let shift = self.multiplier.shift - over_unit - headroom;
        let scaled = doubling_high_mul(unscaled, self.multiplier.mantissa);
        let scaled = if shift > 0 {
            scaled.wrapping_shl(shift as u32)
        } else {
            rounding_divide_by_pot(scaled, -shift)
        };
        let step = i64::from(scaled) + i64::from(self.zero_points[2]);
        T::saturate(step.clamp(self.clamp.0.into(), self.clamp.1.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_down_and_survives_its_edges() {
        assert_eq!(
            [7i32.floor_div(2), (-7i32).floor_div(2), 7i32.floor_div(-2)],
            [3, -4, -4]
        );
        assert_eq!(
            [7i32.floor_mod(3), (-7i32).floor_mod(3), 7i32.floor_mod(-3)],
            [1, 2, -2]
        );
        assert_eq!(
            [i32::MIN.floor_div(-1), 1.floor_div(0), 1.trunc_div(0)],
            [i32::MIN, 0, 0]
        );
        assert_eq!(i64::MIN.floor_mod(-1), 0);
        assert_eq!([(-8i8).shift_right(100), (-8i8).shift_right(-1)], [-1, -8]);
        assert_eq!(200u8.floor_div(7), 28);
    }

    #[test]
    fn what_is_not_a_number_yields_to_the_right() {
        assert!(larger(1.0, f32::NAN).is_nan());
        assert_eq!(larger(f32::NAN, 1.0), 1.0);
    }
}
