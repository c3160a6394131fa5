//! Float depthwise convolution, packed.

use super::Conv2dShape;
use super::depthwise::{Taps, Windows, as_offsets, offset_bytes, tiles};
use super::gemm::{TILE_COLS, TILE_ROWS, check_bias, split, worth};
use super::isa::{Isa, Proven};
use super::scratch::Scratch;
use super::simd::{self, FloatTaps, Vectorized};
use crate::error::Result;

/// Multiply–adds that are worth a thread.
const GRAIN: usize = 200_000;

/// DEPTHWISE_CONV_2D in float32, prepared.
#[derive(Debug, Clone)]
pub struct DepthwiseF32 {
    isa: Proven,
    windows: Windows,
    weights: Vec<f32>,
    bias: Vec<f32>,
    pad: Vec<f32>,
    clamp: (f32, f32),
}

/// Adds the bias and clamps, row by row.
struct Finish<'a> {
    sums: &'a [f32],
    bias: &'a [f32],
    clamp: (f32, f32),
    out: &'a mut [f32],
    stride: usize,
}

impl Vectorized for Finish<'_> {
    #[inline(always)]
    fn run(self) {
        let n = self.bias.len();
        for (sums, out) in self
            .sums
            .chunks(TILE_COLS)
            .zip(self.out.chunks_mut(self.stride))
        {
            for ((out, sum), bias) in out[..n].iter_mut().zip(&sums[..n]).zip(self.bias) {
                *out = super::portable::clamp(sum + bias, self.clamp.0, self.clamp.1);
            }
        }
    }
}

impl DepthwiseF32 {
    /// Takes `weights` `[1, k_h, k_w, out_c]`; `bias` has one value per output channel or is absent; outputs are clamped.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[f32],
        bias: Option<&[f32]>,
        clamp: (f32, f32),
    ) -> Result<Self> {
        let windows = Windows::new(shape, weights.len())?;
        check_bias(bias, shape.out_c)?;
        Ok(Self {
            isa: isa.proven(),
            windows,
            weights: weights.to_vec(),
            bias: bias.map_or(vec![0.0; shape.out_c], <[f32]>::to_vec),
            pad: vec![0.0; shape.out_c],
            clamp,
        })
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.windows = self.windows.reshape(shape)?;
        Ok(())
    }

    /// Makes `scratch` large enough for [`DepthwiseF32::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        scratch.reserve(
            threads.max(1),
            offset_bytes(&self.windows),
            self.windows.repeated_len() * 4,
        );
    }

    /// Computes `output` (NHWC) from `input` (NHWC) on up to `threads` threads of the current rayon pool.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn run(
        &self,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
        threads: usize,
    ) -> Result<()> {
        let windows = &self.windows;
        windows.check(input.len(), output.len())?;
        let threads = worth(threads, windows.macs(), GRAIN);
        let repeated = windows.repeated_len();
        let (lanes, shared) = scratch.lanes(threads, offset_bytes(windows), repeated * 4);
        let shared = &mut bytemuck::cast_slice_mut(shared)[..repeated];
        let input = windows.repeat(input, shared);
        let stride = windows.shape.out_c;
        split(
            windows.pixels(),
            stride,
            TILE_ROWS,
            0,
            threads,
            lanes,
            output,
            |pixels, _, out, lane| {
                let mut sums = [0f32; TILE_ROWS * TILE_COLS];
                let begin = pixels.start;
                tiles(
                    windows,
                    pixels,
                    as_offsets(lane),
                    |pixels, channels, offsets| {
                        let rows = pixels.len();
                        let out = &mut out[(pixels.start - begin) * stride + channels.start..];
                        let taps = FloatTaps {
                            input,
                            pad: &self.pad,
                            weights: &self.weights,
                            bias: &self.bias,
                            clamp: self.clamp,
                            taps: windows.taps(),
                            stride,
                            channels: channels.clone(),
                            offsets,
                        };
                        let done = simd::float_taps(self.isa, &taps, out);
                        let channels = channels.start + done..channels.end;
                        if channels.is_empty() {
                            return;
                        }
                        let out = &mut out[done..];
                        let taps = Taps {
                            input,
                            pad: &self.pad,
                            weights: &self.weights,
                            stride,
                            channels: channels.clone(),
                            offsets,
                            taps: windows.taps(),
                            run: 0..windows.taps(),
                            sums: &mut sums[..],
                        };
                        simd::vectorized(self.isa, taps);
                        let len = (rows - 1) * stride + channels.len();
                        let finish = Finish {
                            sums: &sums,
                            bias: &self.bias[channels],
                            clamp: self.clamp,
                            out: &mut out[..len],
                            stride,
                        };
                        simd::vectorized(self.isa, finish);
                    },
                );
            },
        );
        Ok(())
    }
}
