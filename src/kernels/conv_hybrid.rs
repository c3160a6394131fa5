//! Hybrid convolution and fully connected layer, packed: float inputs quantized to int8 batch by batch, int8 products, float outputs.

use super::Conv2dShape;
use super::byte_product::{ByteProduct, Dot, Sink, Source};
use super::float_range::{RangeFinder, Ranges};
use super::gather::fully_connected_shape;
use super::gemm::{TILE_ROWS, check_bias};
use super::isa::Isa;
use super::reference::conv::Hybrid;
use super::reference::fully_connected::WeightScales;
use super::rescale::whole_panels;
use super::row_quantize::{Rounding, rounding};
use super::scratch::Scratch;
use super::simd::{self, HybridPart};
use crate::error::Result;

/// CONV_2D (any groups) or FULLY_CONNECTED of float activations with int8 weights, prepared.
#[derive(Debug, Clone)]
pub struct ConvHybrid {
    product: ByteProduct,
    asymmetric: bool,
    /// Whether the scales of input and weights are multiplied with each other first.
    joint: bool,
    /// One per group.
    groups: Vec<Group>,
    clamp: (f32, f32),
}

#[derive(Debug, Clone)]
struct Group {
    sums: Vec<i32>,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

impl ConvHybrid {
    /// CONV_2D, each batch quantized on its own; as [`reference::conv::conv2d_hybrid`](super::reference::conv::conv2d_hybrid).
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn convolution(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[i8],
        bias: Option<&[f32]>,
        how: Hybrid,
        clamp: (f32, f32),
    ) -> Result<Self> {
        match how {
            Hybrid::Symmetric(scale) => {
                let scales = vec![scale; shape.out_c];
                Self::new(isa, shape, weights, bias, &scales, (false, true), clamp)
            }
            Hybrid::Asymmetric(scales) => {
                Self::new(isa, shape, weights, bias, scales, (true, false), clamp)
            }
            Hybrid::AsymmetricJoint(scales) => {
                Self::new(isa, shape, weights, bias, scales, (true, true), clamp)
            }
        }
    }

    /// FULLY_CONNECTED of `rows` rows of `depth` values, each quantized on its own, with a zero point if `asymmetric`; as
    /// [`reference::fully_connected::fully_connected_hybrid`](super::reference::fully_connected::fully_connected_hybrid), then clamped.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit.
    #[allow(clippy::too_many_arguments)] // as many as the reference has
    pub fn fully_connected(
        isa: Isa,
        rows: usize,
        depth: usize,
        weights: &[i8],
        bias: Option<&[f32]>,
        scales: WeightScales,
        asymmetric: bool,
        clamp: (f32, f32),
    ) -> Result<Self> {
        let channels = weights.len() / depth.max(1);
        let shape = fully_connected_shape(rows, depth, channels);
        let scales = match scales {
            WeightScales::PerTensor(scale) => vec![scale; channels],
            WeightScales::PerChannel(scales) => scales.to_vec(),
        };
        Self::new(
            isa,
            shape,
            weights,
            bias,
            &scales,
            (asymmetric, true),
            clamp,
        )
    }

    fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[i8],
        bias: Option<&[f32]>,
        scales: &[f32],
        (asymmetric, joint): (bool, bool),
        clamp: (f32, f32),
    ) -> Result<Self> {
        let product = ByteProduct::new(isa, shape, weights)?;
        check_bias(bias, shape.out_c)?;
        if scales.len() != shape.out_c {
            return crate::invalid!(
                "{} weight scales for {} output channels",
                scales.len(),
                shape.out_c
            );
        }
        let n = product.geometry.group_out;
        let groups = product
            .groups
            .iter()
            .enumerate()
            .map(|(g, group)| {
                let of = g * n..(g + 1) * n;
                Group {
                    sums: whole_panels(group.sums.iter().copied(), 0),
                    scales: whole_panels(scales[of.clone()].iter().copied(), 0.0),
                    bias: whole_panels(of.map(|c| bias.map_or(0.0, |b| b[c])), 0.0),
                }
            })
            .collect();
        Ok(Self {
            product,
            asymmetric,
            joint,
            groups,
            clamp,
        })
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.product.reshape(shape)
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.product.geometry.macs()
    }

    /// Makes `scratch` large enough for [`ConvHybrid::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        let split = self.product.split(threads, size_of::<f32>());
        split.reserve::<f32>(scratch, self.shared_bytes());
    }

    /// How each batch is rounded, then the quantized input unless it is rounded on the way.
    fn shared_bytes(&self) -> usize {
        let s = &self.product.geometry.shape;
        let quantized = if self.product.takes_floats() {
            0
        } else {
            s.batches * s.in_h * s.in_w * s.in_c
        };
        s.batches * size_of::<Rounding>() + quantized
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
        let finder = RangeFinder::new(self.product.isa, false);
        self.compute(input, output, scratch, threads, Ranges::default(), &finder)
    }

    /// As [`ConvHybrid::run`], with what is known of the input, and finds the range of the output.
    ///
    /// # Errors
    /// As [`ConvHybrid::run`].
    pub fn run_ranged(
        &self,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
        threads: usize,
        ranges: &mut Ranges,
    ) -> Result<()> {
        let finder = RangeFinder::new(self.product.isa, true);
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
        let product = &self.product;
        let geometry = &product.geometry;
        geometry.check(input.len(), output.len())?;
        let split = product.split(threads, size_of::<f32>());
        let (lanes, shared) = split.lanes::<f32>(scratch, self.shared_bytes());
        let batches = geometry.shape.batches;
        let (how, values) = shared.split_at_mut(batches * size_of::<Rounding>() / 8);
        let how: &mut [Rounding] = bytemuck::cast_slice_mut(how);
        let size = (input.len() / batches.max(1)).max(1);
        // FloatRange are known of the whole tensor only.
        let known = ranges.input.filter(|_| batches == 1);
        for (x, how) in input.chunks(size).zip(&mut *how) {
            *how = rounding(product.isa, x, known, self.asymmetric, threads);
        }
        let how = &*how;
        let pixels = geometry.shape.out_h * geometry.shape.out_w;
        let source = if product.takes_floats() {
            Source::Floats {
                values: input,
                how,
                pixels,
            }
        } else {
            let values: &mut [i8] = &mut bytemuck::cast_slice_mut(values)[..input.len()];
            let parts = input.chunks(size).zip(values.chunks_mut(size));
            for ((x, q), how) in parts.zip(how) {
                how.round_all(product.isa, x, q, threads);
            }
            Source::Bytes(values)
        };
        let pad = |batch: usize| how[batch].zero_point as i8;
        let finish = |sink: &mut Sink<f32>| self.finish(sink, how, pixels);
        let done = |out: &[f32]| finder.look(out);
        product.run_in(lanes, source, pad, output, &split, finish, done);
        Ok(())
    }

    /// Computes a tile.
    fn finish(&self, sink: &mut Sink<f32>, how: &[Rounding], pixels: usize) {
        let isa = self.product.isa;
        let group = &self.groups[sink.group];
        let added = self.product.added();
        let alike = how.len() == 1 || sink.rows.start / pixels == (sink.rows.end - 1) / pixels;
        let first = &how[if how.len() == 1 {
            0
        } else {
            sink.rows.start / pixels
        }];
        let mut row_scales = [first.scale; TILE_ROWS];
        let mut row_offsets = [first.zero_point + added; TILE_ROWS];
        if !alike {
            let each = row_scales.iter_mut().zip(&mut row_offsets);
            for (row, (scale, offset)) in sink.rows.clone().zip(each) {
                let how = &how[row / pixels];
                (*scale, *offset) = (how.scale, how.zero_point + added);
            }
        }
        let p = HybridPart {
            weight_sums: &group.sums[sink.first..],
            scales: &group.scales[sink.first..],
            bias: &group.bias[sink.first..],
            row_scales: &row_scales,
            row_offsets: &row_offsets,
            joint: self.joint,
            low: self.clamp.0,
            high: self.clamp.1,
        };
        if let (true, Dot::Bytes(t)) = (alike, &sink.dot) {
            simd::dot_hybrid(isa, t, &p, sink.out, sink.ldc, sink.columns);
            return;
        }
        sink.sum(isa);
        let rows = sink.rows.len();
        simd::scale_f32(isa, sink.tile, rows, &p, sink.out, sink.ldc, sink.columns);
    }
}
