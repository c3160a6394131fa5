//! Hybrid convolution and fully connected layer, packed: float inputs quantized to int8 batch by batch, int8 products, float outputs.

use super::Conv2dShape;
use super::conv_i8::{ByteProduct, Sink};
use super::gather::fully_connected_shape;
use super::gemm::{TILE_ROWS, check_bias};
use super::isa::Isa;
use super::reference::conv::Hybrid;
use super::reference::fully_connected::WeightScales;
use super::rescale::whole_panels;
use super::row_quantize::quantize_row;
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
        self.product.geometry = self.product.geometry.reshape(shape)?;
        Ok(())
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.product.geometry.macs()
    }

    /// Makes `scratch` large enough for [`ConvHybrid::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        let split = self.product.split(threads);
        split.reserve::<f32>(scratch, self.shared_bytes());
    }

    /// The quantized input, then scale and offset of each batch.
    fn shared_bytes(&self) -> usize {
        self.quantized_bytes() + self.product.geometry.shape.batches * 8
    }

    fn quantized_bytes(&self) -> usize {
        let s = &self.product.geometry.shape;
        (s.batches * s.in_h * s.in_w * s.in_c).next_multiple_of(8)
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
        let product = &self.product;
        let geometry = &product.geometry;
        geometry.check(input.len(), output.len())?;
        let split = product.split(threads);
        let (lanes, shared) = split.lanes::<f32>(scratch, self.shared_bytes());
        let (values, rows) = shared.split_at_mut(self.quantized_bytes() / 8);
        let values: &mut [i8] = &mut bytemuck::cast_slice_mut(values)[..input.len()];
        let rows: &mut [[i32; 2]] = bytemuck::cast_slice_mut(rows);
        let rows = &mut rows[..geometry.shape.batches];
        let size = input.len() / geometry.shape.batches.max(1);
        let batches = input
            .chunks(size.max(1))
            .zip(values.chunks_mut(size.max(1)));
        for ((x, q), row) in batches.zip(rows.iter_mut()) {
            let (scale, zero_point) = quantize_row(product.isa, x, self.asymmetric, q, threads);
            *row = [scale.to_bits() as i32, zero_point];
        }
        let (values, rows) = (&*values, &*rows);
        let pixels = geometry.shape.out_h * geometry.shape.out_w;
        let pad = |batch: usize| rows[batch][1] as i8;
        product.run_in(lanes, values, pad, output, &split, |sink: Sink<f32>| {
            let group = &self.groups[sink.group];
            let mut row_scales = [0f32; TILE_ROWS];
            let mut row_offsets = [0i32; TILE_ROWS];
            let each = row_scales.iter_mut().zip(&mut row_offsets);
            for (row, (scale, offset)) in sink.rows.clone().zip(each) {
                let [bits, zero_point] = rows[row / pixels];
                *scale = f32::from_bits(bits as u32);
                *offset = zero_point + product.added();
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
            simd::scale_f32(
                product.isa,
                sink.tile,
                sink.rows.len(),
                &p,
                sink.out,
                sink.ldc,
                sink.columns,
            );
        });
        Ok(())
    }
}
