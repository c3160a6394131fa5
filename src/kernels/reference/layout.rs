//! Operators that only move data: PAD, CONCATENATION, TRANSPOSE, STRIDED_SLICE, TILE, MIRROR_PAD, …; for elements of any fixed size.
//!
//! Elements are runs of `size` bytes; [`Walk`] and [`Tables`] say where each comes from. Sources: `internal/reference/pad.h`, `concatenation.h`, `transpose.h`,
//! `strided_slice.h`, `strided_slice.cc`.

use bytemuck::{cast_slice, cast_slice_mut};

/// A rectangular walk over an array: for each axis of the result its extent and the step in the source, in elements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walk {
    /// Extents of the result.
    pub extents: Vec<usize>,
    /// Steps in the source.
    pub steps: Vec<isize>,
    /// First element of the source.
    pub start: usize,
}

/// Rows and columns of the blocks in which two swapped axes are walked.
const BLOCK: usize = 16;

/// Runs the body with `$e` as an array of `$size` bytes, so that an element is copied as one; `$other` for sizes without one.
macro_rules! with_element {
    ($size:expr, $e:ident => $body:expr, $other:expr) => {
        match $size {
            1 => {
                type $e = [u8; 1];
                $body
            }
            2 => {
                type $e = [u8; 2];
                $body
            }
            4 => {
                type $e = [u8; 4];
                $body
            }
            8 => {
                type $e = [u8; 8];
                $body
            }
            _ => $other,
        }
    };
}

/// Steps between neighbours along each axis of a row-major array.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

impl Walk {
    /// The walk that permutes the axes of `shape`.
    pub fn transposed(shape: &[usize], permutation: &[usize]) -> Self {
        let source = strides(shape);
        Self {
            extents: permutation.iter().map(|&p| shape[p]).collect(),
            steps: permutation.iter().map(|&p| source[p] as isize).collect(),
            start: 0,
        }
    }

    /// The walk over a block of `shape` that begins at `begin`.
    pub fn block(shape: &[usize], begin: &[usize], extents: &[usize]) -> Self {
        let source = strides(shape);
        Self {
            extents: extents.to_vec(),
            steps: source.iter().map(|&s| s as isize).collect(),
            start: begin.iter().zip(&source).map(|(b, s)| b * s).sum(),
        }
    }

    /// Copies the walked elements of `size` bytes to `out`, row-major.
    pub fn gather(&self, size: usize, source: &[u8], out: &mut [u8]) {
        with_element!(size, E => {
            let (source, out): (&[E], &mut [E]) = (cast_slice(source), cast_slice_mut(out));
            self.runs(|dense, at, run, step| {
                let out = &mut out[dense..dense + run];
                if step == 1 {
                    out.copy_from_slice(&source[at..at + run]);
                } else {
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = source[at.wrapping_add_signed(i as isize * step)];
                    }
                }
            });
        }, self.in_bytes(size).gather(1, source, out));
    }

    /// Copies the elements of `input`, row-major, to the walked places of `out`; the others stay as they are.
    pub fn scatter(&self, size: usize, input: &[u8], out: &mut [u8]) {
        with_element!(size, E => {
            let (input, out): (&[E], &mut [E]) = (cast_slice(input), cast_slice_mut(out));
            self.runs(|dense, at, run, step| {
                let input = &input[dense..dense + run];
                if step == 1 {
                    out[at..at + run].copy_from_slice(input);
                } else {
                    for (i, v) in input.iter().enumerate() {
                        out[at.wrapping_add_signed(i as isize * step)] = *v;
                    }
                }
            });
        }, self.in_bytes(size).scatter(1, input, out));
    }

    /// The walk over single bytes for elements of `size` bytes.
    fn in_bytes(&self, size: usize) -> Self {
        let mut bytes = self.clone();
        bytes.start *= size;
        bytes.steps.iter_mut().for_each(|s| *s *= size as isize);
        bytes.extents.push(size);
        bytes.steps.push(1);
        bytes
    }

    /// The same walk with as few axes as possible: extents of 1 gone, axes that continue each other joined.
    fn joined(&self) -> Self {
        let mut joined = Self {
            start: self.start,
            ..Self::default()
        };
        for (&extent, &step) in self.extents.iter().zip(&self.steps) {
            match (joined.extents.last_mut(), joined.steps.last_mut()) {
                _ if extent == 1 => {}
                (Some(e), Some(s)) if *s == step * extent as isize => {
                    (*e, *s) = (*e * extent, step);
                }
                _ => {
                    joined.extents.push(extent);
                    joined.steps.push(step);
                }
            }
        }
        joined
    }

    /// Calls `run(place in the result, place in the source, elements, step)` for runs that together are the whole walk.
    fn runs(&self, mut run: impl FnMut(usize, usize, usize, isize)) {
        if self.extents.contains(&0) {
            return;
        }
        let walk = self.joined();
        let dense = strides(&walk.extents);
        let Some(last) = walk.extents.len().checked_sub(1) else {
            return run(0, walk.start, 1, 1);
        };
        let (length, step) = (walk.extents[last], walk.steps[last]);
        // Where neighbours in the source lie along another axis, both axes are walked in blocks that fit the cache.
        let other = (0..last).find(|&a| step.abs() != 1 && walk.steps[a].abs() == 1);
        let outer: Vec<usize> = (0..last).filter(|&a| Some(a) != other).collect();
        let mut index = vec![0; outer.len()];
        let (mut to, mut from) = (0, walk.start as isize);
        loop {
            match other {
                None => run(to, from as usize, length, step),
                Some(other) => {
                    let (count, other_step) = (walk.extents[other], walk.steps[other]);
                    for row in (0..count).step_by(BLOCK) {
                        for column in (0..length).step_by(BLOCK) {
                            let length = BLOCK.min(length - column);
                            for row in row..count.min(row + BLOCK) {
                                let from =
                                    from + row as isize * other_step + column as isize * step;
                                let to = to + row * dense[other] + column;
                                run(to, from as usize, length, step);
                            }
                        }
                    }
                }
            }
            let mut done = true;
            for (i, &axis) in outer.iter().enumerate().rev() {
                index[i] += 1;
                to += dense[axis];
                from += walk.steps[axis];
                if index[i] < walk.extents[axis] {
                    done = false;
                    break;
                }
                to -= dense[axis] * index[i];
                from -= walk.steps[axis] * index[i] as isize;
                index[i] = 0;
            }
            if done {
                return;
            }
        }
    }
}

/// A walk whose places are sums of one table an axis: for mirrors, nearest pixels and other steps that are not constant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables(pub Vec<Vec<usize>>);

impl Tables {
    /// The table of an axis that is walked as it lies.
    pub fn plain(extent: usize, step: usize) -> Vec<usize> {
        (0..extent).map(|i| i * step).collect()
    }

    /// Copies the walked elements of `size` bytes to `out`, row-major.
    pub fn gather(&self, size: usize, source: &[u8], out: &mut [u8]) {
        if self.0.iter().any(Vec::is_empty) {
            return;
        }
        // Trailing axes that are walked as they lie are copied as one run.
        let (mut axes, mut run) = (&self.0[..], 1);
        while let Some((last, outer)) = axes.split_last()
            && last.iter().enumerate().all(|(i, &at)| at == i * run)
        {
            (axes, run) = (outer, run * last.len());
        }
        let bytes = run * size;
        let mut index = vec![0; axes.len()];
        for out in out.chunks_exact_mut(bytes.max(1)) {
            let at: usize = index.iter().zip(axes).map(|(&i, table)| table[i]).sum();
            out.copy_from_slice(&source[at * size..at * size + bytes]);
            for (i, table) in index.iter_mut().zip(axes).rev() {
                *i += 1;
                if *i < table.len() {
                    break;
                }
                *i = 0;
            }
        }
    }
}

/// Surrounds an array of `shape` with `value` (`size` bytes): `before[a]` elements in front of axis a; `out_shape` says
/// how many come after.
pub fn pad(
    shape: &[usize],
    before: &[usize],
    out_shape: &[usize],
    value: &[u8],
    input: &[u8],
    out: &mut [u8],
) {
    let size = value.len();
    repeat(value, out);
    Walk::block(out_shape, before, shape).scatter(size, input, out);
}

/// Fills `out` with `value` again and again: what is filled is copied, so that the copies are long.
fn repeat(value: &[u8], out: &mut [u8]) {
    if let Some(&byte) = value.first()
        && value.iter().all(|&v| v == byte)
    {
        return out.fill(byte);
    }
    let mut done = value.len().min(out.len());
    out[..done].copy_from_slice(&value[..done]);
    while done > 0 && done < out.len() {
        let more = done.min(out.len() - done);
        out.copy_within(..more, done);
        done += more;
    }
}

/// Lays arrays side by side: each hands over, in turn, a run of `runs[i]` bytes (its extents from the axis on).
/// PACK is the same with runs of one slice.
pub fn concatenate<'a>(runs: &[usize], input: impl Fn(usize) -> &'a [u8], out: &mut [u8]) {
    let row: usize = runs.iter().sum();
    for (n, out) in out.chunks_exact_mut(row.max(1)).enumerate() {
        let mut at = 0;
        for (i, &run) in runs.iter().enumerate() {
            out[at..at + run].copy_from_slice(&input(i)[n * run..(n + 1) * run]);
            at += run;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes_and_reverses() {
        let walk = Walk::transposed(&[2, 3], &[1, 0]);
        let mut out = [0; 6];
        walk.gather(1, &[0, 1, 2, 3, 4, 5], &mut out);
        assert_eq!(out, [0, 3, 1, 4, 2, 5]);
        let back = Walk {
            extents: vec![3],
            steps: vec![-2],
            start: 5,
        };
        let mut out = [0; 3];
        back.gather(1, &[0, 1, 2, 3, 4, 5], &mut out);
        assert_eq!(out, [5, 3, 1]);
    }

    #[test]
    fn pads_every_axis() {
        let mut out = [0; 2 * 12];
        pad(&[1, 2], &[1, 1], &[3, 4], &[9, 9], &[1, 0, 2, 0], &mut out);
        let low: Vec<u8> = out.chunks(2).map(|c| c[0]).collect();
        assert_eq!(low, [9, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 9]);
    }

    #[test]
    fn concatenates_runs() {
        let parts: [&[u8]; 2] = [&[1, 2], &[3, 4, 5, 6]];
        let mut out = [0; 6];
        concatenate(&[1, 2], |i| parts[i], &mut out);
        assert_eq!(out, [1, 3, 4, 2, 5, 6]);
    }
}
