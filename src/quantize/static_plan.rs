//! The modes that compute on integers, int8 and int16x8: which operators can, and the parameters of all they touch.

use super::activations::{self, Activation};
use super::limits::refusal;
use super::params::{
    BIAS_MAX_INT32, BIAS_MAX_INT64, Channels, bias_scales, channel_peaks, finite_range,
    guarded_weight_scales,
};
use super::plan::{NodePlan, QuantPlan, Reason, TensorPlan, UsePlan};
use super::recipe::Io;
use super::rules::{Inputs, Output, Rule, Width, static_rule};
use super::warnings;
use crate::calibrate::{Calibration, Range};
use crate::graph::{DType, Node, Op, Quantization, Subgraph, Tensor, TensorId};

/// Fills `plan` for int8 or int16x8. `calibration` has one entry a tensor.
pub fn decide(main: &Subgraph, width: Width, calibration: &Calibration, plan: &mut QuantPlan) {
    let ranges: Vec<Option<Range>> = main
        .tensors
        .iter()
        .zip(&calibration.ranges)
        .map(|(t, &seen)| finite(t, seen))
        .collect();
    let mut rules = vec![];
    for (decision, node) in plan.nodes.iter_mut().zip(&main.nodes) {
        let rule = if computes_reals(main, node) {
            match integer_rule(main, node, width, calibration, &ranges) {
                Ok(rule) => {
                    *decision = NodePlan::Quantized;
                    Some(rule)
                }
                Err(why) => {
                    *decision = NodePlan::Float(why);
                    None
                }
            }
        } else {
            None
        };
        rules.push(rule);
    }
    let border = plan.recipe.io != Io::Float32;
    let decided = loop {
        let decided = activations::decide(main, &rules, &ranges, width, border);
        let refused = refused(main, &rules, &decided, &ranges, width);
        if refused.is_empty() {
            break decided;
        }
        // Each round takes at least one operator out, so this ends.
        for (i, why) in refused {
            rules[i] = None;
            plan.nodes[i] = NodePlan::Float(why.into());
        }
    };
    for (id, activation) in decided.iter().enumerate() {
        if let Some(a) = activation {
            plan.tensors[id] = TensorPlan {
                tensor: id,
                dtype: width.activation(),
                quantization: Some(a.quantization.clone()),
                reason: a.reason.clone(),
            };
        } else if main.tensors[id].dtype == DType::Float32 {
            plan.tensors[id].reason =
                Reason::Untouched("only operators that stay float use it".into());
        }
    }
    for (i, (node, rule)) in main.nodes.iter().zip(&rules).enumerate() {
        if let Some(rule) = rule {
            inputs_of(main, i, node, rule, width, &decided, &ranges, plan);
        }
    }
    if border {
        border_constants(main, width, &ranges, plan);
    }
    warnings::collect(main, width, calibration, &rules, plan);
}

/// The range of a float32 tensor if it is known and finite.
fn finite(t: &Tensor, seen: Option<Range>) -> Option<Range> {
    if t.is_constant() {
        let (min, max) = finite_range(&t.f32s()?)?;
        return Some(Range { min, max });
    }
    seen.filter(|r| {
        t.dtype == DType::Float32 && r.min.is_finite() && r.max.is_finite() && r.min <= r.max
    })
}

/// Whether an operator works on float32 values at all (SHAPE only looks at their extents).
fn computes_reals(main: &Subgraph, node: &Node) -> bool {
    !matches!(node.op, Op::Shape { .. })
        && node
            .inputs
            .iter()
            .flatten()
            .chain(&node.outputs)
            .any(|&t| main.tensors[t].dtype == DType::Float32)
}

/// The rule by which `node` computes on integers, or why it cannot.
fn integer_rule(
    main: &Subgraph,
    node: &Node,
    width: Width,
    calibration: &Calibration,
    ranges: &[Option<Range>],
) -> Result<Rule, String> {
    let rule = static_rule(&node.op, width)?;
    let &[output] = &node.outputs[..] else {
        return Err(format!("it has {} outputs", node.outputs.len()));
    };
    let real = |t: TensorId| -> Result<(), String> {
        let tensor = &main.tensors[t];
        if tensor.dtype != DType::Float32 {
            return Err(format!(
                "its tensor {t} ({:?}) is {}",
                tensor.name, tensor.dtype
            ));
        }
        if tensor.is_variable {
            return Err(format!(
                "its tensor {t} ({:?}) is state that lives between runs",
                tensor.name
            ));
        }
        if tensor.extra.is_some() {
            return Err(format!("its tensor {t} ({:?}) is sparse", tensor.name));
        }
        if ranges[t].is_some() {
            return Ok(());
        }
        Err(match (tensor.is_constant(), calibration.ranges[t]) {
            (true, _) => format!(
                "its constant {t} ({:?}) is empty or holds NaN or infinite values",
                tensor.name
            ),
            (false, None) => format!(
                "calibration has no range for its tensor {t} ({:?})",
                tensor.name
            ),
            (false, Some(_)) => format!(
                "its tensor {t} ({:?}) became NaN or infinite in calibration",
                tensor.name
            ),
        })
    };
    real(output)?;
    let first = node.input(0).ok_or("its input 0 is missing")?;
    real(first)?;
    match rule.inputs {
        Inputs::Operands => {
            for &input in &node.inputs {
                real(input.ok_or("an input is missing")?)?;
            }
        }
        Inputs::First => {
            if let Some(&t) = node
                .inputs
                .iter()
                .skip(1)
                .flatten()
                .find(|&&t| main.tensors[t].dtype == DType::Float32)
            {
                return Err(format!(
                    "its input {t} ({:?}) is float32",
                    main.tensors[t].name
                ));
            }
        }
        Inputs::Weighted { axis } => {
            let weights = node.input(1).ok_or("its weights are missing")?;
            if !main.tensors[weights].is_constant() {
                return Err("its weights are computed while running".into());
            }
            real(weights)?;
            let shape = &main.tensors[weights].shape;
            let rank = if matches!(node.op, Op::FullyConnected(_)) {
                2
            } else {
                4
            };
            let channels = Channels::new(shape, Some(axis))
                .filter(|_| shape.len() == rank)
                .ok_or_else(|| {
                    format!("its weights have the shape {shape:?}, where {rank} axes are expected")
                })?;
            if let Some(bias) = node.input(2) {
                if !main.tensors[bias].is_constant() {
                    return Err("its bias is computed while running".into());
                }
                real(bias)?;
                if main.tensors[bias].elements() != Some(channels.channels) {
                    return Err(format!(
                        "its bias has the shape {:?} for {} channels",
                        main.tensors[bias].shape, channels.channels
                    ));
                }
            }
        }
    }
    Ok(rule)
}

/// Parameters of the constants that node `i` reads, and of activations that it must see in another scale.
#[allow(clippy::too_many_arguments)]
fn inputs_of(
    main: &Subgraph,
    i: usize,
    node: &Node,
    rule: &Rule,
    width: Width,
    decided: &[Option<Activation>],
    ranges: &[Option<Range>],
    plan: &mut QuantPlan,
) {
    let Some(output) = node
        .outputs
        .first()
        .and_then(|&o| decided[o].as_ref().map(|a| (o, a)))
    else {
        return;
    };
    let activation = width.activation();
    let operands = match rule.inputs {
        Inputs::Operands => node.inputs.len(),
        Inputs::First | Inputs::Weighted { .. } => 1,
    };
    for slot in 0..operands {
        let Some(t) = node.input(slot) else { continue };
        let (quantization, reason) = match (rule.output, &decided[t]) {
            (Output::SharedByAll | Output::SameAsInput, _) => {
                (output.1.quantization.clone(), Reason::SameAs(output.0))
            }
            (Output::Free | Output::Fixed { .. }, Some(_)) => continue,
            (Output::Free | Output::Fixed { .. }, None) => {
                let Some(r) = ranges[t] else { continue };
                (
                    activations::from_range(r.min, r.max, width),
                    Reason::Constant,
                )
            }
        };
        assign(plan, i, slot, t, activation, quantization, reason);
    }
    if let Inputs::Weighted { axis } = rule.inputs {
        weighted(main, i, node, axis, width, output.1, plan);
    }
}

/// Weights and bias of node `i`.
fn weighted(
    main: &Subgraph,
    i: usize,
    node: &Node,
    axis: usize,
    width: Width,
    output: &Activation,
    plan: &mut QuantPlan,
) {
    let (Some(input), Some(weights)) = (seen_scale(plan, i, node, 0), node.input(1)) else {
        return;
    };
    let Some(&output) = output.quantization.scales.first() else {
        return;
    };
    let Some(scales) = weight_scales_of(main, node, axis, width, input, output) else {
        return;
    };
    let for_bias = bias_scales(input, &scales);
    let reason = Reason::Weight {
        per_channel: scales.len() > 1,
    };
    assign(
        plan,
        i,
        1,
        weights,
        DType::Int8,
        Quantization::per_channel(scales, axis),
        reason,
    );
    if let Some(bias) = node.input(2) {
        let quantization = Quantization::per_channel(for_bias, 0);
        assign(plan, i, 2, bias, width.bias(), quantization, Reason::Bias);
    }
}

/// Weight scales of a node with weights, given the scales of its input and output.
fn weight_scales_of(
    main: &Subgraph,
    node: &Node,
    axis: usize,
    width: Width,
    input: f32,
    output: f32,
) -> Option<Vec<f32>> {
    let weights = &main.tensors[node.input(1)?];
    let channels = Channels::new(&weights.shape, Some(axis))?;
    let bias = node.input(2).and_then(|b| main.tensors[b].f32s());
    let bias_max = match width {
        Width::Int8 => BIAS_MAX_INT32,
        Width::Int16 => BIAS_MAX_INT64,
    };
    Some(guarded_weight_scales(
        &channel_peaks(&weights.f32s()?, channels),
        bias.as_deref(),
        input,
        output,
        bias_max,
    ))
}

/// Nodes whose kernels cannot work with the scales that were decided, and why.
fn refused(
    main: &Subgraph,
    rules: &[Option<Rule>],
    decided: &[Option<Activation>],
    ranges: &[Option<Range>],
    width: Width,
) -> Vec<(usize, &'static str)> {
    let scale = |t: TensorId| -> Option<f32> {
        let own = || ranges[t].map(|r| activations::from_range(r.min, r.max, width));
        let q = decided[t]
            .as_ref()
            .map_or_else(own, |a| Some(a.quantization.clone()))?;
        q.scales.first().copied()
    };
    let why = |node: &Node, rule: &Rule| {
        let operands = match rule.inputs {
            Inputs::Operands => node.inputs.len(),
            Inputs::First | Inputs::Weighted { .. } => 1,
        };
        let inputs = node.inputs.iter().take(operands).map(|&t| scale(t?));
        let inputs = inputs.collect::<Option<Vec<f32>>>()?;
        let output = scale(*node.outputs.first()?)?;
        let weights = match rule.inputs {
            Inputs::Weighted { axis } => {
                let scales = weight_scales_of(main, node, axis, width, *inputs.first()?, output)?;
                Some(scales.iter().fold(0.0f32, |m, &s| m.max(s)))
            }
            Inputs::First | Inputs::Operands => None,
        };
        refusal(&node.op, width, &inputs, weights, output)
    };
    let nodes = main.nodes.iter().zip(rules).enumerate();
    nodes
        .filter_map(|(i, (node, rule))| Some((i, why(node, rule.as_ref()?)?)))
        .collect()
}

/// Scale in which node `i` sees its input `slot`.
fn seen_scale(plan: &QuantPlan, i: usize, node: &Node, slot: usize) -> Option<f32> {
    let own = plan.use_of(i, slot);
    let quantization = match own {
        Some(u) => Some(&u.quantization),
        None => plan.tensors[node.input(slot)?].quantization.as_ref(),
    };
    quantization?.scales.first().copied()
}

/// Says how node `i` sees its input: in the tensor's plan if that is still open or says the same, else as a use of its own.
fn assign(
    plan: &mut QuantPlan,
    node: usize,
    input: usize,
    t: TensorId,
    dtype: DType,
    quantization: Quantization,
    reason: Reason,
) {
    let tensor = &mut plan.tensors[t];
    match &tensor.quantization {
        Some(q) if *q == quantization && tensor.dtype == dtype => {}
        Some(_) => plan.uses.push(UsePlan {
            node,
            input,
            dtype,
            quantization,
            reason,
        }),
        None => {
            tensor.dtype = dtype;
            tensor.quantization = Some(quantization);
            tensor.reason = reason;
        }
    }
}

/// Constants that are outputs of the model have its output type too.
fn border_constants(main: &Subgraph, width: Width, ranges: &[Option<Range>], plan: &mut QuantPlan) {
    for &t in &main.outputs {
        let tensor = &mut plan.tensors[t];
        if let (Some(r), None, true) = (
            ranges[t],
            &tensor.quantization,
            main.tensors[t].is_constant(),
        ) {
            tensor.dtype = width.activation();
            tensor.quantization = Some(activations::from_range(r.min, r.max, width));
            tensor.reason = Reason::Constant;
        }
    }
}
