//! Constants in their quantized form.

use rayon::prelude::*;

use super::params::{Channels, PART, quantize, to_f16};
use crate::error::Result;
use crate::graph::{DType, Quantization, Tensor, TensorId};
use crate::kernels::{Isa, Vectorized, vectorized};
use crate::progress::Progress;

/// Elements that are converted between two looks at the cancel flag.
const PIECE: usize = 1 << 18;
/// Values that are rounded together.
const TOGETHER: usize = 64;

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
        if width == 1 && channels.inner >= TOGETHER && q.zero_points.iter().all(|&z| z == 0) {
            return bytes_by_run(&values, channels, &q.scales, (qmin, qmax), progress);
        }
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

/// The values of long runs as symmetric bytes, on all threads.
fn bytes_by_run(
    values: &[f32],
    channels: Channels,
    scales: &[f32],
    range: (i64, i64),
    progress: &Progress,
) -> Result<Vec<u8>> {
    let mut data = vec![0; values.len()];
    let isa = Isa::chosen();
    let part = |first: usize, values: &[f32], out: &mut [u8]| -> Result<()> {
        let runs = values
            .chunks(channels.inner)
            .zip(out.chunks_mut(channels.inner));
        for (run, (values, out)) in runs.enumerate() {
            let scale = scales[(first + run) % channels.channels.max(1)];
            for (values, out) in values.chunks(PIECE).zip(out.chunks_mut(PIECE)) {
                progress.check()?;
                symmetric_bytes(isa, values, scale, range, out);
            }
        }
        Ok(())
    };
    if values.len() <= PART {
        part(0, values, &mut data)?;
        return Ok(data);
    }
    let runs = (PART / channels.inner).max(1);
    let step = runs * channels.inner;
    let parts = values.par_chunks(step).zip(data.par_chunks_mut(step));
    parts
        .enumerate()
        .try_for_each(|(i, (values, out))| part(i * runs, values, out))?;
    Ok(data)
}

/// [`quantize_byte`] of every value.
fn symmetric_bytes(isa: Isa, values: &[f32], scale: f32, (qmin, qmax): (i64, i64), out: &mut [u8]) {
    // Where the inverse is exact to its last bits.
    let plain = (1e-30..1e30).contains(&scale);
    let inverse = 1.0 / scale;
    let (low, high) = (qmin as f32, qmax as f32);
    let (whole, rest) = out.as_chunks_mut::<TOGETHER>();
    let (all, last) = values.as_chunks::<TOGETHER>();
    let exact = |values: &[f32], out: &mut [u8]| {
        for (out, &v) in out.iter_mut().zip(values) {
            *out = quantize_byte(v, scale, qmin, qmax);
        }
    };
    let mut unclear = vec![];
    if plain {
        let clear = Clear {
            values: all,
            inverse,
            range: (low, high),
            out: &mut *whole,
            unclear: &mut unclear,
        };
        vectorized(isa, clear);
    } else {
        unclear.extend(0..all.len());
    }
    for i in unclear {
        exact(&all[i], &mut whole[i]);
    }
    exact(last, rest);
}

/// [`clear_bytes`] of many chunks; the numbers of those that are not clear are added to `unclear`.
struct Clear<'a> {
    values: &'a [[f32; TOGETHER]],
    inverse: f32,
    range: (f32, f32),
    out: &'a mut [[u8; TOGETHER]],
    unclear: &'a mut Vec<usize>,
}

impl Vectorized for Clear<'_> {
    #[inline(always)]
    fn run(self) {
        for (i, (values, out)) in self.values.iter().zip(self.out).enumerate() {
            if !clear_bytes(values, self.inverse, self.range, out) {
                self.unclear.push(i);
            }
        }
    }
}

/// [`quantize_byte`] of values none of which is NaN or within 1e-4 steps of a half, whatever it was divided by: whether they are
/// so; if not, `out` holds nothing of use. In float32, so that the compiler makes vectors of it.
#[inline(always)]
fn clear_bytes(
    values: &[f32; TOGETHER],
    inverse: f32,
    (low, high): (f32, f32),
    out: &mut [u8; TOGETHER],
) -> bool {
    /// Its last bit is worth 1, so that adding it rounds to an integer; the integer stands in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    let mut clear = true;
    for (out, &v) in out.iter_mut().zip(values) {
        // Up to 256 steps, two roundings move it by 4e-5 at most.
        let x = v * inverse;
        let x = if x < low { low } else { x };
        let x = if x > high { high } else { x };
        let whole = x + MAGIC;
        let rest = (x - (whole - MAGIC)).abs();
        clear &= rest < 0.4999;
        *out = whole.to_bits() as u8;
    }
    clear
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
    fn runs_are_rounded_value_by_value() {
        // Halves, what lies a hair beside them, ends of the range and beyond, NaN: at every place of a run.
        let hard = [
            0.5f32,
            -0.5,
            1.5,
            2.500_000_2,
            126.5,
            -127.49,
            127.5,
            300.0,
            f32::NAN,
        ];
        let inner = TOGETHER + 5;
        for (channel, scale) in [1.0f32, 0.1, 0.003_921_6, 1.5e-39, 1e35].iter().enumerate() {
            for (at, v) in (0..inner).zip(hard.iter().cycle().skip(channel)) {
                let mut values: Vec<f32> = (0..inner).map(|i| i as f32 * 0.77 * scale).collect();
                values[at] = v * scale;
                for (qmin, qmax) in [(-128, 127), (-127, 127), (0, 255)] {
                    let exact = values
                        .iter()
                        .map(|&v| quantize(v, *scale, 0, qmin, qmax) as u8);
                    let exact: Vec<u8> = exact.collect();
                    for isa in Isa::available() {
                        let mut out = vec![0; inner];
                        symmetric_bytes(isa, &values, *scale, (qmin, qmax), &mut out);
                        assert_eq!(out, exact, "{v} at {at} by {scale}, {isa:?}");
                    }
                }
            }
        }
        let values: Vec<f32> = (0..3 * PART).map(|i| (i % 1009) as f32 - 500.0).collect();
        let channels = Channels {
            outer: 1,
            channels: 3,
            inner: PART,
        };
        let scales = [1.0, 4.0, 7.3];
        let out = bytes_by_run(&values, channels, &scales, (-127, 127), &Progress::new()).unwrap();
        for (i, (&v, out)) in values.iter().zip(out).enumerate() {
            assert_eq!(out, quantize(v, scales[i / PART], 0, -127, 127) as u8);
        }
    }

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
