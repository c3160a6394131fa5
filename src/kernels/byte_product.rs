//! int8 × int8 products with int32 sums, packed: what int8 and hybrid convolutions share.

use std::ops::Range;

use bytemuck::Pod;

use super::Conv2dShape;
use super::gather::{Gather, Geometry};
use super::gemm::{Block, PackedWeights, Split, Tile, block_panels, panel_rows, tile_rows};
use super::isa::{Isa, Proven};
use super::lines::{Lines, Stretch};
use super::row_quantize::Rounding;
use super::scratch::Lane;
use super::simd::{self, ByteTile};
use crate::error::Result;

/// Multiply–adds that are worth a thread.
const GRAIN: usize = 1_000_000;
/// Bytes that a kernel reads beyond a line at most.
const SLACK: usize = 4;
/// Turns signed bytes to unsigned that are 128 greater.
const FLIP: u8 = 0x80;

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
    pub most: Vec<i64>,
}

#[derive(Debug, Clone)]
enum Weights {
    /// Groups of four bytes, for unsigned inputs.
    Bytes(PackedWeights<i8>),
    /// The same for rows that are runs of lines, each filled to whole groups.
    Lines(PackedWeights<i8>),
    /// Pairs of 16 bits.
    Pairs(PackedWeights<i16>),
}

/// The input of a product.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Bytes(&'a [i8]),
    /// Rows of as many output pixels each, rounded on the way; where [`ByteProduct::takes_floats`].
    Floats {
        values: &'a [f32],
        how: &'a [Rounding],
        pixels: usize,
    },
}

/// One tile to compute, and where its outputs go.
pub(crate) struct Sink<'a, T> {
    pub group: usize,
    pub dot: Dot<'a>,
    /// For the sums.
    pub tile: &'a mut Tile,
    /// Rows of the product, all of them.
    pub rows: Range<usize>,
    /// First column within the group.
    pub first: usize,
    pub columns: usize,
    pub out: &'a mut [T],
    pub ldc: usize,
}

/// The products of a tile.
pub(crate) enum Dot<'a> {
    Bytes(ByteTile<'a>),
    Pairs {
        pairs: usize,
        a: &'a [i16],
        b: &'a [i16],
        panels: usize,
    },
}

impl<T> Sink<'_, T> {
    /// Computes the sums.
    pub fn sum(&mut self, isa: Proven) {
        let rows = self.rows.len();
        match &self.dot {
            Dot::Bytes(t) => simd::dot_u8i8(isa, t, self.tile),
            &Dot::Pairs {
                pairs,
                a,
                b,
                panels,
            } => simd::dot_i16(isa, pairs, a, 2 * pairs, rows, b, panels, self.tile),
        }
    }
}

/// Sum of the magnitudes of some weights.
fn magnitude(weights: &[i8]) -> i64 {
    // Sums of so few fit 16 bits, which makes vectors of them.
    let pieces = weights.chunks(256);
    let each = pieces.map(|w| w.iter().map(|w| u16::from(w.unsigned_abs())).sum::<u16>());
    each.map(i64::from).sum()
}

impl ByteProduct {
    pub fn new(isa: Isa, shape: Conv2dShape, weights: &[i8]) -> Result<Self> {
        let isa = isa.proven();
        let geometry = Geometry::new(shape, weights.len())?;
        let (n, k) = (geometry.group_out, geometry.k());
        let lines = Lines::new(isa, &geometry, 1);
        let groups = weights
            .chunks(n * k)
            .map(|weights| ByteGroup {
                sums: weights
                    .chunks(k)
                    .map(|w| w.iter().fold(0i32, |s, &w| s.wrapping_add(w.into())))
                    .collect(),
                most: weights.chunks(k).map(|w| 255 * magnitude(w)).collect(),
                weights: if let Some(Lines { run, runs, .. }) = lines {
                    let filled = run.next_multiple_of(4);
                    let value = |c: usize, i: usize| match i % filled {
                        x if x < run => weights[c * k + i / filled * run + x],
                        _ => 0,
                    };
                    Weights::Lines(PackedWeights::new(isa, n, runs * filled, 4, value))
                } else if simd::has_byte_dot(isa) {
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
        match self.lines() {
            Some(lines) => lines.len(&self.geometry, SLACK),
            None => self.panel_rows() * self.row_bytes(),
        }
    }

    fn lines(&self) -> Option<Lines> {
        Lines::new(self.isa, &self.geometry, 1)
    }

    /// The same product on another batch size or image size.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        let geometry = self.geometry.reshape(shape)?;
        if Lines::new(self.isa, &geometry, 1).is_some() != self.lines().is_some() {
            return crate::invalid!("{shape:?} asks for other packed weights");
        }
        self.geometry = geometry;
        Ok(())
    }

    /// How the output, of `bytes` a value as the input, is computed on that many threads.
    pub fn split(&self, threads: usize, bytes: usize) -> Split {
        self.geometry
            .split(self.isa, threads, GRAIN, self.lane_bytes(), bytes, true)
    }

    /// Whether the input may be [`Source::Floats`].
    pub fn takes_floats(&self) -> bool {
        simd::has_byte_dot(self.isa) && self.geometry.is_plain()
    }

    /// All products; `pad(batch)` stands for inputs outside of the image. `finish` computes a tile, `done` sees each run of
    /// complete outputs.
    #[allow(clippy::too_many_arguments)] // what all integer convolutions share
    pub fn run_in<T: Pod + Send>(
        &self,
        lanes: &[Lane],
        source: Source<'_>,
        pad: impl Fn(usize) -> i8 + Sync,
        output: &mut [T],
        split: &Split,
        finish: impl Fn(&mut Sink<T>) + Sync,
        done: impl Fn(&[T]) + Sync,
    ) {
        let geometry = &self.geometry;
        let lines = self.lines();
        split.run(lanes, output, |rows, columns, out, lane| {
            let mut tile = Tile::new();
            if let (Some(lines), Source::Bytes(input), [group]) = (&lines, source, &self.groups[..])
                && let Weights::Lines(weights) = &group.weights
            {
                let (begin, ldc) = (rows.start, columns.len());
                let panel: &mut [u8] = bytemuck::cast_slice_mut(lane);
                let panel = &mut panel[..lines.len(geometry, SLACK)];
                let biased = |v: i8| v as u8 ^ FLIP;
                let part =
                    |here: Range<usize>, panel: &[u8], stretches: &mut dyn Iterator<Item = _>| {
                        let out = &mut out[(here.start - begin) * ldc..][..here.len() * ldc];
                        for Stretch { pixels, first } in stretches {
                            let at = (pixels.start - here.start) * ldc;
                            let part = Part {
                                group: 0,
                                rows: pixels,
                                columns: columns.clone(),
                                ldc,
                            };
                            let out = &mut out[at..];
                            self.tiles(
                                weights,
                                part,
                                &mut tile,
                                out,
                                &finish,
                                |block, row, n, ahead| {
                                    Dot::Bytes(ByteTile {
                                        groups: weights.k_groups,
                                        a: &panel[first + row * lines.step..],
                                        lda: lines.step,
                                        runs: lines.runs,
                                        run_step: lines.width,
                                        rows: n,
                                        b: block.data,
                                        ahead,
                                        panels: block.panels,
                                    })
                                },
                            );
                        }
                        done(out);
                    };
                let pad = |batch| biased(pad(batch));
                lines.walk(self.isa, geometry, rows, input, pad, biased, panel, part);
                return;
            }
            let (ldc, step) = (columns.len(), self.panel_rows());
            for first in rows.clone().step_by(step) {
                let here = first..(first + step).min(rows.end);
                let out = &mut out[(here.start - rows.start) * ldc..][..here.len() * ldc];
                for g in 0..geometry.groups {
                    let (at, columns) = geometry.columns(g, &columns);
                    let part = Part {
                        group: g,
                        rows: here.clone(),
                        columns,
                        ldc,
                    };
                    self.panel(part, source, &pad, lane, &mut tile, &mut out[at..], &finish);
                }
                done(out);
            }
        });
    }

    #[allow(clippy::too_many_arguments)] // the body of a loop
    fn panel<T>(
        &self,
        part: Part,
        source: Source<'_>,
        pad: impl Fn(usize) -> i8,
        lane: &mut [u64],
        tile: &mut Tile,
        out: &mut [T],
        finish: impl Fn(&mut Sink<T>),
    ) {
        let rows = part.rows.len();
        match &self.groups[part.group].weights {
            Weights::Bytes(weights) => {
                let lda = weights.padded_k();
                let panel: &mut [u8] = &mut bytemuck::cast_slice_mut(lane)[..rows * lda];
                let biased = |v: i8| v as u8 ^ FLIP;
                match source {
                    Source::Bytes(input) => {
                        self.gather(&part, input, |b| biased(pad(b)), biased, panel, lda);
                    }
                    Source::Floats {
                        values,
                        how,
                        pixels,
                    } => self.round(&part.rows, values, how, pixels, panel, lda),
                }
                self.tiles(weights, part, tile, out, finish, |block, row, n, ahead| {
                    Dot::Bytes(ByteTile {
                        groups: weights.k_groups,
                        a: &panel[row * lda..],
                        lda,
                        runs: 1,
                        run_step: 0,
                        rows: n,
                        b: block.data,
                        ahead,
                        panels: block.panels,
                    })
                });
            }
            Weights::Lines(_) => debug_assert!(false, "lines without their copy"),
            Weights::Pairs(weights) => {
                let Source::Bytes(input) = source else {
                    debug_assert!(false, "floats for {:?}", self.isa);
                    return;
                };
                let lda = weights.padded_k();
                let panel: &mut [i16] = &mut bytemuck::cast_slice_mut(lane)[..rows * lda];
                self.gather(&part, input, |b| pad(b).into(), i16::from, panel, lda);
                self.tiles(weights, part, tile, out, finish, |block, row, _, _| {
                    Dot::Pairs {
                        pairs: weights.k_groups,
                        a: &panel[row * lda..],
                        b: block.data,
                        panels: block.panels,
                    }
                });
            }
        }
    }

    /// Calls `finish` for each tile of a panel; `dot(block, first row, rows, weights wanted soon)` says what to
    /// multiply.
    fn tiles<'a, W: Copy + Default + Send, T>(
        &self,
        weights: &'a PackedWeights<W>,
        part: Part,
        tile: &mut Tile,
        out: &mut [T],
        finish: impl Fn(&mut Sink<T>),
        dot: impl Fn(&Block<'a, W>, usize, usize, &'a [W]) -> Dot<'a>,
    ) {
        let (rows, columns) = (part.rows, part.columns);
        for block in weights.blocks(columns.clone()) {
            let step = tile_rows(self.isa, block.panels);
            let mut ahead = block.ahead(rows.len().div_ceil(step));
            for row in (0..rows.len()).step_by(step) {
                let n = step.min(rows.len() - row);
                finish(&mut Sink {
                    group: part.group,
                    dot: dot(&block, row, n, ahead.next().unwrap_or(&[])),
                    tile: &mut *tile,
                    rows: rows.start + row..rows.start + row + n,
                    first: block.first,
                    columns: block.columns,
                    out: &mut out[row * part.ldc + block.first - columns.start..],
                    ldc: part.ldc,
                });
            }
        }
    }

    /// The rows of a product without gaps, rounded: `row_len` bytes apart.
    fn round(
        &self,
        rows: &Range<usize>,
        values: &[f32],
        how: &[Rounding],
        pixels: usize,
        panel: &mut [u8],
        row_len: usize,
    ) {
        let k = self.geometry.k();
        let image = pixels * k;
        let mut at = rows.start;
        while at < rows.end {
            let batch = at / pixels;
            let end = ((batch + 1) * pixels).min(rows.end);
            let (row, how) = (&values[batch * image..][..image], &how[batch]);
            let to = &mut panel[(at - rows.start) * row_len..];
            let first = (at - batch * pixels) * k;
            if row_len == k {
                let len = (end - at) * k;
                how.round(self.isa, row, first..first + len, FLIP, &mut to[..len]);
            } else {
                for (i, to) in to.chunks_mut(row_len).take(end - at).enumerate() {
                    let first = first + i * k;
                    how.round(self.isa, row, first..first + k, FLIP, &mut to[..k]);
                }
            }
            at = end;
        }
    }

    fn gather<U: Copy>(
        &self,
        part: &Part,
        input: &[i8],
        pad: impl Fn(usize) -> U,
        value: impl Fn(i8) -> U,
        panel: &mut [U],
        row_len: usize,
    ) {
        let gather = Gather {
            geometry: &self.geometry,
            group: part.group,
            rows: part.rows.clone(),
            input,
            pad,
            value,
            panel,
            row_len,
        };
        simd::vectorized(self.isa, gather);
    }
}

/// A panel's part of the output.
struct Part {
    group: usize,
    /// Of all rows of the product.
    rows: Range<usize>,
    /// Of the group.
    columns: Range<usize>,
    /// Rows of the output are this far apart.
    ldc: usize,
}
