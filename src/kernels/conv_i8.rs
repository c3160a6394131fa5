//! int8 convolution and fully connected layer, packed, with the fixed-point rescale fused.

use std::ops::Range;

use super::Conv2dShape;
use super::gather::Geometry;
use super::gemm::{
    PANEL, PackedWeights, Tile, block_panels, check_bias, panel_rows, split, tile_rows, worth,
};
use super::isa::{Isa, Proven};
use super::rescale::{Fixed, Rescale};
use super::scratch::Scratch;
use super::simd;
use crate::error::Result;

/// Multiply–adds that are worth a thread.
const GRAIN: usize = 1_000_000;

/// CONV_2D (any groups) or FULLY_CONNECTED in int8, prepared: weights packed, zero point folded into the bias, rescale and
/// activation fused.
#[derive(Debug, Clone)]
pub struct ConvI8 {
    product: ByteProduct,
    input_zero_point: i32,
    fixed: Vec<Fixed>,
}

impl ConvI8 {
    /// Packs `weights` `[out_c, k_h, k_w, in_c / groups]` (zero point 0); `bias` has one value per output channel or is absent.
    /// Padding counts as `input_zero_point`.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape, or a parameter its range.
    pub fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[i8],
        bias: Option<&[i32]>,
        input_zero_point: i32,
        rescale: &Rescale,
    ) -> Result<Self> {
        let product = ByteProduct::new(isa, shape, weights)?;
        check_bias(bias, shape.out_c)?;
        rescale.check(shape.out_c, 30)?;
        check_i8("input zero point", input_zero_point)?;
        for (what, v) in [
            ("output zero point", rescale.zero_point),
            ("least output", rescale.min),
            ("greatest output", rescale.max),
        ] {
            check_i8(what, v)?;
        }
        let n = product.geometry.group_out;
        let offset = input_zero_point + product.added();
        let fixed = product
            .groups
            .iter()
            .enumerate()
            .map(|(g, group)| {
                let mut bias = bias.map_or(vec![0; n], |b| b[g * n..(g + 1) * n].to_vec());
                for (b, &sum) in bias.iter_mut().zip(&group.sums) {
                    *b = b.wrapping_sub(offset.wrapping_mul(sum));
                }
                Fixed::new(rescale, g * n, n, bias)
            })
            .collect();
        Ok(Self {
            product,
            input_zero_point,
            fixed,
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

    /// Makes `scratch` large enough for [`ConvI8::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        scratch.reserve(threads.max(1), self.product.lane_bytes(), 0);
    }

    /// Computes `output` (NHWC) from `input` (NHWC) on up to `threads` threads of the current rayon pool.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn run(
        &self,
        input: &[i8],
        output: &mut [i8],
        scratch: &mut Scratch,
        threads: usize,
    ) -> Result<()> {
        let product = &self.product;
        product.geometry.check(input.len(), output.len())?;
        let zero_point = self.input_zero_point;
        product.run(
            input,
            |_| zero_point as i8,
            output,
            scratch,
            threads,
            |sink| {
                let fixed = self.fixed[sink.group].from(sink.first);
                simd::requant_i8(
                    product.isa,
                    sink.tile,
                    sink.rows.len(),
                    &fixed,
                    sink.out,
                    sink.ldc,
                    sink.columns,
                );
            },
        )
    }
}

fn check_i8(what: &str, v: i32) -> Result<()> {
    if i8::try_from(v).is_err() {
        return crate::invalid!("the {what} of an int8 operator is {v}; it must be −128 to 127");
    }
    Ok(())
}

/// int8 × int8 products with int32 sums, packed; what becomes of the sums is the caller's.
#[derive(Debug, Clone)]
pub(crate) struct ByteProduct {
    pub isa: Proven,
    pub geometry: Geometry,
    pub groups: Vec<ByteGroup>,
}

#[derive(Debug, Clone)]
pub(crate) struct ByteGroup {
    weights: Weights,
    /// Sum of the weights of each column.
    pub sums: Vec<i32>,
}

#[derive(Debug, Clone)]
enum Weights {
    /// Groups of four bytes, for unsigned inputs.
    Bytes(PackedWeights<i8>),
    /// Pairs of 16 bits.
    Pairs(PackedWeights<i16>),
}

/// Sums of one tile, and where their outputs go.
pub(crate) struct Sink<'a, T> {
    pub group: usize,
    pub tile: &'a Tile,
    /// Rows of the product, all of them.
    pub rows: Range<usize>,
    /// First column within the group.
    pub first: usize,
    pub columns: usize,
    pub out: &'a mut [T],
    pub ldc: usize,
}

impl ByteProduct {
    pub fn new(isa: Isa, shape: Conv2dShape, weights: &[i8]) -> Result<Self> {
        let isa = isa.proven();
        let geometry = Geometry::new(shape, weights.len())?;
        let (n, k) = (geometry.group_out, geometry.k());
        let groups = weights
            .chunks(n * k)
            .map(|weights| ByteGroup {
                sums: weights
                    .chunks(k)
                    .map(|w| w.iter().fold(0i32, |s, &w| s.wrapping_add(w.into())))
                    .collect(),
                weights: if simd::has_byte_dot(isa) {
                    Weights::Bytes(PackedWeights::new(isa, n, k, 4, |c, i| weights[c * k + i]))
                } else {
                    Weights::Pairs(PackedWeights::new(isa, n, k, 2, |c, i| {
                        weights[c * k + i].into()
                    }))
                },
            })
            .collect();
        Ok(Self {
            isa,
            geometry,
            groups,
        })
    }

    /// What the kernel adds to every input value.
    pub fn added(&self) -> i32 {
        if simd::has_byte_dot(self.isa) { 128 } else { 0 }
    }

    fn row_bytes(&self) -> usize {
        let k = self.geometry.k();
        if simd::has_byte_dot(self.isa) {
            k.next_multiple_of(4)
        } else {
            k.next_multiple_of(2) * 2
        }
    }

    fn panel_rows(&self) -> usize {
        let tile = tile_rows(self.isa, block_panels(self.isa));
        panel_rows(self.geometry.rows(), tile, self.row_bytes())
    }

    pub fn lane_bytes(&self) -> usize {
        self.panel_rows() * self.row_bytes()
    }

    /// All products; `pad(batch)` stands for inputs outside of the image.
    pub fn run<T: Send>(
        &self,
        input: &[i8],
        pad: impl Fn(usize) -> i8 + Sync,
        output: &mut [T],
        scratch: &mut Scratch,
        threads: usize,
        finish: impl Fn(Sink<T>) + Sync,
    ) -> Result<()> {
        let threads = worth(threads, self.geometry.macs(), GRAIN);
        let (lanes, _) = scratch.lanes(threads, self.lane_bytes(), 0);
        self.run_in(lanes, input, pad, output, threads, finish);
        Ok(())
    }

    /// [`ByteProduct::run`] in lanes of at least [`ByteProduct::lane_bytes`].
    pub fn run_in<T: Send>(
        &self,
        lanes: &mut [Vec<u64>],
        input: &[i8],
        pad: impl Fn(usize) -> i8 + Sync,
        output: &mut [T],
        threads: usize,
        finish: impl Fn(Sink<T>) + Sync,
    ) {
        let geometry = &self.geometry;
        let unit = if geometry.groups == 1 {
            block_panels(self.isa) * PANEL
        } else {
            0
        };
        split(
            geometry.rows(),
            geometry.shape.out_c,
            tile_rows(self.isa, block_panels(self.isa)),
            unit,
            threads,
            lanes,
            output,
            |rows, columns, out, lane| {
                let ldc = columns.len();
                let step = self.panel_rows();
                for first in rows.clone().step_by(step) {
                    let here = first..(first + step).min(rows.end);
                    for g in 0..geometry.groups {
                        let (at, columns) = if geometry.groups == 1 {
                            (0, columns.clone())
                        } else {
                            (g * geometry.group_out, 0..geometry.group_out)
                        };
                        let out = &mut out[(here.start - rows.start) * ldc + at..];
                        self.panel(
                            g,
                            here.clone(),
                            columns,
                            input,
                            &pad,
                            lane,
                            out,
                            ldc,
                            &finish,
                        );
                    }
                }
            },
        );
    }

    #[allow(clippy::too_many_arguments)] // the body of a loop
    fn panel<T>(
        &self,
        g: usize,
        rows: Range<usize>,
        columns: Range<usize>,
        input: &[i8],
        pad: impl Fn(usize) -> i8,
        lane: &mut [u64],
        out: &mut [T],
        ldc: usize,
        finish: impl Fn(Sink<T>),
    ) {
        let geometry = &self.geometry;
        let mut tile = Tile::new();
        match &self.groups[g].weights {
            Weights::Bytes(weights) => {
                let lda = weights.padded_k();
                let panel: &mut [u8] = &mut bytemuck::cast_slice_mut(lane)[..rows.len() * lda];
                let biased = |v: i8| v as u8 ^ 0x80;
                let copy = |from: &[i8], to: &mut [u8]| {
                    for (to, &from) in to.iter_mut().zip(from) {
                        *to = biased(from);
                    }
                };
                let pad = |batch| biased(pad(batch));
                geometry.gather(g, rows.clone(), input, pad, copy, panel, lda);
                for block in weights.blocks(columns.clone()) {
                    let step = tile_rows(self.isa, block.panels);
                    for row in (0..rows.len()).step_by(step) {
                        let n = step.min(rows.len() - row);
                        simd::dot_u8i8(
                            self.isa,
                            weights.k_groups,
                            &panel[row * lda..],
                            lda,
                            n,
                            block.data,
                            block.panels,
                            &mut tile,
                        );
                        finish(Sink {
                            group: g,
                            tile: &tile,
                            rows: rows.start + row..rows.start + row + n,
                            first: block.first,
                            columns: block.columns,
                            out: &mut out[row * ldc + block.first - columns.start..],
                            ldc,
                        });
                    }
                }
            }
            Weights::Pairs(weights) => {
                let lda = weights.padded_k();
                let panel: &mut [i16] = &mut bytemuck::cast_slice_mut(lane)[..rows.len() * lda];
                let copy = |from: &[i8], to: &mut [i16]| {
                    for (to, &from) in to.iter_mut().zip(from) {
                        *to = from.into();
                    }
                };
                let pad = |batch| i16::from(pad(batch));
                geometry.gather(g, rows.clone(), input, pad, copy, panel, lda);
                for block in weights.blocks(columns.clone()) {
                    let step = tile_rows(self.isa, block.panels);
                    for row in (0..rows.len()).step_by(step) {
                        let n = step.min(rows.len() - row);
                        simd::dot_i16(
                            self.isa,
                            weights.k_groups,
                            &panel[row * lda..],
                            lda,
                            n,
                            block.data,
                            block.panels,
                            &mut tile,
                        );
                        finish(Sink {
                            group: g,
                            tile: &tile,
                            rows: rows.start + row..rows.start + row + n,
                            first: block.first,
                            columns: block.columns,
                            out: &mut out[row * ldc + block.first - columns.start..],
                            ldc,
                        });
                    }
                }
            }
        }
    }
}
