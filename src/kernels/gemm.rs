//! What matrix products share: the packed layout of weights, the tile of accumulators, and how rows are split over threads.

use std::ops::Range;

use rayon::prelude::*;

use super::isa::{Isa, Proven};
use super::scratch::Scratch;

/// Columns (output channels) of a panel: one AVX-512 register of 32-bit accumulators, two of AVX2.
pub(crate) const PANEL: usize = 16;
/// Most panels that one micro-kernel call computes.
pub(crate) const MAX_PANELS: usize = 4;
/// Row stride of a [`Tile`].
pub(crate) const TILE_COLS: usize = PANEL * MAX_PANELS;
/// Most rows of a [`Tile`].
pub(crate) const TILE_ROWS: usize = 8;

/// 32-bit accumulators of one micro-kernel call, row stride [`TILE_COLS`].
#[repr(align(64))]
pub(crate) struct Tile(pub [i32; TILE_ROWS * TILE_COLS]);

impl Tile {
    pub fn new() -> Self {
        Tile([0; TILE_ROWS * TILE_COLS])
    }
}

/// Panels of a full block, and so the unit in which columns are split.
pub(crate) fn block_panels(isa: Proven) -> usize {
    match isa.isa() {
        Isa::Avx512 => MAX_PANELS,
        Isa::Avx2 | Isa::Portable => 1,
    }
}

/// Rows that one micro-kernel call computes for a block of that many panels; chosen so that the accumulators fit the registers.
pub(crate) fn tile_rows(isa: Proven, panels: usize) -> usize {
    match isa.isa() {
        Isa::Avx512 if panels == 4 => 6,
        Isa::Avx512 => 8,
        Isa::Avx2 => 6,
        Isa::Portable => 4,
    }
}

/// Weights of one matrix product, `[n, k]` row-major before, packed for the micro-kernels: blocks of up to
/// [`block_panels`] panels; in a block, for every group of `group` values of k (zero-filled at the end), every panel's
/// [`PANEL`] columns, the group's values together.
#[derive(Debug, Clone)]
pub(crate) struct PackedWeights<T> {
    data: Vec<T>,
    /// Columns.
    pub n: usize,
    /// Groups of values along k.
    pub k_groups: usize,
    /// Values in a group.
    pub group: usize,
    /// Panels of a full block.
    pub panels: usize,
}

/// One block of [`PackedWeights`].
pub(crate) struct Block<'a, T> {
    pub data: &'a [T],
    pub panels: usize,
    /// First column.
    pub first: usize,
    /// Columns that are real (the last panel may be padded).
    pub columns: usize,
}

impl<T: Copy + Default> PackedWeights<T> {
    /// Packs `value(column, k)`.
    pub fn new(
        isa: Proven,
        n: usize,
        k: usize,
        group: usize,
        value: impl Fn(usize, usize) -> T,
    ) -> Self {
        let panels = block_panels(isa);
        let k_groups = k.div_ceil(group);
        let mut data = vec![T::default(); n.div_ceil(PANEL) * PANEL * k_groups * group];
        for column in 0..n {
            let block = column / (panels * PANEL);
            let first = block * panels * PANEL;
            let here = (n - first).div_ceil(PANEL).min(panels);
            let start = first * k_groups * group;
            let panel = (column - first) / PANEL;
            let lane = column % PANEL;
            let mut at = start + (panel * PANEL + lane) * group;
            for from in (0..k).step_by(group) {
                for i in 0..group.min(k - from) {
                    data[at + i] = value(column, from + i);
                }
                at += here * PANEL * group;
            }
        }
        Self {
            data,
            n,
            k_groups,
            group,
            panels,
        }
    }

    /// Blocks that hold `columns`; its start must begin a block.
    pub fn blocks(&self, columns: Range<usize>) -> impl Iterator<Item = Block<'_, T>> {
        let width = self.panels * PANEL;
        (columns.start..columns.end)
            .step_by(width)
            .map(move |first| {
                let panels = (self.n - first).div_ceil(PANEL).min(self.panels);
                let len = panels * PANEL * self.k_groups * self.group;
                let start = first * self.k_groups * self.group;
                Block {
                    data: &self.data[start..start + len],
                    panels,
                    first,
                    columns: (columns.end - first).min(panels * PANEL),
                }
            })
    }

    /// Values of k with the filling.
    pub fn padded_k(&self) -> usize {
        self.k_groups * self.group
    }
}

/// That a bias, if any, has one value per output channel.
pub(crate) fn check_bias<T>(bias: Option<&[T]>, channels: usize) -> crate::error::Result<()> {
    match bias {
        Some(b) if b.len() != channels => crate::invalid!(
            "a bias of {} values for {channels} output channels",
            b.len()
        ),
        _ => Ok(()),
    }
}

/// Rows of a panel of gathered input: a multiple of `tile`, small enough that the panel stays in the second-level cache.
pub(crate) fn panel_rows(rows: usize, tile: usize, row_bytes: usize) -> usize {
    const CACHE: usize = 512 * 1024;
    let fit = (CACHE / row_bytes.max(1) / tile * tile).clamp(tile, tile * 32);
    fit.min(rows.next_multiple_of(tile)).max(tile)
}

/// How many threads are worth starting for `macs` multiply–adds when one thread should have `grain` at least.
pub(crate) fn worth(threads: usize, macs: usize, grain: usize) -> usize {
    if threads <= 1 {
        return 1;
    }
    threads
        .min(rayon::current_num_threads())
        .min(macs / grain.max(1))
        .max(1)
}

/// Computes an output of `rows` × `columns` in up to `threads` parts, each with a lane of scratch of its own: by rows, or, where
/// there is but one, by columns in multiples of `column_unit` (0: never). `part(rows, columns, out, lane)` fills `out`, whose
/// row stride is the number of its columns.
#[allow(clippy::too_many_arguments)] // one call site per operator; a struct would be longer
pub(crate) fn split<T: Send>(
    rows: usize,
    columns: usize,
    row_unit: usize,
    column_unit: usize,
    threads: usize,
    lanes: &mut [Vec<u64>],
    out: &mut [T],
    part: impl Fn(Range<usize>, Range<usize>, &mut [T], &mut [u64]) + Sync,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let threads = threads.min(lanes.len()).max(1);
    if threads == 1 {
        if let Some(lane) = lanes.first_mut() {
            part(0..rows, 0..columns, out, lane);
        }
    } else if rows == 1 && column_unit > 0 {
        let step = columns.div_ceil(threads).next_multiple_of(column_unit);
        out.par_chunks_mut(step)
            .zip(lanes.par_iter_mut())
            .enumerate()
            .for_each(|(i, (out, lane))| {
                part(0..1, i * step..i * step + out.len(), out, lane);
            });
    } else {
        let step = rows.div_ceil(threads).next_multiple_of(row_unit.max(1));
        out.par_chunks_mut(step * columns)
            .zip(lanes.par_iter_mut())
            .enumerate()
            .for_each(|(i, (out, lane))| {
                let first = i * step;
                part(first..first + out.len() / columns, 0..columns, out, lane);
            });
    }
}

impl Scratch {
    /// Room for `threads` lanes, then the lanes and the shared buffer.
    pub(crate) fn lanes(
        &mut self,
        threads: usize,
        lane_bytes: usize,
        shared_bytes: usize,
    ) -> (&mut [Vec<u64>], &mut [u64]) {
        self.reserve(threads.max(1), lane_bytes, shared_bytes);
        self.parts()
    }
}
