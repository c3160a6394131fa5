//! Builds the graph that a plan describes: quantized constants, conversions where types meet, shape folds, nothing unused.

use bytes::Bytes;

use super::bias_correction::{self, BiasCorrection};
use super::constants::{half_constant, quantized_constant};
use super::fold::unpacked;
use super::plan::{NodePlan, QuantPlan, at_border, check_indices};
use super::recipe::Mode;
use super::rules::{Hybrid, hybrid_rule, is_pure};
use crate::error::Result;
use crate::graph::{DType, Graph, Node, Op, Quantization, Subgraph, Tensor, TensorId};
use crate::progress::Progress;

/// The quantized graph. `plan` must be a plan of this very `graph`; metadata, signatures and further subgraphs are kept.
///
/// Fails with `Invalid` if the plan is of another graph, with `Malformed` if a constant does not fill its shape, and with
/// `Cancelled`.
pub fn apply(graph: &Graph, plan: &QuantPlan, progress: &Progress) -> Result<Graph> {
    let Some(main) = graph.subgraphs.first() else {
        return crate::malformed!("The model has no subgraph.");
    };
    check_indices(main)?;
    if plan.tensors.len() != main.tensors.len() || plan.nodes.len() != main.nodes.len() {
        return crate::invalid!("The plan is of another model; make it anew.");
    }
    if plan.recipe.mode == Mode::Float32 {
        return Ok(graph.clone());
    }
    let main = &*unpacked(main)?;
    let mut build = Build::new(main, plan, progress);
    let live = live_nodes(main, plan);
    build.inputs(main)?;
    if plan.recipe.mode == Mode::Float16 {
        build.widen_first(&live)?;
    }
    for (i, node) in main.nodes.iter().enumerate() {
        progress.report(i, main.nodes.len())?;
        if live[i] {
            build.node(i, node)?;
        }
    }
    let mut outputs = vec![];
    for &t in &main.outputs {
        outputs.push(build.output(t)?);
    }
    let inputs = main
        .inputs
        .iter()
        .map(|&t| build.external(t))
        .collect::<Result<Vec<_>>>()?;
    let mut signatures = graph.signatures.clone();
    for signature in signatures.iter_mut().filter(|s| s.subgraph == 0) {
        for (_, t) in &mut signature.inputs {
            *t = build.external(*t)?;
        }
        for (_, t) in &mut signature.outputs {
            *t = build.output(*t)?;
        }
    }
    let mut subgraphs = graph.subgraphs.clone();
    if let Some(first) = subgraphs.first_mut() {
        *first = Subgraph {
            name: main.name.clone(),
            tensors: build.tensors,
            inputs,
            outputs,
            nodes: build.nodes,
            debug_metadata: main.debug_metadata,
        };
    }
    progress.report(main.nodes.len(), main.nodes.len())?;
    Ok(Graph {
        subgraphs,
        signatures,
        ..graph.clone()
    })
}

/// How a tensor stands in the new graph.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// As in the old graph.
    Original,
    /// Integers with these parameters.
    Quantized(DType, Quantization),
}

impl Form {
    /// Word for the name of a tensor that is a conversion of another.
    fn suffix(&self) -> &'static str {
        match self {
            Form::Original => "float32",
            Form::Quantized(dtype, _) => dtype.name(),
        }
    }
}

/// The new graph as it grows, and where each old tensor stands in it.
struct Build<'a> {
    old: &'a Subgraph,
    plan: &'a QuantPlan,
    progress: &'a Progress,
    tensors: Vec<Tensor>,
    nodes: Vec<Node>,
    /// For every old tensor its forms so far; the first is the one it is made in.
    forms: Vec<Vec<(Form, TensorId)>>,
    /// For every old constant that is stored smaller than it is computed with: where it is stored.
    stored: Vec<Option<TensorId>>,
}

impl<'a> Build<'a> {
    fn new(old: &'a Subgraph, plan: &'a QuantPlan, progress: &'a Progress) -> Self {
        Self {
            old,
            plan,
            progress,
            tensors: vec![],
            nodes: vec![],
            forms: vec![vec![]; old.tensors.len()],
            stored: vec![None; old.tensors.len()],
        }
    }

    /// Whether the mode computes on integers.
    fn computes_on_integers(&self) -> bool {
        self.plan.recipe.mode.needs_calibration()
    }

    /// The form in which quantized operators see tensor `t`.
    fn planned(&self, t: TensorId) -> Form {
        let plan = &self.plan.tensors[t];
        match &plan.quantization {
            Some(q) => Form::Quantized(plan.dtype, q.clone()),
            None => Form::Original,
        }
    }

    /// The form that the model's border asks for.
    fn bordering(&self, t: TensorId) -> Form {
        if !self.computes_on_integers() || self.old.tensors[t].dtype != DType::Float32 {
            return Form::Original;
        }
        let own = self.plan.borders.iter().find(|p| p.tensor == t);
        let plan = own.unwrap_or(&self.plan.tensors[t]);
        match at_border(
            plan.quantization.as_ref().map(|q| (plan.dtype, q)),
            self.plan.recipe.io,
        ) {
            Some((dtype, q)) => Form::Quantized(dtype, q),
            None => Form::Original,
        }
    }

    /// Adds a tensor and returns its index.
    fn push(&mut self, tensor: Tensor) -> TensorId {
        self.tensors.push(tensor);
        self.tensors.len() - 1
    }

    /// A computed tensor like the old `t`, in `form`.
    fn like(&self, t: TensorId, form: &Form, name: String) -> Tensor {
        let old = &self.old.tensors[t];
        match form {
            Form::Original => Tensor {
                name,
                ..old.clone()
            },
            Form::Quantized(dtype, q) => Tensor {
                name,
                dtype: *dtype,
                quantization: Some(q.clone()),
                data: None,
                extra: None,
                ..old.clone()
            },
        }
    }

    /// Name of the old `t` in `form`, when it is made in `home`: the model's outputs keep their names outside, all others
    /// where they are made.
    fn name(&self, t: TensorId, form: &Form, home: &Form) -> String {
        let name = &self.old.tensors[t].name;
        let own = if self.old.outputs.contains(&t) && !self.old.inputs.contains(&t) {
            self.bordering(t)
        } else {
            home.clone()
        };
        if *form == own {
            name.clone()
        } else if form.suffix() == own.suffix() {
            format!("{name}_requantized")
        } else {
            format!("{name}_{}", form.suffix())
        }
    }

    /// Declares where the old computed tensor `t` is made.
    fn home(&mut self, t: TensorId, form: Form) -> TensorId {
        let name = self.name(t, &form, &form);
        let tensor = self.like(t, &form, name);
        let id = self.push(tensor);
        self.forms[t].push((form, id));
        id
    }

    /// The model's inputs.
    fn inputs(&mut self, main: &Subgraph) -> Result<()> {
        for &t in &main.inputs {
            if self.forms[t].is_empty() && !self.old.tensors[t].is_constant() {
                let form = self.bordering(t);
                self.home(t, form);
            }
        }
        Ok(())
    }

    /// The new tensor of an old one at the model's inputs.
    fn external(&mut self, t: TensorId) -> Result<TensorId> {
        if t >= self.old.tensors.len() {
            return crate::malformed!(
                "A signature names tensor {t}, but there are only {}.",
                self.old.tensors.len()
            );
        }
        match self.forms[t].first() {
            Some(&(_, id)) => Ok(id),
            None => self.fetch(t, &Form::Original),
        }
    }

    /// The new tensor of an old one at the model's outputs.
    fn output(&mut self, t: TensorId) -> Result<TensorId> {
        if !self.old.outputs.contains(&t) {
            return self.external(t);
        }
        let form = self.bordering(t);
        self.fetch(t, &form)
    }

    /// float16: all DEQUANTIZE nodes first.
    fn widen_first(&mut self, live: &[bool]) -> Result<()> {
        let old = self.old;
        let nodes = old.nodes.iter().zip(live).filter(|(_, live)| **live);
        for t in nodes.flat_map(|(n, _)| n.inputs.iter().flatten()) {
            if self.plan.tensors[*t].dtype == DType::Float16
                && old.tensors[*t].dtype == DType::Float32
            {
                self.fetch(*t, &Form::Original)?;
            }
        }
        Ok(())
    }

    /// Adds node `i` with its inputs in the forms it needs.
    fn node(&mut self, i: usize, node: &Node) -> Result<()> {
        let (quantized, int16) = match self.plan.nodes[i] {
            NodePlan::Quantized => (true, self.plan.recipe.mode == Mode::Int16x8),
            NodePlan::Int16 => (true, true),
            NodePlan::SmallerWeights | NodePlan::Unaffected | NodePlan::Float(_) => (false, false),
        };
        let fold = self.plan.shape_of(i);
        let mut inputs = vec![];
        for (slot, input) in node.inputs.iter().enumerate() {
            let Some(t) = *input else {
                inputs.push(None);
                continue;
            };
            inputs.push(Some(match fold {
                Some(shape) if slot == 1 => self.shape_constant(t, shape),
                _ if matches!(node.op, Op::Shape { .. }) && !self.forms[t].is_empty() => {
                    self.forms[t][0].1
                }
                _ => {
                    let form = self.needed(i, slot, t);
                    match (self.plan.correction_of(i, slot), &form) {
                        (Some(c), Form::Quantized(dtype, q)) => {
                            self.corrected_bias(c, (t, *dtype, q))?
                        }
                        _ => self.fetch(t, &form)?,
                    }
                }
            }));
        }
        let mut outputs = vec![];
        for &t in &node.outputs {
            let form = if quantized {
                self.planned(t)
            } else {
                Form::Original
            };
            outputs.push(self.home(t, form));
        }
        let parts = self.plan.parts.iter().filter(|p| p.node == i);
        let mut intermediates: Vec<TensorId> = vec![];
        for part in parts {
            let name = node.outputs.first().map(|&t| &self.old.tensors[t].name);
            let name = format!("{}_{}", name.map_or("", |n| n.as_str()), part.name);
            intermediates.push(self.push(Tensor {
                quantization: part.quantization.clone(),
                ..Tensor::new(name, part.dtype, vec![0])
            }));
        }
        let replaced = !intermediates.is_empty();
        for &t in node.intermediates.iter().filter(|_| !replaced) {
            intermediates.push(match self.forms[t].first() {
                Some(&(_, id)) => id,
                None => self.home(t, Form::Original),
            });
        }
        let mut op = node.op.clone();
        if int16 {
            for_int16(&mut op);
        }
        if self.plan.recipe.mode == Mode::Dynamic && self.plan.nodes[i] == NodePlan::SmallerWeights
        {
            for_hybrid(&mut op);
        }
        if let (Some(shape), Op::Reshape { new_shape }) = (fold, &mut op) {
            *new_shape = Some(shape.to_vec());
        }
        self.nodes.push(Node {
            op,
            inputs,
            outputs,
            intermediates,
            ..node.clone()
        });
        Ok(())
    }

    /// The bias `t` of a node as `correction` has it: a constant of its own.
    fn corrected_bias(
        &mut self,
        correction: &BiasCorrection,
        bias: (TensorId, DType, &Quantization),
    ) -> Result<TensorId> {
        let (i, slot) = (correction.node, correction.weights);
        let Some(t) = self.old.nodes.get(i).and_then(|n| n.input(slot)) else {
            return crate::invalid!("Operator {i} has no weights; make the plan anew.");
        };
        let form = self.needed(i, slot, t);
        let weights = self.fetch(t, &form)?;
        let stored = &self.tensors[weights];
        let tensor = bias_correction::corrected(self.old, correction, bias, stored, self.progress)?;
        Ok(self.push(tensor))
    }

    /// The form in which node `i` reads the old tensor `t` as its input `slot`.
    fn needed(&self, i: usize, slot: usize, t: TensorId) -> Form {
        match (&self.plan.nodes[i], self.plan.recipe.mode) {
            (NodePlan::Quantized | NodePlan::Int16, _) => match self.plan.use_of(i, slot) {
                Some(u) => Form::Quantized(u.dtype, u.quantization.clone()),
                None => self.planned(t),
            },
            (NodePlan::SmallerWeights, Mode::Dynamic)
                if takes_int8(&self.old.nodes[i].op, slot) && self.old.tensors[t].is_constant() =>
            {
                match self.plan.use_of(i, slot) {
                    Some(u) => Form::Quantized(u.dtype, u.quantization.clone()),
                    None => self.planned(t),
                }
            }
            (NodePlan::SmallerWeights | NodePlan::Unaffected | NodePlan::Float(_), _) => {
                Form::Original
            }
        }
    }

    /// The new tensor that holds the old `t` in `form`, with the conversion that makes it if there is none yet.
    fn fetch(&mut self, t: TensorId, form: &Form) -> Result<TensorId> {
        if let Some((_, id)) = self.forms[t].iter().find(|(f, _)| f == form) {
            return Ok(*id);
        }
        if self.old.tensors[t].is_constant() {
            return self.constant(t, form);
        }
        let Some((home, from)) = self.forms[t].first().cloned() else {
            // Never made: a node's own state, or what only a later operator or another subgraph fills.
            let form = match self.old.tensors[t].is_variable {
                true => form.clone(),
                false => Form::Original,
            };
            return Ok(self.home(t, form));
        };
        let from = match between(&home, form) {
            Some(step) => self.fetch(t, &step)?,
            None => from,
        };
        let name = self.name(t, form, &home);
        let tensor = self.like(t, form, name);
        let to = self.push(tensor);
        let op = match form {
            Form::Original => Op::Dequantize,
            Form::Quantized(..) => Op::Quantize,
        };
        self.nodes.push(Node::new(op, vec![Some(from)], vec![to]));
        self.forms[t].push((form.clone(), to));
        Ok(to)
    }

    /// The old constant `t` in `form`.
    fn constant(&mut self, t: TensorId, form: &Form) -> Result<TensorId> {
        let old = &self.old.tensors[t];
        let id = match form {
            Form::Quantized(dtype, q) => {
                let tensor = quantized_constant(t, old, *dtype, q, self.progress)?;
                self.push(tensor)
            }
            Form::Original => {
                let plan = &self.plan.tensors[t];
                let smaller = plan.dtype != old.dtype && !self.computes_on_integers();
                if smaller {
                    self.widened(t)?
                } else {
                    self.push(old.clone())
                }
            }
        };
        self.forms[t].push((form.clone(), id));
        Ok(id)
    }

    /// The float32 result of a DEQUANTIZE over a constant that is stored smaller; equal constants share it.
    fn widened(&mut self, t: TensorId) -> Result<TensorId> {
        let old = &self.old.tensors[t];
        let alike = (0..t).find(|&other| {
            let o = &self.old.tensors[other];
            self.stored[other].is_some() && o.shape == old.shape && o.data == old.data
        });
        if let Some(&(_, id)) =
            alike.and_then(|other| self.forms[other].iter().find(|(f, _)| *f == Form::Original))
        {
            return Ok(id);
        }
        let stored = match self.planned(t) {
            form @ Form::Quantized(..) => self.fetch(t, &form)?,
            Form::Original => {
                let tensor = half_constant(t, old, self.progress)?;
                self.push(tensor)
            }
        };
        self.stored[t] = Some(stored);
        let name = format!("{}_float32", old.name);
        let tensor = Tensor {
            name,
            data: None,
            quantization: None,
            ..old.clone()
        };
        let id = self.push(tensor);
        self.nodes
            .push(Node::new(Op::Dequantize, vec![Some(stored)], vec![id]));
        Ok(id)
    }

    /// A constant shape in place of the computed tensor `t`; equal shapes share one.
    fn shape_constant(&mut self, t: TensorId, shape: &[i32]) -> TensorId {
        let data = Bytes::copy_from_slice(bytemuck::cast_slice(shape));
        let same = |x: &Tensor| {
            x.dtype == DType::Int32 && x.shape == [shape.len()] && x.data.as_ref() == Some(&data)
        };
        if let Some(id) = self.tensors.iter().position(same) {
            return id;
        }
        let name = self.old.tensors[t].name.clone();
        self.push(Tensor::constant(
            name,
            DType::Int32,
            vec![shape.len()],
            data,
        ))
    }
}

/// The int8 form on the way between uint8 and int16, which LiteRT's QUANTIZE does not go in one step.
fn between(from: &Form, to: &Form) -> Option<Form> {
    let q = match (from, to) {
        (Form::Quantized(DType::UInt8, q), Form::Quantized(DType::Int16, _))
        | (Form::Quantized(DType::Int16, _), Form::Quantized(DType::UInt8, q)) => q,
        _ => return None,
    };
    let mut q = q.clone();
    q.zero_points.iter_mut().for_each(|z| *z -= 128);
    Some(Form::Quantized(DType::Int8, q))
}

/// Whether the kernel takes int8 weights as that input beside float activations.
fn takes_int8(op: &Op, slot: usize) -> bool {
    match hybrid_rule(op) {
        Hybrid::Weights(weights) => weights.iter().any(|w| w.input == slot),
        Hybrid::Stored(_) | Hybrid::Moved(_) | Hybrid::Nothing | Hybrid::Float(_) => false,
    }
}

/// Options that hybrid kernels need: activations quantized with a zero point.
fn for_hybrid(op: &mut Op) {
    match op {
        Op::FullyConnected(o) => o.asymmetric_quantize_inputs = true,
        Op::BatchMatMul(o) => o.asymmetric_quantize_inputs = true,
        Op::Svdf(o) => o.asymmetric_quantize_inputs = true,
        Op::Rnn(o) => o.asymmetric_quantize_inputs = true,
        Op::UnidirectionalSequenceRnn(o) => o.asymmetric_quantize_inputs = true,
        Op::BidirectionalSequenceRnn(o) => o.asymmetric_quantize_inputs = true,
        Op::Lstm(o) => o.asymmetric_quantize_inputs = true,
        Op::UnidirectionalSequenceLstm(o) => o.asymmetric_quantize_inputs = true,
        Op::BidirectionalSequenceLstm(o) => o.asymmetric_quantize_inputs = true,
        _ => {}
    }
}

/// Options that int16 kernels need.
fn for_int16(op: &mut Op) {
    match op {
        Op::Conv2d(o) => o.quantized_bias = Some(DType::Int64),
        Op::FullyConnected(o) => o.quantized_bias = Some(DType::Int64),
        Op::TransposeConv(o) => o.quantized_bias = Some(DType::Int64),
        Op::Add {
            pot_scale_int16, ..
        }
        | Op::Sub {
            pot_scale_int16, ..
        } => *pot_scale_int16 = false,
        _ => {}
    }
}

/// Nodes that something reads once the shape folds are made; operators whose effects we do not know stay.
fn live_nodes(main: &Subgraph, plan: &QuantPlan) -> Vec<bool> {
    let mut read = vec![false; main.tensors.len()];
    for &t in &main.outputs {
        read[t] = true;
    }
    let mut live = vec![false; main.nodes.len()];
    for (i, node) in main.nodes.iter().enumerate().rev() {
        let variable = |&t: &TensorId| main.tensors[t].is_variable;
        live[i] = !is_pure(&node.op) || node.outputs.iter().any(|t| read[*t] || variable(t));
        if !live[i] {
            continue;
        }
        let folded = plan.shape_of(i).is_some();
        for (slot, t) in node.inputs.iter().enumerate() {
            if let (Some(t), false) = (*t, folded && slot == 1) {
                read[t] = true;
            }
        }
    }
    live
}
