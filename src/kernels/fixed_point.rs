//! Fixed-point arithmetic of quantized kernels: requantization multipliers and integer exp and reciprocal.
//!
//! The formulas are those of LiteRT (`tflite/kernels/internal/common.cc`, `quantization_util.cc`) and of gemmlowp's
//! `fixedpoint/fixedpoint.h`, with LiteRT's default of rounding twice. Overflow wraps, as it does in those on every
//! machine they run on.

/// A real factor as `mantissa · 2^(shift − 31)`, the mantissa in [2³⁰, 2³¹) or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplier {
    /// Q0.31.
    pub mantissa: i32,
    /// Positive shifts left.
    pub shift: i32,
}

/// Splits a finite `x` > 0 into a fraction in [½, 1) and an exponent of two.
fn frexp(x: f64) -> (f64, i32) {
    let (x, bias) = if x < f64::MIN_POSITIVE {
        (x * (1u64 << 54) as f64, -54)
    } else {
        (x, 0)
    };
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    (
        f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52)),
        exponent + bias,
    )
}

impl Multiplier {
    /// The factor nearest to `real`; factors below 2⁻³² become 0. `real` must be finite and not negative, else 0.
    /// Source: `QuantizeMultiplier`.
    pub fn from_real(real: f64) -> Self {
        let zero = Self {
            mantissa: 0,
            shift: 0,
        };
        if !real.is_finite() || real <= 0.0 {
            return zero;
        }
        let (fraction, mut shift) = frexp(real);
        let mut mantissa = (fraction * (1i64 << 31) as f64).round() as i64;
        if mantissa == 1 << 31 {
            mantissa /= 2;
            shift += 1;
        }
        if shift < -31 {
            return zero;
        }
        Self {
            mantissa: mantissa as i32,
            shift,
        }
    }

    /// `x` times the factor, rounded twice. Source: `MultiplyByQuantizedMultiplier` on int32.
    #[inline]
    pub fn apply(self, x: i32) -> i32 {
        let (left, right) = (self.shift.max(0), (-self.shift).max(0));
        let x = x.wrapping_mul(1i32.wrapping_shl(left as u32));
        rounding_divide_by_pot(doubling_high_mul(x, self.mantissa), right)
    }

    /// `x` times the factor reduced to 15 bits, rounded once (half up); for accumulators of int16 kernels. Needs
    /// [`Multiplier::fits_i64`]. Source: `MultiplyByQuantizedMultiplier` on int64.
    #[inline]
    pub fn apply_i64(self, x: i64) -> i32 {
        let reduced = if self.mantissa < 0x7FFF_0000 {
            (self.mantissa + (1 << 15)) >> 16
        } else {
            0x7FFF
        };
        let shift = (15 - self.shift).max(1);
        (x.wrapping_mul(reduced.into())
            .wrapping_add(1 << (shift - 1))
            >> shift) as i32
    }

    /// Whether [`Multiplier::apply`] means what it says: the factor is below 2³⁰.
    pub fn fits_i32(self) -> bool {
        self.shift <= 30
    }

    /// Whether [`Multiplier::apply_i64`] means what it says: the factor is below 2¹⁴.
    pub fn fits_i64(self) -> bool {
        self.shift <= 14
    }

    /// The mantissa rounded to Q0.15, as HARD_SWISH uses it. Source: `DownScaleInt32ToInt16Multiplier`.
    pub fn mantissa_i16(self) -> i16 {
        if self.mantissa >= i32::MAX - (1 << 15) {
            i16::MAX
        } else {
            ((self.mantissa + (1 << 15)) >> 16) as i16
        }
    }
}

/// How an accumulator becomes output steps: LiteRT's reference kernels use a fixed-point factor everywhere but in
/// FULLY_CONNECTED, which multiplies in float64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rescale {
    /// By a fixed-point factor.
    Fixed(Multiplier),
    /// By a float64 factor, rounding half away from zero.
    Real(f64),
}

impl Rescale {
    /// Rescales an int32 accumulator.
    #[inline]
    pub fn apply(self, acc: i32) -> i32 {
        match self {
            Rescale::Fixed(m) => m.apply(acc),
            Rescale::Real(r) => (f64::from(acc) * r).round() as i32,
        }
    }

    /// Rescales an int64 accumulator.
    #[inline]
    pub fn apply_i64(self, acc: i64) -> i32 {
        match self {
            Rescale::Fixed(m) => m.apply_i64(acc),
            Rescale::Real(r) => (acc as f64 * r).round() as i32,
        }
    }
}

/// The high half of `2·a·b`, rounded to nearest (half away from zero); saturates only where both are −2³¹.
/// Source: gemmlowp `SaturatingRoundingDoublingHighMul`.
#[inline]
pub fn doubling_high_mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    let product = i64::from(a) * i64::from(b);
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    ((product + nudge) / (1i64 << 31)) as i32
}

/// The same on int16.
#[inline]
pub fn doubling_high_mul_i16(a: i16, b: i16) -> i16 {
    if a == i16::MIN && b == i16::MIN {
        return i16::MAX;
    }
    let product = i32::from(a) * i32::from(b);
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    ((product + nudge) / (1 << 15)) as i16
}

/// `x / 2^exponent`, rounded half away from zero. Source: gemmlowp `RoundingDivideByPOT`.
#[inline]
pub fn rounding_divide_by_pot(x: i32, exponent: i32) -> i32 {
    if exponent > 31 {
        return 0;
    }
    let (x, exponent) = (i64::from(x), exponent.max(0));
    let mask = (1i64 << exponent) - 1;
    let threshold = (mask >> 1) + i64::from(x < 0);
    ((x >> exponent) + i64::from((x & mask) > threshold)) as i32
}

/// `x · 2^exponent`, saturating.
fn saturating_shl(x: i32, exponent: u32) -> i32 {
    (i64::from(x) << exponent).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// Integer bits of the argument of [`exp_on_negative`].
pub const EXP_INTEGER_BITS: i32 = 5;

/// e^a for a ≤ 0 in Q5.26, in Q0.31. Source: gemmlowp `exp_on_negative_values`.
pub fn exp_on_negative(a: i32) -> i32 {
    const FRACTION: i32 = 31 - EXP_INTEGER_BITS;
    if a == 0 {
        return i32::MAX;
    }
    let quarter = 1 << (FRACTION - 2);
    let rest = (a & (quarter - 1)) - quarter;
    let mut result = exp_near_zero(saturating_shl(rest, EXP_INTEGER_BITS as u32));
    let remainder = rest.wrapping_sub(a);
    // e^−(2^k) in Q0.31 for k = −2 … 4, applied where bit k of the remainder is set.
    let factors = [
        1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242,
    ];
    for (k, factor) in (-2..).zip(factors) {
        if remainder & (1 << (FRACTION + k)) != 0 {
            result = doubling_high_mul(result, factor);
        }
    }
    result
}

/// e^a for a in [−¼, 0) in Q0.31: the Taylor series around −⅛ up to the fourth power.
fn exp_near_zero(a: i32) -> i32 {
    const EXP_MINUS_EIGHTH: i32 = 1895147668;
    const THIRD: i32 = 715827883;
    let x = a.wrapping_add(1 << 28);
    let x2 = doubling_high_mul(x, x);
    let x3 = doubling_high_mul(x2, x);
    let x4 = doubling_high_mul(x2, x2);
    let higher = doubling_high_mul(rounding_divide_by_pot(x4, 2).wrapping_add(x3), THIRD);
    let tail = rounding_divide_by_pot(higher.wrapping_add(x2), 1);
    EXP_MINUS_EIGHTH.wrapping_add(doubling_high_mul(EXP_MINUS_EIGHTH, x.wrapping_add(tail)))
}

/// 1 / (1 + a) for a in [0, 1], both Q0.31: three Newton–Raphson steps. Source: gemmlowp `one_over_one_plus_x_for_x_in_0_1`.
fn one_over_one_plus(a: i32) -> i32 {
    const C48_OVER_17: i32 = 1515870810;
    const MINUS_32_OVER_17: i32 = -1010580540;
    let sum = i64::from(a) + i64::from(i32::MAX);
    let half_denominator = ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32;
    let mut x = C48_OVER_17.wrapping_add(doubling_high_mul(half_denominator, MINUS_32_OVER_17));
    for _ in 0..3 {
        let rest = (1i32 << 29).wrapping_sub(doubling_high_mul(half_denominator, x));
        x = x.wrapping_add(saturating_shl(doubling_high_mul(x, rest), 2));
    }
    saturating_shl(x, 1)
}

/// 1 / x for x > 0 with `integer_bits` integer bits: the mantissa in Q0.31 and how many bits x lies above 1.
/// Source: `GetReciprocal`.
pub fn reciprocal(x: i32, integer_bits: i32) -> (i32, i32) {
    let headroom = (x as u32).leading_zeros();
    let shifted = (x as u32).checked_shl(headroom).unwrap_or(0);
    let minus_one = shifted.wrapping_sub(1 << 31) as i32;
    (one_over_one_plus(minus_one), integer_bits - headroom as i32)
}

/// 1 / √x for x ≥ 0 as a Q0.31 mantissa and a left shift; 0 counts as 1. Source: `GetInvSqrtQuantizedMultiplierExp`.
pub fn inverse_sqrt(x: i32) -> Multiplier {
    const HALF_SQRT_2: i32 = 1518500250;
    const THREE_HALVES: i32 = (1 << 28) + (1 << 27);
    if x <= 1 {
        return Multiplier {
            mantissa: i32::MAX,
            shift: 0,
        };
    }
    let (mut x, mut shift) = (x, 11);
    while x >= 1 << 29 {
        x /= 4;
        shift += 1;
    }
    // Brought to [2²⁷, 2²⁹), which is [¼, 1) in Q3.28 after the halving.
    let pairs = (x.leading_zeros() as i32 - 1) / 2 - 1;
    shift -= pairs;
    let half = (x << (2 * pairs)) >> 1;
    let quarter = rounding_divide_by_pot(half, 1);
    let mut y = 1 << 28;
    for _ in 0..5 {
        let cube = saturating_shl(doubling_high_mul(doubling_high_mul(y, y), y), 6);
        let next =
            doubling_high_mul(THREE_HALVES, y).wrapping_sub(doubling_high_mul(quarter, cube));
        y = saturating_shl(next, 3);
    }
    let mantissa = doubling_high_mul(y, HALF_SQRT_2);
    if shift < 0 {
        return Multiplier {
            mantissa: mantissa << -shift,
            shift: 0,
        };
    }
    Multiplier {
        mantissa,
        shift: -shift,
    }
}

/// The natural logarithm of x ≥ 1 in Q12.19, in Q5.26: a rational approximation around √½. Source:
/// `log_x_for_x_greater_than_or_equal_to_1_impl`.
pub fn log_of_at_least_one(x: i32) -> i32 {
    const LOG_2: i32 = 1488522236;
    const SQRT_SQRT_HALF: i32 = 1805811301;
    const SQRT_HALF: i32 = 1518500250;
    const ALPHA_N: i32 = 117049297;
    const ALPHA_D: i32 = 127690142;
    const ALPHA_I: i32 = 1057819769;
    const ALPHA_F: i32 = 638450708;
    const INPUT_INTEGER_BITS: i32 = 12;
    /// ¼ in Q6.25.
    const QUARTER: i32 = 1 << 23;
    let mul = doubling_high_mul;
    let exponent = |bits: i32| saturating_shl(bits, 25);
    let headroom = x.leading_zeros();
    let r_a = mul(saturating_shl(x, headroom.saturating_sub(1)), SQRT_HALF);
    let r_a = saturating_shl(r_a, 1);
    let power_a = exponent(INPUT_INTEGER_BITS - headroom as i32).saturating_add(QUARTER);
    let headroom = mul(x, SQRT_HALF).leading_zeros().saturating_sub(1);
    let r_b = saturating_shl(x, headroom);
    let power_b = exponent(INPUT_INTEGER_BITS - headroom as i32).saturating_sub(QUARTER);
    let (r, power) = (r_a.min(r_b), power_a.max(power_b));
    let sum = i64::from(r) + i64::from(SQRT_SQRT_HALF);
    let p = ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32;
    let q = r.wrapping_sub(SQRT_SQRT_HALF).wrapping_mul(2);
    let square = mul(q, q);
    let numerator = mul(q, r).wrapping_add(mul(mul(q, square), ALPHA_N));
    let inner = ALPHA_I.wrapping_add(q).wrapping_add(mul(ALPHA_D, square));
    let denominator = mul(p, inner).wrapping_add(mul(ALPHA_F, q));
    let fraction = mul(
        rounding_divide_by_pot(numerator, 6),
        one_over_one_plus(denominator),
    );
    saturating_shl(mul(power, LOG_2).wrapping_add(fraction), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_are_within_half_a_step_of_the_real_factor() {
        for real in [
            1.0,
            0.5,
            0.999_999_999_9,
            1e-9,
            3.7e-5,
            123.4,
            2f64.powi(-32),
        ] {
            let m = Multiplier::from_real(real);
            let back = f64::from(m.mantissa) * 2f64.powi(m.shift - 31);
            assert!(
                (back - real).abs() <= real * 2f64.powi(-31),
                "{real} became {back}"
            );
        }
        let one = Multiplier::from_real(1.0);
        assert_eq!((one.mantissa, one.shift), (1 << 30, 1));
    }

    #[test]
    fn hopeless_factors_become_zero() {
        for real in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300, 5e-324] {
            assert_eq!(Multiplier::from_real(real).mantissa, 0, "{real}");
        }
    }

    #[test]
    fn division_rounds_half_away_from_zero() {
        let got: Vec<_> = [-6, -5, -3, -2, -1, 1, 2, 3, 5, 6]
            .map(|x| rounding_divide_by_pot(x, 2))
            .to_vec();
        assert_eq!(got, [-2, -1, -1, -1, 0, 0, 1, 1, 1, 2]);
        assert_eq!(rounding_divide_by_pot(i32::MIN, 31), -1);
        assert_eq!(rounding_divide_by_pot(i32::MAX, 40), 0);
    }

    #[test]
    fn int64_accumulators_keep_15_bits_of_the_factor_and_round_half_up() {
        let half = Multiplier::from_real(0.5);
        assert_eq!(
            [-3, -1, 1, 3].map(|x| half.apply_i64(x)).to_vec(),
            [-1, 0, 1, 2]
        );
        assert_eq!(
            Multiplier::from_real(0.999_999).apply_i64(1 << 20),
            32767 * 32
        );
    }

    #[test]
    fn exp_and_reciprocal_are_close_to_the_real_functions() {
        for i in 0..2000 {
            let real = -f64::from(i) / 100.0;
            let got = f64::from(exp_on_negative((real * f64::from(1 << 26)) as i32))
                / f64::from(i32::MAX);
            assert!((got - real.exp()).abs() < 1e-6, "exp({real}) gave {got}");
        }
        for x in [1, 3, 1000, 1 << 19, 12_345_678, i32::MAX] {
            let (mantissa, bits) = reciprocal(x, 12);
            let got = f64::from(mantissa) / f64::from(i32::MAX) * 2f64.powi(-bits);
            let real = f64::from(1 << 19) / f64::from(x);
            assert!(
                (got / real - 1.0).abs() < 1e-6,
                "1/{x} gave {got}, not {real}"
            );
        }
    }

    #[test]
    fn inverse_root_and_logarithm_are_close_to_the_real_functions() {
        for x in [
            1,
            2,
            3,
            4,
            17,
            255,
            65_025,
            1 << 20,
            (1 << 29) - 1,
            1 << 29,
            i32::MAX,
        ] {
            let m = inverse_sqrt(x);
            let got = f64::from(m.mantissa) * 2f64.powi(m.shift - 31);
            let real = 1.0 / f64::from(x).sqrt();
            // LiteRT's five Newton steps from 1 end 1.26e-6 short where the mantissa is a quarter.
            assert!(
                (got / real - 1.0).abs() < 1.3e-6,
                "1/√{x} gave {got}, not {real}"
            );
        }
        for real in [1.0, 1.5, 2.0, 3.75, 100.0, 4095.0] {
            let got = f64::from(log_of_at_least_one((real * f64::from(1 << 19)) as i32))
                / f64::from(1 << 26);
            assert!((got - real.ln()).abs() < 1e-6, "ln {real} gave {got}");
        }
    }
}
