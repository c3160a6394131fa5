//! From accumulators to quantized outputs: per-channel parameters as the fast kernels read them, and the scalar arithmetic.

use super::fixed_point::{Multiplier, Rescale};
use super::gemm::PANEL;
use super::reference::conv::Quantized;
use crate::error::Result;

/// Bounds of an output and its zero point; outputs are clamped before the zero point is added, so that nothing overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub zero_point: i32,
    /// Smallest output less the zero point.
    pub low: i32,
    /// Greatest output less the zero point.
    pub high: i32,
}

impl Bounds {
    /// Those of an operator whose outputs must lie in `min..=max` by their type.
    pub fn new(q: &Quantized, min: i32, max: i32) -> Result<Self> {
        let all = min..=max;
        let (low, high) = q.clamp;
        if !all.contains(&q.output_zero_point)
            || !all.contains(&low)
            || !all.contains(&high)
            || low > high
        {
            return crate::invalid!(
                "outputs in {low} to {high} around zero point {}: the type holds {min} to {max}",
                q.output_zero_point
            );
        }
        Ok(Self {
            zero_point: q.output_zero_point,
            low: low - q.output_zero_point,
            high: high - q.output_zero_point,
        })
    }

    #[inline]
    pub fn finish(self, rescaled: i32) -> i32 {
        rescaled.max(self.low).min(self.high) + self.zero_point
    }
}

/// How the accumulators of all channels are rescaled.
pub(crate) enum Factors {
    Fixed(Vec<Multiplier>),
    Real(Vec<f64>),
}

impl Factors {
    /// One factor per channel, all of one kind, their shifts at most `max_shift`.
    pub fn new(rescale: &[Rescale], channels: usize, max_shift: i32) -> Result<Self> {
        if rescale.len() != channels {
            return crate::invalid!(
                "{} output scales for {channels} output channels",
                rescale.len()
            );
        }
        let (mut fixed, mut real) = (vec![], vec![]);
        for (i, r) in rescale.iter().enumerate() {
            match *r {
                Rescale::Fixed(m) => {
                    if m.mantissa < 0 || !(-31..=max_shift).contains(&m.shift) {
                        return crate::invalid!(
                            "the scales of output channel {i} ask for a factor of {}·2^{}, which fixed-point arithmetic does not hold",
                            m.mantissa,
                            m.shift - 31
                        );
                    }
                    fixed.push(m);
                }
                Rescale::Real(r) => real.push(r),
            }
        }
        if real.is_empty() {
            Ok(Factors::Fixed(fixed))
        } else if fixed.is_empty() {
            Ok(Factors::Real(real))
        } else {
            crate::invalid!("some output channels are rescaled in fixed point, others in float64")
        }
    }
}

/// `values` filled up with `filler` to whole panels.
pub(crate) fn whole_panels<T: Copy>(values: impl Iterator<Item = T>, filler: T) -> Vec<T> {
    let mut out: Vec<T> = values.collect();
    out.resize(out.len().next_multiple_of(PANEL), filler);
    out
}

/// Fixed-point parameters of int32 accumulators, one per packed column.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    /// Added first; the zero point of the input is folded in.
    pub bias: Vec<i32>,
    pub multiplier: Vec<i32>,
    pub left: Vec<i32>,
    pub right: Vec<i32>,
    pub bounds: Bounds,
    /// Whether no sum can come near the ends of int32 while it is rescaled: twice its left shift fits, and so does what the
    /// right shift adds for rounding.
    pub roomy: bool,
}

/// [`Fixed`] of the columns of one block; whole panels.
#[derive(Clone, Copy)]
pub(crate) struct FixedPart<'a> {
    pub bias: &'a [i32],
    pub multiplier: &'a [i32],
    pub left: &'a [i32],
    pub right: &'a [i32],
    pub bounds: Bounds,
    pub roomy: bool,
}

impl Fixed {
    /// One of each per column; `most` is the greatest magnitude that a sum can have before the bias.
    pub fn new(
        factors: &[Multiplier],
        bias: impl Iterator<Item = i32>,
        most: impl Iterator<Item = i64>,
        bounds: Bounds,
    ) -> Self {
        let f = factors.iter();
        let bias: Vec<i32> = whole_panels(bias, 0);
        let roomy = f.clone().zip(&bias).zip(most).all(|((m, bias), most)| {
            let most = most.saturating_add(i64::from(*bias).abs());
            // Beyond 30 a shift would be longer than the integer.
            (-30..=30).contains(&m.shift) && most < 1 << (30 - m.shift.max(0))
        });
        Self {
            bias,
            multiplier: whole_panels(f.clone().map(|m| m.mantissa), 0),
            left: whole_panels(f.clone().map(|m| m.shift.max(0)), 0),
            right: whole_panels(f.map(|m| (-m.shift).max(0)), 0),
            bounds,
            roomy,
        }
    }

    /// Those of the columns from `first` on.
    pub fn from(&self, first: usize) -> FixedPart<'_> {
        FixedPart {
            bias: &self.bias[first..],
            multiplier: &self.multiplier[first..],
            left: &self.left[first..],
            right: &self.right[first..],
            bounds: self.bounds,
            roomy: self.roomy,
        }
    }
}

/// Fixed-point parameters of int64 accumulators, one per packed column: y = ((x + bias) · multiplier + round) >> shift.
#[derive(Debug, Clone)]
pub(crate) struct Wide {
    pub bias: Vec<i64>,
    /// 15 fractional bits, as LiteRT reduces it for int64 accumulators.
    pub multiplier: Vec<i64>,
    pub round: Vec<i64>,
    pub shift: Vec<i64>,
    pub bounds: Bounds,
}

/// [`Wide`] of the columns of one block; whole panels.
#[derive(Clone, Copy)]
pub(crate) struct WidePart<'a> {
    pub bias: &'a [i64],
    pub multiplier: &'a [i64],
    pub round: &'a [i64],
    pub shift: &'a [i64],
    pub bounds: Bounds,
}

impl Wide {
    pub fn new(factors: &[Multiplier], bias: impl Iterator<Item = i64>, bounds: Bounds) -> Self {
        let f = factors.iter();
        let shift = f.clone().map(|m| i64::from(15 - m.shift));
        Self {
            bias: whole_panels(bias, 0),
            multiplier: whole_panels(f.map(|m| reduced(m.mantissa)), 0),
            round: whole_panels(shift.clone().map(|s| 1 << (s - 1)), 0),
            shift: whole_panels(shift, 1),
            bounds,
        }
    }

    /// Those of the columns from `first` on.
    pub fn from(&self, first: usize) -> WidePart<'_> {
        WidePart {
            bias: &self.bias[first..],
            multiplier: &self.multiplier[first..],
            round: &self.round[first..],
            shift: &self.shift[first..],
            bounds: self.bounds,
        }
    }
}

/// float64 parameters, one per packed column: y = round((x + bias) · factor).
#[derive(Debug, Clone)]
pub(crate) struct Real {
    pub bias: Vec<i64>,
    pub factor: Vec<f64>,
    pub bounds: Bounds,
}

impl Real {
    pub fn new(factors: &[f64], bias: impl Iterator<Item = i64>, bounds: Bounds) -> Self {
        Self {
            bias: whole_panels(bias, 0),
            factor: whole_panels(factors.iter().copied(), 0.0),
            bounds,
        }
    }
}

/// The multiplier with 15 fractional bits (LiteRT, `MultiplyByQuantizedMultiplier` of int64).
fn reduced(multiplier: i32) -> i64 {
    if multiplier < 0x7FFF_0000 {
        (i64::from(multiplier) + (1 << 15)) >> 16
    } else {
        0x7FFF
    }
}

/// [`Multiplier::apply`] with the shift parted into left and right (at most 31), in a form that has no branch.
#[inline]
pub(crate) fn rescale(x: i32, multiplier: i32, left: i32, right: i32) -> i32 {
    let x = x.wrapping_shl(left as u32);
    // Half away from zero and half up agree here: a negative product ends half way only where both give the greater.
    let high = ((i64::from(x) * i64::from(multiplier) + (1 << 30)) >> 31) as i32;
    let mask = ((1u32 << right) - 1) as i32;
    let threshold = (mask >> 1) + i32::from(high < 0);
    (high >> right) + i32::from((high & mask) > threshold)
}

/// [`rescale`] where `Fixed::roomy` holds, in the fewer steps that vector code takes there.
#[inline]
#[cfg(test)]
fn rescale_roomy(x: i32, multiplier: i32, left: i32, right: i32) -> i32 {
    let twice = x << (left + 1);
    let high = ((i64::from(twice) * i64::from(multiplier) + (1 << 31)) >> 32) as i32;
    let half = (1 << right) >> 1;
    // Halves away from zero; without a right shift nothing is left to round.
    let negative = if half == 0 { 0 } else { high >> 31 };
    (high + half + negative) >> right
}

/// ((x · multiplier) + round) >> shift, the low 32 bits of it.
#[inline]
pub(crate) fn rescale_wide(x: i64, multiplier: i64, round: i64, shift: i64) -> i32 {
    (x.wrapping_mul(multiplier).wrapping_add(round) >> shift) as i32
}

/// `v` rounded to the nearest integer, halves away from zero, saturating; 0 for NaN.
#[inline]
pub(crate) fn round_i32(v: f64) -> i32 {
    let whole = v as i64;
    let rest = v - whole as f64;
    let up = i64::from(rest >= 0.5) - i64::from(rest <= -0.5);
    whole
        .saturating_add(up)
        .clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalar_forms_agree_with_the_fixed_point_room() {
        let values = [
            0,
            1,
            -1,
            2,
            -2,
            3,
            12345,
            -12345,
            1 << 29,
            -(1 << 29),
            i32::MAX,
            i32::MIN,
            0x4000_0001,
            -0x4000_0001,
        ];
        let mantissas = [
            0,
            1 << 30,
            (1 << 30) + 1,
            i32::MAX,
            0x7FFF_0000,
            0x5555_5555,
        ];
        for mantissa in mantissas {
            for shift in -31..=30 {
                let m = Multiplier { mantissa, shift };
                for x in values.into_iter().flat_map(|v| [v, v ^ 0x2A5]) {
                    let got = rescale(x, mantissa, shift.max(0), (-shift).max(0));
                    assert_eq!(got, m.apply(x), "{x} by {m:?}");
                    if shift.abs() <= 30 && i64::from(x).abs() < 1 << (30 - shift.max(0)) {
                        let got = rescale_roomy(x, mantissa, shift.max(0), (-shift).max(0));
                        assert_eq!(got, m.apply(x), "{x} by {m:?}, roomy");
                    }
                    if m.fits_i64() {
                        let shift = i64::from(15 - shift);
                        let got =
                            rescale_wide(x.into(), reduced(mantissa), 1 << (shift - 1), shift);
                        assert_eq!(got, m.apply_i64(x.into()), "{x} by {m:?}, int64");
                    }
                }
            }
        }
    }

    #[test]
    fn reals_round_half_away_and_saturate() {
        let cases = [
            0.5,
            -0.5,
            1.5,
            2.4999999,
            -2.5,
            1e12,
            -1e300,
            f64::NAN,
            0.49999999999999994,
        ];
        for v in cases {
            assert_eq!(round_i32(v), v.round() as i32, "{v}");
        }
    }
}
