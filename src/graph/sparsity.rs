//! Sparse constants: how the stored values lie in the dense tensor.
//!
//! The format stores a tensor level by level, in the order of `traversal_order`: first its axes (cut into blocks where `block_map`
//! says so), then the axes within a block. A dense level has all indices, a sparse one (CSR) lists those that are there.

use super::Tensor;
use crate::error::Result;
use crate::{invalid, malformed, unsupported};

/// Most levels that a sparse tensor may have.
const MOST_LEVELS: usize = 16;

/// Description of a sparse constant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sparsity {
    /// For each level which axis it walks: an axis of the shape, or rank + i for the inside of block i.
    pub traversal_order: Vec<i32>,
    /// For each block the axis that it cuts.
    pub block_map: Vec<i32>,
    /// As many as `traversal_order`.
    pub levels: Vec<Level>,
}

/// One level of a sparse constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// All indices 0..extent.
    Dense {
        /// Number of indices.
        extent: i32,
    },
    /// The indices that are there (CSR).
    Sparse {
        /// Entry p of the level above has the indices from `segments[p]` to `segments[p + 1]`.
        segments: Vec<i32>,
        /// Indices along the axis.
        indices: Vec<i32>,
    },
}

/// A level with its place in the dense tensor.
struct Walked<'a> {
    level: &'a Level,
    extent: usize,
    step: usize,
}

impl Sparsity {
    /// The dense tensor of `shape`, elements of `size` bytes, row-major; zero where nothing is stored.
    ///
    /// # Errors
    /// Malformed if the description contradicts itself, the shape or the number of `values`; Invalid if there is no memory.
    pub fn densify(&self, shape: &[usize], size: usize, values: &[u8]) -> Result<Vec<u8>> {
        let levels = self.walked(shape)?;
        let bytes = shape.iter().try_fold(size, |n, &d| n.checked_mul(d));
        let mut dense = vec![];
        let Some(bytes) = bytes.filter(|&n| dense.try_reserve_exact(n).is_ok()) else {
            return invalid!("there is no memory for its dense form of shape {shape:?}");
        };
        dense.resize(bytes, 0);
        let mut values = values.chunks_exact(size.max(1));
        place(&levels, 0, 0, &mut |at| match values.next() {
            Some(value) => {
                dense[at * size..(at + 1) * size].copy_from_slice(value);
                Ok(())
            }
            None => malformed!("it stores fewer values than its sparse indices name"),
        })?;
        match values.len() {
            0 => Ok(dense),
            more => malformed!("it stores {more} values more than its sparse indices name"),
        }
    }

    /// The levels with their steps in the dense tensor, checked.
    fn walked(&self, shape: &[usize]) -> Result<Vec<Walked<'_>>> {
        let (rank, count) = (shape.len(), shape.len() + self.block_map.len());
        if count > MOST_LEVELS {
            return unsupported!("its {count} sparse levels cannot be read yet");
        }
        let mut order = self.traversal_order.clone();
        order.sort_unstable();
        if self.levels.len() != count || order.into_iter().ne(0..count as i32) {
            return malformed!(
                "its traversal order {:?} and {} levels do not fit {rank} axes and {} blocks",
                self.traversal_order,
                self.levels.len(),
                self.block_map.len()
            );
        }
        // Extent of the block on each axis, 1 where it is not cut.
        let mut blocks = vec![1; rank];
        for (i, &axis) in self.block_map.iter().enumerate() {
            let level = (0..count).find(|&l| self.traversal_order[l] as usize == rank + i);
            let extent = level.and_then(|l| match self.levels[l] {
                Level::Dense { extent } => usize::try_from(extent).ok().filter(|&e| e > 0),
                Level::Sparse { .. } => None,
            });
            let axis = usize::try_from(axis)
                .ok()
                .filter(|&a| a < rank && blocks[a] == 1);
            match (axis, extent) {
                (Some(axis), Some(extent)) if shape[axis].is_multiple_of(extent) => {
                    blocks[axis] = extent;
                }
                _ => return malformed!("its block {i} does not fit its shape {shape:?}"),
            }
        }
        let mut steps = vec![1usize; rank];
        for axis in (1..rank).rev() {
            steps[axis - 1] = steps[axis].saturating_mul(shape[axis]);
        }
        let mut walked = vec![];
        for (&axis, level) in self.traversal_order.iter().zip(&self.levels) {
            let axis = axis as usize;
            let (extent, step) = match axis.checked_sub(rank) {
                None => (
                    shape[axis] / blocks[axis],
                    steps[axis].saturating_mul(blocks[axis]),
                ),
                Some(block) => {
                    let axis = self.block_map[block] as usize;
                    (blocks[axis], steps[axis])
                }
            };
            if let Level::Dense { extent: said } = level
                && usize::try_from(*said) != Ok(extent)
            {
                return malformed!("its dense level of extent {said} stands for {extent} indices");
            }
            walked.push(Walked {
                level,
                extent,
                step,
            });
        }
        Ok(walked)
    }
}

/// Calls `each(place in the dense tensor)` for every stored value below entry `entry` of the level above, which begins at `at`.
/// Recurses once a level. Every entry is met at most once, so the work is bounded by the stored lists and values.
fn place(
    levels: &[Walked<'_>],
    entry: usize,
    at: usize,
    each: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    let Some((first, inner)) = levels.split_first() else {
        return each(at);
    };
    match first.level {
        Level::Dense { .. } => {
            for i in 0..first.extent {
                place(inner, entry * first.extent + i, at + i * first.step, each)?;
            }
        }
        Level::Sparse { segments, indices } => {
            let listed = (|| {
                let (from, to) = (*segments.get(entry)?, *segments.get(entry + 1)?);
                let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
                Some((from, indices.get(from..to)?))
            })();
            let Some((from, listed)) = listed else {
                return malformed!("its sparse segments do not fit its sparse indices");
            };
            for (i, &index) in listed.iter().enumerate() {
                match usize::try_from(index) {
                    Ok(index) if index < first.extent => {
                        place(inner, from + i, at + index * first.step, each)?;
                    }
                    _ => {
                        return malformed!(
                            "its sparse index {index} is outside of an axis of extent {}",
                            first.extent
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

impl Tensor {
    /// The dense bytes of a sparse constant; `None` for every other tensor.
    ///
    /// # Errors
    /// As [`Sparsity::densify`]; Unsupported for elements that are no whole bytes.
    pub fn densified(&self) -> Result<Option<Vec<u8>>> {
        let (Some(sparsity), Some(data)) = (&self.sparsity, &self.data) else {
            return Ok(None);
        };
        let bits = self.dtype.bits();
        if bits == 0 || !bits.is_multiple_of(8) {
            return unsupported!("sparse {} cannot be read yet", self.dtype);
        }
        sparsity.densify(&self.shape, bits / 8, data).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [[0, 1, 0, 0], [0, 0, 0, 2]], rows dense, columns sparse.
    fn rows() -> Sparsity {
        Sparsity {
            traversal_order: vec![0, 1],
            block_map: vec![],
            levels: vec![
                Level::Dense { extent: 2 },
                Level::Sparse {
                    segments: vec![0, 1, 2],
                    indices: vec![1, 3],
                },
            ],
        }
    }

    #[test]
    fn values_go_where_the_indices_say() {
        let dense = rows().densify(&[2, 4], 1, &[1, 2]);
        assert_eq!(dense, Ok(vec![0, 1, 0, 0, 0, 0, 0, 2]));
        let blocks = Sparsity {
            traversal_order: vec![0, 1],
            block_map: vec![0],
            levels: vec![
                Level::Sparse {
                    segments: vec![0, 1],
                    indices: vec![1],
                },
                Level::Dense { extent: 2 },
            ],
        };
        assert_eq!(blocks.densify(&[4], 1, &[7, 8]), Ok(vec![0, 0, 7, 8]));
    }

    #[test]
    fn contradictions_are_refused() {
        let broken = |change: &dyn Fn(&mut Sparsity), values: &[u8]| {
            let mut s = rows();
            change(&mut s);
            s.densify(&[2, 4], 1, values).unwrap_err().to_string()
        };
        let level = |segments: &[i32], indices: &[i32]| Level::Sparse {
            segments: segments.to_vec(),
            indices: indices.to_vec(),
        };
        for (said, wanted) in [
            (broken(&|_| {}, &[1]), "fewer values"),
            (broken(&|_| {}, &[1, 2, 3]), "1 values more"),
            (
                broken(&|s| s.traversal_order[0] = 1, &[1, 2]),
                "traversal order",
            ),
            (
                broken(&|s| s.traversal_order[0] = -1, &[1, 2]),
                "traversal order",
            ),
            (
                broken(&|s| s.levels[0] = Level::Dense { extent: 3 }, &[1, 2]),
                "extent 3",
            ),
            (
                broken(&|s| s.levels[1] = level(&[0, 1], &[1, 3]), &[1, 2]),
                "segments",
            ),
            (
                broken(&|s| s.levels[1] = level(&[0, 1, 9], &[1, 3]), &[1, 2]),
                "segments",
            ),
            (
                broken(&|s| s.levels[1] = level(&[0, 2, 1], &[1, 3]), &[1, 2]),
                "segments",
            ),
            (
                broken(&|s| s.levels[1] = level(&[0, 1, 2], &[1, 4]), &[1, 2]),
                "index 4",
            ),
            (
                broken(&|s| s.levels[1] = level(&[0, 1, 2], &[-1, 3]), &[1, 2]),
                "index -1",
            ),
            (broken(&|s| s.block_map = vec![5], &[1, 2]), "levels"),
        ] {
            assert!(said.contains(wanted), "{said:?} lacks {wanted:?}");
        }
    }

    #[test]
    fn a_huge_dense_form_is_no_allocation_that_aborts() {
        let s = Sparsity {
            traversal_order: vec![0],
            block_map: vec![],
            levels: vec![Level::Sparse {
                segments: vec![0, 0],
                indices: vec![],
            }],
        };
        assert!(s.densify(&[usize::MAX / 4], 4, &[]).is_err());
    }
}
