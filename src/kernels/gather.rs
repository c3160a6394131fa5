//! Input rows of a convolution as a matrix product wants them: a panel of a few output pixels at a time, never the whole im2col.

use std::ops::Range;

use super::Conv2dShape;
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

    /// Fills `panel`, rows `row_len` apart, with the inputs of the output pixels `rows` for a group, each `copy`'d from the input
    /// run by run; outside of the input is `pad(batch)`. Values of a row beyond k are left as they are.
    #[allow(clippy::too_many_arguments)] // source, destination and the two ways to fill it
    pub fn gather<T: Copy, U: Copy>(
        &self,
        group: usize,
        rows: Range<usize>,
        input: &[T],
        pad: impl Fn(usize) -> U,
        copy: impl Fn(&[T], &mut [U]),
        panel: &mut [U],
        row_len: usize,
    ) {
        let s = &self.shape;
        let c = self.group_in;
        let mut out_x = rows.start % s.out_w;
        let mut out_y = rows.start / s.out_w % s.out_h;
        let mut batch = rows.start / s.out_w / s.out_h;
        // A whole filter row is one run of the input where neither dilation nor groups part it.
        let joined = s.dilation_w == 1 && self.groups == 1;
        for row in panel.chunks_mut(row_len).take(rows.len()) {
            let pad = pad(batch);
            let left = (out_x * s.stride_w) as isize - s.pad_left as isize;
            let top = (out_y * s.stride_h) as isize - s.pad_top as isize;
            for (k_y, row) in row.chunks_mut(s.k_w * c).take(s.k_h).enumerate() {
                let y = top + (k_y * s.dilation_h) as isize;
                if y < 0 || y >= s.in_h as isize {
                    row.fill(pad);
                    continue;
                }
                let line = (batch * s.in_h + y as usize) * s.in_w * s.in_c;
                let line = &input[line..line + s.in_w * s.in_c];
                if joined {
                    let before = (-left).clamp(0, s.k_w as isize) as usize;
                    let end =
                        (s.in_w as isize - left).clamp(before as isize, s.k_w as isize) as usize;
                    if before > 0 {
                        row[..before * c].fill(pad);
                    }
                    if end > before {
                        let from = (left + before as isize) as usize * c;
                        copy(
                            &line[from..from + (end - before) * c],
                            &mut row[before * c..end * c],
                        );
                    }
                    if end < s.k_w {
                        row[end * c..s.k_w * c].fill(pad);
                    }
                } else {
                    for (k_x, row) in row.chunks_mut(c).enumerate() {
                        let x = left + (k_x * s.dilation_w) as isize;
                        if x < 0 || x >= s.in_w as isize {
                            row.fill(pad);
                        } else {
                            let from = x as usize * s.in_c + group * c;
                            copy(&line[from..from + c], row);
                        }
                    }
                }
            }
            out_x += 1;
            if out_x == s.out_w {
                out_x = 0;
                out_y += 1;
                if out_y == s.out_h {
                    out_y = 0;
                    batch += 1;
                }
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
