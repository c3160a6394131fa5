//! Functions of one element: float formulas, and the quantized ones that are neither a table nor a rescaling.
//!
//! Sources: `elementwise.cc`, `round.cc`, `sign.cc`, `internal/reference/round.h`, `gelu.h`, `activations.cc`.

use half::f16;

use crate::kernels::fixed_point::{Multiplier, inverse_sqrt};
use crate::kernels::quantize::QuantInt;

/// x for x ≥ 0, else eˣ − 1.
pub fn elu(x: f32) -> f32 {
    if x < 0.0 { x.exp_m1() } else { x }
}

/// −1, 0 or 1 by the sign of x; NaN stays.
pub fn sign<T: PartialOrd + Default + Copy + std::ops::Neg<Output = T>>(x: T, one: T) -> T {
    if x > T::default() {
        one
    } else if x < T::default() {
        -one
    } else {
        x
    }
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;

/// x · Φ(x) with the normal distribution's Φ, as x/2 · erfc(−x/√2), or its approximation by tanh.
pub fn gelu(x: f32, approximate: bool) -> f32 {
    if approximate {
        0.5 * x * (1.0 + (SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)).tanh())
    } else {
        0.5 * x * erfc(f64::from(x * -std::f32::consts::FRAC_1_SQRT_2)) as f32
    }
}

/// The same in float16, every operation rounded.
pub fn gelu_f16(x: f16, approximate: bool) -> f16 {
    let h = f16::from_f32;
    let half_x = h(0.5 * x.to_f32());
    let times = |a: f16, b: f16| h(a.to_f32() * b.to_f32());
    let plus = |a: f16, b: f16| h(a.to_f32() + b.to_f32());
    let factor = if approximate {
        let cube = times(times(x, x), x);
        let inner = plus(x, times(h(0.044_715), cube));
        let tanh = h(times(h(SQRT_2_OVER_PI), inner).to_f32().tanh());
        plus(f16::ONE, tanh)
    } else {
        let z = times(x, h(-std::f32::consts::FRAC_1_SQRT_2));
        h(erfc(z.to_f64()) as f32)
    };
    times(half_x, factor)
}

/// 1 − erf(x), to about 1e-13 of its value. Near 0 by the series of erf, far from it by the continued fraction of erfc
/// (NIST Digital Library of Mathematical Functions, 7.6.2 and 7.9.1).
pub fn erfc(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let z = x.abs();
    if z < 2.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..60 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        let erf = std::f64::consts::FRAC_2_SQRT_PI * (-z * z).exp() * sum;
        return if x < 0.0 { 1.0 + erf } else { 1.0 - erf };
    }
    let fraction = (1..=60).rev().fold(z, |f, n| z + 0.5 * f64::from(n) / f);
    let tail = (-z * z).exp() / (fraction * std::f64::consts::PI.sqrt());
    if x < 0.0 { 2.0 - tail } else { tail }
}

/// Quantized ABS; `multiplier` is input scale / output scale, or `None` where they are equal.
pub fn abs_quantized<T: QuantInt>(
    v: T,
    multiplier: Option<Multiplier>,
    input_zero_point: i32,
    output_zero_point: i32,
) -> T {
    let magnitude = (v.to_i32() - input_zero_point).wrapping_abs();
    let scaled = multiplier.map_or(magnitude, |m| m.apply(magnitude));
    T::saturate(i64::from(scaled) + i64::from(output_zero_point))
}

/// int8 RSQRT of a step that is not below its zero point; `multiplier` is 1 / (√input scale · output scale).
pub fn rsqrt_i8(
    v: i8,
    multiplier: Multiplier,
    input_zero_point: i32,
    output_zero_point: i32,
) -> i8 {
    /// Spare bits of the intermediate integer.
    const SPARE: i32 = 20;
    let value = i32::from(v) - input_zero_point;
    if value <= 0 {
        return i8::MAX;
    }
    let root = inverse_sqrt(value);
    let root = Multiplier {
        shift: root.shift + SPARE,
        ..root
    };
    let output = Multiplier {
        shift: multiplier.shift - SPARE,
        ..multiplier
    };
    i8::saturate(i64::from(output.apply(root.apply(1))) + i64::from(output_zero_point))
}

/// Quantized SQRT of a step that is not below its zero point, truncated; scales and zero points are input's and output's.
pub fn sqrt_quantized<T: QuantInt>(v: T, input: (f32, i32), output: (f32, i32)) -> T {
    let real = (input.0 * (v.to_i32() - input.1) as f32).sqrt();
    T::saturate((real / output.0) as i64 + i64::from(output.1))
}

/// Quantized LEAKY_RELU: factors of negative and of other inputs. `alpha` may be negative.
#[derive(Debug, Clone, Copy)]
pub struct LeakyRelu {
    alpha: Multiplier,
    negative: bool,
    identity: Multiplier,
    zero_points: [i32; 2],
}

impl LeakyRelu {
    /// For scales and zero points of input and output; products in float32, as LiteRT computes them.
    pub fn new(alpha: f32, input: (f32, i32), output: (f32, i32)) -> Self {
        let slope = input.0 * alpha / output.0;
        Self {
            alpha: Multiplier::from_real(slope.abs().into()),
            negative: slope < 0.0,
            identity: Multiplier::from_real((input.0 / output.0).into()),
            zero_points: [input.1, output.1],
        }
    }

    /// Whether both factors are within the fixed-point format.
    pub fn is_representable(&self) -> bool {
        self.alpha.fits_i32() && self.identity.fits_i32()
    }

    /// The output step.
    #[inline]
    pub fn apply<T: QuantInt>(&self, v: T) -> T {
        let value = v.to_i32() - self.zero_points[0];
        let scaled = if value >= 0 {
            self.identity.apply(value)
        } else if self.negative {
            self.alpha.apply(value).wrapping_neg()
        } else {
            self.alpha.apply(value)
        };
        T::saturate(i64::from(scaled) + i64::from(self.zero_points[1]))
    }
}

/// Quantized PRELU: factors of negative inputs (with alpha's steps) and of others.
#[derive(Debug, Clone, Copy)]
pub struct Prelu {
    /// Zero points of input, alpha and output.
    pub zero_points: [i32; 3],
    /// Input scale / output scale.
    pub identity: Multiplier,
    /// Input scale · alpha scale / output scale.
    pub slope: Multiplier,
}

impl Prelu {
    /// The output step.
    #[inline]
    pub fn apply<T: QuantInt, A: QuantInt>(&self, v: T, alpha: A) -> T {
        let value = v.to_i32() - self.zero_points[0];
        let scaled = if value >= 0 {
            self.identity.apply(value)
        } else {
            self.slope
                .apply(value.wrapping_mul(alpha.to_i32() - self.zero_points[1]))
        };
        T::saturate(i64::from(scaled) + i64::from(self.zero_points[2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complementary_error_function_has_its_known_values() {
        // NIST DLMF and Abramowitz & Stegun, table 7.1.
        for (x, value) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122_186_953),
            (1.0, 0.157_299_207_050_285),
            (1.999_999_999_999, 0.004_677_734_981_067),
            (2.0, 0.004_677_734_981_047_3),
            (3.0, 2.209_049_699_858_544e-5),
            (-1.0, 1.842_700_792_949_715),
            (-5.0, 1.999_999_999_998_462_5),
        ] {
            let got = erfc(x);
            assert!((got - value).abs() <= 1e-11 * value, "erfc({x}) gave {got}");
        }
        assert_eq!(erfc(f64::INFINITY), 0.0);
        assert_eq!(erfc(f64::NEG_INFINITY), 2.0);
    }
}
