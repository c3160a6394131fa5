//! Constants in their quantized form.

use super::params::{Channels, quantize, to_f16};
use crate::error::Result;
use crate::graph::{DType, Quantization, Tensor, TensorId};
use crate::progress::Progress;

/// Elements that are converted between two looks at the cancel flag.
const PIECE: usize = 1 << 18;

/// The float32 constant `t` on the integers of `dtype` with the parameters `q`. Fails if they do not fit each other, and when cancelled.
pub fn quantized_constant(
    t: TensorId,
    old: &Tensor,
    dtype: DType,
    q: &Quantization,
    progress: &Progress,
) -> Result<Tensor> {
    let (Some(values), Some(channels)) = (
        old.f32s(),
        Channels::new(&old.shape, (q.scales.len() > 1).then_some(q.axis)),
    ) else {
        return crate::malformed!(
            "Constant {t} ({:?}) has no float32 values to quantize.",
            old.name
        );
    };
    if q.scales.len() != channels.channels || q.zero_points.len() != channels.channels {
        return crate::invalid!(
            "Constant {t} ({:?}) has {} channels, its plan {} scales; make the plan anew.",
            old.name,
            channels.channels,
            q.scales.len()
        );
    }
    let integers = |(qmin, qmax): (i64, i64)| -> Result<Vec<u8>> {
        // The low bytes of a little-endian integer are the same integer in a narrower type.
        let width = dtype.bits() / 8;
        let mut data = Vec::with_capacity(values.len() * width);
        let mut since_check = 0;
        for (run, values) in values.chunks(channels.inner.max(1)).enumerate() {
            let c = run % channels.channels.max(1);
            let (scale, zero_point) = (q.scales[c], q.zero_points[c]);
            for piece in values.chunks(PIECE) {
                since_check += piece.len();
                if since_check >= PIECE {
                    progress.check()?;
                    since_check = 0;
                }
                if width == 1 && zero_point == 0 {
                    let byte = |&v: &f32| quantize_byte(v, scale, qmin, qmax);
                    data.extend(piece.iter().map(byte));
                    continue;
                }
                for &v in piece {
                    let integer = quantize(v, scale, zero_point, qmin, qmax).to_le_bytes();
                    data.extend_from_slice(integer.get(..width).unwrap_or(&integer));
                }
            }
        }
        Ok(data)
    };
    let range = match (dtype, dtype.integer_range()) {
        (DType::Int32, _) => (-i64::from(i32::MAX), i64::from(i32::MAX)),
        (DType::Int64, _) => (-(1 << 46), 1 << 46),
        (DType::Int8 | DType::UInt8 | DType::Int16, Some(range)) => range,
        _ => {
            return crate::unsupported!(
                "Constant {t} ({:?}) cannot be stored as {dtype}.",
                old.name
            );
        }
    };
    Ok(Tensor {
        dtype,
        quantization: Some(q.clone()),
        data: Some(integers(range)?.into()),
        ..old.clone()
    })
}

/// The low byte of `params::quantize` with zero point 0, in a form that is quick without an instruction that rounds; the range
/// is that of a byte.
#[inline]
fn quantize_byte(v: f32, scale: f32, qmin: i64, qmax: i64) -> u8 {
    // One step beyond the range is still clamped, and an int32 holds it.
    let x = (f64::from(v) / f64::from(scale)).clamp(qmin as f64 - 1.0, qmax as f64 + 1.0);
    let whole = x as i32;
    let rest = x - f64::from(whole);
    let rounded = whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5);
    rounded.clamp(qmin as i32, qmax as i32) as u8
}

/// The float32 constant `t` as float16, what lies beyond its range clipped. Fails when cancelled.
pub fn half_constant(t: TensorId, old: &Tensor, progress: &Progress) -> Result<Tensor> {
    let Some(values) = old.f32s() else {
        return crate::malformed!("Constant {t} ({:?}) has no float32 values.", old.name);
    };
    let mut data = Vec::with_capacity(values.len() * 2);
    for piece in values.chunks(PIECE) {
        progress.check()?;
        data.extend(
            piece
                .iter()
                .flat_map(|&v| to_f16(v).to_bits().to_le_bytes()),
        );
    }
    Ok(Tensor {
        dtype: DType::Float16,
        quantization: None,
        data: Some(data.into()),
        ..old.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded_as_other_integers() {
        let steps = (-1100..=1100).map(|i| i as f32 / 8.0);
        let odd = [
            f32::NAN,
            f32::INFINITY,
            f32::MIN,
            f32::MAX,
            1e-45,
            0.49999997,
        ];
        for v in steps.chain(odd) {
            for scale in [1.0, 0.1, 0.003, 1e-30, 1e30] {
                for (qmin, qmax) in [(-128, 127), (-127, 127), (0, 255)] {
                    let want = quantize(v, scale, 0, qmin, qmax) as u8;
                    assert_eq!(quantize_byte(v, scale, qmin, qmax), want, "{v} by {scale}");
                }
            }
        }
    }
}
