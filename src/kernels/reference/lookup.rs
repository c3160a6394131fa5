//! Operators that place elements by indices: GATHER, GATHER_ND, SCATTER_ND, EMBEDDING_LOOKUP, ONE_HOT, SPARSE_TO_DENSE, REVERSE_SEQUENCE.
//!
//! Indices come from data, so every kernel here checks them. Sources: `internal/reference/reference_ops.h`, `gather.h`,
//! `reverse_sequence.cc`, `one_hot.cc`, `embedding_lookup.cc`.

use crate::error::Result;
use crate::invalid;

use super::layout::strides;

/// An index of any integer type.
pub trait Index: Copy + Into<i64> {}
impl<T: Copy + Into<i64>> Index for T {}

/// `index` within `0..extent`; `place` says which one of the indices it is.
fn within(index: impl Index, extent: usize, place: usize) -> Result<usize> {
    let index = index.into();
    match usize::try_from(index) {
        Ok(i) if i < extent => Ok(i),
        _ => invalid!("its index {place} is {index}, outside of an axis of extent {extent}"),
    }
}

/// How GATHER sees its arrays: params [batches, outer, extent, run], indices [batches, count], result [batches, outer, count,
/// run].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gather {
    /// Extents that params and indices share.
    pub batches: usize,
    /// Extents before the axis.
    pub outer: usize,
    /// Extent of the axis.
    pub extent: usize,
    /// Indices in a batch.
    pub count: usize,
    /// Bytes of the extents after the axis.
    pub run: usize,
}

impl Gather {
    /// Copies the runs that `indices` name.
    ///
    /// # Errors
    /// `Invalid` if an index is outside of the axis.
    pub fn copy<I: Index>(&self, params: &[u8], indices: &[I], out: &mut [u8]) -> Result<()> {
        let mut out = out.chunks_exact_mut(self.run.max(1));
        for batch in 0..self.batches {
            for outer in 0..self.outer {
                let first = (batch * self.outer + outer) * self.extent;
                let places = indices.iter().enumerate().skip(batch * self.count);
                for (i, &index) in places.take(self.count) {
                    let from = (first + within(index, self.extent, i)?) * self.run;
                    if let Some(out) = out.next() {
                        out.copy_from_slice(&params[from..from + self.run]);
                    }
                }
            }
        }
        Ok(())
    }
}

/// How the rows of an index array [n, depth] name blocks of an array: places of their first element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    extents: Vec<usize>,
    steps: Vec<usize>,
}

impl Blocks {
    /// Blocks over the axes of `shape` from `depth` on (at most its rank).
    pub fn new(shape: &[usize], depth: usize) -> Self {
        Self {
            extents: shape[..depth].to_vec(),
            steps: strides(shape)[..depth].to_vec(),
        }
    }

    /// Calls `each(row, place of its first element)` for each of `rows` rows.
    fn each<I: Index>(
        &self,
        rows: usize,
        indices: &[I],
        mut each: impl FnMut(usize, usize),
    ) -> Result<()> {
        let depth = self.extents.len();
        for row in 0..rows {
            let mut at = 0;
            for (axis, (&extent, step)) in self.extents.iter().zip(&self.steps).enumerate() {
                let place = row * depth + axis;
                at += within(indices[place], extent, place)? * step;
            }
            each(row, at);
        }
        Ok(())
    }

    /// GATHER_ND: copies a block of `run` elements of `size` bytes for each row of `indices`.
    ///
    /// # Errors
    /// `Invalid` if an index is outside of its axis.
    pub fn gather<I: Index>(
        &self,
        (run, size): (usize, usize),
        params: &[u8],
        indices: &[I],
        out: &mut [u8],
    ) -> Result<()> {
        let bytes = run * size;
        let rows = out.len() / bytes.max(1);
        self.each(rows, indices, |row, at| {
            let from = &params[at * size..at * size + bytes];
            out[row * bytes..(row + 1) * bytes].copy_from_slice(from);
        })
    }

    /// SCATTER_ND: `out`, zero before, receives for each row of `indices` a block of `run` updates, joined with `add` to what
    /// is there.
    ///
    /// # Errors
    /// `Invalid` if an index is outside of its axis.
    pub fn scatter<I: Index, T: Copy>(
        &self,
        run: usize,
        indices: &[I],
        updates: &[T],
        add: impl Fn(T, T) -> T,
        out: &mut [T],
    ) -> Result<()> {
        let rows = updates.len() / run.max(1);
        self.each(rows, indices, |row, at| {
            let updates = &updates[row * run..(row + 1) * run];
            for (o, &u) in out[at..at + run].iter_mut().zip(updates) {
                *o = add(*o, u);
            }
        })
    }

    /// SPARSE_TO_DENSE: `out`, filled with the default before, receives one element of `size` bytes of `values` for each row of
    /// `indices`, or always the only one.
    ///
    /// # Errors
    /// `Invalid` if an index is outside of its axis.
    pub fn place<I: Index>(
        &self,
        rows: usize,
        size: usize,
        indices: &[I],
        values: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let one = values.len() == size;
        self.each(rows, indices, |row, at| {
            let from = if one { 0 } else { row * size };
            out[at * size..(at + 1) * size].copy_from_slice(&values[from..from + size]);
        })
    }
}

/// EMBEDDING_LOOKUP of integer rows as reals: `value(i)` is element i of the table, one scale for all or one a row.
///
/// # Errors
/// `Invalid` if an index is outside of the rows.
pub fn embedding_hybrid(
    rows: usize,
    columns: usize,
    scales: &[f32],
    value: impl Fn(usize) -> i8,
    indices: &[i32],
    out: &mut [f32],
) -> Result<()> {
    let outs = out.chunks_exact_mut(columns.max(1));
    for (place, (&index, out)) in indices.iter().zip(outs).enumerate() {
        let row = within(index, rows, place)?;
        let scale = scales[if scales.len() == 1 { 0 } else { row }];
        for (i, o) in out.iter_mut().enumerate() {
            *o = f32::from(value(row * columns + i)) * scale;
        }
    }
    Ok(())
}

/// ONE_HOT of indices [outer, inner] to [outer, depth, inner]: `on` where the index is the place along depth, `off` elsewhere.
pub fn one_hot<I: Index>(
    depth: usize,
    inner: usize,
    indices: &[I],
    (on, off): (&[u8], &[u8]),
    out: &mut [u8],
) {
    let mut out = out.chunks_exact_mut(on.len().max(1));
    for row in indices.chunks_exact(inner.max(1)) {
        for d in 0..depth as i64 {
            for (&index, out) in row.iter().zip(&mut out) {
                out.copy_from_slice(if index.into() == d { on } else { off });
            }
        }
    }
}

/// REVERSE_SEQUENCE of `shape`: along axis `sequence` the first `lengths[b]` elements turn round, b along axis `batch`.
///
/// # Errors
/// `Invalid` if a length is outside of the axis.
pub fn reverse_sequence<I: Index>(
    shape: &[usize],
    (sequence, batch): (usize, usize),
    size: usize,
    lengths: &[I],
    input: &[u8],
    out: &mut [u8],
) -> Result<()> {
    let steps = strides(shape);
    let run = steps[sequence.max(batch)] * size;
    for (at, out) in out.chunks_exact_mut(run.max(1)).enumerate() {
        let element = at * run / size.max(1);
        let place = |axis: usize| element / steps[axis].max(1) % shape[axis].max(1);
        let (s, b) = (place(sequence), place(batch));
        let length = within(lengths[b], shape[sequence] + 1, b)?;
        let from = if s < length { length - 1 - s } else { s };
        let from = (element + from * steps[sequence] - s * steps[sequence]) * size;
        out.copy_from_slice(&input[from..from + run]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_outside_are_refused_by_place() {
        let g = Gather {
            batches: 1,
            outer: 1,
            extent: 2,
            count: 2,
            run: 1,
        };
        let mut out = [0; 2];
        g.copy(&[5, 6], &[1, 0], &mut out).unwrap();
        assert_eq!(out, [6, 5]);
        for bad in [-1, 2, i32::MIN] {
            let e = g.copy(&[5, 6], &[0, bad], &mut out).unwrap_err();
            assert!(e.to_string().contains(&format!("index 1 is {bad}")), "{e}");
        }
    }

    #[test]
    fn scattered_updates_add_up() {
        let mut out = [0i8; 4];
        let blocks = Blocks::new(&[2, 2], 1);
        let add = i8::wrapping_add;
        let done = blocks.scatter(2, &[1, 1], &[100, 1, 100, 2], add, &mut out);
        assert_eq!((done, out), (Ok(()), [0, 0, -56, 3]));
    }

    #[test]
    fn sequences_turn_round_up_to_their_length() {
        let mut out = [0; 6];
        let input = [1, 2, 3, 4, 5, 6];
        reverse_sequence(&[2, 3], (1, 0), 1, &[2i32, 3], &input, &mut out).unwrap();
        assert_eq!(out, [2, 1, 3, 6, 5, 4]);
        reverse_sequence(&[2, 3], (0, 1), 1, &[2i64, 1, 0], &input, &mut out).unwrap();
        assert_eq!(out, [4, 2, 3, 1, 5, 6]);
        assert!(reverse_sequence(&[2, 3], (1, 0), 1, &[4i32, 3], &input, &mut out).is_err());
    }
}
