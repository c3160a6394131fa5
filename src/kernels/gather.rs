//! Input rows of a convolution as a matrix product wants them: a panel of a few output pixels at a time, never the whole im2col.

use std::ops::Range;

use super::Conv2dShape;
use super::gemm::{PANEL, Split, block_panels, tile_rows, worth};
use super::isa::Proven;
use super::simd::Vectorized;
use crate::error::Result;

/// A convolution's geometry with its groups, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub shape: Conv2dShape,
    pub groups: usize,
    /// Input channels of a group.
    pub group_in: usize,
    /// Output channels of a group.
    pub group_out: usize,
}

impl Geometry {
    /// From a shape and the number of its weights, which says how many groups there are.
    pub fn new(shape: Conv2dShape, weights: usize) -> Result<Self> {
        let s = shape;
        let per_channel = product(&[s.out_c, s.k_h, s.k_w])?;
        let positive = [
            s.in_h,
            s.in_w,
            s.in_c,
            s.out_h,
            s.out_w,
            s.stride_h,
            s.stride_w,
            s.dilation_h,
            s.dilation_w,
        ];
        if per_channel == 0 || positive.contains(&0) {
            return crate::invalid!("a convolution with an extent of 0: {s:?}");
        }
        product(&[s.batches, s.in_h, s.in_w, s.in_c])?;
        product(&[s.batches, s.out_h, s.out_w, s.out_c])?;
        product(&[s.k_h, s.dilation_h])?;
        product(&[s.k_w, s.dilation_w])?;
        let group_in = weights / per_channel;
        let fits = group_in > 0
            && group_in * per_channel == weights
            && s.in_c.is_multiple_of(group_in)
            && s.out_c.is_multiple_of(s.in_c / group_in);
        if !fits {
            return crate::invalid!(
                "{weights} weights do not fit {} output channels of {}×{} over {} input channels",
                s.out_c,
                s.k_h,
                s.k_w,
                s.in_c
            );
        }
        let groups = s.in_c / group_in;
        Ok(Self {
            shape,
            groups,
            group_in,
            group_out: s.out_c / groups,
        })
    }

    /// The same filter on other extents or another batch size.
    pub fn reshape(&self, shape: Conv2dShape) -> Result<Self> {
        let s = &self.shape;
        let new = Self::new(shape, s.out_c * s.k_h * s.k_w * self.group_in)?;
        let same =
            (s.k_h, s.k_w, s.in_c, s.out_c) == (shape.k_h, shape.k_w, shape.in_c, shape.out_c);
        if !same {
            return crate::invalid!("{shape:?} has another filter than {s:?}");
        }
        Ok(new)
    }

    /// Rows of the matrix product: output pixels of all batches.
    pub fn rows(&self) -> usize {
        self.shape.batches * self.shape.out_h * self.shape.out_w
    }

    /// How the output is computed on up to `threads` threads, of which each should have `grain` multiply–adds; a part takes
    /// `part_bytes`. A value of input or output has `value_bytes` times the bytes of a weight; `prepares`: see [`Split`].
    pub fn split(
        &self,
        isa: Proven,
        threads: usize,
        grain: usize,
        part_bytes: usize,
        value_bytes: usize,
        prepares: bool,
    ) -> Split {
        /// Multiply–adds that take as long as fetching a weight.
        const FETCH: usize = 8;
        /// What a value costs that another thread has in its cache, in weights fetched.
        const FOREIGN: usize = 4;
        let panels = block_panels(isa);
        let weights = self.k().saturating_mul(self.shape.out_c);
        let values = (self.k() + 2 * self.shape.out_c).saturating_mul(self.rows());
        let work = weights.saturating_mul(FETCH).saturating_add(self.macs());
        Split {
            wide: weights > values.saturating_mul(FOREIGN * value_bytes),
            prepares,
            rows: self.rows(),
            columns: self.shape.out_c,
            row_unit: tile_rows(isa, panels),
            column_unit: if self.groups == 1 { panels * PANEL } else { 0 },
            threads: worth(threads, work, grain),
            part_bytes,
        }
    }

    /// Where the outputs of a group begin in a row of the part of the output that holds `columns`, and its columns to compute.
    pub fn columns(&self, group: usize, columns: &Range<usize>) -> (usize, Range<usize>) {
        match self.groups {
            1 => (0, columns.clone()),
            _ => (group * self.group_out, 0..self.group_out),
        }
    }

    /// Length of the reduction.
    pub fn k(&self) -> usize {
        self.shape.k_h * self.shape.k_w * self.group_in
    }

    /// Multiply–adds in all.
    pub fn macs(&self) -> usize {
        self.rows()
            .saturating_mul(self.shape.out_c)
            .saturating_mul(self.k())
    }

    /// That buffers have the lengths the shape asks for.
    pub fn check(&self, input: usize, output: usize) -> Result<()> {
        let s = &self.shape;
        let need = (s.batches * s.in_h * s.in_w * s.in_c, self.rows() * s.out_c);
        if (input, output) != need {
            return crate::invalid!(
                "a convolution of {} inputs and {} outputs got {input} and {output}",
                need.0,
                need.1
            );
        }
        Ok(())
    }

    /// Whether input row i of the product is pixel i of the input as it lies there.
    pub fn is_plain(&self) -> bool {
        let s = &self.shape;
        s.k_h == 1
            && s.k_w == 1
            && s.stride_h == 1
            && s.stride_w == 1
            && s.pad_top == 0
            && s.pad_left == 0
            && s.in_h == s.out_h
            && s.in_w == s.out_w
            && self.groups == 1
    }
}

/// Fills `panel`, rows `row_len` apart, with the inputs of the output pixels `rows` for a group, each turned by `value`; outside
/// of the input is `pad(batch)`. What a row holds beyond k is undefined.
pub(crate) struct Gather<'a, T, U, P, V> {
    pub geometry: &'a Geometry,
    pub group: usize,
    pub rows: Range<usize>,
    pub input: &'a [T],
    pub pad: P,
    pub value: V,
    pub panel: &'a mut [U],
    pub row_len: usize,
}

impl<T, U, P, V> Vectorized for Gather<'_, T, U, P, V>
where
    T: Copy,
    U: Copy,
    P: Fn(usize) -> U,
    V: Fn(T) -> U,
{
    #[inline(always)]
    fn run(self) {
        let Self {
            geometry,
            rows,
            input,
            panel,
            row_len,
            value,
            ..
        } = self;
        let s = &geometry.shape;
        let c = geometry.group_in;
        if geometry.is_plain() && row_len == c {
            let from = &input[rows.start * c..rows.end * c];
            panel
                .iter_mut()
                .zip(from)
                .for_each(|(to, &x)| *to = value(x));
            return;
        }
        // Output columns whose windows lie inside of the image.
        let first_inside = s.pad_left.div_ceil(s.stride_w);
        let reach = (s.k_w - 1) * s.dilation_w + 1;
        let last_inside = (s.in_w + s.pad_left).checked_sub(reach);
        let end_inside = last_inside.map_or(0, |x| x / s.stride_w + 1);
        let mut at = rows.start;
        while at < rows.end {
            let (x, line) = (at % s.out_w, at / s.out_w);
            let end = (x + rows.end - at).min(s.out_w);
            let to = (at - rows.start) * row_len;
            let here = Line {
                geometry,
                group: self.group,
                batch: line / s.out_h,
                top: (line % s.out_h * s.stride_h) as isize - s.pad_top as isize,
                row_len,
            };
            let a = first_inside.clamp(x, end);
            let b = end_inside.clamp(a, end);
            let pad = (self.pad)(here.batch);
            here.border(x..a, input, pad, &value, &mut panel[to..]);
            here.inside(
                a..b,
                input,
                pad,
                &value,
                &mut panel[to + (a - x) * row_len..],
            );
            here.border(
                b..end,
                input,
                pad,
                &value,
                &mut panel[to + (b - x) * row_len..],
            );
            at += end - x;
        }
    }
}

/// Output pixels of one line of the image.
struct Line<'a> {
    geometry: &'a Geometry,
    group: usize,
    batch: usize,
    /// Line of the input where the windows begin.
    top: isize,
    row_len: usize,
}

impl Line<'_> {
    /// Where row `k_y` of the windows lies in the input; `None` outside of the image.
    #[inline(always)]
    fn input_line(&self, k_y: usize) -> Option<usize> {
        let s = &self.geometry.shape;
        let y = self.top + (k_y * s.dilation_h) as isize;
        let inside = y >= 0 && y < s.in_h as isize;
        inside.then(|| {
            (self.batch * s.in_h + y as usize) * s.in_w * s.in_c
                + self.group * self.geometry.group_in
        })
    }

    /// The pixels `x`, whose windows may reach over the left and right ends of the image.
    #[inline(always)]
    fn border<T: Copy, U: Copy>(
        &self,
        x: Range<usize>,
        input: &[T],
        pad: U,
        value: &impl Fn(T) -> U,
        panel: &mut [U],
    ) {
        let s = &self.geometry.shape;
        let c = self.geometry.group_in;
        for (row, x) in x.enumerate() {
            for k_y in 0..s.k_h {
                let line = self.input_line(k_y);
                for k_x in 0..s.k_w {
                    let at = row * self.row_len + (k_y * s.k_w + k_x) * c;
                    let to = &mut panel[at..at + c];
                    let x = (x * s.stride_w + k_x * s.dilation_w).checked_sub(s.pad_left);
                    match (line, x.filter(|&x| x < s.in_w)) {
                        (Some(line), Some(x)) => {
                            let from = &input[line + x * s.in_c..][..c];
                            to.iter_mut().zip(from).for_each(|(to, &x)| *to = value(x));
                        }
                        _ => to.fill(pad),
                    }
                }
            }
        }
    }

    /// The pixels `x`, whose windows lie between the left and right ends of the image.
    #[inline(always)]
    fn inside<T: Copy, U: Copy>(
        &self,
        x: Range<usize>,
        input: &[T],
        pad: U,
        value: &impl Fn(T) -> U,
        panel: &mut [U],
    ) {
        if x.is_empty() {
            return;
        }
        let s = &self.geometry.shape;
        let c = self.geometry.group_in;
        // A whole filter row is one run of the input where neither dilation nor groups part it.
        let joined = s.dilation_w == 1 && self.geometry.groups == 1;
        let (runs, run) = if joined { (1, s.k_w * c) } else { (s.k_w, c) };
        let left = x.start * s.stride_w - s.pad_left;
        for k_y in 0..s.k_h {
            let line = self.input_line(k_y);
            for k_x in 0..runs {
                let at = (k_y * s.k_w + k_x) * c;
                let Some(line) = line else {
                    let rows = panel[at..].chunks_mut(self.row_len).take(x.len());
                    rows.for_each(|row| row[..run].fill(pad));
                    continue;
                };
                let copy = Runs {
                    from: &input[line + (left + k_x * s.dilation_w) * s.in_c..],
                    from_step: s.stride_w * s.in_c,
                    to: &mut panel[at..],
                    to_step: self.row_len,
                    count: x.len(),
                    run,
                };
                // Fixed lengths need no loop.
                match run {
                    1 => copy.fixed::<1, _>(value),
                    2 => copy.fixed::<2, _>(value),
                    3 => copy.fixed::<3, _>(value),
                    4 => copy.fixed::<4, _>(value),
                    5 => copy.fixed::<5, _>(value),
                    6 => copy.fixed::<6, _>(value),
                    7 => copy.fixed::<7, _>(value),
                    8 => copy.fixed::<8, _>(value),
                    9 => copy.fixed::<9, _>(value),
                    12 => copy.fixed::<12, _>(value),
                    15 => copy.fixed::<15, _>(value),
                    16 => copy.fixed::<16, _>(value),
                    21 => copy.fixed::<21, _>(value),
                    _ => copy.any(value),
                }
            }
        }
    }
}

/// `count` runs of `run` values, `from_step` apart here and `to_step` there.
struct Runs<'a, T, U> {
    from: &'a [T],
    from_step: usize,
    to: &'a mut [U],
    to_step: usize,
    count: usize,
    run: usize,
}

impl<T: Copy, U: Copy> Runs<'_, T, U> {
    #[inline(always)]
    fn any(self, value: impl Fn(T) -> U) {
        for i in 0..self.count {
            let from = &self.from[i * self.from_step..][..self.run];
            let to = &mut self.to[i * self.to_step..][..self.run];
            to.iter_mut().zip(from).for_each(|(to, &x)| *to = value(x));
        }
    }

    #[inline(always)]
    fn fixed<const N: usize, V: Fn(T) -> U>(self, value: V) {
        for i in 0..self.count {
            let from: &[T; N] = self.from[i * self.from_step..][..N]
                .first_chunk()
                .expect("N values");
            let to: &mut [U; N] = self.to[i * self.to_step..][..N]
                .first_chunk_mut()
                .expect("N values");
            for j in 0..N {
                to[j] = value(from[j]);
            }
        }
    }
}

/// The product of extents, if a tensor of them can be addressed.
pub(crate) fn product(extents: &[usize]) -> Result<usize> {
    let n = extents
        .iter()
        .try_fold(1usize, |n, &e| n.checked_mul(e))
        .filter(|&n| n <= isize::MAX as usize / 16);
    match n {
        Some(n) => Ok(n),
        None => crate::invalid!("a tensor of {extents:?} is too large"),
    }
}

/// A fully connected layer as a convolution of one pixel: `rows` vectors of `inputs` values to `outputs` values.
pub fn fully_connected_shape(rows: usize, inputs: usize, outputs: usize) -> Conv2dShape {
    Conv2dShape {
        batches: rows,
        in_h: 1,
        in_w: 1,
        in_c: inputs,
        out_h: 1,
        out_w: 1,
        out_c: outputs,
        k_h: 1,
        k_w: 1,
        stride_h: 1,
        stride_w: 1,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: 0,
        pad_left: 0,
    }
}
