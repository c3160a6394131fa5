//! Reals to integers and back: affine quantization of values, per tensor and per channel.
//!
//! q = clamp(round(x / scale) + zero point), real = scale · (q − zero point), as LiteRT's QUANTIZE and DEQUANTIZE compute
//! them (`tflite/kernels/internal/reference/quantize.h`, `integer_ops/dequantize.h`): the division in float32, halves
//! away from zero.

/// An integer type that quantized values are stored in.
pub trait QuantInt: Copy + Default + PartialOrd + Send + Sync + 'static {
    /// Smallest value.
    const MIN: i32;
    /// Largest value.
    const MAX: i32;
    /// The value itself.
    fn to_i32(self) -> i32;
    /// The nearest value of the type.
    fn saturate(value: i64) -> Self;
}

macro_rules! quant_int {
    ($($t:ty),*) => { $(impl QuantInt for $t {
        const MIN: i32 = <$t>::MIN as i32;
        const MAX: i32 = <$t>::MAX as i32;
        #[inline]
        fn to_i32(self) -> i32 { self.into() }
        #[inline]
        fn saturate(value: i64) -> Self { value.clamp(<$t>::MIN.into(), <$t>::MAX.into()) as $t }
    })* };
}
quant_int!(i8, u8, i16, u16, i32);

/// How channels lie in a row-major array: `outer` blocks of `channels` runs of `inner` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelLayout {
    /// Product of the extents before the channel axis.
    pub outer: usize,
    /// Extent of the channel axis.
    pub channels: usize,
    /// Product of the extents after the channel axis.
    pub inner: usize,
}

impl ChannelLayout {
    /// The layout of `shape` along `axis`; `None` if there is no such axis.
    pub fn new(shape: &[usize], axis: usize) -> Option<Self> {
        Some(Self {
            outer: shape.get(..axis)?.iter().product(),
            channels: *shape.get(axis)?,
            inner: shape.get(axis + 1..)?.iter().product(),
        })
    }

    /// Channel of each run of `inner` elements, in storage order.
    fn runs(self) -> impl Iterator<Item = usize> {
        (0..self.outer).flat_map(move |_| 0..self.channels)
    }
}

/// One value to its step, clamped to [qmin, qmax]. NaN stands for real 0 and gives the zero point.
#[inline]
pub fn quantize_value(x: f32, scale: f32, zero_point: i32, qmin: i32, qmax: i32) -> i32 {
    let step = f64::from((x / scale).round());
    let step = if step.is_nan() { 0.0 } else { step };
    (step + f64::from(zero_point)).clamp(qmin.into(), qmax.into()) as i32
}

/// One step to its real value.
#[inline]
pub fn dequantize_value(q: i32, scale: f32, zero_point: i32) -> f32 {
    (f64::from(scale) * (i64::from(q) - i64::from(zero_point)) as f64) as f32
}

/// Quantizes `x` into `out` (as many elements) over the whole range of `T`.
pub fn quantize<T: QuantInt>(x: &[f32], scale: f32, zero_point: i32, out: &mut [T]) {
    for (o, &x) in out.iter_mut().zip(x) {
        *o = T::saturate(quantize_value(x, scale, zero_point, T::MIN, T::MAX).into());
    }
}

/// Dequantizes `q` into `out` (as many elements).
pub fn dequantize<T: QuantInt>(q: &[T], scale: f32, zero_point: i32, out: &mut [f32]) {
    for (o, &q) in out.iter_mut().zip(q) {
        *o = dequantize_value(q.to_i32(), scale, zero_point);
    }
}

/// Quantizes `x` into `out` with one scale and zero point a channel, clamped to [qmin, qmax] (narrow ranges are
/// [−127, 127]). `scales` and `zero_points` have `layout.channels` elements, `x` and `out` all elements of the layout.
pub fn quantize_per_channel<T: QuantInt>(
    x: &[f32],
    layout: ChannelLayout,
    scales: &[f32],
    zero_points: &[i32],
    (qmin, qmax): (i32, i32),
    out: &mut [T],
) {
    let runs = x
        .chunks_exact(layout.inner.max(1))
        .zip(out.chunks_exact_mut(layout.inner.max(1)));
    for ((x, out), c) in runs.zip(layout.runs()) {
        for (o, &x) in out.iter_mut().zip(x) {
            *o = T::saturate(quantize_value(x, scales[c], zero_points[c], qmin, qmax).into());
        }
    }
}

/// Dequantizes `q` into `out` with one scale and zero point a channel; sizes as in [`quantize_per_channel`].
pub fn dequantize_per_channel<T: QuantInt>(
    q: &[T],
    layout: ChannelLayout,
    scales: &[f32],
    zero_points: &[i32],
    out: &mut [f32],
) {
    let runs = q
        .chunks_exact(layout.inner.max(1))
        .zip(out.chunks_exact_mut(layout.inner.max(1)));
    for ((q, out), c) in runs.zip(layout.runs()) {
        dequantize(q, scales[c], zero_points[c], out);
    }
}

/// Values that LiteRT rounds together.
pub(super) const ROUNDED_TOGETHER: usize = 8;

/// The whole steps of a value in steps, halves away from zero. The float32 sum may itself round up: 0.49999997 gives 1.
#[inline(always)]
pub(super) fn round_sum(steps: f32) -> f32 {
    (steps + if steps < 0.0 { -0.5 } else { 0.5 }).trunc()
}

/// Steps of `x`, `inverse` of them in 1, with `zero_point` added and clamped to `low..=127`, as LiteRT's vectors of x86-64 and
/// armv7 round them: by [`round_sum`] in whole eights and exactly in the rest. Source: `NeonAsymmetricQuantizeFloats`.
pub(super) fn row_steps(x: &[f32], inverse: f32, zero_point: i32, low: i32, out: &mut [i8]) {
    let together = x.len() / ROUNDED_TOGETHER * ROUNDED_TOGETHER;
    for (i, (o, &v)) in out.iter_mut().zip(x).enumerate() {
        let steps = v * inverse;
        let whole = if i < together {
            round_sum(steps)
        } else {
            steps.round()
        };
        *o = (whole as i32).saturating_add(zero_point).clamp(low, 127) as i8;
    }
}

/// Quantizes one row to int8 in [−127, 127] with zero point 0 for hybrid kernels; returns its scale (1 for a row of
/// zeros). Source: LiteRT `NeonSymmetricQuantizeFloats`, which x86-64 runs, too.
pub fn quantize_row_symmetric(x: &[f32], out: &mut [i8]) -> f32 {
    let range = x.iter().fold(0f32, |m, &v| m.max(v.abs()));
    if range == 0.0 || !range.is_finite() {
        out.fill(0);
        return 1.0;
    }
    row_steps(x, 127.0 / range, 0, -127, out);
    range / 127.0
}

/// Quantizes one row to int8 in [−128, 127] for hybrid kernels; returns its scale and zero point (1 and 0 for a row of
/// zeros). Source: LiteRT `NeonAsymmetricQuantizeFloats`, which x86-64 runs, too.
pub fn quantize_row_asymmetric(x: &[f32], out: &mut [i8]) -> (f32, i32) {
    let (min, max) = x
        .iter()
        .fold((0f32, 0f32), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    // Their difference is a float32.
    let range = max - min;
    if range == 0.0 || !range.is_finite() {
        out.fill(0);
        return (1.0, 0);
    }
    let (min, max) = (f64::from(min), f64::from(max));
    let (qmin, qmax) = (-128.0, 127.0);
    let scale = f64::from(range) / (qmax - qmin);
    let from_min = qmin - min / scale;
    let from_max = qmax - max / scale;
    let min_error = 128.0 + (min / scale).abs();
    let max_error = 127.0 + (max / scale).abs();
    let zero_point = if min_error < max_error {
        from_min
    } else {
        from_max
    };
    let zero_point = zero_point.clamp(qmin, qmax).round() as i32;
    let scale = scale as f32;
    row_steps(x, inverse_of(scale), zero_point, -128, out);
    (scale, zero_point)
}

/// Steps in 1; none where the scale is too small to be more than 0.
pub(super) fn inverse_of(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_away_from_zero_and_ends_clamp() {
        let mut out = [0i8; 7];
        quantize(
            &[0.5, 1.5, 2.5, -0.5, -2.5, 1e30, f32::NEG_INFINITY],
            1.0,
            0,
            &mut out,
        );
        assert_eq!(out, [1, 2, 3, -1, -3, 127, -128]);
        quantize(&[f32::NAN], 0.1, 5, &mut out[..1]);
        assert_eq!(out[0], 5, "NaN gives the zero point");
    }

    #[test]
    fn channels_use_their_own_scale() {
        let layout = ChannelLayout::new(&[2, 2, 2], 1).unwrap();
        let x = [1.0, 2.0, 1.0, 2.0, -1.0, -2.0, -1.0, -2.0];
        let mut q = [0i8; 8];
        quantize_per_channel(&x, layout, &[1.0, 0.5], &[0, 1], (-127, 127), &mut q);
        assert_eq!(q, [1, 2, 3, 5, -1, -2, -1, -3]);
        let mut back = [0f32; 8];
        dequantize_per_channel(&q, layout, &[1.0, 0.5], &[0, 1], &mut back);
        assert_eq!(back, x);
    }

    #[test]
    fn rows_of_zeros_have_scale_one() {
        let mut out = [1i8; 3];
        assert_eq!(quantize_row_symmetric(&[0.0; 3], &mut out), 1.0);
        assert_eq!(out, [0; 3]);
        assert_eq!(quantize_row_asymmetric(&[0.0; 3], &mut out), (1.0, 0));
    }
}
