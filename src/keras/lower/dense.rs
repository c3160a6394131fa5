//! Dense layers.

use super::super::config::Config;
use super::super::weights::Weights;
use super::activation;
use super::builder::Builder;
use super::conv::{bias, output_first, take};
use crate::error::Result;
use crate::graph::{FullyConnected, Op, TensorId};
use crate::malformed;

/// Dense, over the last axis of any rank.
pub(super) fn dense(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let units = c.size("units", 1)?;
    let Some(&Some(inputs)) = b.shape(x).last() else {
        return malformed!("it takes a last axis of known extent");
    };
    let mut arrays = weights.arrays(&[])?.into_iter();
    let kernel = take(&mut arrays, "kernel", &[inputs, units])?;
    let bias = bias(c, &mut arrays, units)?;
    let y = affine(b, x, ("kernel", &output_first(&kernel, units)), Some(&bias));
    activation::of_config(b, c, y)
}

/// x · kernelᵀ + bias over the last axis; kernel is [outputs, inputs].
pub(super) fn affine(
    b: &mut Builder,
    x: TensorId,
    (name, kernel): (&str, &[f32]),
    bias: Option<&[f32]>,
) -> TensorId {
    let mut shape = b.shape(x).to_vec();
    let inputs = shape.last().copied().flatten().unwrap_or(1).max(1);
    let outputs = kernel.len() / inputs;
    let kernel = b.f32s(name, &[outputs, inputs], kernel);
    let bias = bias.map(|bias| b.f32s("bias", &[outputs], bias));
    if let Some(last) = shape.last_mut() {
        *last = Some(outputs);
    }
    let op = Op::FullyConnected(FullyConnected {
        keep_num_dims: shape.len() != 2,
        ..FullyConnected::default()
    });
    let dtype = b.dtype(x);
    b.typed(op, vec![Some(x), Some(kernel), bias], dtype, shape)
}
