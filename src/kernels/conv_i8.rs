//! int8 convolution and fully connected layer, packed, with the fixed-point rescale fused.

use std::ops::Range;

use bytemuck::Pod;

use super::Conv2dShape;
use super::gather::{Gather, Geometry};
use super::gemm::{
    PANEL, PackedWeights, Split, Tile, block_panels, check_bias, panel_rows, tile_rows, worth,
};
use super::isa::{Isa, Proven};
use super::portable;
use super::reference::conv::Quantized;
use super::rescale::{Bounds, Factors, Fixed, Real};
use super::scratch::{Lane, Scratch};
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
    /// One per group.
    finish: Vec<Finish>,
}

#[derive(Debug, Clone)]
enum Finish {
    Fixed(Fixed),
    Real(Real),
}

impl ConvI8 {
    /// Packs `weights` `[out_c, k_h, k_w, in_c / groups]` (zero point 0); `bias` has one value per output channel or is absent.
    /// Padding counts as the input zero point.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape, or a parameter its range.
    pub fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[i8],
        bias: Option<&[i32]>,
        q: &Quantized,
    ) -> Result<Self> {
        let product = ByteProduct::new(isa, shape, weights)?;
        check_bias(bias, shape.out_c)?;
        let bounds = Bounds::new(q, -128, 127)?;
        if i8::try_from(q.input_zero_point).is_err() {
            return crate::invalid!(
                "the input zero point of an int8 operator is {}; it must be −128 to 127",
                q.input_zero_point
            );
        }
        let factors = Factors::new(q.rescale, shape.out_c, 30)?;
        let n = product.geometry.group_out;
        let offset = q.input_zero_point + product.added();
        let finish = product
            .groups
            .iter()
            .enumerate()
            .map(|(g, group)| {
                let bias = group.sums.iter().enumerate().map(|(c, &sum)| {
                    bias.map_or(0, |b| b[g * n + c])
                        .wrapping_sub(offset.wrapping_mul(sum))
                });
                match &factors {
                    Factors::Fixed(f) => {
                        let f = &f[g * n..(g + 1) * n];
                        Finish::Fixed(Fixed::new(f, bias, group.most.iter().copied(), bounds))
                    }
                    Factors::Real(f) => Finish::Real(Real::new(
                        &f[g * n..(g + 1) * n],
                        bias.map(i64::from),
                        bounds,
                    )),
                }
            })
            .collect();
        Ok(Self {
            product,
            input_zero_point: q.input_zero_point,
            finish,
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

    /// Makes `scratch` large enough for [`ConvI8::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        self.product.split(threads).reserve::<i8>(scratch, 0);
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
        let split = product.split(threads);
        let (lanes, _) = split.lanes::<i8>(scratch, 0);
        let pad = self.input_zero_point as i8;
        product.run_in(
            lanes,
            input,
            |_| pad,
            output,
            &split,
            |sink| {
                let Sink {
                    tile,
                    out,
                    ldc,
                    columns,
                    first,
                    ..
                } = sink;
                let rows = sink.rows.len();
                match &self.finish[sink.group] {
                    Finish::Fixed(p) => {
                        let p = p.from(first);
                        simd::requant_i8(product.isa, tile, rows, &p, out, ldc, columns);
                    }
                    Finish::Real(p) => portable::real_i8(tile, rows, p, first, out, ldc, columns),
                }
            },
        );
        Ok(())
    }
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
    /// Greatest magnitude of each column's product.
    most: Vec<i64>,
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
                most: weights
                    .chunks(k)
                    .map(|w| w.iter().map(|w| 255 * i64::from(w.unsigned_abs())).sum())
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

    fn lane_bytes(&self) -> usize {
        self.panel_rows() * self.row_bytes()
    }

    /// How the output is computed on that many threads.
    pub fn split(&self, threads: usize) -> Split {
        let geometry = &self.geometry;
        Split {
            rows: geometry.rows(),
            columns: geometry.shape.out_c,
            row_unit: tile_rows(self.isa, block_panels(self.isa)),
            column_unit: match geometry.groups {
                1 => block_panels(self.isa) * PANEL,
                _ => 0,
            },
            threads: worth(threads, geometry.macs(), GRAIN),
            part_bytes: self.lane_bytes(),
        }
    }

    /// All products; `pad(batch)` stands for inputs outside of the image.
    pub fn run_in<T: Pod + Send>(
        &self,
        lanes: &[Lane],
        input: &[i8],
        pad: impl Fn(usize) -> i8 + Sync,
        output: &mut [T],
        split: &Split,
        finish: impl Fn(Sink<T>) + Sync,
    ) {
        let geometry = &self.geometry;
        split.run(lanes, output, |rows, columns, out, lane| {
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
        });
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
        let mut tile = Tile::new();
        match &self.groups[g].weights {
            Weights::Bytes(weights) => {
                let lda = weights.padded_k();
                let panel: &mut [u8] = &mut bytemuck::cast_slice_mut(lane)[..rows.len() * lda];
                let biased = |v: i8| v as u8 ^ 0x80;
                self.gather(g, &rows, input, |b| biased(pad(b)), biased, panel, lda);
                for block in weights.blocks(columns.clone()) {
                    let step = tile_rows(self.isa, block.panels);
                    let tiles = rows.len().div_ceil(step);
                    for (i, row) in (0..rows.len()).step_by(step).enumerate() {
                        let n = step.min(rows.len() - row);
                        simd::dot_u8i8(
                            self.isa,
                            weights.k_groups,
                            &panel[row * lda..],
                            lda,
                            n,
                            block.data,
                            block.ahead(i, tiles),
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
                self.gather(g, &rows, input, |b| pad(b).into(), i16::from, panel, lda);
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

    #[allow(clippy::too_many_arguments)] // the fields of `Gather`
    fn gather<U: Copy>(
        &self,
        group: usize,
        rows: &Range<usize>,
        input: &[i8],
        pad: impl Fn(usize) -> U,
        value: impl Fn(i8) -> U,
        panel: &mut [U],
        row_len: usize,
    ) {
        let gather = Gather {
            geometry: &self.geometry,
            group,
            rows: rows.clone(),
            input,
            pad,
            value,
            panel,
            row_len,
        };
        simd::vectorized(self.isa, gather);
    }
}
