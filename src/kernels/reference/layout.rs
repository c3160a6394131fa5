//! Operators that only move data: PAD, CONCATENATION, PACK, TRANSPOSE, STRIDED_SLICE; for elements of any fixed size.
//!
//! Elements are runs of `size` bytes. Sources: `internal/reference/pad.h`, `concatenation.h`, `transpose.h`,
//! `strided_slice.h`, `strided_slice.cc`.

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

    /// Copies the walked elements of `size` bytes to `out`, row-major.
    pub fn gather(&self, size: usize, source: &[u8], out: &mut [u8]) {
        let mut index = vec![0; self.extents.len()];
        let mut at = self.start as isize;
        for out in out.chunks_exact_mut(size.max(1)) {
            let from = at as usize * size;
            out.copy_from_slice(&source[from..from + size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.steps[axis];
                if index[axis] < self.extents[axis] {
                    break;
                }
                at -= self.steps[axis] * index[axis] as isize;
                index[axis] = 0;
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
    for o in out.chunks_exact_mut(size.max(1)) {
        o.copy_from_slice(value);
    }
    let Some((&run, outer)) = shape.split_last() else {
        out.copy_from_slice(input);
        return;
    };
    let steps = strides(out_shape);
    let mut index = vec![0; outer.len()];
    for row in input.chunks_exact((run * size).max(1)) {
        let at: usize = index
            .iter()
            .chain([&0])
            .zip(before)
            .zip(&steps)
            .map(|((i, b), s)| (i + b) * s)
            .sum();
        out[at * size..at * size + row.len()].copy_from_slice(row);
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            if index[axis] < outer[axis] {
                break;
            }
            index[axis] = 0;
        }
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
