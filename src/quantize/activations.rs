//! Scale and zero point of every activation of a static mode: which tensors share them, and from which range.

use super::params::{asymmetric_int8, symmetric_int8, symmetric_int16};
use super::plan::Reason;
use super::rules::{Output, Rule, Width, Work};
use crate::calibrate::Range;
use crate::graph::{DType, Node, Op, Quantization, Subgraph, TensorId, Unary};

/// Parameters of one activation, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// One scale, one zero point.
    pub quantization: Quantization,
    /// Where they come from.
    pub reason: Reason,
}

/// Parameters for the range of one tensor.
pub fn from_range(min: f32, max: f32, width: Width) -> Quantization {
    match width {
        Width::Int8 => {
            let (scale, zero_point) = asymmetric_int8(min, max);
            Quantization::per_tensor(scale, zero_point)
        }
        Width::Int16 => Quantization::per_tensor(symmetric_int16(min, max), 0),
    }
}

/// Parameters of every float32 tensor that `rules` (one per node, `None` for those that stay float) or the model's border
/// touch; `ranges` holds the finite range of each tensor, constants included, `widths` what each is stored in.
pub fn decide(
    main: &Subgraph,
    rules: &[Option<Rule>],
    ranges: &[Option<Range>],
    widths: &[Width],
    border: bool,
) -> Vec<Option<Activation>> {
    let mut groups = Groups::new(main, rules);
    groups.forward(main, rules);
    groups.backward(main, rules);
    let touched = touched(main, rules, border);
    let mut wide: Vec<Option<Range>> = vec![None; main.tensors.len()];
    for (id, (tensor, &range)) in main.tensors.iter().zip(ranges).enumerate() {
        if !tensor.is_constant() && !groups.follows[id] {
            let root = groups.root(id);
            wide[root] = union(wide[root], range);
        }
    }
    // A constant that an operator passes on widens the range of what it becomes.
    for (node, rule) in main.nodes.iter().zip(rules) {
        let Some(rule) = rule else { continue };
        if !matches!(rule.output, Output::SameAsInput | Output::SharedByAll) {
            continue;
        }
        for output in real_outputs(main, node) {
            let root = groups.root(output);
            for (_, t) in rule.operands(node) {
                if main.tensors[t].is_constant() {
                    wide[root] = union(wide[root], ranges[t]);
                }
            }
        }
    }
    let scaled = with_table_ends(main, rules, &groups, &wide, widths);
    // The tensor that a group's range comes from: the first as wide as the group.
    let mut sources: Vec<Option<TensorId>> = vec![None; main.tensors.len()];
    for (id, range) in ranges.iter().enumerate() {
        let root = groups.root(id);
        if touched[id] && sources[root].is_none() && *range == wide[root] {
            sources[root] = Some(id);
        }
    }
    (0..main.tensors.len())
        .map(|id| {
            if !touched[id] || main.tensors[id].is_constant() {
                return None;
            }
            let root = groups.root(id);
            let same_as = |source, own| {
                if source == id {
                    own
                } else {
                    Reason::SameAs(source)
                }
            };
            if let Some((source, scale, zero_point)) = groups.fixed[root] {
                return Some(Activation {
                    quantization: Quantization::per_tensor(scale, zero_point),
                    reason: same_as(source, Reason::Fixed),
                });
            }
            let Range { min, max } = wide[root]?;
            let Range {
                min: low,
                max: high,
            } = scaled[root]?;
            let quantization = match (groups.zero_at_zero[root], widths[id]) {
                (true, Width::Int8) => Quantization::per_tensor(symmetric_int8(low, high), 0),
                _ => from_range(low, high, widths[id]),
            };
            Some(Activation {
                quantization,
                reason: same_as(sources[root].unwrap_or(id), Reason::Calibrated { min, max }),
            })
        })
        .collect()
}

/// The outputs of a node that hold reals.
pub fn real_outputs<'a>(main: &'a Subgraph, node: &'a Node) -> impl Iterator<Item = TensorId> + 'a {
    let outputs = node.outputs.iter().copied();
    outputs.filter(|&t| main.tensors[t].dtype == DType::Float32)
}

/// The ranges of int16 groups, widened where a kernel interpolates between points of a table that lie 128 steps of its input
/// apart: the points around the ends of the input's range must not be clipped, or what lies beside them is wrong.
fn with_table_ends(
    main: &Subgraph,
    rules: &[Option<Rule>],
    groups: &Groups,
    wide: &[Option<Range>],
    widths: &[Width],
) -> Vec<Option<Range>> {
    let mut wide = wide.to_vec();
    for (node, rule) in main.nodes.iter().zip(rules) {
        let Some(function) = rule.and_then(|_| tabled(&node.op)) else {
            continue;
        };
        let (Some(x), Some(&y)) = (node.input(0), node.outputs.first()) else {
            continue;
        };
        if widths[y] != Width::Int16 {
            continue;
        }
        let Some(seen) = wide[groups.root(x)] else {
            continue;
        };
        let step = match groups.fixed[groups.root(x)] {
            Some((_, scale, _)) => f64::from(scale),
            None => f64::from(symmetric_int16(seen.min, seen.max)),
        };
        let (min, max) = (f64::from(seen.min), f64::from(seen.max));
        let mut low = (min - 128.0 * step).max(-32768.0 * step);
        if min > 0.0 {
            low = low.max(min / 2.0);
        }
        let high = (max + 128.0 * step).min(32768.0 * step);
        for end in [function(low) as f32, function(high) as f32] {
            if end.is_finite() {
                let end = Some(Range { min: end, max: end });
                let root = groups.root(y);
                wide[root] = union(wide[root], end);
            }
        }
    }
    wide
}

/// The function of an operator whose int16 kernel interpolates in a table, where it may change much from point to point.
fn tabled(op: &Op) -> Option<fn(f64) -> f64> {
    match op {
        Op::Unary(Unary::Exp) => Some(f64::exp),
        Op::Unary(Unary::Log) => Some(f64::ln),
        Op::Unary(Unary::Rsqrt) => Some(|x| 1.0 / x.sqrt()),
        // Nearly x where it is large.
        Op::Gelu { .. } => Some(|x| x.max(0.0)),
        _ => None,
    }
}

fn union(a: Option<Range>, b: Option<Range>) -> Option<Range> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Range {
            min: a.min.min(b.min),
            max: a.max.max(b.max),
        }),
        (a, b) => a.or(b),
    }
}

/// The float32 tensors that quantized nodes read or make, and those at the model's border.
fn touched(main: &Subgraph, rules: &[Option<Rule>], border: bool) -> Vec<bool> {
    let mut touched = vec![false; main.tensors.len()];
    let quantized = main.nodes.iter().zip(rules).filter(|(_, r)| r.is_some());
    for (node, _) in quantized {
        for &t in node.inputs.iter().flatten().chain(&node.outputs) {
            touched[t] = true;
        }
    }
    if border {
        for &t in main.inputs.iter().chain(&main.outputs) {
            touched[t] = true;
        }
    }
    for (touched, t) in touched.iter_mut().zip(&main.tensors) {
        *touched &= t.dtype == DType::Float32;
    }
    touched
}

/// Tensors that share scale and zero point.
struct Groups {
    /// The tensor that stands for the group of each tensor.
    roots: Vec<TensorId>,
    /// At a root: the tensors of its group.
    members: Vec<Vec<TensorId>>,
    /// At a root: parameters that an operator dictates, and the tensor it makes.
    fixed: Vec<Option<(TensorId, f32, i64)>>,
    /// At a root: whether the zero point must be 0.
    zero_at_zero: Vec<bool>,
    /// At a root: whether a value of the group may depend on several others of it.
    mixes: Vec<bool>,
    /// Tensors whose own range does not count: what they hold beyond the group's range never shows.
    follows: Vec<bool>,
    /// The nodes that read each tensor.
    readers: Vec<Vec<usize>>,
}

impl Groups {
    fn new(main: &Subgraph, rules: &[Option<Rule>]) -> Self {
        let mut fixed = vec![None; main.tensors.len()];
        let mut readers = vec![vec![]; main.tensors.len()];
        for (i, (node, rule)) in main.nodes.iter().zip(rules).enumerate() {
            if let Some(rule) = rule
                && let Output::Fixed { scale, zero_point } = rule.output
            {
                for output in real_outputs(main, node) {
                    fixed[output] = Some((output, scale, zero_point));
                }
            }
            for &t in node.inputs.iter().flatten() {
                readers[t].push(i);
            }
        }
        Self {
            roots: (0..main.tensors.len()).collect(),
            members: (0..main.tensors.len()).map(|t| vec![t]).collect(),
            fixed,
            zero_at_zero: vec![false; main.tensors.len()],
            mixes: vec![false; main.tensors.len()],
            follows: vec![false; main.tensors.len()],
            readers,
        }
    }

    fn root(&self, id: TensorId) -> TensorId {
        self.roots[id]
    }

    /// Puts the groups of `a` and `b` together; at most one of them is fixed, or both alike.
    fn join(&mut self, a: TensorId, b: TensorId) {
        let (mut large, mut small) = (self.root(a), self.root(b));
        if large == small {
            return;
        }
        if self.members[large].len() < self.members[small].len() {
            std::mem::swap(&mut large, &mut small);
        }
        self.fixed[large] = self.fixed[large].or(self.fixed[small]);
        self.zero_at_zero[large] |= self.zero_at_zero[small];
        self.mixes[large] |= self.mixes[small];
        let moved = std::mem::take(&mut self.members[small]);
        for &t in &moved {
            self.roots[t] = large;
        }
        self.members[large].extend(moved);
    }

    /// Operators that move values of one input give their outputs its parameters.
    fn forward(&mut self, main: &Subgraph, rules: &[Option<Rule>]) {
        for (node, rule) in main.nodes.iter().zip(rules) {
            let Some(rule) = rule.filter(|r| r.output == Output::SameAsInput) else {
                continue;
            };
            let operand = rule.operands(node).map(|(_, t)| t);
            let mut computed = operand.filter(|&t| !main.tensors[t].is_constant());
            let mut outputs = real_outputs(main, node);
            let Some(first) = computed.next().or_else(|| outputs.next()) else {
                continue;
            };
            for output in outputs {
                self.join(first, output);
            }
            let root = self.root(first);
            self.zero_at_zero[root] |= rule.zero_at_zero;
            self.mixes[root] |= rule.work != Work::Moves;
        }
    }

    /// Operators that put inputs together push the output's parameters back to an input, where nobody else needs that
    /// input finer: its producer then computes in the output's scale at once, without a second rounding.
    fn backward(&mut self, main: &Subgraph, rules: &[Option<Rule>]) {
        let mut is_output = vec![false; main.tensors.len()];
        for &t in &main.outputs {
            is_output[t] = true;
        }
        for (i, (node, rule)) in main.nodes.iter().zip(rules).enumerate() {
            let Some(rule) = rule else { continue };
            if !matches!(rule.output, Output::SharedByAll | Output::SharedAndClamped) {
                continue;
            }
            let Some(output) = real_outputs(main, node).next() else {
                continue;
            };
            let inputs: Vec<TensorId> = rule.operands(node).map(|(_, t)| t).collect();
            // All inputs have the same dictated parameters: the output keeps them.
            let dictated = |t: TensorId| match self.fixed[self.root(t)] {
                Some((_, scale, zero_point)) if !main.tensors[t].is_constant() => {
                    Some((scale.to_bits(), zero_point))
                }
                _ => None,
            };
            if let Some(&first) = inputs.first()
                && dictated(first).is_some()
                && inputs.iter().all(|&t| dictated(t) == dictated(first))
            {
                self.join(first, output);
                continue;
            }
            for &input in &inputs {
                if !main.tensors[input].is_constant()
                    && self.free_for(main, rules, &is_output, input, i)
                {
                    let root = self.root(input);
                    if rule.output == Output::SharedAndClamped && !self.mixes[root] {
                        for &t in &self.members[root] {
                            self.follows[t] = true;
                        }
                    }
                    self.join(output, input);
                }
            }
        }
    }

    /// Whether every use of every tensor in the group of `input` is inside the group or the node `to`.
    fn free_for(
        &self,
        main: &Subgraph,
        rules: &[Option<Rule>],
        is_output: &[bool],
        input: TensorId,
        to: usize,
    ) -> bool {
        let root = self.root(input);
        let shares = |i: usize| {
            let node = &main.nodes[i];
            rules[i].is_some_and(|r| r.output.is_shared())
                && real_outputs(main, node).any(|o| self.root(o) == root)
        };
        let produced_by_to = real_outputs(main, &main.nodes[to]).any(|o| self.root(o) == root);
        self.fixed[root].is_none()
            && !produced_by_to
            && self.members[root]
                .iter()
                .all(|&t| !is_output[t] && self.readers[t].iter().all(|&i| i == to || shares(i)))
    }
}
