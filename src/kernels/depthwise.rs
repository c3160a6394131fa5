//! What the depthwise kernels share: where the taps of each output pixel lie, and the sums over them, vectorised over channels.

use std::ops::{AddAssign, Mul, Range};

use super::Conv2dShape;
use super::gather::product;
use super::gemm::{Split, TILE_COLS, TILE_ROWS, worth};
use super::simd::{Run, Vectorized};
use crate::error::Result;

/// Offset that stands for a tap outside of the image.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// A depthwise convolution's geometry, checked, its input channels repeated for the multiplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Windows {
    /// As the caller gave it.
    pub shape: Conv2dShape,
    /// Output channels per input channel.
    pub multiplier: usize,
    /// Offsets of the taps from the first, in elements of the repeated input.
    taps: Vec<usize>,
}

impl Windows {
    /// From a shape and the number of its weights.
    pub fn new(shape: Conv2dShape, weights: usize) -> Result<Self> {
        let s = shape;
        let positive = [
            s.in_h,
            s.in_w,
            s.in_c,
            s.out_h,
            s.out_w,
            s.out_c,
            s.k_h,
            s.k_w,
            s.stride_h,
            s.stride_w,
            s.dilation_h,
            s.dilation_w,
        ];
        if positive.contains(&0) || !s.out_c.is_multiple_of(s.in_c) {
            return crate::invalid!(
                "a depthwise convolution with an extent of 0, or whose {} output channels are no multiple of its {} input channels",
                s.out_c,
                s.in_c
            );
        }
        product(&[s.batches, s.in_h, s.in_w, s.out_c])?;
        product(&[s.batches, s.out_h, s.out_w, s.out_c])?;
        product(&[s.out_h, s.stride_h])?;
        product(&[s.out_w, s.stride_w])?;
        product(&[s.k_h, s.dilation_h, s.in_w, s.out_c])?;
        product(&[s.k_w, s.dilation_w, s.out_c])?;
        if product(&[s.k_h, s.k_w, s.out_c])? != weights {
            return crate::invalid!(
                "{weights} weights do not fit {} output channels of {}×{}",
                s.out_c,
                s.k_h,
                s.k_w
            );
        }
        let row = s.in_w * s.out_c;
        let taps = (0..s.k_h)
            .flat_map(|y| {
                (0..s.k_w).map(move |x| y * s.dilation_h * row + x * s.dilation_w * s.out_c)
            })
            .collect();
        Ok(Self {
            shape,
            multiplier: s.out_c / s.in_c,
            taps,
        })
    }

    /// The same filter on other extents or another batch size.
    pub fn reshape(&self, shape: Conv2dShape) -> Result<Self> {
        let s = &self.shape;
        if (s.k_h, s.k_w, s.in_c, s.out_c) != (shape.k_h, shape.k_w, shape.in_c, shape.out_c) {
            return crate::invalid!("{shape:?} has another filter than {s:?}");
        }
        Self::new(shape, s.k_h * s.k_w * s.out_c)
    }

    /// Taps of a window.
    pub fn taps(&self) -> usize {
        self.taps.len()
    }

    /// Elements from a tap of a pixel to the same tap of the next.
    pub fn step(&self) -> usize {
        self.shape.stride_w * self.shape.out_c
    }

    /// Output pixels of all batches.
    pub fn pixels(&self) -> usize {
        self.shape.batches * self.shape.out_h * self.shape.out_w
    }

    /// How the output is computed on up to `threads` threads, of which each should have `grain` multiply–adds: by lines.
    pub fn split(&self, threads: usize, grain: usize, part_bytes: usize) -> Split {
        Split {
            rows: self.pixels(),
            columns: self.shape.out_c,
            row_unit: self.shape.out_w,
            column_unit: 0,
            wide: false,
            prepares: false,
            threads: worth(threads, self.macs(), grain),
            part_bytes,
        }
    }

    /// Multiply–adds in all.
    pub fn macs(&self) -> usize {
        self.pixels()
            .saturating_mul(self.shape.out_c)
            .saturating_mul(self.taps())
    }

    /// Elements of the input as given.
    pub fn input_len(&self) -> usize {
        let s = &self.shape;
        s.batches * s.in_h * s.in_w * s.in_c
    }

    /// Elements of the repeated input, 0 where the input serves as it is.
    pub fn repeated_len(&self) -> usize {
        match self.multiplier {
            1 => 0,
            m => self.input_len() * m,
        }
    }

    /// That buffers have the lengths the shape asks for.
    pub fn check(&self, input: usize, output: usize) -> Result<()> {
        let need = (self.input_len(), self.pixels() * self.shape.out_c);
        if (input, output) != need {
            return crate::invalid!(
                "a depthwise convolution of {} inputs and {} outputs got {input} and {output}",
                need.0,
                need.1
            );
        }
        Ok(())
    }

    /// `input`, or `repeated` filled with each of its values as often as the multiplier says.
    pub fn repeat<'a, T: Copy>(&self, input: &'a [T], repeated: &'a mut [T]) -> &'a [T] {
        if self.multiplier == 1 {
            return input;
        }
        for (to, &from) in repeated.chunks_mut(self.multiplier).zip(input) {
            to.fill(from);
        }
        repeated
    }

    /// Fills `offsets`, as many as taps for each of the pixels `pixels`, with where their taps begin in the repeated input.
    pub fn offsets(&self, pixels: Range<usize>, offsets: &mut [usize]) {
        let s = &self.shape;
        let row = s.in_w * s.out_c;
        for (pixel, offsets) in pixels.zip(offsets.chunks_mut(self.taps.len())) {
            let (x, y) = (pixel % s.out_w, pixel / s.out_w % s.out_h);
            let image = pixel / s.out_w / s.out_h * s.in_h * row;
            let left = (x * s.stride_w) as isize - s.pad_left as isize;
            let top = (y * s.stride_h) as isize - s.pad_top as isize;
            let right = left + ((s.k_w - 1) * s.dilation_w) as isize;
            let bottom = top + ((s.k_h - 1) * s.dilation_h) as isize;
            if left >= 0 && top >= 0 && right < s.in_w as isize && bottom < s.in_h as isize {
                let first = image + top as usize * row + left as usize * s.out_c;
                for (offset, tap) in offsets.iter_mut().zip(&self.taps) {
                    *offset = first + tap;
                }
                continue;
            }
            for (k_y, offsets) in offsets.chunks_mut(s.k_w).enumerate() {
                let y = top + (k_y * s.dilation_h) as isize;
                for (k_x, offset) in offsets.iter_mut().enumerate() {
                    let x = left + (k_x * s.dilation_w) as isize;
                    let inside = x >= 0 && y >= 0 && x < s.in_w as isize && y < s.in_h as isize;
                    *offset = if inside {
                        image + y as usize * row + x as usize * s.out_c
                    } else {
                        OUTSIDE
                    };
                }
            }
        }
    }
}

/// Sums over the taps of a few pixels for the channels `channels` (at most [`TILE_COLS`]) into rows of [`TILE_COLS`].
pub(crate) struct Taps<'a, T, W, S> {
    /// The repeated input.
    pub input: &'a [T],
    /// Stands for taps outside of the image; one value per channel.
    pub pad: &'a [T],
    /// One row of all channels per tap.
    pub weights: &'a [W],
    /// Channels of input and weights.
    pub stride: usize,
    pub channels: Range<usize>,
    /// One row per pixel, as [`Windows::offsets`] fills it.
    pub offsets: &'a [usize],
    pub taps: usize,
    /// Which of the taps; `weights` begins with the first of them.
    pub run: Range<usize>,
    pub sums: &'a mut [S],
}

impl<T, W, S> Vectorized for Taps<'_, T, W, S>
where
    T: Copy + Into<S>,
    W: Copy + Into<S>,
    S: Copy + Default + Mul<Output = S> + AddAssign,
{
    #[inline(always)]
    fn run(mut self) {
        let channels = self.channels.len();
        let mut at = 0;
        at = self.blocks::<64>(at, channels);
        at = self.blocks::<16>(at, channels);
        at = self.blocks::<8>(at, channels);
        self.blocks::<1>(at, channels);
    }
}

impl<T, W, S> Taps<'_, T, W, S>
where
    T: Copy + Into<S>,
    W: Copy + Into<S>,
    S: Copy + Default + Mul<Output = S> + AddAssign,
{
    /// As many blocks of `N` channels as fit between `at` and `end` (of the tile); where they end.
    #[inline(always)]
    fn blocks<const N: usize>(&mut self, mut at: usize, end: usize) -> usize {
        while at + N <= end {
            let first = self.channels.start + at;
            let rows = self.sums.chunks_mut(TILE_COLS);
            for (offsets, sums) in self.offsets.chunks(self.taps).zip(rows) {
                let mut acc = [S::default(); N];
                let mut weights = self.weights.get(first..).unwrap_or(&[]);
                for &offset in &offsets[self.run.clone()] {
                    let (from, offset) = match offset {
                        OUTSIDE => (self.pad, 0),
                        offset => (self.input, offset),
                    };
                    let a: &[T; N] = from[offset + first..].first_chunk().expect("a tap");
                    let w: &[W; N] = weights.first_chunk().expect("weights of a tap");
                    for j in 0..N {
                        acc[j] += a[j].into() * w[j].into();
                    }
                    weights = weights.get(self.stride..).unwrap_or(&[]);
                }
                sums[at..at + N].copy_from_slice(&acc);
            }
            at += N;
        }
        at
    }
}

/// Walks `pixels` in tiles of at most [`TILE_ROWS`] pixels and [`TILE_COLS`] channels: fills the offsets, then calls
/// `tile(pixels, channels, offsets)`.
pub(crate) fn tiles(
    windows: &Windows,
    pixels: Range<usize>,
    offsets: &mut [usize],
    mut tile: impl FnMut(Range<usize>, Range<usize>, &[usize]),
) {
    let channels = windows.shape.out_c;
    for first in pixels.clone().step_by(TILE_ROWS) {
        let here = first..(first + TILE_ROWS).min(pixels.end);
        let offsets = &mut offsets[..here.len() * windows.taps()];
        windows.offsets(here.clone(), offsets);
        for c in (0..channels).step_by(TILE_COLS) {
            tile(here.clone(), c..(c + TILE_COLS).min(channels), offsets);
        }
    }
}

/// What [`runs`] reads.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'a, T> {
    pub windows: &'a Windows,
    /// The repeated input.
    pub input: &'a [T],
    /// Stands for taps outside of the image; one value per channel.
    pub pad: &'a [T],
}

/// Parts `pixels` into runs of neighbours whose windows meet the ends of the image alike, and calls `run` for each with where
/// its outputs begin in `out`, which begins with those of `first`.
pub(crate) fn runs<T, O>(
    lines: &Lines<'_, T>,
    pixels: Range<usize>,
    channels: Range<usize>,
    offsets: &mut [usize],
    (first, out): (usize, &mut [O]),
    mut run: impl FnMut(&Run<T>, &mut [O]),
) {
    let windows = lines.windows;
    let s = &windows.shape;
    let offsets = &mut offsets[..windows.taps()];
    // Output columns whose windows lie between the left and right ends of the image.
    let inside = s.pad_left.div_ceil(s.stride_w);
    let reach = (s.k_w - 1) * s.dilation_w + 1;
    let end = (s.in_w + s.pad_left).checked_sub(reach);
    let end = end.map_or(0, |x| x / s.stride_w + 1);
    let mut at = pixels.start;
    while at < pixels.end {
        let x = at % s.out_w;
        let len = if (inside..end).contains(&x) {
            (end.min(s.out_w) - x).min(pixels.end - at)
        } else {
            1
        };
        windows.offsets(at..at + 1, offsets);
        let here = Run {
            input: lines.input,
            pad: lines.pad,
            offsets,
            step: windows.step(),
            pixels: len,
            channels: channels.clone(),
            stride: s.out_c,
        };
        run(&here, &mut out[(at - first) * s.out_c..]);
        at += len;
    }
}

/// Parts `pixels` into blocks of a few lines, and each by `channels` of them: what a block reads stays in the second-level cache,
/// and a few channels of it with their weights in the first. Calls `part(pixels, channels)`.
pub(crate) fn blocks(
    windows: &Windows,
    pixels: Range<usize>,
    channels: usize,
    mut part: impl FnMut(Range<usize>, Range<usize>),
) {
    const LINES: usize = 8;
    let all = windows.shape.out_c;
    for first in pixels.clone().step_by(LINES * windows.shape.out_w) {
        let here = first..(first + LINES * windows.shape.out_w).min(pixels.end);
        for c in (0..all).step_by(channels) {
            part(here.clone(), c..(c + channels).min(all));
        }
    }
}

/// Bytes of the offsets of one tile.
pub(crate) fn offset_bytes(windows: &Windows) -> usize {
    windows.taps() * TILE_ROWS * size_of::<usize>().max(8)
}

/// A lane of scratch as offsets.
pub(crate) fn as_offsets(lane: &mut [u64]) -> &mut [usize] {
    bytemuck::cast_slice_mut(lane)
}
