//! Layers that the packages around Keras define, known by name: those of `keras.applications`, and MLTK's.

use serde_json::{Value, json};

use super::super::config::{Config, unwrap_array};
use super::super::weights::Weights;
use super::builder::Builder;
use super::{conv, merge};
use crate::error::Result;
use crate::graph::TensorId;
use crate::{malformed, unsupported};

/// LayerScale (ConvNeXt): x times one learned factor per channel.
pub(super) fn layer_scale(b: &mut Builder, weights: &Weights<'_>, x: TensorId) -> Result<TensorId> {
    let channels = b.shape(x).last().copied().flatten();
    match weights.arrays(&[])?.first() {
        Some(gamma) if Some(gamma.data.len()) == channels => {
            let gamma = b.f32s("gamma", &[gamma.data.len()], &gamma.data);
            Ok(merge::mul(b, x, gamma))
        }
        Some(gamma) => malformed!(
            "its gamma has the shape {:?}, which does not fit its input",
            gamma.shape
        ),
        None => malformed!("its gamma is missing from the file's weights"),
    }
}

/// CustomScaleLayer (InceptionResNetV2): x + scale · y.
pub(super) fn scaled_sum(b: &mut Builder, c: &Config, inputs: &[TensorId]) -> Result<TensorId> {
    let &[x, y] = inputs else {
        return malformed!("it takes two tensors, but is given {}", inputs.len());
    };
    let scale = match c.get("scale").map(unwrap_array) {
        Some(_) => c.number("scale", 1.0)?,
        None => return malformed!("its scale is missing"),
    };
    merge::broadcast(b.shape(x), b.shape(y))?;
    let scale = b.scalar("scale", scale);
    let y = merge::mul(b, y, scale);
    Ok(merge::add(b, x, y))
}

/// MultiScaleTemporalConvolution (MLTK's TENet) once its branches are fused: a depthwise convolution along the first axis, SAME,
/// without bias.
pub(super) fn temporal_convolution(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let scales = c.integers("scales")?.unwrap_or_default();
    let [scale] = scales[..] else {
        return unsupported!(
            "it has {} branches; call its fuse() and save the model again",
            scales.len()
        );
    };
    let settings = json!({
        "kernel_size": [scale, 1],
        "strides": c.get("stride").unwrap_or(&json!(1)),
        "padding": "same",
        "use_bias": false,
    });
    let Value::Object(settings) = settings else {
        return malformed!("its settings are no object");
    };
    conv::depthwise_conv2d(b, &Config(settings), weights, x)
}
