//! Operators whose result follows from values: TOPK_V2, UNIQUE, WHERE, SEGMENT_SUM, UNSORTED_SEGMENT_*, RANGE.
//!
//! Sources: `topk_v2.cc`, `unique.cc`, `where.cc`, `segment_sum.cc`, `unsorted_segment.cc`, `range.cc`.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::error::Result;
use crate::invalid;

/// Values that can be ordered and told apart; NaN counts as the smallest, and −0 as 0.
pub trait Ordered: Copy + PartialOrd {
    /// A number that equal values share.
    fn key(self) -> u64;
}

macro_rules! ordered {
    ($($t:ty),*) => { $(impl Ordered for $t {
        fn key(self) -> u64 { self as u64 }
    })* };
}
ordered!(i8, u8, i16, i32, i64);

impl Ordered for f32 {
    fn key(self) -> u64 {
        (self + 0.0).to_bits().into()
    }
}

/// The order in which values leave TOPK_V2: large ones first, NaN last.
fn descending<T: PartialOrd>(a: T, b: T) -> Ordering {
    let is_nan = |v: &T| v.partial_cmp(v).is_none();
    b.partial_cmp(&a).unwrap_or(is_nan(&a).cmp(&is_nan(&b)))
}

/// TOPK_V2: of each row of `input` the `k` largest values, large ones first and equal ones in their order, with their places.
pub fn top_k<T: Ordered>(
    row: usize,
    k: usize,
    input: &[T],
    values: &mut [T],
    mut place: impl FnMut(usize, usize),
) {
    let mut order: Vec<usize> = vec![];
    let rows = input.chunks_exact(row.max(1));
    for (r, (row, values)) in rows.zip(values.chunks_exact_mut(k.max(1))).enumerate() {
        order.clear();
        order.extend(0..row.len());
        order.sort_by(|&a, &b| descending(row[a], row[b]));
        for (i, (o, &at)) in values.iter_mut().zip(&order).enumerate() {
            *o = row[at];
            place(r * k + i, at);
        }
    }
}

/// UNIQUE: the different values in the order of their first appearance, and which of them each element is.
pub fn unique<T: Ordered>(input: &[T]) -> (Vec<T>, Vec<usize>) {
    let mut seen = HashMap::new();
    let mut values = vec![];
    let places = input.iter().map(|&v| {
        *seen.entry(v.key()).or_insert_with(|| {
            values.push(v);
            values.len() - 1
        })
    });
    let places = places.collect();
    (values, places)
}

/// WHERE: the indices of the elements for which `holds`, row by row, one index an axis.
pub fn where_true(shape: &[usize], holds: impl Fn(usize) -> bool) -> Vec<i64> {
    let mut places = vec![];
    let mut index = vec![0i64; shape.len()];
    for i in 0..shape.iter().product() {
        if holds(i) {
            places.extend(&index);
        }
        for (i, &extent) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < extent as i64 {
                break;
            }
            *i = 0;
        }
    }
    places
}

/// UNSORTED_SEGMENT_* and SEGMENT_SUM: joins each run of `run` elements into the segment of `out` that its id names; ids below
/// 0 are left out. `out` holds what an empty segment is.
///
/// # Errors
/// `Invalid` if an id names a segment that does not exist.
pub fn segments<T: Copy>(
    run: usize,
    input: &[T],
    ids: &[i32],
    join: impl Fn(T, T) -> T,
    out: &mut [T],
) -> Result<()> {
    let count = out.len() / run.max(1);
    for (place, (&id, row)) in ids.iter().zip(input.chunks_exact(run.max(1))).enumerate() {
        let Ok(id) = usize::try_from(id) else {
            continue;
        };
        if id >= count {
            return invalid!("its id {place} names segment {id}, but there are {count}");
        }
        for (o, &v) in out[id * run..(id + 1) * run].iter_mut().zip(row) {
            *o = join(*o, v);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_equal_ones_in_order() {
        let mut values = [0.0; 3];
        let mut places = vec![];
        let row = [1.0, f32::NAN, 3.0, 1.0, 3.0];
        top_k(5, 3, &row, &mut values, |_, at| places.push(at));
        assert_eq!((values, &places[..]), ([3.0, 3.0, 1.0], &[2, 4, 0][..]));
    }

    #[test]
    fn unique_values_keep_the_order_of_appearance() {
        assert_eq!(unique(&[3, 1, 3, 2]), (vec![3, 1, 2], vec![0, 1, 0, 2]));
        assert_eq!(unique(&[0.0f32, -0.0]).1, [0, 0]);
    }

    #[test]
    fn segments_leave_negative_ids_out_and_refuse_large_ones() {
        let mut out = [0; 2];
        let sum = |ids: &[i32], out: &mut [i32]| segments(1, &[1, 2, 4], ids, |a, b| a + b, out);
        assert_eq!(sum(&[1, -1, 1], &mut out), Ok(()));
        assert_eq!(out, [0, 5]);
        assert!(sum(&[0, 0, 2], &mut out).is_err());
    }

    #[test]
    fn places_are_indices_of_all_axes() {
        let holds = [false, true, true, false];
        assert_eq!(where_true(&[2, 2], |i| holds[i]), [0, 1, 1, 0]);
        assert_eq!(where_true(&[0, 2], |_| true), [0i64; 0]);
    }
}
