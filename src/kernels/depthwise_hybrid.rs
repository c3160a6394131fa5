//! Hybrid depthwise convolution, packed: float inputs quantized to int8 batch by batch, int8 products, float outputs.

use std::ops::Range;

use super::Conv2dShape;
use super::depthwise::{Lines, as_offsets, offset_bytes, runs};
use super::depthwise_int::{Common, GRAIN, whole_quads};
use super::float_range::{RangeFinder, Ranges};
use super::gemm::{Split, TILE_ROWS, Tile, check_bias, worth};
use super::isa::Isa;
use super::reference::conv::Hybrid;
use super::row_quantize::{Rounding, quantize_row};
use super::scratch::Scratch;
use super::simd::{self, HybridPart};
use crate::error::Result;

/// Lines of output that are looked at while they lie in the second-level cache.
const LINES: usize = 4;

/// DEPTHWISE_CONV_2D of float activations with int8 weights, prepared; as
/// [`reference::conv::depthwise_hybrid`](super::reference::conv::depthwise_hybrid).
#[derive(Debug, Clone)]
pub struct DepthwiseHybrid {
    common: Common,
    asymmetric: bool,
    /// Whether the scales of input and weights are multiplied with each other first.
    joint: bool,
    scales: Vec<f32>,
    weight_sums: Vec<i32>,
    bias: Vec<f32>,
    clamp: (f32, f32),
    /// Weights of [`simd::hybrid_run`], where the instruction set has products of bytes.
    quads: Option<Vec<i8>>,
}

impl DepthwiseHybrid {
    /// Takes `weights` `[1, k_h, k_w, out_c]`; `bias` has one value per output channel or is absent; outputs are clamped.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[i8],
        bias: Option<&[f32]>,
        how: Hybrid,
        clamp: (f32, f32),
    ) -> Result<Self> {
        let common = Common::new(isa, shape, weights)?;
        check_bias(bias, shape.out_c)?;
        let n = shape.out_c;
        let (asymmetric, joint, scales) = match how {
            Hybrid::Symmetric(scale) => (false, true, vec![scale; n]),
            Hybrid::Asymmetric(scales) => (true, false, scales.to_vec()),
            Hybrid::AsymmetricJoint(scales) => (true, true, scales.to_vec()),
        };
        if scales.len() != n {
            return crate::invalid!("{} weight scales for {n} output channels", scales.len());
        }
        let quads = simd::has_byte_dot(common.isa).then(|| simd::pack_quads(weights, n));
        Ok(Self {
            asymmetric,
            joint,
            scales: whole_quads(scales.into_iter(), 0.0),
            weight_sums: whole_quads(common.sums.iter().copied(), 0),
            bias: whole_quads((0..n).map(|c| bias.map_or(0.0, |b| b[c])), 0.0),
            quads,
            clamp,
            common,
        })
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.common.windows = self.common.windows.reshape(shape)?;
        Ok(())
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.common.windows.macs()
    }

    /// Makes `scratch` large enough for [`DepthwiseHybrid::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        let split = self.split(threads);
        split.reserve::<f32>(scratch, self.shared_bytes());
    }

    /// Of one batch.
    fn split(&self, threads: usize) -> Split {
        let windows = &self.common.windows;
        let (s, macs) = (&windows.shape, windows.macs());
        let batches = s.batches.max(1);
        Split {
            rows: windows.pixels() / batches,
            threads: worth(threads, macs / batches, GRAIN),
            ..windows.split(threads, GRAIN, offset_bytes(windows))
        }
    }

    /// The quantized input, the repeated one, and a row of padding.
    fn shared_bytes(&self) -> usize {
        let windows = &self.common.windows;
        let image = windows.input_len() / windows.shape.batches.max(1);
        image * (1 + windows.multiplier) + windows.shape.out_c
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
        let finder = RangeFinder::new(self.common.isa, false);
        self.compute(input, output, scratch, threads, Ranges::default(), &finder)
    }

    /// As [`DepthwiseHybrid::run`], with what is known of the input, and finds the range of the output.
    ///
    /// # Errors
    /// As [`DepthwiseHybrid::run`].
    pub fn run_ranged(
        &self,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
        threads: usize,
        ranges: &mut Ranges,
    ) -> Result<()> {
        let finder = RangeFinder::new(self.common.isa, true);
        self.compute(input, output, scratch, threads, *ranges, &finder)?;
        ranges.output = Some(finder.found());
        Ok(())
    }

    fn compute(
        &self,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
        threads: usize,
        ranges: Ranges,
        finder: &RangeFinder,
    ) -> Result<()> {
        let Common { isa, windows, .. } = &self.common;
        windows.check(input.len(), output.len())?;
        let s = windows.shape;
        let split = self.split(threads);
        let (lanes, shared) = split.lanes::<f32>(scratch, self.shared_bytes());
        let shared: &mut [i8] = bytemuck::cast_slice_mut(shared);
        let image = input.len() / s.batches.max(1);
        let (values, rest) = shared.split_at_mut(image);
        let (repeated, rest) = rest.split_at_mut(image * windows.multiplier);
        let pad = &mut rest[..s.out_c];
        let stride = s.out_c;
        // Batches one after the other, for each has a padding of its own.
        let pixels = s.out_h * s.out_w;
        let batches = input.chunks(image.max(1));
        for (x, output) in batches.zip(output.chunks_mut((pixels * stride).max(1))) {
            // FloatRange are known of the whole tensor only.
            let known = ranges.input.filter(|_| s.batches == 1);
            let how = quantize_row(*isa, x, known, self.asymmetric, values, threads);
            let Rounding {
                scale, zero_point, ..
            } = how;
            pad.fill(zero_point as i8);
            let lines = Lines {
                windows,
                input: windows.repeat(values, repeated),
                pad,
            };
            // The byte kernel adds 128 to every input.
            let offset = zero_point + if self.quads.is_some() { 128 } else { 0 };
            let (row_scales, row_offsets) = ([scale; TILE_ROWS], [offset; TILE_ROWS]);
            let part = |first: usize| HybridPart {
                weight_sums: &self.weight_sums[first..],
                scales: &self.scales[first..],
                bias: &self.bias[first..],
                row_scales: &row_scales,
                row_offsets: &row_offsets,
                joint: self.joint,
                low: self.clamp.0,
                high: self.clamp.1,
            };
            split.run(lanes, output, |pixels, _, out, lane| {
                let (begin, offsets) = (pixels.start, as_offsets(lane));
                let step = LINES * s.out_w;
                for first in pixels.clone().step_by(step) {
                    let here = first..(first + step).min(pixels.end);
                    let out = &mut out[(first - begin) * stride..][..here.len() * stride];
                    if let Some(quads) = &self.quads {
                        let p = part(0);
                        runs(
                            &lines,
                            here,
                            0..stride,
                            offsets,
                            (first, &mut *out),
                            |run, out| {
                                simd::hybrid_run(*isa, run, quads, &p, out);
                            },
                        );
                    } else {
                        let finish = |tile: &Tile, pixels: Range<usize>, channels: Range<usize>| {
                            let (c, n) = (channels.start, channels.len());
                            let out = &mut out[(pixels.start - first) * stride + c..];
                            simd::scale_f32(*isa, tile, pixels.len(), &part(c), out, stride, n);
                        };
                        let Lines { input, pad, .. } = lines;
                        self.common.tiles(input, pad, here, offsets, finish);
                    }
                    finder.look(out);
                }
            });
        }
        Ok(())
    }
}
