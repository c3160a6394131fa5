//! Lines of an image with their padding, from which a product of few input channels reads its rows: a window is a run of each of
//! a few lines, so that nothing is gathered.

use std::ops::Range;

use super::gather::Geometry;
use super::isa::Proven;
use super::simd::{self, Vectorized};

/// Values of a line of a window from which on gathering costs little beside the products.
const MOST_RUN: usize = 48;
/// Lines of a window that are read as runs at most.
const MOST_LINES: usize = 16;
/// Bytes of the lines that are copied at a time.
const COPIED: usize = 48 * 1024;

/// A convolution as products of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Values of a line with its padding.
    pub width: usize,
    /// Values that a line of a window has.
    pub run: usize,
    /// Lines of a window.
    pub runs: usize,
    /// Values from a window to the next of the same line.
    pub step: usize,
    /// Output lines whose input is copied at a time.
    at_once: usize,
}

/// Output pixels of one line, and where the windows begin in the lines that were copied.
pub(crate) struct Stretch {
    /// Of all output pixels.
    pub pixels: Range<usize>,
    pub first: usize,
}

impl Lines {
    /// `None` where gathering is better, or the instruction set has no kernel for runs; the same for every batch and image size.
    pub fn new(isa: Proven, geometry: &Geometry, value_bytes: usize) -> Option<Self> {
        let s = &geometry.shape;
        let run = s.k_w.checked_mul(s.in_c)?;
        let width = s.out_w.checked_sub(1)?.checked_mul(s.stride_w)?;
        let width = width.checked_add(s.k_w)?;
        let fits = simd::takes_runs(isa)
            && geometry.groups == 1
            && !geometry.is_plain()
            && (s.dilation_h, s.dilation_w) == (1, 1)
            && run <= MOST_RUN
            && s.k_h <= MOST_LINES
            // Else it is no window of the image.
            && width < s.in_w.saturating_add(2 * s.k_w);
        if !fits {
            return None;
        }
        let width = width.checked_mul(s.in_c)?;
        let line = width.checked_mul(value_bytes)?.checked_mul(s.stride_h)?;
        Some(Self {
            width,
            run,
            runs: s.k_h,
            step: s.stride_w * s.in_c,
            at_once: (COPIED / line.max(1)).clamp(1, s.out_h),
        })
    }

    /// Values of the copied lines; with `slack` more that a kernel may read.
    pub fn len(&self, geometry: &Geometry, slack: usize) -> usize {
        self.copied(geometry, self.at_once) * self.width + slack
    }

    /// Lines of the input that as many output lines take.
    fn copied(&self, geometry: &Geometry, lines: usize) -> usize {
        (lines - 1) * geometry.shape.stride_h + self.runs
    }

    /// Copies the lines that the output pixels `rows` need into `panel`, some at a time, each value turned by `value`, and
    /// `pad(batch)` outside of the image; calls `part(pixels, panel, stretches)` for those output pixels.
    #[allow(clippy::too_many_arguments)] // what a gather takes
    pub fn walk<T: Copy, U: Copy>(
        &self,
        isa: Proven,
        geometry: &Geometry,
        rows: Range<usize>,
        input: &[T],
        pad: impl Fn(usize) -> U,
        value: impl Fn(T) -> U,
        panel: &mut [U],
        mut part: impl FnMut(Range<usize>, &[U], &mut dyn Iterator<Item = Stretch>),
    ) {
        let s = &geometry.shape;
        let mut at = rows.start;
        while at < rows.end {
            let line = at / s.out_w;
            let batch = line / s.out_h;
            let last = (line + self.at_once)
                .min((batch + 1) * s.out_h)
                .min((rows.end - 1) / s.out_w + 1);
            let copy = Copying {
                lines: self,
                geometry,
                batch,
                first: line % s.out_h,
                count: self.copied(geometry, last - line),
                input,
                pad: pad(batch),
                value: &value,
                panel: &mut *panel,
            };
            simd::vectorized(isa, copy);
            let end = rows.end.min(last * s.out_w);
            let mut stretches = (line..last).map(|l| {
                let pixels = at.max(l * s.out_w)..end.min((l + 1) * s.out_w);
                let x = pixels.start - l * s.out_w;
                let first = (l - line) * s.stride_h * self.width + x * self.step;
                Stretch { pixels, first }
            });
            part(at..end, panel, &mut stretches);
            at = end;
        }
    }
}

/// `count` lines from where the windows of output line `first` begin.
struct Copying<'a, T, U, V> {
    lines: &'a Lines,
    geometry: &'a Geometry,
    batch: usize,
    first: usize,
    count: usize,
    input: &'a [T],
    pad: U,
    value: &'a V,
    panel: &'a mut [U],
}

impl<T: Copy, U: Copy, V: Fn(T) -> U> Vectorized for Copying<'_, T, U, V> {
    #[inline(always)]
    fn run(self) {
        let s = &self.geometry.shape;
        let width = self.lines.width;
        let left = (s.pad_left * s.in_c).min(width);
        let here = (s.in_w * s.in_c).min(width - left);
        let to = self.panel.chunks_mut(width).take(self.count);
        for (i, to) in to.enumerate() {
            let y = (self.first * s.stride_h + i).checked_sub(s.pad_top);
            let Some(y) = y.filter(|&y| y < s.in_h) else {
                to.fill(self.pad);
                continue;
            };
            let from = (self.batch * s.in_h + y) * s.in_w * s.in_c;
            let from = &self.input[from..from + here];
            to[..left].fill(self.pad);
            let (to, right) = to[left..].split_at_mut(here);
            for (to, &v) in to.iter_mut().zip(from) {
                *to = (self.value)(v);
            }
            right.fill(self.pad);
        }
    }
}
