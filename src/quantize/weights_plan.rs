//! The modes that only make weights smaller: dynamic (int8) and float16.

use super::fold::is_left_behind;
use super::keep::KEPT;
use super::params::{Channels, channel_peaks, finite_range, weight_scales};
use super::plan::{NodePlan, QuantPlan, Reason, TensorPlan, assign};
use super::rules::{Hybrid, HybridWeight, hybrid_rule};
use crate::graph::{DType, Node, Op, Quantization, Subgraph, Tensor, TensorId};

/// float16: every finite float32 constant that an operator reads, unless it is an output of the model, or a custom operator or
/// one that the user keeps float reads it.
pub fn float16(main: &Subgraph, kept: &[bool], plan: &mut QuantPlan) {
    let mut smaller = vec![false; main.tensors.len()];
    let mut clipped = vec![];
    for (id, t) in main.tensors.iter().enumerate() {
        let Some(values) = t
            .f32s()
            .filter(|_| t.extra.is_none() && t.sparsity.is_none())
        else {
            continue;
        };
        let reads = |n: &Node| n.inputs.contains(&Some(id));
        let readers = || main.nodes.iter().filter(|n| reads(n));
        let by_kept = (0..kept.len()).filter(|&i| kept[i] && reads(&main.nodes[i]));
        let by_kept: Vec<usize> = by_kept.collect();
        let why = if !by_kept.is_empty() {
            for i in by_kept {
                plan.nodes[i] = NodePlan::Float(KEPT.into());
            }
            "an operator that you keep float reads it"
        } else if readers().next().is_none() || main.outputs.contains(&id) {
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
    for ((decision, node), kept) in plan.nodes.iter_mut().zip(&main.nodes).zip(kept) {
        if !kept
            && node
                .inputs
                .iter()
                .flatten()
                .any(|&t| smaller.get(t) == Some(&true))
            && !is_left_behind(main, node)
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

/// dynamic: the weights that [`hybrid_rule`] names, from `min_weight_elements` elements up.
pub fn dynamic(main: &Subgraph, kept: &[bool], plan: &mut QuantPlan) {
    for (i, node) in main.nodes.iter().enumerate() {
        let rule = hybrid_rule(&node.op);
        let weights = match &rule {
            Hybrid::Nothing => continue,
            Hybrid::Weights(weights) => weights.as_slice(),
            Hybrid::Stored(weight) | Hybrid::Moved(weight) => std::slice::from_ref(weight),
            Hybrid::Float(why) => {
                if reads_large_constant(main, node, plan.recipe.min_weight_elements) {
                    plan.nodes[i] = NodePlan::Float(why.clone());
                }
                continue;
            }
        };
        let present: Vec<(HybridWeight, TensorId)> = weights
            .iter()
            .filter_map(|w| Some((*w, node.input(w.input)?)))
            .filter(|&(_, t)| main.tensors[t].dtype == DType::Float32)
            .collect();
        if present.is_empty() || !float_activation(main, node, weights) {
            continue;
        }
        plan.nodes[i] = match quantized_weights(main, &node.op, &present, plan) {
            Ok(_) if kept[i] => NodePlan::Float(KEPT.into()),
            Ok(scales) => {
                for (&(w, t), q) in present.iter().zip(scales) {
                    let per_channel = q.scales.len() > 1;
                    let reason = Reason::Weight { per_channel };
                    assign(plan, i, w.input, t, DType::Int8, q, reason);
                }
                match rule {
                    Hybrid::Moved(w) => {
                        moved(main, i, node, w, plan);
                        NodePlan::Quantized
                    }
                    _ => NodePlan::SmallerWeights,
                }
            }
            Err(Stays::Small(why)) => {
                for (_, t) in present {
                    if plan.tensors[t].quantization.is_none() {
                        plan.tensors[t].reason = Reason::Untouched(why.clone());
                    }
                }
                NodePlan::Unaffected
            }
            Err(Stays::Float(why)) => NodePlan::Float(why),
        };
    }
}

/// What an operator gives that moves entries of int8 weights: int8 of the same scale.
fn moved(main: &Subgraph, i: usize, node: &Node, w: HybridWeight, plan: &mut QuantPlan) {
    let Some(table) = node.input(w.input) else {
        return;
    };
    let own = plan.use_of(i, w.input).map(|u| &u.quantization);
    let Some(quantization) = own.or(plan.tensors[table].quantization.as_ref()).cloned() else {
        return;
    };
    for &t in &node.outputs {
        if main.tensors[t].dtype == DType::Float32 {
            plan.tensors[t] = TensorPlan {
                tensor: t,
                dtype: DType::Int8,
                quantization: Some(quantization.clone()),
                reason: Reason::SameAs(table),
            };
        }
    }
}

/// Whether a node reads a float32 constant of at least that many elements.
fn reads_large_constant(main: &Subgraph, node: &Node, least: usize) -> bool {
    let inputs = node.inputs.iter().flatten().map(|&t| &main.tensors[t]);
    let mut constants = inputs.filter(|t| t.is_constant() && t.dtype == DType::Float32);
    constants.any(|t| t.elements().is_some_and(|n| n >= least))
}

/// Whether the first input that holds no weights is real or, for lookups, an index.
fn float_activation(main: &Subgraph, node: &Node, weights: &[HybridWeight]) -> bool {
    let first = (0..node.inputs.len()).find(|slot| weights.iter().all(|w| w.input != *slot));
    let dtype = first.and_then(|slot| Some(main.tensors[node.input(slot)?].dtype));
    match node.op {
        Op::EmbeddingLookup | Op::Gather { .. } | Op::TransposeConv(_) => true,
        _ => dtype == Some(DType::Float32),
    }
}

/// Why weights stay float.
enum Stays {
    /// The recipe says so.
    Small(String),
    /// It cannot be helped.
    Float(String),
}

/// Parameters of the weights of one node in dynamic mode: all of them, or none.
fn quantized_weights(
    main: &Subgraph,
    op: &Op,
    weights: &[(HybridWeight, TensorId)],
    plan: &QuantPlan,
) -> Result<Vec<Quantization>, Stays> {
    let mut largest = 0;
    for &(_, id) in weights {
        let t = &main.tensors[id];
        if !t.is_constant() {
            return Err(Stays::Float(
                "its weights are computed while running".into(),
            ));
        }
        largest = largest.max(t.elements().unwrap_or(0));
    }
    let least = plan.recipe.min_weight_elements;
    if largest < least {
        return Err(Stays::Small(format!(
            "{largest} elements, fewer than the {least} from which weights are quantized"
        )));
    }
    let each = weights.iter();
    each.map(|&(w, id)| hybrid_weight(main, op, w, id, &main.tensors[id]))
        .collect()
}

/// Parameters of the weight `id` in dynamic mode.
fn hybrid_weight(
    main: &Subgraph,
    op: &Op,
    weight: HybridWeight,
    id: TensorId,
    t: &Tensor,
) -> Result<Quantization, Stays> {
    if t.extra.is_some() || t.sparsity.is_some() {
        return Err(Stays::Float("its weights are sparse".into()));
    }
    if main.outputs.contains(&id) {
        return Err(Stays::Float(
            "its weights are an output of the model".into(),
        ));
    }
    let odd = || Stays::Float("its weights are empty or hold NaN or infinite values".into());
    let values = t.f32s().filter(|v| !v.is_empty()).ok_or_else(odd)?;
    let rank = weight.rank.unwrap_or(t.shape.len());
    let channels = Channels::new(&t.shape, weight.axis).filter(|_| t.shape.len() == rank);
    let Some(channels) = channels else {
        return Err(Stays::Float(format!(
            "its weights have the shape {:?}, where {rank} axes are expected",
            t.shape
        )));
    };
    let peaks = channel_peaks(&values, channels);
    if peaks.iter().any(|p| p.is_nan()) {
        return Err(odd());
    }
    let scales = weight_scales(&peaks).unwrap_or_else(|| vec![1.0; channels.channels]);
    // LiteRT's hybrid CONV_2D takes a list of equal scales for no scale at all; DEPTHWISE_CONV_2D insists on a list.
    let equal = scales
        .first()
        .filter(|&&first| scales.iter().all(|&s| s == first));
    Ok(match (op, weight.axis, equal) {
        (Op::Conv2d(_), _, Some(&scale)) | (_, None, Some(&scale)) => {
            Quantization::per_tensor(scale, 0)
        }
        (_, axis, _) => Quantization::per_channel(scales, axis.unwrap_or(0)),
    })
}
