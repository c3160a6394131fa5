//! Float depthwise convolution, packed.

use super::Conv2dShape;
use super::depthwise::{Lines, Windows, as_offsets, blocks, offset_bytes, runs};
use super::float_range::{RangeFinder, Ranges};
use super::gemm::{Split, check_bias};
use super::isa::{Isa, Proven};
use super::scratch::Scratch;
use super::simd::{self, FloatWeights};
use crate::error::Result;

/// Multiply–adds that are worth a thread.
const GRAIN: usize = 60_000;

/// Channels whose weights and lines of input stay in the first-level cache together.
const CHANNELS: usize = 128;

/// DEPTHWISE_CONV_2D in float32, prepared.
#[derive(Debug, Clone)]
pub struct DepthwiseF32 {
    isa: Proven,
    windows: Windows,
    weights: Vec<f32>,
    bias: Vec<f32>,
    pad: Vec<f32>,
    clamp: (f32, f32),
    in_order: bool,
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
            in_order: false,
        })
    }

    /// The same operator, if `yes` with the results of [`reference::conv::depthwise_f32`](super::reference::conv::depthwise_f32) to
    /// the bit: it rounds each product before it adds it, in order, and adds the bias last.
    pub fn in_order(mut self, yes: bool) -> Self {
        self.in_order = yes;
        self
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.windows = self.windows.reshape(shape)?;
        Ok(())
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.windows.macs()
    }

    /// Makes `scratch` large enough for [`DepthwiseF32::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        let split = self.split(threads);
        split.reserve::<f32>(scratch, self.windows.repeated_len() * 4);
    }

    fn split(&self, threads: usize) -> Split {
        let windows = &self.windows;
        windows.split(threads, GRAIN, offset_bytes(windows))
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
        let finder = RangeFinder::new(self.isa, false);
        self.compute(input, output, scratch, threads, &finder)
    }

    /// As [`DepthwiseF32::run`], and finds the range of the output.
    ///
    /// # Errors
    /// As [`DepthwiseF32::run`].
    pub fn run_ranged(
        &self,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
        threads: usize,
        ranges: &mut Ranges,
    ) -> Result<()> {
        let finder = RangeFinder::new(self.isa, true);
        self.compute(input, output, scratch, threads, &finder)?;
        ranges.output = Some(finder.found());
        Ok(())
    }

    fn compute(
        &self,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
        threads: usize,
        finder: &RangeFinder,
    ) -> Result<()> {
        let windows = &self.windows;
        windows.check(input.len(), output.len())?;
        let repeated = windows.repeated_len();
        let split = self.split(threads);
        let (lanes, shared) = split.lanes::<f32>(scratch, repeated * 4);
        let shared = &mut bytemuck::cast_slice_mut(shared)[..repeated];
        let lines = Lines {
            windows,
            input: windows.repeat(input, shared),
            pad: &self.pad,
        };
        let stride = windows.shape.out_c;
        let weights = FloatWeights {
            weights: &self.weights,
            bias: &self.bias,
            clamp: self.clamp,
            in_order: self.in_order,
        };
        split.run(lanes, output, |pixels, _, out, lane| {
            let (begin, offsets) = (pixels.start, as_offsets(lane));
            blocks(windows, pixels, CHANNELS, |pixels, channels| {
                let complete = channels.end == stride;
                let here = (pixels.start - begin) * stride..(pixels.end - begin) * stride;
                runs(
                    &lines,
                    pixels,
                    channels,
                    offsets,
                    (begin, &mut *out),
                    |run, out| {
                        simd::float_run(self.isa, run, &weights, out);
                    },
                );
                if complete {
                    finder.look(&out[here]);
                }
            });
        });
        Ok(())
    }
}
