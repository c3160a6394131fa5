//! Masks: which steps of a sequence count, handed from layer to layer beside the data as Keras does.

use super::super::config::{Config, Layer};
use super::builder::{Builder, Mask};
use super::merge::mul;
use super::ops::{cast, compare, reduce};
use super::reshape::reshape;
use crate::error::Result;
use crate::graph::{Comparison, DType, Reduction, TensorId};
use crate::unsupported;

/// Masking: steps whose features all equal a value do not count, and become 0.
pub(super) fn masking(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let value = b.scalar("mask_value", c.number("mask_value", 0.0)?);
    let differs = compare(b, Comparison::NotEqual, x, value)?;
    let last = b.shape(x).len().saturating_sub(1);
    let counts = reduce(b, Reduction::Any, differs, &[last], true);
    let kept = cast(b, counts, DType::Float32);
    let y = mul(b, x, kept);
    b.masks.insert(y, Mask::Steps(counts));
    Ok(y)
}

/// The mask of x as [batch, steps, 1], bool, if it has one.
pub(super) fn of_steps(b: &mut Builder, x: TensorId) -> Result<Option<TensorId>> {
    Ok(match b.masks.get(&x).copied() {
        None => None,
        Some(Mask::Steps(counts)) => Some(counts),
        Some(Mask::NotZero(ids)) => {
            let zero = b.i32s("zero", &[], &[0]);
            let ids = cast(b, ids, DType::Int32);
            let counts = compare(b, Comparison::NotEqual, ids, zero)?;
            let mut shape = b.shape(counts).to_vec();
            shape.push(Some(1));
            Some(reshape(b, counts, shape)?)
        }
    })
}

/// Hands the mask of a layer's input on to its outputs, or refuses where the layer would use it and we cannot.
pub(super) fn hand_on(
    b: &mut Builder,
    layer: &Layer,
    inputs: &[TensorId],
    outputs: &[TensorId],
) -> Result<()> {
    let Some(mask) = inputs.iter().find_map(|id| b.masks.get(id).copied()) else {
        return Ok(());
    };
    match layer.class.as_str() {
        "GlobalAveragePooling1D"
        | "GlobalAvgPool1D"
        | "Attention"
        | "AdditiveAttention"
        | "MultiHeadAttention"
        | "GroupQueryAttention"
        | "TimeDistributed"
        | "Softmax"
        | "Concatenate"
        | "ConvLSTM1D"
        | "ConvLSTM2D" => {
            unsupported!(
                "it reads a sequence of which some steps are masked (Masking, or Embedding with mask_zero), and would leave those out, which is not known here for this layer; save the model with mask_zero=False, or without Masking"
            )
        }
        // Layers that use the mask hand it on where they give a sequence.
        "LSTM" | "GRU" | "SimpleRNN" | "RNN" | "Bidirectional" => {
            if let Some(&first) = outputs.first()
                && b.shape(first).len() == 3
            {
                b.masks.entry(first).or_insert(mask);
            }
            Ok(())
        }
        "Dense"
        | "Activation"
        | "ReLU"
        | "LeakyReLU"
        | "PReLU"
        | "ELU"
        | "ThresholdedReLU"
        | "Dropout"
        | "SpatialDropout1D"
        | "AlphaDropout"
        | "GaussianDropout"
        | "GaussianNoise"
        | "ActivityRegularization"
        | "BatchNormalization"
        | "LayerNormalization"
        | "UnitNormalization"
        | "GroupNormalization"
        | "Identity"
        | "Add"
        | "Subtract"
        | "Multiply"
        | "Average"
        | "Maximum"
        | "Minimum" => {
            for &id in outputs {
                b.masks.entry(id).or_insert(mask);
            }
            Ok(())
        }
        // All others end the mask, in Keras too.
        _ => Ok(()),
    }
}
