//! QUANTIZE from integer to integer: another scale, zero point or type.
//!
//! Source: `internal/reference/requantize.h`. From and to float see [`kernels::quantize`](crate::kernels::quantize).

use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::QuantInt;

/// Steps of one quantization to steps of another: `multiplier` is input scale / output scale.
pub fn requantize<T: QuantInt, O: QuantInt>(
    input: &[T],
    multiplier: Multiplier,
    input_zero_point: i32,
    output_zero_point: i32,
    out: &mut [O],
) {
    for (o, v) in out.iter_mut().zip(input) {
        let scaled = multiplier.apply(v.to_i32().wrapping_sub(input_zero_point));
        *o = O::saturate(scaled.wrapping_add(output_zero_point).into());
    }
}
