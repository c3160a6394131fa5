//! Quantized comparisons: operands brought to a common fixed-point scale.
//!
//! Source: `comparisons.cc`, `internal/reference/comparisons.h` `ComparisonWithScaling`.

use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::QuantInt;

/// How steps of two quantizations become comparable integers.
#[derive(Debug, Clone, Copy)]
pub struct CommonScale {
    zero_points: [i32; 2],
    multipliers: [Multiplier; 2],
}

impl CommonScale {
    const LEFT_SHIFT: u32 = 8;

    /// For scales and zero points of left and right.
    pub fn new(left: (f32, i32), right: (f32, i32)) -> Self {
        Self {
            zero_points: [left.1, right.1],
            multipliers: [left.0, right.0].map(|scale| Multiplier::from_real(scale.into())),
        }
    }

    /// Whether both scales are within the fixed-point format.
    pub fn is_representable(&self) -> bool {
        self.multipliers.iter().all(|m| m.fits_i32())
    }

    /// Both operands on the common scale.
    #[inline]
    pub fn apply<T: QuantInt>(&self, a: T, b: T) -> (i32, i32) {
        let scaled = |v: T, i: usize| {
            self.multipliers[i]
                .apply((v.to_i32() - self.zero_points[i]).wrapping_shl(Self::LEFT_SHIFT))
        };
        (scaled(a, 0), scaled(b, 1))
    }
}
