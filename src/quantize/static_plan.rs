//! The modes that compute on integers, int8 and int16x8: which operators can, and the parameters of all they touch.

use super::activations::{self, Activation, real_outputs};
use super::bias_correction;
use super::fold::is_left_behind;
use super::islands;
use super::keep::KEPT;
use super::limits::{Refusal, Seen, refusal};
use super::params::{
    BIAS_MAX_INT32, BIAS_MAX_INT64, Channels, bias_scales, channel_peaks, finite_range,
    guarded_weight_scales,
};
use super::plan::{NodePlan, QuantPlan, Reason, TensorPlan, assign};
use super::recipe::Io;
use super::recurrent::{self, At};
use super::rules::{Cell, Inputs, Output, Rule, Weighted, Width, computes_no_reals, static_rule};
use super::warnings;
use super::widths;
use crate::calibrate::{Calibration, Range};
use crate::graph::{DType, Node, Quantization, Subgraph, Tensor, TensorId};

/// Fills `plan` for int8 or int16x8. `calibration` has one entry a tensor; `kept` says of every operator whether the user keeps
/// it float, `nodes` on which width it computes otherwise; `width` is the mode's own.
pub fn decide(
    main: &Subgraph,
    width: Width,
    nodes: &[Width],
    calibration: &Calibration,
    kept: &[bool],
    plan: &mut QuantPlan,
) {
    let mut ranges: Vec<Option<Range>> = main
        .tensors
        .iter()
        .zip(&calibration.ranges)
        .map(|(t, &seen)| finite(t, seen))
        .collect();
    let mut rules = vec![];
    for (i, (decision, node)) in plan.nodes.iter_mut().zip(&main.nodes).enumerate() {
        let rule = if computes_reals(main, node) {
            let possible = match kept[i] {
                true => Err(KEPT.into()),
                false => integer_rule(main, i, node, nodes[i], calibration, &ranges),
            };
            match possible {
                Ok(rule) => {
                    *decision = match nodes[i] == width {
                        true => NodePlan::Quantized,
                        false => NodePlan::Int16,
                    };
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
    let mut precise = vec![false; main.nodes.len()];
    let (split, decided) = loop {
        for (i, why) in islands::joining(main, &rules, &plan.nodes, &precise, border) {
            rules[i] = None;
            plan.nodes[i] = NodePlan::Float(why.into());
        }
        let split = widths::split(main, &rules, nodes, width, border);
        split.extend(&mut ranges);
        let decided = activations::decide(&split.graph, &rules, &ranges, &split.widths, border);
        let refused = refused(&split.graph, &rules, &decided, &ranges, calibration, nodes);
        if refused.is_empty() {
            break (split, decided);
        }
        // Each round takes at least one operator out, so this ends.
        for (i, refusal) in refused {
            rules[i] = None;
            precise[i] = refusal.precise;
            plan.nodes[i] = NodePlan::Float(refusal.why);
        }
    };
    split.enter(plan);
    for (id, activation) in decided.iter().enumerate() {
        if let Some(a) = activation {
            plan.tensors[id] = TensorPlan {
                tensor: id,
                dtype: split.widths[id].activation(),
                quantization: Some(a.quantization.clone()),
                reason: a.reason.clone(),
            };
        } else if split.graph.tensors[id].dtype == DType::Float32 {
            plan.tensors[id].reason =
                Reason::Untouched("only operators that stay float use it".into());
        }
    }
    for (i, (node, rule)) in split.graph.nodes.iter().zip(&rules).enumerate() {
        if let Some(rule) = rule {
            inputs_of(
                &split.graph,
                i,
                node,
                rule,
                nodes[i],
                &decided,
                &ranges,
                plan,
            );
            if let Inputs::Recurrent(cell) = rule.inputs {
                let at = At {
                    main: &split.graph,
                    index: i,
                    node,
                    calibration,
                };
                recurrent_inputs(at, cell, &decided, plan);
            }
        }
    }
    split.leave(main, plan);
    if plan.recipe.bias_correction {
        bias_correction::decide(main, &rules, calibration, plan);
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

/// Whether an operator works on float32 values at all (some only look at extents).
fn computes_reals(main: &Subgraph, node: &Node) -> bool {
    !computes_no_reals(&node.op)
        && !is_left_behind(main, node)
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
    index: usize,
    node: &Node,
    width: Width,
    calibration: &Calibration,
    ranges: &[Option<Range>],
) -> Result<Rule, String> {
    let rule = static_rule(&node.op, width)?;
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
        if tensor.extra.is_some() || tensor.sparsity.is_some() {
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
    let no_reals = matches!(rule.output, Output::NoReals { .. });
    let mut outputs = real_outputs(main, node).peekable();
    if outputs.peek().is_some() == no_reals {
        return Err("its output is of another type than its kernel gives".into());
    }
    for output in outputs {
        real(output)?;
    }
    let operands: Vec<(usize, TensorId)> = rule.operands(node).collect();
    if operands.is_empty() {
        return Err("its inputs are missing".into());
    }
    for &(_, t) in &operands {
        real(t)?;
    }
    if let Inputs::Weighted(w) = rule.inputs {
        weighted_inputs(main, node, w, real)?;
        return Ok(rule);
    }
    if let Inputs::Recurrent(cell) = rule.inputs {
        let at = At {
            main,
            index,
            node,
            calibration,
        };
        recurrent::check(at, cell, real)?;
        return Ok(rule);
    }
    let others = node.inputs.iter().enumerate();
    let mut others = others.filter_map(|(slot, &t)| {
        Some((
            slot,
            t.filter(|&t| main.tensors[t].dtype == DType::Float32)?,
        ))
    });
    if let Some((_, t)) = others.find(|(slot, _)| operands.iter().all(|(s, _)| s != slot)) {
        return Err(format!(
            "its input {t} ({:?}) is float32",
            main.tensors[t].name
        ));
    }
    Ok(rule)
}

/// Whether weights and bias are constants that fit each other.
fn weighted_inputs(
    main: &Subgraph,
    node: &Node,
    w: Weighted,
    real: impl Fn(TensorId) -> Result<(), String>,
) -> Result<(), String> {
    let weights = node.input(w.weights).ok_or("its weights are missing")?;
    if !main.tensors[weights].is_constant() {
        return Err("its weights are computed while running".into());
    }
    real(weights)?;
    let shape = &main.tensors[weights].shape;
    let channels = Channels::new(shape, Some(w.axis))
        .filter(|_| shape.len() == w.rank)
        .ok_or_else(|| {
            format!(
                "its weights have the shape {shape:?}, where {} axes are expected",
                w.rank
            )
        })?;
    if let Some(bias) = node.input(w.bias) {
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
    Ok(())
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
    let output = real_outputs(main, node).find_map(|o| Some((o, decided[o].as_ref()?)));
    let activation = width.activation();
    let together = one_scale(main, node, rule, width, decided, ranges);
    for (slot, t) in rule.operands(node) {
        let (quantization, reason) = match (rule.output, output, &together, &decided[t]) {
            (Output::Free | Output::Fixed { .. } | Output::NoReals { .. }, _, None, Some(_)) => {
                continue;
            }
            (Output::Free | Output::Fixed { .. } | Output::NoReals { .. }, _, None, None) => {
                let Some(r) = ranges[t] else { continue };
                (
                    activations::from_range(r.min, r.max, width),
                    Reason::Constant,
                )
            }
            (_, _, Some((wider, q)), _) => (q.clone(), Reason::SameAs(*wider)),
            (_, Some((o, a)), None, _) => (a.quantization.clone(), Reason::SameAs(o)),
            (_, None, None, _) => continue,
        };
        assign(plan, i, slot, t, activation, quantization, reason);
    }
    if let (Inputs::Weighted(w), Some((_, output))) = (rule.inputs, output) {
        weighted(main, i, node, w, width, output, plan);
    }
}

/// Where a kernel compares stored integers: the operand of the widest range and its parameters, which all operands get.
fn one_scale(
    main: &Subgraph,
    node: &Node,
    rule: &Rule,
    width: Width,
    decided: &[Option<Activation>],
    ranges: &[Option<Range>],
) -> Option<(TensorId, Quantization)> {
    if rule.output != (Output::NoReals { one_scale: true }) {
        return None;
    }
    let seen = rule.operands(node).filter_map(|(_, t)| {
        let q = match &decided[t] {
            Some(a) if !main.tensors[t].is_constant() => a.quantization.clone(),
            _ => ranges[t].map(|r| activations::from_range(r.min, r.max, width))?,
        };
        Some((t, q))
    });
    seen.max_by(|(_, a), (_, b)| {
        a.scales
            .iter()
            .sum::<f32>()
            .total_cmp(&b.scales.iter().sum())
    })
}

/// Weights and bias of node `i`.
fn weighted(
    main: &Subgraph,
    i: usize,
    node: &Node,
    w: Weighted,
    width: Width,
    output: &Activation,
    plan: &mut QuantPlan,
) {
    let seen = seen_scale(plan, i, node, w.activation);
    let (Some(input), Some(weights)) = (seen, node.input(w.weights)) else {
        return;
    };
    let Some(&output) = output.quantization.scales.first() else {
        return;
    };
    let Some(scales) = weight_scales_of(main, node, w, width, input, output) else {
        return;
    };
    let for_bias = bias_scales(input, &scales);
    let reason = Reason::Weight {
        per_channel: scales.len() > 1,
    };
    assign(
        plan,
        i,
        w.weights,
        weights,
        DType::Int8,
        Quantization::per_channel(scales, w.axis),
        reason,
    );
    if let Some(bias) = node.input(w.bias) {
        let quantization = Quantization::per_channel(for_bias, 0);
        assign(
            plan,
            i,
            w.bias,
            bias,
            width.bias(),
            quantization,
            Reason::Bias,
        );
    }
}

/// All inputs of a recurrent node but the first, and its intermediate tensors.
fn recurrent_inputs(at: At<'_>, cell: Cell, decided: &[Option<Activation>], plan: &mut QuantPlan) {
    let mut outputs = real_outputs(at.main, at.node);
    let output = outputs.find_map(|o| Some((o, &decided[o].as_ref()?.quantization)));
    if let (Some(x), Some(output)) = (seen_scale(plan, at.index, at.node, 0), output)
        && let Ok(all) = recurrent::parameters(at, cell, x, output)
    {
        all.enter(at, plan);
    }
}

/// Weight scales of a node with weights, given the scales of its input and output.
fn weight_scales_of(
    main: &Subgraph,
    node: &Node,
    w: Weighted,
    width: Width,
    input: f32,
    output: f32,
) -> Option<Vec<f32>> {
    let weights = &main.tensors[node.input(w.weights)?];
    let channels = Channels::new(&weights.shape, Some(w.axis))?;
    let bias = node.input(w.bias).and_then(|b| main.tensors[b].f32s());
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
    calibration: &Calibration,
    widths: &[Width],
) -> Vec<(usize, Refusal)> {
    let range = |t: TensorId| ranges[t];
    let seen = |t: TensorId, width: Width| -> Option<Seen> {
        let own = || range(t).map(|r| activations::from_range(r.min, r.max, width));
        let q = match &decided[t] {
            Some(a) => a.quantization.clone(),
            None => own()?,
        };
        Some(Seen {
            scale: *q.scales.first()?,
            range: range(t)?,
        })
    };
    let why = |index: usize, node: &Node, rule: &Rule| {
        let width = widths[index];
        let operands = rule.operands(node).map(|(_, t)| seen(t, width));
        let inputs = operands.collect::<Option<Vec<Seen>>>()?;
        let output = real_outputs(main, node).find_map(|t| seen(t, width));
        let weights = match (rule.inputs, output) {
            (Inputs::Weighted(w), Some(output)) => {
                let first = inputs.first()?.scale;
                let scales = weight_scales_of(main, node, w, width, first, output.scale)?;
                Some(scales.iter().fold(0.0f32, |m, &s| m.max(s)))
            }
            _ => None,
        };
        if let (Inputs::Recurrent(cell), Some(x)) = (rule.inputs, inputs.first()) {
            let output = real_outputs(main, node)
                .find_map(|o| Some((o, &decided[o].as_ref()?.quantization)));
            let at = At {
                main,
                index,
                node,
                calibration,
            };
            let why = recurrent::parameters(at, cell, x.scale, output?).err()?;
            let precise = false;
            return Some(Refusal { why, precise });
        }
        refusal(&node.op, width, &inputs, weights, output.map(|o| o.scale))
    };
    let nodes = main.nodes.iter().zip(rules).enumerate();
    nodes
        .filter_map(|(i, (node, rule))| Some((i, why(i, node, rule.as_ref()?)?)))
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
