//! The formulas: ranges to scales and zero points, reals to integers.
//!
//! They follow TensorFlow's int8 converter (double precision, halves away from zero), and differ from it only where its
//! result would be useless: a range or a channel that holds nothing but zeros.

use half::f16;
use rayon::prelude::*;

use crate::calibrate::{self, Range};
use crate::kernels::{Isa, Vectorized, vectorized};

/// Values that are worth a thread.
pub(super) const PART: usize = 1 << 17;

/// Largest quantized bias magnitude: int32 keeps half of its range free for the accumulated products.
pub const BIAS_MAX_INT32: f64 = (1u64 << 30) as f64;
/// The same for int64 biases; products with 2^40 stay far inside the 48 bits that LiteRT's int16 requantization takes.
pub const BIAS_MAX_INT64: f64 = (1u64 << 40) as f64;
/// Smallest useful (input scale × weight scale) / output scale: LiteRT's fixed-point multiplier becomes 0 below 2^−31.
pub const SMALLEST_MULTIPLIER: f64 = 1.0 / (1u64 << 30) as f64;
/// A range narrower than this is widened by as much at both ends.
const SMALLEST_WIDTH: f64 = 1e-6;

/// Smallest and largest of `values`; `None` if there are none or one is not finite.
pub fn finite_range(values: &[f32]) -> Option<(f32, f32)> {
    let found = match values.len() > PART {
        false => calibrate::finite_range(values),
        true => {
            let parts = values.par_chunks(PART).map(calibrate::finite_range);
            let both = |a: Option<Range>, b: Option<Range>| {
                let (a, b) = (a?, b?);
                let (min, max) = (a.min.min(b.min), a.max.max(b.max));
                Some(Range { min, max })
            };
            parts.reduce_with(both).flatten()
        }
    };
    found.map(|r| (r.min, r.max))
}

/// A positive scale as the file stores it: float32, neither 0, denormal nor infinite.
pub fn stored_scale(scale: f64) -> f32 {
    let scale = scale.clamp(f32::MIN_POSITIVE.into(), f32::MAX.into());
    if scale.is_nan() { 1.0 } else { scale as f32 }
}

/// Scale and zero point of an int8 activation over [min, max], 0 included: scale = (max − min) / 255, the zero point from
/// the end of the range with the smaller rounding error. A range of zeros alone is taken as [0, 1].
pub fn asymmetric_int8(min: f32, max: f32) -> (f32, i64) {
    let (qmin, qmax) = (-128.0f64, 127.0f64);
    let (mut min, mut max) = (f64::from(min).min(0.0), f64::from(max).max(0.0));
    if min == 0.0 && max == 0.0 {
        max = 1.0;
    } else if max - min < SMALLEST_WIDTH {
        min -= SMALLEST_WIDTH;
        max += SMALLEST_WIDTH;
    }
    let scale = (max - min) / (qmax - qmin);
    let (low, high) = (min / scale, max / scale);
    let zero_point = if qmin.abs() + low.abs() < qmax.abs() + high.abs() {
        qmin - low
    } else {
        qmax - high
    };
    (
        stored_scale(scale),
        zero_point.clamp(qmin, qmax).round() as i64,
    )
}

/// Scale of an int8 activation over [min, max] whose zero point must be 0: max(|min|, |max|) / 127. A range of zeros alone
/// is taken as [−1, 1].
pub fn symmetric_int8(min: f32, max: f32) -> f32 {
    symmetric(min, max, 127.0)
}

/// Scale of an int16 activation over [min, max], zero point 0: max(|min|, |max|) / 32767. A range of zeros alone is taken
/// as [−1, 1].
pub fn symmetric_int16(min: f32, max: f32) -> f32 {
    symmetric(min, max, 32767.0)
}

fn symmetric(min: f32, max: f32, qmax: f64) -> f32 {
    let mut bound = f64::from(min).abs().max(f64::from(max).abs());
    if bound == 0.0 {
        bound = 1.0;
    }
    stored_scale(bound / qmax)
}

/// Layout of a tensor's channels: `outer` blocks of `channels` runs of `inner` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// Product of the extents before the axis.
    pub outer: usize,
    /// Extent of the axis.
    pub channels: usize,
    /// Product of the extents behind the axis.
    pub inner: usize,
}

impl Channels {
    /// The channels of `shape` along `axis`; a single one for `None`. `None` if the axis does not exist or the product overflows.
    pub fn new(shape: &[usize], axis: Option<usize>) -> Option<Self> {
        let product = |s: &[usize]| s.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        match axis {
            None => Some(Self {
                outer: 1,
                channels: 1,
                inner: product(shape)?,
            }),
            Some(axis) => Some(Self {
                outer: product(shape.get(..axis)?)?,
                channels: *shape.get(axis)?,
                inner: product(shape.get(axis + 1..)?)?,
            }),
        }
    }
}

/// Largest magnitude in each channel; NaN in a channel that holds NaN or infinite values.
pub fn channel_peaks(values: &[f32], channels: Channels) -> Vec<f32> {
    let mut peaks = vec![0f32; channels.channels];
    let (count, inner) = (channels.channels, channels.inner);
    let isa = Isa::chosen();
    if count == 0 || inner == 0 {
        return peaks;
    }
    if channels.outer == 1 && values.len() > PART {
        let runs = peaks.par_iter_mut().zip(values.par_chunks(inner));
        let of_run = |(p, run): (&mut f32, &[f32])| *p = peak(isa, run);
        runs.with_min_len((PART / inner).max(1)).for_each(of_run);
    } else if inner == 1 {
        for row in values.chunks(count) {
            for (p, v) in peaks.iter_mut().zip(row) {
                *p = larger(*p, v.abs()) + v * 0.0;
            }
        }
    } else {
        for (run, values) in values.chunks(inner).enumerate() {
            let p = &mut peaks[run % count];
            let here = peak(isa, values);
            *p = larger(*p, here) + here * 0.0;
        }
    }
    peaks
}

/// The largest magnitude; NaN if one is NaN or infinite.
fn peak(isa: Isa, values: &[f32]) -> f32 {
    let mut peak = 0.0;
    let out = &mut peak;
    vectorized(isa, Peak { values, out });
    peak
}

struct Peak<'a> {
    values: &'a [f32],
    out: &'a mut f32,
}

impl Vectorized for Peak<'_> {
    #[inline(always)]
    fn run(self) {
        const LANES: usize = 64;
        let (mut peaks, mut odd) = ([0f32; LANES], [0f32; LANES]);
        let (chunks, rest) = self.values.as_chunks::<LANES>();
        for v in chunks {
            for j in 0..LANES {
                peaks[j] = larger(peaks[j], v[j].abs());
                odd[j] += v[j] * 0.0;
            }
        }
        // 0 unless one is not finite, NaN then.
        let odd = odd.into_iter().chain(rest.iter().map(|x| x * 0.0));
        let odd = odd.sum::<f32>();
        let peaks = peaks.into_iter().chain(rest.iter().map(|v| v.abs()));
        *self.out = peaks.fold(0f32, larger) + odd;
    }
}

/// The larger of the two; `a` if `b` is NaN. One instruction, unlike `f32::max`.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Scales of symmetric int8 weights, peak / 127 a channel. A channel of zeros has no scale of its own and takes the largest of
/// the others (`None` if all are zero), so that it is neither 0 nor denormal and its bias keeps as many bits as theirs.
pub fn weight_scales(peaks: &[f32]) -> Option<Vec<f32>> {
    let largest = peaks.iter().fold(0f32, |m, &p| m.max(p));
    if largest == 0.0 {
        return None;
    }
    Some(
        peaks
            .iter()
            .map(|&p| stored_scale(f64::from(if p == 0.0 { largest } else { p }) / 127.0))
            .collect(),
    )
}

/// Weight scales of an operator that computes on integers: as [`weight_scales`], then enlarged where a bias would leave
/// ±`bias_max` or the requantization multiplier would vanish.
pub fn guarded_weight_scales(
    peaks: &[f32],
    bias: Option<&[f32]>,
    input_scale: f32,
    output_scale: f32,
    bias_max: f64,
) -> Vec<f32> {
    let (input, output) = (f64::from(input_scale), f64::from(output_scale));
    let scales = weight_scales(peaks)
        .unwrap_or_else(|| vec![stored_scale(output / 256.0 / input); peaks.len()]);
    let floor = output * SMALLEST_MULTIPLIER / input;
    scales
        .iter()
        .enumerate()
        .map(|(c, &scale)| {
            let bias = bias.and_then(|b| b.get(c)).copied().unwrap_or(0.0);
            let for_bias = f64::from(bias).abs() / bias_max / input;
            let wanted = for_bias.max(floor);
            if f64::from(scale) < wanted {
                stored_scale(wanted)
            } else {
                scale
            }
        })
        .collect()
}

/// Scales of a quantized bias: input scale × weight scale, as the runtime assumes.
pub fn bias_scales(input_scale: f32, weight_scales: &[f32]) -> Vec<f32> {
    weight_scales
        .iter()
        .map(|&w| stored_scale(f64::from(input_scale) * f64::from(w)))
        .collect()
}

/// round(v / scale) + zero point, halves away from zero, clamped to [qmin, qmax].
pub fn quantize(v: f32, scale: f32, zero_point: i64, qmin: i64, qmax: i64) -> i64 {
    let q = (f64::from(v) / f64::from(scale)).round() + zero_point as f64;
    q.clamp(qmin as f64, qmax as f64) as i64
}

/// The nearest float16, halves to even; what lies outside takes the largest finite one.
pub fn to_f16(v: f32) -> f16 {
    f16::from_f32(v.clamp(-65504.0, 65504.0))
}

/// The reals that little-endian float16 bytes stand for.
pub fn from_f16(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|&b| f16::from_le_bytes(b).to_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_follow_tensorflow() {
        assert_eq!(asymmetric_int8(0.0, 1.0), (1.0 / 255.0, -128));
        assert_eq!(asymmetric_int8(0.0, 2.541604), (0.009967075, -128));
        assert_eq!(asymmetric_int8(-31.327524, 14.759644), (0.180_734, 45));
        // Both ends straddle 0.
        assert_eq!(asymmetric_int8(2.0, 4.0), (4.0 / 255.0, -128));
        assert_eq!(asymmetric_int8(-4.0, -2.0), (4.0 / 255.0, 127));
        assert_eq!(symmetric_int16(-2.0, 1.0), 2.0 / 32767.0);
    }

    #[test]
    fn narrow_and_empty_ranges_have_usable_scales() {
        assert_eq!(asymmetric_int8(0.0, 0.0), (1.0 / 255.0, -128));
        assert_eq!(symmetric_int16(0.0, 0.0), 1.0 / 32767.0);
        for (min, max) in [(0.0, 1e-30), (-1e-45, 0.0), (f32::MIN, f32::MAX)] {
            let (scale, zero_point) = asymmetric_int8(min, max);
            assert!(scale.is_normal() && scale > 0.0, "{min} {max}");
            assert!((-128..=127).contains(&zero_point));
            assert!(symmetric_int16(min, max).is_normal());
        }
    }

    #[test]
    fn a_dead_channel_borrows_the_largest_scale() {
        let scales = weight_scales(&[1.27, 0.0, 2.54]).unwrap();
        assert_eq!(scales, [0.01, 0.02, 0.02]);
        assert_eq!(weight_scales(&[0.0, 0.0]), None);
    }

    #[test]
    fn a_tiny_channel_grows_until_its_bias_fits() {
        let bias = [0.5, 0.5];
        let scales = guarded_weight_scales(&[1.27, 1e-12], Some(&bias), 0.1, 0.1, BIAS_MAX_INT32);
        assert_eq!(scales[0], 0.01);
        let q = f64::from(bias[1]) / (0.1f32 as f64 * f64::from(scales[1]));
        assert!((q.abs() / BIAS_MAX_INT32 - 1.0).abs() < 1e-6, "{q}");
        // Nothing lives at all: the multiplier is 1/256.
        let dead = guarded_weight_scales(&[0.0], Some(&[0.3]), 0.5, 0.25, BIAS_MAX_INT32);
        assert_eq!(dead, [0.25 / 256.0 / 0.5]);
    }

    #[test]
    fn halves_round_away_from_zero_and_values_clamp() {
        let q = |v| quantize(v, 1.0, 0, -127, 127);
        assert_eq!(
            [q(0.5), q(1.5), q(-0.5), q(-2.5), q(1e30), q(-1e30)],
            [1, 2, -1, -3, 127, -127]
        );
        assert_eq!(to_f16(1e6), f16::MAX);
    }

    #[test]
    fn channels_along_any_axis() {
        let last = Channels::new(&[2, 3], Some(1)).unwrap();
        assert_eq!(
            channel_peaks(&[1., 2., 3., -4., 0., 1.], last),
            [4., 2., 3.]
        );
        let first = Channels::new(&[2, 3], Some(0)).unwrap();
        assert_eq!(channel_peaks(&[1., 2., 3., -4., 0., 1.], first), [3., 4.]);
        assert_eq!(Channels::new(&[2], Some(1)), None);
    }
}
