//! Float islands: which operators with an integer kernel stay float too, because it would only cost precision or time there.
//!
//! Around an operator that needs float *precision* (a logarithm of values near 0, say) the operators without weights that
//! only feed it or live on it stay float: rounding between them is what the operator cannot bear, and the number of
//! conversions stays the same. Anywhere else, operators that only move values between float operators stay float.

use super::activations::real_outputs;
use super::plan::NodePlan;
use super::rules::{Rule, Work, computes_no_reals};
use crate::graph::{Node, Subgraph, TensorId};

/// Why an operator joins an island.
const PRECISION: &str = "it works for an operator beside it that needs float precision";
const MOVES: &str = "it only moves values between operators that stay float";

/// Whether an operator that stays float for this reason does so only because others do.
pub fn is_consequence(why: &str) -> bool {
    [PRECISION, MOVES].contains(&why)
}

/// The operators of `rules` that join the islands of `plans`, and why. `precise` marks the operators that need float precision,
/// `quantized_border` says whether the model's inputs and outputs are integers.
pub fn joining(
    main: &Subgraph,
    rules: &[Option<Rule>],
    plans: &[NodePlan],
    precise: &[bool],
    quantized_border: bool,
) -> Vec<(usize, &'static str)> {
    let stays_float = |p: &NodePlan| matches!(p, NodePlan::Float(_));
    let mut island = Island {
        links: Links::new(main, quantized_border),
        rules,
        float: plans.iter().map(stays_float).collect(),
        near: precise.to_vec(),
    };
    if !island.float.contains(&true) {
        return vec![];
    }
    island.forward(main);
    island.backward(main);
    let nodes = 0..main.nodes.len();
    nodes
        .filter(|&i| rules[i].is_some() && island.float[i])
        .map(|i| (i, if island.near[i] { PRECISION } else { MOVES }))
        .collect()
}

/// Who makes and reads each tensor.
struct Links {
    makers: Vec<Option<usize>>,
    readers: Vec<Vec<usize>>,
    float_inputs: Vec<bool>,
    float_outputs: Vec<bool>,
    quantized_outputs: Vec<bool>,
}

impl Links {
    fn new(main: &Subgraph, quantized_border: bool) -> Self {
        let n = main.tensors.len();
        let mut links = Self {
            makers: vec![None; n],
            readers: vec![vec![]; n],
            float_inputs: vec![false; n],
            float_outputs: vec![false; n],
            quantized_outputs: vec![false; n],
        };
        for (i, node) in main.nodes.iter().enumerate() {
            for &t in &node.outputs {
                links.makers[t] = Some(i);
            }
            if !computes_no_reals(&node.op) {
                for &t in node.inputs.iter().flatten() {
                    links.readers[t].push(i);
                }
            }
        }
        for &t in &main.inputs {
            links.float_inputs[t] = !quantized_border;
        }
        for &t in &main.outputs {
            links.float_outputs[t] = !quantized_border;
            links.quantized_outputs[t] = quantized_border;
        }
        links
    }
}

struct Island<'a> {
    links: Links,
    rules: &'a [Option<Rule>],
    /// Operators that stay float so far.
    float: Vec<bool>,
    /// Those among them that need precision or live near one that does.
    near: Vec<bool>,
}

impl Island<'_> {
    /// The rule of node `i` if it may join.
    fn candidate(&self, i: usize) -> Option<Rule> {
        self.rules[i].filter(|r| r.work != Work::Products && !self.float[i])
    }

    /// Activations that a node reads, each once.
    fn activations(main: &Subgraph, node: &Node, rule: &Rule) -> Vec<TensorId> {
        let operands = rule.operands(node).map(|(_, t)| t);
        let mut found: Vec<TensorId> = operands
            .filter(|&t| !main.tensors[t].is_constant())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Readers of what node `i` makes.
    fn readers<'a>(&'a self, main: &'a Subgraph, i: usize) -> impl Iterator<Item = usize> + 'a {
        let outputs = real_outputs(main, &main.nodes[i]);
        outputs.flat_map(|t| self.links.readers[t].iter().copied())
    }

    /// Operators all of whose activations come out of an island.
    fn forward(&mut self, main: &Subgraph) {
        for (i, node) in main.nodes.iter().enumerate() {
            let maker_near = |t: &TensorId| self.links.makers[*t].is_some_and(|m| self.near[m]);
            if self.float[i] && self.rules[i].is_none() {
                // An operator without a kernel hands on whom it lives near.
                if node.inputs.iter().flatten().any(maker_near) {
                    self.near[i] = true;
                }
                continue;
            }
            let Some(rule) = self.candidate(i) else {
                continue;
            };
            let activations = Self::activations(main, node, &rule);
            let from_float = |t: &TensorId| self.links.makers[*t].is_some_and(|m| self.float[m]);
            let near = activations.iter().any(maker_near);
            if !activations.is_empty()
                && activations.iter().all(from_float)
                && (near || rule.work == Work::Moves)
            {
                self.float[i] = true;
                self.near[i] = near;
            }
        }
        // Moving integers is cheaper, so what only moves leaves where nobody behind it needs floats.
        for (i, node) in main.nodes.iter().enumerate().rev() {
            let moves = self.rules[i].is_some_and(|r| r.work == Work::Moves);
            if !self.float[i] || !moves || real_outputs(main, node).next().is_none() {
                continue;
            }
            let outside = real_outputs(main, node).any(|t| self.links.float_outputs[t]);
            let float_readers = self.readers(main, i).filter(|&r| self.float[r]).count();
            let all = float_readers == self.readers(main, i).count();
            let stays = match self.near[i] {
                true => float_readers > 0,
                false => all && (float_readers > 0 || outside),
            };
            if !stays {
                self.float[i] = false;
                self.near[i] = false;
            }
        }
    }

    /// Operators of one activation that work for an island alone.
    fn backward(&mut self, main: &Subgraph) {
        let mut joined = vec![false; main.nodes.len()];
        for (i, node) in main.nodes.iter().enumerate().rev() {
            let near = self.readers(main, i).any(|r| self.near[r]);
            if self.float[i] && self.rules[i].is_none() {
                self.near[i] |= near;
                continue;
            }
            let Some(rule) = self.candidate(i) else {
                continue;
            };
            let inside = |t: TensorId| {
                let readers = &self.links.readers[t];
                let read = !readers.is_empty() && readers.iter().all(|&r| self.float[r]);
                read && !self.links.quantized_outputs[t]
            };
            let mut outputs = real_outputs(main, node).peekable();
            if outputs.peek().is_some()
                && outputs.all(inside)
                && Self::activations(main, node, &rule).len() <= 1
                && (near || rule.work == Work::Moves)
            {
                self.float[i] = true;
                self.near[i] = near;
                joined[i] = true;
            }
        }
        // What only moves integers before the first computation stays as it is.
        for (i, node) in main.nodes.iter().enumerate() {
            let Some(rule) = self.rules[i].filter(|r| joined[i] && r.work == Work::Moves) else {
                continue;
            };
            let from_float = |t: TensorId| match self.links.makers[t] {
                Some(m) => self.float[m],
                None => self.links.float_inputs[t],
            };
            let activations = Self::activations(main, node, &rule);
            if !activations.into_iter().all(from_float) {
                self.float[i] = false;
                self.near[i] = false;
            }
        }
    }
}
