//! Fixed-point tanh and logistic on int16, as integer LSTM kernels use them.
//!
//! Source: gemmlowp `fixedpoint/fixedpoint.h` on `std::int16_t`. A format has `integer_bits` m: values in [−2^m, 2^m). Overflow
//! wraps where gemmlowp's does.

use super::fixed_point::{doubling_high_mul_i16 as mul, rounding_divide_by_pot};

/// An int32 constant of gemmlowp in 16 bits.
const fn constant(raw: i32) -> i16 {
    // Rounded half away from zero; no constant is a tie.
    ((raw + (1 << 15)) >> 16) as i16
}

/// `x · 2^exponent`, saturating.
fn shl(x: i16, exponent: i32) -> i16 {
    (i32::from(x) << exponent).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// `x / 2^exponent`, rounded half away from zero.
fn shr(x: i16, exponent: i32) -> i16 {
    rounding_divide_by_pot(x.into(), exponent) as i16
}

/// e^a for a in [−¼, 0) in Q0.15: the Taylor series around −⅛ up to the fourth power.
fn exp_near_zero(a: i16) -> i16 {
    const EXP_MINUS_EIGHTH: i16 = constant(1895147668);
    const THIRD: i16 = constant(715827883);
    let x = a.wrapping_add(1 << 12);
    let x2 = mul(x, x);
    let x3 = mul(x2, x);
    let x4 = mul(x2, x2);
    let higher = mul(shr(x4, 2).wrapping_add(x3), THIRD);
    let tail = shr(higher.wrapping_add(x2), 1);
    EXP_MINUS_EIGHTH.saturating_add(mul(EXP_MINUS_EIGHTH, x.wrapping_add(tail)))
}

/// e^a for a ≤ 0, in Q0.15. Source: `exp_on_negative_values`.
fn exp_on_negative(a: i16, integer_bits: i32) -> i16 {
    let fraction = 15 - integer_bits;
    if a == 0 {
        return i16::MAX;
    }
    if integer_bits > 5 && i32::from(a) < -(1 << (20 - integer_bits)) {
        return 0;
    }
    let quarter = 1i16 << (fraction - 2);
    let rest = (a & (quarter - 1)) - quarter;
    let mut result = exp_near_zero(shl(rest, integer_bits));
    let remainder = rest.wrapping_sub(a);
    // e^−(2^k) for k = −2 … 4, applied where bit k of the remainder is set.
    let factors = [
        1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242,
    ];
    for (k, factor) in (-2..integer_bits).zip(factors) {
        if remainder & (1 << (fraction + k)) != 0 {
            result = mul(result, constant(factor));
        }
    }
    result
}

/// 2 / (1 + a) for a in [0, 1] in Q0.15, in Q2.13: three Newton–Raphson steps.
fn two_over_one_plus(a: i16) -> i16 {
    const C48_OVER_17: i16 = constant(1515870810);
    const MINUS_32_OVER_17: i16 = constant(-1010580540);
    let sum = i32::from(a) + i32::from(i16::MAX);
    let half_denominator = ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i16;
    let mut x = C48_OVER_17.wrapping_add(mul(half_denominator, MINUS_32_OVER_17));
    for _ in 0..3 {
        let rest = (1i16 << 13).wrapping_sub(mul(half_denominator, x));
        x = x.wrapping_add(shl(mul(x, rest), 2));
    }
    x
}

/// tanh(a) in Q0.15 for a with `integer_bits` integer bits, 0 to 6.
pub fn tanh(a: i16, integer_bits: i32) -> i16 {
    if a == 0 {
        return 0;
    }
    let negative = if a < 0 { a } else { -a };
    // (1 − e) / (1 + e) = 2 / (1 + e) − 1 with e = exp(−2|a|).
    let e = exp_on_negative(negative, integer_bits + 1);
    let t = shl(two_over_one_plus(e).wrapping_sub(1 << 13), 2);
    if a < 0 { t.wrapping_neg() } else { t }
}

/// 1 / (1 + e^−a) in Q0.15 for a with `integer_bits` integer bits, 0 to 6.
pub fn logistic(a: i16, integer_bits: i32) -> i16 {
    if a == 0 {
        return 1 << 14;
    }
    let negative = if a < 0 { a } else { -a };
    let positive = shl(
        two_over_one_plus(exp_on_negative(negative, integer_bits)),
        1,
    );
    if a < 0 {
        i16::MAX.wrapping_sub(positive)
    } else {
        positive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_follow_the_real_functions() {
        for integer_bits in 0..=6 {
            let unit = f64::from(1 << (15 - integer_bits));
            for a in (i16::MIN..=i16::MAX).step_by(7) {
                let real = f64::from(a) / unit;
                let near = |q: i16, want: f64| (f64::from(q) / 32768.0 - want).abs() < 1e-3;
                assert!(near(tanh(a, integer_bits), real.tanh()), "tanh {real}");
                let want = 1.0 / (1.0 + (-real).exp());
                assert!(near(logistic(a, integer_bits), want), "logistic {real}");
            }
        }
    }
}
