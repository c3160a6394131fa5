//! Embedding: rows of a table at indices.

use super::super::config::Config;
use super::super::weights::Weights;
use super::builder::{Builder, Mask};
use super::conv::take;
use super::ops::{cast, gather};
use crate::error::Result;
use crate::graph::{DType, TensorId};

/// Embedding.
pub(super) fn embedding(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let shape = [c.size("input_dim", 1)?, c.size("output_dim", 1)?];
    let table = take(&mut weights.arrays(&[])?.into_iter(), "table", &shape)?;
    let table = b.f32s("embeddings", &shape, &table);
    let indices = match b.dtype(x) {
        DType::Int32 | DType::Int64 => x,
        _ => cast(b, x, DType::Int32),
    };
    let y = gather(b, table, indices, 0);
    if c.flag("mask_zero", false) {
        b.masks.insert(y, Mask::NotZero(indices));
    }
    Ok(y)
}
