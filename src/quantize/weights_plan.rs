//! The modes that only make weights smaller: dynamic (int8) and float16.

use super::params::{Channels, channel_peaks, finite_range, weight_scales};
use super::plan::{NodePlan, QuantPlan, Reason, TensorPlan};
use super::rules::{Dynamic, dynamic_rule};
use crate::graph::{DType, Op, Quantization, Subgraph, Tensor, TensorId};

/// float16: every finite float32 constant that an operator reads, unless it is an output of the model or a custom operator
/// reads it.
pub fn float16(main: &Subgraph, plan: &mut QuantPlan) {
    let mut smaller = vec![false; main.tensors.len()];
    let mut clipped = vec![];
    for (id, t) in main.tensors.iter().enumerate() {
        let Some(values) = t.f32s().filter(|_| t.extra.is_none()) else {
            continue;
        };
        let readers = || main.nodes.iter().filter(|n| n.inputs.contains(&Some(id)));
        let why = if readers().next().is_none() || main.outputs.contains(&id) {
            "no operator computes with it"
        } else if readers().any(|n| matches!(n.op, Op::Custom(_))) {
            "a custom operator takes its constants as they are"
        } else if finite_range(&values).is_none() && !values.is_empty() {
            "it holds NaN or infinite values, which float16 weights should not"
        } else if values.is_empty() {
            "it is empty"
        } else {
            smaller[id] = true;
            if values.iter().any(|v| v.abs() > 65504.0) {
                clipped.push(t.name.clone());
            }
            plan.tensors[id] = TensorPlan {
                tensor: id,
                dtype: DType::Float16,
                quantization: None,
                reason: Reason::Constant,
            };
            continue;
        };
        plan.tensors[id].reason = Reason::Untouched(why.into());
    }
    for (decision, node) in plan.nodes.iter_mut().zip(&main.nodes) {
        if node
            .inputs
            .iter()
            .flatten()
            .any(|&t| smaller.get(t) == Some(&true))
        {
            *decision = NodePlan::SmallerWeights;
        }
    }
    if !clipped.is_empty() {
        plan.warnings.push(format!(
            "Values beyond ±65504 do not fit float16 and are clipped in {}.",
            clipped.join(", ")
        ));
    }
}

/// dynamic: the weights of convolutions and fully connected layers, from `min_weight_elements` elements up.
pub fn dynamic(main: &Subgraph, plan: &mut QuantPlan) {
    for (i, node) in main.nodes.iter().enumerate() {
        let axis = match dynamic_rule(&node.op) {
            Dynamic::Nothing => continue,
            Dynamic::Weights { axis } => axis,
            Dynamic::Float(why) => {
                let constants = node
                    .inputs
                    .iter()
                    .flatten()
                    .filter_map(|&t| main.tensors.get(t));
                if constants
                    .filter(|t| t.is_constant() && t.dtype == DType::Float32)
                    .any(|t| {
                        t.elements()
                            .is_some_and(|n| n >= plan.recipe.min_weight_elements)
                    })
                {
                    plan.nodes[i] = NodePlan::Float(why);
                }
                continue;
            }
        };
        let Some(id) = node.input(1) else { continue };
        let Some(t) = main.tensors.get(id) else {
            continue;
        };
        let float_input = node
            .input(0)
            .and_then(|t| main.tensors.get(t))
            .is_some_and(|t| t.dtype == DType::Float32);
        if !float_input || t.dtype != DType::Float32 {
            continue;
        }
        plan.nodes[i] = match hybrid_weight(main, &node.op, id, t, axis, plan) {
            Ok(quantization) => {
                let per_channel = quantization.scales.len() > 1;
                plan.tensors[id] = TensorPlan {
                    tensor: id,
                    dtype: DType::Int8,
                    quantization: Some(quantization),
                    reason: Reason::Weight { per_channel },
                };
                NodePlan::SmallerWeights
            }
            Err(Stays::Small(why)) => {
                plan.tensors[id].reason = Reason::Untouched(why);
                NodePlan::Unaffected
            }
            Err(Stays::Float(why)) => NodePlan::Float(why),
        };
    }
}

/// Why a weight stays float.
enum Stays {
    /// The recipe says so.
    Small(String),
    /// It cannot be helped.
    Float(String),
}

/// Parameters of the weight `id` in dynamic mode.
fn hybrid_weight(
    main: &Subgraph,
    op: &Op,
    id: TensorId,
    t: &Tensor,
    axis: usize,
    plan: &QuantPlan,
) -> Result<Quantization, Stays> {
    let Some(values) = t.f32s() else {
        return Err(Stays::Float(
            "its weights are computed while running".into(),
        ));
    };
    let least = plan.recipe.min_weight_elements;
    if values.len() < least {
        return Err(Stays::Small(format!(
            "{} elements, fewer than the {least} from which weights are quantized",
            values.len()
        )));
    }
    if t.extra.is_some() {
        return Err(Stays::Float("its weights are sparse".into()));
    }
    if main.outputs.contains(&id) {
        return Err(Stays::Float(
            "its weights are an output of the model".into(),
        ));
    }
    if finite_range(&values).is_none() {
        return Err(Stays::Float(
            "its weights hold NaN or infinite values".into(),
        ));
    }
    let rank = if matches!(op, Op::FullyConnected(_)) {
        2
    } else {
        4
    };
    let Some(channels) = Channels::new(&t.shape, Some(axis)).filter(|_| t.shape.len() == rank)
    else {
        return Err(Stays::Float(format!(
            "its weights have the shape {:?}, where {rank} axes are expected",
            t.shape
        )));
    };
    // Another operator may have asked for the same weights along another axis.
    if let (Some(q), true) = (
        &plan.tensors[id].quantization,
        plan.tensors[id].dtype == DType::Int8,
    ) && q.scales.len() > 1
        && q.axis != axis
    {
        return Err(Stays::Float(
            "it shares its weights with an operator that has its channels along another axis"
                .into(),
        ));
    }
    let scales = weight_scales(&channel_peaks(&values, channels))
        .unwrap_or_else(|| vec![1.0; channels.channels]);
    // LiteRT's hybrid CONV_2D takes a list of equal scales for no scale at all; DEPTHWISE_CONV_2D insists on a list.
    let equal = scales
        .first()
        .filter(|&&first| scales.iter().all(|&s| s == first));
    Ok(match (op, equal) {
        (Op::Conv2d(_), Some(&scale)) => Quantization::per_tensor(scale, 0),
        _ => Quantization::per_channel(scales, axis),
    })
}
