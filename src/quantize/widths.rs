//! Two widths in one graph: operators set to int16 among int8 ones, and tensors that both meet in.

use std::borrow::Cow;

use super::activations::real_outputs;
use super::plan::{QuantPlan, Reason, TensorPlan, UsePlan};
use super::rules::{Rule, Width};
use crate::calibrate::Range;
use crate::graph::{DType, Subgraph, TensorId};

/// A graph in which every real tensor has one width: a further tensor stands for each that is needed in both, as if a QUANTIZE
/// made it.
pub struct Split<'a> {
    /// The graph; nodes and tensors of the model keep their numbers.
    pub graph: Cow<'a, Subgraph>,
    /// Width of each of its tensors.
    pub widths: Vec<Width>,
    /// Of the further tensors: which one each stands for.
    originals: Vec<TensorId>,
}

/// `main` with further tensors where operators that `rules` quantize read what is made in another width. `nodes` is the width of
/// each operator, `base` that of the mode; with `border`, the model's inputs and outputs have it.
///
/// What an operator makes has its width. What no quantized operator makes has that of its readers, and `base` where they differ.
pub fn split<'a>(
    main: &'a Subgraph,
    rules: &[Option<Rule>],
    nodes: &[Width],
    base: Width,
    border: bool,
) -> Split<'a> {
    let mut widths = vec![base; main.tensors.len()];
    let quantized = || {
        let all = main.nodes.iter().zip(rules).zip(nodes).enumerate();
        all.filter_map(|(i, ((node, rule), &width))| rule.map(|_| (i, node, width)))
    };
    if quantized().all(|(_, _, width)| width == base) {
        return Split {
            graph: Cow::Borrowed(main),
            widths,
            originals: vec![],
        };
    }
    let computed = |t: TensorId| {
        let tensor = &main.tensors[t];
        tensor.dtype == DType::Float32 && !tensor.is_constant() && !tensor.is_variable
    };
    // What the readers of each tensor agree on; `Err` if they do not.
    let mut readers: Vec<Result<Option<Width>, ()>> = vec![Ok(None); main.tensors.len()];
    let meet = |seen: &mut Result<Option<Width>, ()>, width: Width| {
        *seen = match *seen {
            Ok(None) => Ok(Some(width)),
            Ok(Some(other)) if other == width => Ok(Some(width)),
            Ok(Some(_)) | Err(()) => Err(()),
        };
    };
    for (_, node, width) in quantized() {
        for &t in node.inputs.iter().flatten() {
            meet(&mut readers[t], width);
        }
    }
    if border {
        for &t in main.inputs.iter().chain(&main.outputs) {
            meet(&mut readers[t], base);
        }
    }
    for (width, readers) in widths.iter_mut().zip(readers) {
        if let Ok(Some(agreed)) = readers {
            *width = agreed;
        }
    }
    for (_, node, width) in quantized() {
        for t in real_outputs(main, node) {
            widths[t] = width;
        }
    }
    let mut graph = main.clone();
    let mut originals = vec![];
    let mut other: Vec<Option<TensorId>> = vec![None; main.tensors.len()];
    let mut in_width = |t: TensorId, width: Width| -> TensorId {
        if widths[t] == width || !computed(t) {
            return t;
        }
        *other[t].get_or_insert_with(|| {
            graph.tensors.push(main.tensors[t].clone());
            widths.push(width);
            originals.push(t);
            graph.tensors.len() - 1
        })
    };
    let mut inputs = vec![];
    for (i, node, width) in quantized() {
        for (slot, t) in node.inputs.iter().enumerate() {
            if let Some(t) = *t {
                inputs.push((i, slot, in_width(t, width)));
            }
        }
    }
    let outputs = main.outputs.iter();
    let outputs: Option<Vec<TensorId>> =
        border.then(|| outputs.map(|&t| in_width(t, base)).collect());
    for (i, slot, t) in inputs {
        graph.nodes[i].inputs[slot] = Some(t);
    }
    if let Some(outputs) = outputs {
        graph.outputs = outputs;
    }
    Split {
        graph: Cow::Owned(graph),
        widths,
        originals,
    }
}

impl Split<'_> {
    /// Ranges of the model's tensors, and of the further ones what they stand for.
    pub fn extend(&self, ranges: &mut Vec<Option<Range>>) {
        ranges.truncate(self.graph.tensors.len() - self.originals.len());
        let more: Vec<Option<Range>> = self.originals.iter().map(|&t| ranges[t]).collect();
        ranges.extend(more);
    }

    /// Gives `plan` a place for each further tensor, until [`Split::leave`].
    pub fn enter(&self, plan: &mut QuantPlan) {
        for &original in &self.originals {
            plan.tensors.push(TensorPlan {
                tensor: original,
                ..plan.tensors[original].clone()
            });
        }
    }

    /// Takes the further tensors out of `plan`: what reads one is a use of what it stands for.
    pub fn leave(&self, main: &Subgraph, plan: &mut QuantPlan) {
        let own = main.tensors.len();
        let further = plan.tensors.split_off(own);
        let stands_for = |t: TensorId| t.checked_sub(own).and_then(|i| further.get(i));
        let mut uses = vec![];
        for (node, read) in self.graph.nodes.iter().enumerate() {
            for (input, t) in read.inputs.iter().enumerate() {
                if let Some(t) = t.and_then(stands_for)
                    && let Some(quantization) = &t.quantization
                    && plan.use_of(node, input).is_none()
                {
                    uses.push(UsePlan {
                        node,
                        input,
                        dtype: t.dtype,
                        quantization: quantization.clone(),
                        reason: t.reason.clone(),
                    });
                }
            }
        }
        plan.uses.extend(uses);
        plan.uses.sort_by_key(|u| u.node);
        for (&t, &given) in main.outputs.iter().zip(&self.graph.outputs) {
            if let Some(border) = stands_for(given) {
                plan.borders.push(TensorPlan {
                    tensor: t,
                    ..border.clone()
                });
            }
        }
        let reasons = plan.tensors.iter_mut().chain(&mut plan.borders);
        let reasons = reasons.map(|t| &mut t.reason);
        for reason in reasons.chain(plan.uses.iter_mut().map(|u| &mut u.reason)) {
            if let Reason::SameAs(t) = reason
                && let Some(original) = stands_for(*t)
            {
                *t = original.tensor;
            }
        }
    }
}
