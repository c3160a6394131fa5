//! From accumulators to quantized outputs: per-channel fixed-point parameters as the kernels read them, and the scalar arithmetic.

use super::gemm::per_column;
use crate::error::Result;

/// Fixed-point rescale of an operator's accumulators: real factor = multiplier · 2^(shift − 31), one for the tensor or one per
/// output channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rescale<'a> {
    /// Fixed-point multipliers, at least 0, of 31 fractional bits: one, or one per output channel.
    pub multipliers: &'a [i32],
    /// Powers of two to them, −31..=30 (int64 accumulators: −31..=14); as many as multipliers.
    pub shifts: &'a [i32],
    /// Zero point of the output.
    pub zero_point: i32,
    /// Least output, after the fused activation.
    pub min: i32,
    /// Greatest output, after the fused activation.
    pub max: i32,
}

impl Rescale<'_> {
    /// That multipliers and shifts fit `channels` and their ranges.
    pub(crate) fn check(&self, channels: usize, max_shift: i32) -> Result<()> {
        let n = self.multipliers.len();
        if (n != 1 && n != channels) || self.shifts.len() != n {
            return crate::invalid!(
                "{n} multipliers and {} shifts for {channels} output channels; there must be one or one per channel",
                self.shifts.len()
            );
        }
        if let Some(i) = self.multipliers.iter().position(|&m| m < 0) {
            return crate::invalid!("the output multiplier of channel {i} is negative");
        }
        if let Some(i) = self
            .shifts
            .iter()
            .position(|&s| !(-31..=max_shift).contains(&s))
        {
            return crate::invalid!(
                "the output scale of channel {i} is out of range: its shift is {}, allowed is -31 to {max_shift}",
                self.shifts[i]
            );
        }
        Ok(())
    }
}

/// Parameters of int32 accumulators, one per packed column.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    /// Added first; the zero point of the input is folded in.
    pub bias: Vec<i32>,
    pub multiplier: Vec<i32>,
    pub left: Vec<i32>,
    pub right: Vec<i32>,
    pub zero_point: i32,
    pub min: i32,
    pub max: i32,
}

impl Fixed {
    /// For `columns` channels beginning at `first`; `bias` holds theirs.
    pub fn new(rescale: &Rescale, first: usize, columns: usize, mut bias: Vec<i32>) -> Self {
        bias.resize(columns.next_multiple_of(super::gemm::PANEL), 0);
        let part = |all: &[i32]| match all {
            [one] => vec![*one],
            many => many[first..first + columns].to_vec(),
        };
        let shifts = part(rescale.shifts);
        let left: Vec<i32> = shifts.iter().map(|&s| s.max(0)).collect();
        let right: Vec<i32> = shifts.iter().map(|&s| (-s).max(0)).collect();
        Self {
            bias,
            multiplier: per_column(&part(rescale.multipliers), columns, 0),
            left: per_column(&left, columns, 0),
            right: per_column(&right, columns, 0),
            zero_point: rescale.zero_point,
            min: rescale.min,
            max: rescale.max,
        }
    }

    /// Those of the columns from `first` on.
    pub fn from(&self, first: usize) -> FixedPart<'_> {
        FixedPart {
            bias: &self.bias[first..],
            multiplier: &self.multiplier[first..],
            left: &self.left[first..],
            right: &self.right[first..],
            zero_point: self.zero_point,
            min: self.min,
            max: self.max,
        }
    }
}

/// [`Fixed`] of the columns of one block; whole panels.
#[derive(Clone, Copy)]
pub(crate) struct FixedPart<'a> {
    pub bias: &'a [i32],
    pub multiplier: &'a [i32],
    pub left: &'a [i32],
    pub right: &'a [i32],
    pub zero_point: i32,
    pub min: i32,
    pub max: i32,
}

/// Parameters of int64 accumulators, one per packed column: y = ((x + bias) · multiplier + round) >> shift.
#[derive(Debug, Clone)]
pub(crate) struct Wide {
    pub bias: Vec<i64>,
    /// 15 fractional bits, as LiteRT reduces it for int64 accumulators.
    pub multiplier: Vec<i64>,
    pub round: Vec<i64>,
    pub shift: Vec<i64>,
    pub zero_point: i32,
    pub min: i32,
    pub max: i32,
}

impl Wide {
    /// For `columns` channels beginning at `first`; `bias` holds theirs.
    pub fn new(rescale: &Rescale, first: usize, columns: usize, mut bias: Vec<i64>) -> Self {
        bias.resize(columns.next_multiple_of(super::gemm::PANEL), 0);
        let part = |all: &[i32]| match all {
            [one] => vec![*one],
            many => many[first..first + columns].to_vec(),
        };
        let multiplier: Vec<i64> = part(rescale.multipliers)
            .iter()
            .map(|&m| reduced(m))
            .collect();
        let shift: Vec<i64> = part(rescale.shifts)
            .iter()
            .map(|&s| i64::from(15 - s))
            .collect();
        let round: Vec<i64> = shift.iter().map(|&s| 1 << (s - 1)).collect();
        Self {
            bias,
            multiplier: per_column(&multiplier, columns, 0),
            round: per_column(&round, columns, 0),
            shift: per_column(&shift, columns, 1),
            zero_point: rescale.zero_point,
            min: rescale.min,
            max: rescale.max,
        }
    }

    /// Those of the columns from `first` on.
    pub fn from(&self, first: usize) -> WidePart<'_> {
        WidePart {
            bias: &self.bias[first..],
            multiplier: &self.multiplier[first..],
            round: &self.round[first..],
            shift: &self.shift[first..],
            zero_point: self.zero_point,
            min: self.min,
            max: self.max,
        }
    }
}

/// [`Wide`] of the columns of one block; whole panels.
#[derive(Clone, Copy)]
pub(crate) struct WidePart<'a> {
    pub bias: &'a [i64],
    pub multiplier: &'a [i64],
    pub round: &'a [i64],
    pub shift: &'a [i64],
    pub zero_point: i32,
    pub min: i32,
    pub max: i32,
}

/// The multiplier with 15 fractional bits (LiteRT, `MultiplyByQuantizedMultiplier` of int64).
pub(crate) fn reduced(multiplier: i32) -> i64 {
    if multiplier < 0x7FFF_0000 {
        (i64::from(multiplier) + (1 << 15)) >> 16
    } else {
        0x7FFF
    }
}

/// x · multiplier · 2^(left − right − 31), rounded twice: the doubled high half to nearest, ties up, then the right shift to
/// nearest, ties away from zero (gemmlowp's `SaturatingRoundingDoublingHighMul` and `RoundingDivideByPOT`, as LiteRT's reference
/// kernels use them).
#[inline]
pub(crate) fn rescale(x: i32, multiplier: i32, left: i32, right: i32) -> i32 {
    let x = x.wrapping_shl(left as u32);
    let high = ((i64::from(x) * i64::from(multiplier) + (1 << 30)) >> 31) as i32;
    let mask = (1i64 << right) as i32;
    let mask = mask.wrapping_sub(1);
    let threshold = (mask >> 1) + i32::from(high < 0);
    (high >> right) + i32::from((high & mask) > threshold)
}

/// ((x · multiplier) + round) >> shift, the low 32 bits of it.
#[inline]
pub(crate) fn rescale_wide(x: i64, multiplier: i64, round: i64, shift: i64) -> i32 {
    (x.wrapping_mul(multiplier).wrapping_add(round) >> shift) as i32
}
