//! RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR, NHWC.
//!
//! Sources: `internal/reference/resize_bilinear.h`, `resize_nearest_neighbor.h`.

use crate::kernels::quantize::QuantInt;

/// Extents of an image before and after, and how pixels correspond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Resize {
    pub batches: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub channels: usize,
    /// The corner pixels of both images coincide.
    pub align_corners: bool,
    /// Positions are those of the centres of pixels.
    pub half_pixel_centers: bool,
}

/// Two neighbours along an axis and the weight of each.
#[derive(Debug, Clone, Copy)]
struct Blend<W> {
    low: usize,
    high: usize,
    low_weight: W,
    high_weight: W,
}

fn interpolate(v: [f32; 4], y: &Blend<f32>, x: &Blend<f32>) -> f32 {
    v[0] * y.low_weight * x.low_weight
        + v[1] * y.high_weight * x.low_weight
        + v[2] * y.low_weight * x.high_weight
        + v[3] * y.high_weight * x.high_weight
}

impl Resize {
    /// The input pixel nearest to each output pixel along an axis of `input` pixels that becomes `output`.
    pub fn nearest(&self, input: usize, output: usize) -> Vec<usize> {
        let scale = self.scale(input, output);
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let last = input.saturating_sub(1);
        (0..output)
            .map(|i| {
                let at = (i as f32 + offset) * scale;
                let at = if self.align_corners {
                    at.round()
                } else {
                    at.floor()
                };
                (at.max(0.0) as usize).min(last)
            })
            .collect()
    }

    /// Input pixels a step of one output pixel.
    fn scale(&self, input: usize, output: usize) -> f32 {
        if self.align_corners && output > 1 {
            (input - 1) as f32 / (output - 1) as f32
        } else {
            input as f32 / output as f32
        }
    }

    fn blends_f32(&self, input: usize, output: usize) -> Vec<Blend<f32>> {
        let scale = self.scale(input, output);
        (0..output)
            .map(|i| {
                let at = if self.half_pixel_centers {
                    (i as f32 + 0.5) * scale - 0.5
                } else {
                    i as f32 * scale
                };
                let low = at.floor().max(0.0);
                let high = (at.ceil().max(0.0) as usize).min(input - 1);
                Blend {
                    low: low as usize,
                    high,
                    low_weight: 1.0 - (at - low),
                    high_weight: at - low,
                }
            })
            .collect()
    }

    /// The same in steps of 1/1024 pixel.
    fn blends_int(&self, input: usize, output: usize) -> Vec<Blend<i64>> {
        let (n, m) = (input as i64, output as i64);
        let scale = if self.align_corners && m > 1 {
            (1024 * (n - 1) + (m - 1) / 2) / (m - 1)
        } else {
            (1024 * n + m / 2) / m
        };
        (0..m)
            .map(|i| {
                let at = if self.half_pixel_centers {
                    i * scale + scale / 2 - 512
                } else {
                    i * scale
                };
                let low = (at / 1024).max(0);
                let high = ((at + 1023) / 1024).min(n - 1);
                Blend {
                    low: low as usize,
                    high: high as usize,
                    low_weight: 1024 - (at - 1024 * low),
                    high_weight: at - 1024 * low,
                }
            })
            .collect()
    }

    /// Calls `f(the four neighbours, their weights)` for each output element, and stores what it gives.
    fn blend<T: Copy, W: Copy>(
        &self,
        rows: &[Blend<W>],
        columns: &[Blend<W>],
        input: &[T],
        out: &mut [T],
        f: impl Fn([T; 4], &Blend<W>, &Blend<W>) -> T,
    ) {
        let c = self.channels;
        let mut pixels = out.chunks_exact_mut(c.max(1));
        for image in input.chunks_exact((self.in_h * self.in_w * c).max(1)) {
            let pixel = |y: usize, x: usize| {
                let at = (y * self.in_w + x) * c;
                &image[at..at + c]
            };
            for y in rows {
                for (x, out) in columns.iter().zip(&mut pixels) {
                    let (low, high) = (pixel(y.low, x.low), pixel(y.high, x.low));
                    let right = (pixel(y.low, x.high), pixel(y.high, x.high));
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = f([low[i], high[i], right.0[i], right.1[i]], y, x);
                    }
                }
            }
        }
    }

    /// Float interpolation.
    pub fn bilinear_f32(&self, input: &[f32], out: &mut [f32]) {
        let rows = self.blends_f32(self.in_h, self.out_h);
        let columns = self.blends_f32(self.in_w, self.out_w);
        self.blend(&rows, &columns, input, out, interpolate);
    }

    /// uint8 interpolation: in float, then rounded.
    pub fn bilinear_u8(&self, input: &[u8], out: &mut [u8]) {
        let rows = self.blends_f32(self.in_h, self.out_h);
        let columns = self.blends_f32(self.in_w, self.out_w);
        self.blend(&rows, &columns, input, out, |v, y, x| {
            interpolate(v.map(f32::from), y, x).round() as u8
        });
    }

    /// Integer interpolation in steps of 2⁻²⁰, rounded half away from zero.
    pub fn bilinear_int<T: QuantInt>(&self, input: &[T], out: &mut [T]) {
        let rows = self.blends_int(self.in_h, self.out_h);
        let columns = self.blends_int(self.in_w, self.out_w);
        self.blend(&rows, &columns, input, out, |v, y, x| {
            let v = v.map(|v| i64::from(v.to_i32()));
            let sum = v[0] * y.low_weight * x.low_weight
                + v[1] * y.high_weight * x.low_weight
                + v[2] * y.low_weight * x.high_weight
                + v[3] * y.high_weight * x.high_weight;
            let half = if sum > 0 { 1 << 19 } else { -(1 << 19) };
            T::saturate((sum + half) / (1 << 20))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_doubles() {
        let r = Resize {
            batches: 1,
            in_h: 1,
            in_w: 2,
            out_h: 1,
            out_w: 4,
            channels: 1,
            align_corners: false,
            half_pixel_centers: true,
        };
        let mut out = [0.0; 4];
        r.bilinear_f32(&[0.0, 4.0], &mut out);
        assert_eq!(out, [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(r.nearest(2, 4), [0, 0, 1, 1]);
    }
}
