//! What a plan warns of: ranges that quantize badly, and limits of the runtime's fast path.

use super::plan::{NodePlan, QuantPlan, Reason};
use super::rules::{Rule, Width};
use crate::calibrate::Calibration;
use crate::graph::{DType, Op, Quantization, Subgraph};

/// Most names that one sentence lists.
const LISTED: usize = 3;

/// Adds the sentences for int8 and int16x8.
pub fn collect(
    main: &Subgraph,
    width: Width,
    calibration: &Calibration,
    rules: &[Option<Rule>],
    plan: &mut QuantPlan,
) {
    let (mut wide, mut zero, mut infinite) = (vec![], vec![], vec![]);
    for (id, tensor) in plan.tensors.iter().enumerate() {
        let name = || format!("{id} {:?}", short(&main.tensors[id].name));
        if let Reason::Calibrated { min, max } = tensor.reason {
            if min == 0.0 && max == 0.0 {
                zero.push(name());
            } else if max - min >= 10.0 && tensor.dtype == DType::Int8 {
                wide.push(format!("{} [{min:.4}, {max:.4}]", name()));
            }
        }
        let seen = calibration.ranges.get(id).copied().flatten();
        if seen.is_some_and(|r| !r.min.is_finite() || !r.max.is_finite()) {
            infinite.push(name());
        }
    }
    if width == Width::Int8 && !wide.is_empty() {
        let (n, are) = count(wide.len(), "activation has", "activations have");
        plan.warnings.push(format!(
            "{n} {are} a range of 10 or more, so one int8 step is 0.04 or more: {}",
            list(&wide)
        ));
    }
    if !zero.is_empty() {
        let (n, were) = count(zero.len(), "activation was", "activations were");
        plan.warnings.push(format!(
            "{n} {were} 0 on all calibration samples; other inputs may need more: {}",
            list(&zero)
        ));
    }
    if !infinite.is_empty() {
        let (n, became) = count(infinite.len(), "tensor", "tensors");
        plan.warnings.push(format!(
            "{n} {became} became NaN or infinite in calibration and cannot be quantized: {}",
            list(&infinite)
        ));
    }
    match width {
        Width::Int8 => {
            delegate_limits(main, rules, plan);
            let chosen = plan.nodes.iter().filter(|n| **n == NodePlan::Int16).count();
            if chosen > 0 {
                let (n, computes) = count(chosen, "operator computes", "operators compute");
                plan.warnings.push(format!(
                    "{n} {computes} in int16 because chosen; LiteRT's fast path (XNNPACK) has no int16 kernels, so that its slower built-in ones do it."
                ));
            }
        }
        Width::Int16 => {
            if plan.nodes.contains(&NodePlan::Quantized) {
                plan.warnings.push(
                    "LiteRT's fast path (XNNPACK) has no int16 kernels: int16x8 models run on its slower built-in ones."
                        .into(),
                );
            }
        }
    }
    let converted = plan
        .nodes
        .iter()
        .filter(|n| matches!(n, NodePlan::Float(_)))
        .count();
    if converted > 0 {
        let (n, stay) = count(converted, "operator stays", "operators stay");
        plan.warnings.push(format!(
            "{n} {stay} float between conversions; the list of operators says why."
        ));
    }
}

/// Ratios of scales that XNNPACK refuses, so that LiteRT computes the operator on a slower kernel.
fn delegate_limits(main: &Subgraph, rules: &[Option<Rule>], plan: &mut QuantPlan) {
    let mut slow = vec![];
    for (i, node) in main.nodes.iter().enumerate() {
        if rules.get(i).is_none_or(Option::is_none) || plan.nodes.get(i) == Some(&NodePlan::Int16) {
            continue;
        }
        let scale = |t: Option<usize>| {
            let q: Option<&Quantization> = plan.tensors.get(t?)?.quantization.as_ref();
            q?.scales.first().map(|&s| f64::from(s))
        };
        let Some(output) = scale(node.outputs.first().copied()) else {
            continue;
        };
        let inside = match node.op {
            Op::Add { .. } | Op::Sub { .. } => node
                .inputs
                .iter()
                .filter_map(|&t| scale(t))
                .all(|s| (1.0 / 1024.0..256.0).contains(&(s / output))),
            Op::Mul { .. } => {
                let product: f64 = node.inputs.iter().filter_map(|&t| scale(t)).product();
                (1.0 / 65536.0..256.0).contains(&(product / output))
            }
            _ => true,
        };
        if !inside {
            slow.push(format!("{i} {}", node.op.name()));
        }
    }
    if !slow.is_empty() {
        let (n, have) = count(slow.len(), "operator has", "operators have");
        plan.warnings.push(format!(
            "{n} {have} scales too far apart for LiteRT's fast path (XNNPACK) and may run slower: {}",
            list(&slow)
        ));
    }
}

/// The number with the right form of the words behind it.
fn count<'a>(n: usize, one: &'a str, many: &'a str) -> (usize, &'a str) {
    (n, if n == 1 { one } else { many })
}

/// A tensor's name without what converters append to it behind `;`.
fn short(name: &str) -> &str {
    name.split(';').next().unwrap_or(name)
}

/// The first few names and how many more there are.
fn list(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(LISTED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
