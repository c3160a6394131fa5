//! Float convolution and fully connected layer, packed.

use std::ops::Range;

use super::Conv2dShape;
use super::float_range::{RangeFinder, Ranges};
use super::gather::{Gather, Geometry};
use super::gemm::{PANEL, PackedWeights, Split, block_panels, panel_rows, tile_rows};
use super::isa::{Isa, Proven};
use super::lines::Lines;
use super::scratch::Scratch;
use super::simd::{self, F32Tile};
use crate::error::Result;

/// Steps of k that one pass takes: a block of weights of that depth stays in the second-level cache.
const K_STEP: usize = 1024;
/// Multiply–adds that are worth a thread.
const GRAIN: usize = 400_000;

/// CONV_2D (any groups) or FULLY_CONNECTED in float32, prepared: weights packed, activation fused.
#[derive(Debug, Clone)]
pub struct ConvF32 {
    isa: Proven,
    geometry: Geometry,
    groups: Vec<Group>,
    low: f32,
    high: f32,
    in_order: bool,
}

#[derive(Debug, Clone)]
struct Group {
    weights: PackedWeights<f32>,
    bias: Vec<f32>,
}

/// Rows of a product, as [`F32Tile`] has them.
struct Rows<'a> {
    a: &'a [f32],
    count: usize,
    lda: usize,
    runs: usize,
    run_step: usize,
}

impl ConvF32 {
    /// Packs `weights` `[out_c, k_h, k_w, in_c / groups]`; `bias` has one value per output channel or is absent; outputs are
    /// clamped to `low..=high`.
    ///
    /// # Errors
    /// `Invalid` if the lengths do not fit the shape.
    pub fn new(
        isa: Isa,
        shape: Conv2dShape,
        weights: &[f32],
        bias: Option<&[f32]>,
        (low, high): (f32, f32),
    ) -> Result<Self> {
        let isa = isa.proven();
        let geometry = Geometry::new(shape, weights.len())?;
        super::gemm::check_bias(bias, shape.out_c)?;
        let (n, k) = (geometry.group_out, geometry.k());
        let groups = (0..geometry.groups)
            .map(|g| {
                let mut bias = bias.map_or(vec![0.0; n], |b| b[g * n..(g + 1) * n].to_vec());
                bias.resize(n.next_multiple_of(PANEL), 0.0);
                let weights = &weights[g * n * k..(g + 1) * n * k];
                Group {
                    weights: PackedWeights::new(isa, n, k, 1, |c, i| weights[c * k + i]),
                    bias,
                }
            })
            .collect();
        Ok(Self {
            isa,
            geometry,
            groups,
            low,
            high,
            in_order: false,
        })
    }

    /// The same operator, if `yes` with the results of [`reference::conv::conv2d_f32`](super::reference::conv::conv2d_f32) to the
    /// bit: it rounds each product before it adds it, in order, and adds the bias last. Slower by half.
    pub fn in_order(mut self, yes: bool) -> Self {
        self.in_order = yes;
        self
    }

    /// The same operator on another batch size or image size.
    ///
    /// # Errors
    /// `Invalid` if the filter's part of the shape differs.
    pub fn reshape(&mut self, shape: Conv2dShape) -> Result<()> {
        self.geometry = self.geometry.reshape(shape)?;
        Ok(())
    }

    /// Multiply–adds of a run.
    pub fn macs(&self) -> usize {
        self.geometry.macs()
    }

    /// Makes `scratch` large enough for [`ConvF32::run`] with that many threads.
    pub fn reserve(&self, scratch: &mut Scratch, threads: usize) {
        self.split(threads).reserve::<f32>(scratch, 0);
    }

    fn split(&self, threads: usize) -> Split {
        let prepares = !self.geometry.is_plain();
        self.geometry
            .split(self.isa, threads, GRAIN, self.lane_bytes(), 1, prepares)
    }

    fn lane_bytes(&self) -> usize {
        match self.lines() {
            Some(lines) => lines.len(&self.geometry, 0) * 4,
            None if self.geometry.is_plain() => 0,
            None => self.panel_rows() * self.geometry.k() * 4,
        }
    }

    fn lines(&self) -> Option<Lines> {
        let lines = Lines::new(self.isa, &self.geometry, size_of::<f32>());
        lines.filter(|_| self.geometry.k() <= K_STEP)
    }

    fn panel_rows(&self) -> usize {
        let tile = tile_rows(self.isa, block_panels(self.isa));
        panel_rows(self.geometry.rows(), tile, self.geometry.k() * 4)
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

    /// As [`ConvF32::run`], and finds the range of the output.
    ///
    /// # Errors
    /// As [`ConvF32::run`].
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
        let geometry = &self.geometry;
        geometry.check(input.len(), output.len())?;
        let split = self.split(threads);
        let (lanes, _) = split.lanes::<f32>(scratch, 0);
        let lines = self.lines();
        split.run(lanes, output, |rows, columns, out, lane| {
            if let (Some(lines), [group]) = (&lines, &self.groups[..]) {
                self.in_lines(lines, group, input, rows, columns, out, lane, finder);
                return;
            }
            let (k, ldc, step) = (geometry.k(), columns.len(), self.panel_rows());
            for first in rows.clone().step_by(step) {
                let here = first..(first + step).min(rows.end);
                let out = &mut out[(here.start - rows.start) * ldc..][..here.len() * ldc];
                for (g, group) in self.groups.iter().enumerate() {
                    let panel: &mut [f32] = bytemuck::cast_slice_mut(lane);
                    let a = if geometry.is_plain() {
                        &input[here.start * k..here.end * k]
                    } else {
                        let panel = &mut panel[..here.len() * k];
                        let gather = Gather {
                            geometry,
                            group: g,
                            rows: here.clone(),
                            input,
                            pad: |_| 0.0,
                            value: |x| x,
                            panel: &mut *panel,
                            row_len: k,
                        };
                        simd::vectorized(self.isa, gather);
                        panel
                    };
                    let (at, columns) = geometry.columns(g, &columns);
                    let rows = Rows {
                        a,
                        count: here.len(),
                        lda: k,
                        runs: 1,
                        run_step: 0,
                    };
                    self.product(group, columns, &rows, &mut out[at..], ldc);
                }
                finder.look(out);
            }
        });
        Ok(())
    }

    /// The output pixels `rows` from lines of the image.
    #[allow(clippy::too_many_arguments)] // the body of a closure
    fn in_lines(
        &self,
        lines: &Lines,
        group: &Group,
        input: &[f32],
        rows: Range<usize>,
        columns: Range<usize>,
        out: &mut [f32],
        lane: &mut [u64],
        finder: &RangeFinder,
    ) {
        let geometry = &self.geometry;
        let (begin, ldc) = (rows.start, columns.len());
        let panel: &mut [f32] = bytemuck::cast_slice_mut(lane);
        let panel = &mut panel[..lines.len(geometry, 0)];
        let part = |here: Range<usize>, panel: &[f32], stretches: &mut dyn Iterator<Item = _>| {
            let out = &mut out[(here.start - begin) * ldc..][..here.len() * ldc];
            for super::lines::Stretch { pixels, first } in stretches {
                let rows = Rows {
                    a: &panel[first..],
                    count: pixels.len(),
                    lda: lines.step,
                    runs: lines.runs,
                    run_step: lines.width,
                };
                let out = &mut out[(pixels.start - here.start) * ldc..];
                self.product(group, columns.clone(), &rows, out, ldc);
            }
            finder.look(out);
        };
        lines.walk(self.isa, geometry, rows, input, |_| 0.0, |x| x, panel, part);
    }

    /// `rows` times the columns `columns` of a group's weights, into `out`.
    fn product(
        &self,
        group: &Group,
        columns: Range<usize>,
        from: &Rows<'_>,
        out: &mut [f32],
        ldc: usize,
    ) {
        let rows = from.count;
        let k = self.geometry.k();
        let k_step = if self.in_order { k.max(1) } else { K_STEP };
        for block in group.weights.blocks(columns.clone()) {
            let tile = tile_rows(self.isa, block.panels);
            let at = block.first - columns.start;
            for k0 in (0..k).step_by(k_step) {
                let k1 = (k0 + k_step).min(k);
                let mut ahead = block.ahead(rows.div_ceil(tile));
                for row in (0..rows).step_by(tile) {
                    let t = F32Tile {
                        ahead: match k1 == k {
                            true => ahead.next().unwrap_or(&[]),
                            false => &[],
                        },
                        rows: tile.min(rows - row),
                        k: k1 - k0,
                        a: &from.a[row * from.lda + k0..],
                        lda: from.lda,
                        runs: from.runs,
                        run_step: from.run_step,
                        b: &block.data[k0 * block.panels * PANEL..],
                        panels: block.panels,
                        bias: (k0 == 0).then(|| &group.bias[block.first..]),
                        clamp: (k1 == k).then_some((self.low, self.high)),
                        in_order: self.in_order,
                        ldc,
                        columns: block.columns,
                    };
                    simd::dot_f32(self.isa, &t, &mut out[row * ldc + at..]);
                }
            }
        }
    }
}
