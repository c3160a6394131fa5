//! CONV_3D and CONV_3D_TRANSPOSE in float32, NDHWC.
//!
//! Sources: `internal/reference/conv3d.h`, `conv3d_transpose.h`.

/// Geometry along one of the three axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Axis {
    pub input: usize,
    pub output: usize,
    /// Taps of the filter.
    pub size: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Elements of padding in front.
    pub pad: usize,
}

/// Geometry of a 3-D convolution: depth, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Conv3dShape {
    pub batches: usize,
    pub axes: [Axis; 3],
    pub in_c: usize,
    pub out_c: usize,
}

impl Axis {
    /// The input index that tap `tap` of output `at` reads, if there is one.
    fn forward(&self, at: usize, tap: usize) -> Option<usize> {
        let from = (at * self.stride + tap * self.dilation).checked_sub(self.pad)?;
        (from < self.input).then_some(from)
    }

    /// The input index whose tap `tap` writes output `at`, if there is one.
    fn backward(&self, at: usize, tap: usize) -> Option<usize> {
        let from = (at + self.pad).checked_sub(tap * self.dilation)?;
        (from.is_multiple_of(self.stride) && from / self.stride < self.input)
            .then_some(from / self.stride)
    }
}

impl Conv3dShape {
    /// Sums `input · filter` for each output over the taps for which `source` names an input; `weight(tap, in, out)` is the place
    /// in the filter.
    fn sum(
        &self,
        source: impl Fn(&Axis, usize, usize) -> Option<usize>,
        weight: impl Fn(usize, usize, usize) -> usize,
        input: &[f32],
        filter: &[f32],
        out: &mut [f32],
    ) {
        let [depth, height, width] = &self.axes;
        let mut pixels = out.chunks_exact_mut(self.out_c.max(1));
        for b in 0..self.batches {
            for z in 0..depth.output {
                for y in 0..height.output {
                    for (x, out) in (0..width.output).zip(&mut pixels) {
                        out.fill(0.0);
                        for tap in 0..depth.size * height.size * width.size {
                            let (kz, ky, kx) = (
                                tap / width.size / height.size,
                                tap / width.size % height.size,
                                tap % width.size,
                            );
                            let (Some(iz), Some(iy), Some(ix)) = (
                                source(depth, z, kz),
                                source(height, y, ky),
                                source(width, x, kx),
                            ) else {
                                continue;
                            };
                            let at =
                                ((b * depth.input + iz) * height.input + iy) * width.input + ix;
                            let pixel = &input[at * self.in_c..(at + 1) * self.in_c];
                            for (i, v) in pixel.iter().enumerate() {
                                for (c, o) in out.iter_mut().enumerate() {
                                    *o += v * filter[weight(tap, i, c)];
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn finish(&self, bias: Option<&[f32]>, clamp: (f32, f32), out: &mut [f32]) {
        for pixel in out.chunks_exact_mut(self.out_c.max(1)) {
            for (c, o) in pixel.iter_mut().enumerate() {
                *o = (*o + bias.map_or(0.0, |b| b[c])).clamp(clamp.0, clamp.1);
            }
        }
    }

    /// CONV_3D; the filter is [depth, height, width, in, out].
    pub fn conv(
        &self,
        input: &[f32],
        filter: &[f32],
        bias: Option<&[f32]>,
        clamp: (f32, f32),
        out: &mut [f32],
    ) {
        let weight = |tap: usize, i: usize, c: usize| (tap * self.in_c + i) * self.out_c + c;
        self.sum(Axis::forward, weight, input, filter, out);
        self.finish(bias, clamp, out);
    }

    /// CONV_3D_TRANSPOSE; the filter is [depth, height, width, out, in].
    pub fn transposed(
        &self,
        input: &[f32],
        filter: &[f32],
        bias: Option<&[f32]>,
        clamp: (f32, f32),
        out: &mut [f32],
    ) {
        let weight = |tap: usize, i: usize, c: usize| (tap * self.out_c + c) * self.in_c + i;
        self.sum(Axis::backward, weight, input, filter, out);
        self.finish(bias, clamp, out);
    }
}
