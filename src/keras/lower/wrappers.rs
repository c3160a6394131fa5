//! TimeDistributed: one layer on every step of a sequence.

use super::super::config::{Layer, inner_layer};
use super::super::weights::Weights;
use super::builder::Builder;
use super::call::Call;
use super::lower_layer;
use super::reshape::{product, reshape};
use crate::error::Result;
use crate::graph::TensorId;
use crate::malformed;

/// The steps become part of the batch while the inner layer runs.
pub(super) fn time_distributed(
    b: &mut Builder,
    layer: &Layer,
    weights: &Weights<'_>,
    call: &Call,
    path: &str,
) -> Result<Vec<TensorId>> {
    let inner = inner_layer(&layer.config, "layer")?;
    let weights = weights.inner("layer");
    let x = call.tensor()?;
    let shape = b.shape(x).to_vec();
    let [n, t, ref rest @ ..] = shape[..] else {
        return malformed!(
            "it takes [batch, steps, …], but is given {} axes",
            shape.len()
        );
    };
    // These work on the last axis of any rank.
    if matches!(inner.class.as_str(), "Dense" | "Activation" | "Dropout") && !rest.is_empty() {
        return lower_layer(b, &inner, &weights, &Call::on(x), path);
    }
    let mut folded = vec![product(&[n, t])?];
    folded.extend_from_slice(rest);
    let x = reshape(b, x, folded)?;
    let made = lower_layer(b, &inner, &weights, &Call::on(x), path)?;
    made.into_iter()
        .map(|y| {
            let mut shape = vec![n, t];
            shape.extend_from_slice(b.shape(y).get(1..).unwrap_or_default());
            reshape(b, y, shape)
        })
        .collect()
}
