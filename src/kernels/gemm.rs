//! What matrix products share: the packed layout of weights, the tile of accumulators, and how rows are split over threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytemuck::Pod;

use super::isa::{Isa, Proven};
use super::parallel;
use super::scratch::{Lane, Scratch};

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
    /// What the block after it holds, if there is one.
    pub next: &'a [T],
    pub panels: usize,
    /// First column.
    pub first: usize,
    /// Columns that are real (the last panel may be padded).
    pub columns: usize,
}

impl<'a, T> Block<'a, T> {
    /// Parts of [`Block::next`], one for each of the first of `tiles` tiles: the kernel fetches one while it computes a tile, so
    /// that the whole of it lies in the second-level cache when its turn comes.
    pub fn ahead(&self, tiles: usize) -> std::slice::Chunks<'a, T> {
        // As many as there are panels, and so a cache line for each group of the reduction.
        let parts = tiles.clamp(1, self.panels);
        self.next.chunks(self.next.len().div_ceil(parts).max(1))
    }
}

impl<T: Copy + Default + Send> PackedWeights<T> {
    /// Packs `value(column, k)`, on all threads of the pool that the caller belongs to, if any.
    pub fn new(
        isa: Proven,
        n: usize,
        k: usize,
        group: usize,
        value: impl Fn(usize, usize) -> T + Sync,
    ) -> Self {
        /// Groups that one column writes before the next takes its turn: a cache line of float weights.
        const RUN: usize = 16;
        let panels = block_panels(isa);
        let k_groups = k.div_ceil(group);
        let mut data = vec![T::default(); n.div_ceil(PANEL) * PANEL * k_groups * group];
        let width = panels * PANEL;
        let block = |index: usize, data: &mut [T]| {
            let first = index * width;
            let columns = (n - first).min(width);
            let row = columns.next_multiple_of(PANEL) * group;
            for from in (0..k_groups).step_by(RUN) {
                for column in 0..columns {
                    for g in from..(from + RUN).min(k_groups) {
                        let at = g * row + column * group;
                        for i in 0..group.min(k - g * group) {
                            data[at + i] = value(first + column, g * group + i);
                        }
                    }
                }
            }
        };
        let step = (width * k_groups * group).max(1);
        match rayon::current_thread_index() {
            Some(_) => parallel::chunks(&mut data, step, &block),
            None => {
                let blocks = data.chunks_mut(step).enumerate();
                blocks.for_each(|(i, data)| block(i, data));
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
                let end = columns.end.next_multiple_of(PANEL) * self.k_groups * self.group;
                let after = start + len..(start + 2 * len).min(end).max(start + len);
                Block {
                    data: &self.data[start..start + len],
                    next: self.data.get(after).unwrap_or(&[]),
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
    threads.min(macs / grain.max(1)).max(1)
}

/// An output of `rows` × `columns` that is computed in parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Split {
    pub rows: usize,
    pub columns: usize,
    /// Parts by rows hold a multiple of as many, unless they are few.
    pub row_unit: usize,
    /// Parts by columns hold a multiple of as many; 0: there are none.
    pub column_unit: usize,
    /// Whether parts by columns are worth while.
    pub wide: bool,
    /// Whether each part prepares the rows of the input for itself.
    pub prepares: bool,
    /// Threads to use.
    pub threads: usize,
    /// Bytes that computing a part takes.
    pub part_bytes: usize,
}

/// How many rows and columns a part has.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Parts {
    One,
    Rows(usize),
    Grid(usize, usize),
}

/// What [`Split::run`] hands out: the rows of a part of the output, until somebody takes them.
type Pieces<'a, T> = Mutex<Vec<&'a mut [T]>>;

impl Split {
    /// By columns where the matrix of weights is the larger of the two, so that each thread reads its own part of it; else by
    /// rows, of which a thread then finds in its cache what it computed by the operator before.
    fn parts(&self) -> Parts {
        /// Rows that make reading all weights once more worth while.
        const LEAST_ROWS: usize = 96;
        /// Parts a thread, so that none waits for long for another.
        const SHARE: usize = 3;
        /// Units of a part that are many: whole ones count for more than parts alike.
        const MANY: usize = 6;
        let (rows, columns, threads) = (self.rows, self.columns, self.threads);
        if threads <= 1 {
            return Parts::One;
        }
        let unit = self.column_unit;
        if unit > 0 && columns >= 2 * unit && (rows == 1 || self.wide) {
            let blocks = columns.div_ceil(unit);
            let most = if self.prepares {
                threads
            } else {
                threads * SHARE
            };
            let step = blocks.div_ceil(most) * unit;
            // Halves of the rows where the threads would get unlike numbers of blocks.
            let halves = match columns.div_ceil(step).is_multiple_of(threads)
                && columns.is_multiple_of(step)
            {
                true => 1,
                false => 2,
            };
            return Parts::Grid(rows.div_ceil(halves), step);
        }
        let parts = (rows / LEAST_ROWS).clamp(threads, threads * SHARE);
        let (step, unit) = (rows.div_ceil(parts), self.row_unit.max(1));
        Parts::Rows(if step < MANY * unit {
            step
        } else {
            step.next_multiple_of(unit)
        })
    }

    /// Bytes of a lane.
    pub fn lane_bytes<T>(&self) -> usize {
        let part = self.part_bytes.next_multiple_of(8);
        match self.parts() {
            // Parts of several rows are computed on their own and then put in their place.
            Parts::Grid(rows, columns) if self.rows > 1 => part + rows * columns * size_of::<T>(),
            Parts::One | Parts::Rows(_) | Parts::Grid(..) => part,
        }
    }

    /// Makes room for [`Split::run`].
    pub fn reserve<T>(&self, scratch: &mut Scratch, shared_bytes: usize) {
        scratch.reserve(self.threads.max(1), self.lane_bytes::<T>(), shared_bytes);
    }

    /// Lanes for [`Split::run`], and the shared buffer.
    pub fn lanes<'s, T>(
        &self,
        scratch: &'s mut Scratch,
        shared_bytes: usize,
    ) -> (&'s [Lane], &'s mut [u64]) {
        scratch.parts(self.threads, self.lane_bytes::<T>(), shared_bytes)
    }

    /// Computes `out`, part by part, on the threads of the current rayon pool. `part(rows, columns, out, lane)` fills an `out`
    /// whose row stride is the number of its columns.
    pub fn run<T: Pod + Send>(
        &self,
        lanes: &[Lane],
        out: &mut [T],
        part: impl Fn(Range<usize>, Range<usize>, &mut [T], &mut [u64]) + Sync,
    ) {
        let (rows, columns) = (self.rows, self.columns);
        if rows == 0 || columns == 0 {
            return;
        }
        match self.parts() {
            Parts::One => {
                Lane::of_thread(lanes, |lane| part(0..rows, 0..columns, out, lane));
            }
            Parts::Rows(step) => parallel::chunks(out, step * columns, &|i, out: &mut [T]| {
                let rows = i * step..i * step + out.len() / columns;
                Lane::of_thread(lanes, |lane| part(rows, 0..columns, out, lane));
            }),
            Parts::Grid(_, step) if rows == 1 => {
                parallel::chunks(out, step, &|i, out: &mut [T]| {
                    let columns = i * step..i * step + out.len();
                    Lane::of_thread(lanes, |lane| part(0..1, columns, out, lane));
                });
            }
            Parts::Grid(row_step, step) => {
                // Neighbours read the same weights.
                let halves = rows.div_ceil(row_step);
                let count = columns.div_ceil(step) * halves;
                let mut pieces: Vec<Pieces<'_, T>> = Vec::with_capacity(count);
                pieces.resize_with(count, || Mutex::new(Vec::with_capacity(row_step)));
                for (row, out) in out.chunks_mut(columns).enumerate() {
                    for (i, piece) in out.chunks_mut(step).enumerate() {
                        let of = &mut pieces[i * halves + row / row_step];
                        let of = of.get_mut().unwrap_or_else(PoisonError::into_inner);
                        of.push(piece);
                    }
                }
                parallel::parts(count, &|i| {
                    let first = i / halves * step;
                    let here = first..(first + step).min(columns);
                    let first = i % halves * row_step;
                    let rows = first..(first + row_step).min(rows);
                    Lane::of_thread(lanes, |lane| {
                        let (lane, own) = lane.split_at_mut(self.part_bytes.div_ceil(8));
                        let own: &mut [T] = bytemuck::cast_slice_mut(own);
                        let own = &mut own[..rows.len() * here.len()];
                        part(rows, here.clone(), own, lane);
                        let mut pieces = pieces[i].lock().unwrap_or_else(PoisonError::into_inner);
                        for (piece, own) in pieces.iter_mut().zip(own.chunks(here.len())) {
                            piece.copy_from_slice(own);
                        }
                    });
                });
            }
        }
    }
}
