//! The decision as data: for every tensor its type, parameters and why; for every operator whether it stays float, and why.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::bias_correction::BiasCorrection;
use super::keep::KEPT_FLOAT;
use super::recipe::{Io, Mode, Recipe};
use super::rules::Width;
use super::{fold, islands, keep, simplify, static_plan, weights_plan};
use crate::calibrate::Calibration;
use crate::error::{Error, Result};
use crate::graph::{DType, Graph, Op, Quantization, Subgraph, TensorId};

/// What will be done to the main subgraph, complete before anything is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantPlan {
    /// What was asked for.
    pub recipe: Recipe,
    /// One per tensor of the main subgraph.
    pub tensors: Vec<TensorPlan>,
    /// One per node of the main subgraph.
    pub nodes: Vec<NodePlan>,
    /// Inputs of quantized nodes that need other parameters than the tensor itself has: a bias or weight that several nodes
    /// share, a tensor that meets another scale in a concatenation, or one that int8 and int16 meet in. In the order of the nodes.
    pub uses: Vec<UsePlan>,
    /// Intermediate tensors that quantized recurrent nodes get in place of those they may have, in the order of the nodes and,
    /// for each node, of its intermediates.
    pub parts: Vec<PartPlan>,
    /// Shape arithmetic that becomes a constant, in the order of the nodes.
    pub shapes: Vec<ShapeFold>,
    /// Biases that take the mean error of their weights back, in the order of the nodes.
    pub corrections: Vec<BiasCorrection>,
    /// Outputs of the model that are made in int16 and given away in the recipe's `io`: how they are within before that.
    #[serde(default)]
    pub borders: Vec<TensorPlan>,
    /// Sentences for the user: suspicious ranges, delegate limits, …
    pub warnings: Vec<String>,
}

impl QuantPlan {
    /// How node `node` sees its input `input`, where that differs from the tensor's own plan.
    pub fn use_of(&self, node: usize, input: usize) -> Option<&UsePlan> {
        let first = self.uses.partition_point(|u| u.node < node);
        let own = self
            .uses
            .get(first..)?
            .iter()
            .take_while(|u| u.node == node);
        own.into_iter().find(|u| u.input == input)
    }

    /// How the bias of node `node`, its input `input`, is corrected.
    pub fn correction_of(&self, node: usize, input: usize) -> Option<&BiasCorrection> {
        let found = self.corrections.binary_search_by_key(&node, |c| c.node);
        let found = self.corrections.get(found.ok()?)?;
        (found.input == input).then_some(found)
    }

    /// The shape that the RESHAPE `node` gets, if it is folded.
    pub fn shape_of(&self, node: usize) -> Option<&[i32]> {
        let found = self.shapes.binary_search_by_key(&node, |s| s.node).ok()?;
        self.shapes.get(found).map(|s| &s.shape[..])
    }
}

/// What becomes of one tensor: how quantized operators see it. Where an operator that stays float makes or reads it, or the
/// model's inputs and outputs ask for another type (the recipe's `io`), a conversion is put in between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorPlan {
    /// Which tensor.
    pub tensor: TensorId,
    /// Type it will have.
    pub dtype: DType,
    /// Parameters it will have; `None` if it stays as it is.
    pub quantization: Option<Quantization>,
    /// Where type and parameters come from.
    pub reason: Reason,
}

/// One input of one node that sees its tensor differently from [`QuantPlan::tensors`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsePlan {
    /// Index of the node.
    pub node: usize,
    /// Which of its inputs.
    pub input: usize,
    /// Type it needs.
    pub dtype: DType,
    /// Parameters it needs.
    pub quantization: Quantization,
    /// Where they come from.
    pub reason: Reason,
}

/// One intermediate tensor of a recurrent node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartPlan {
    /// Index of the node.
    pub node: usize,
    /// What it is called.
    pub name: Cow<'static, str>,
    /// Type it will have.
    pub dtype: DType,
    /// Its parameters; `None` if the kernel does not look at it.
    pub quantization: Option<Quantization>,
}

/// A RESHAPE whose computed shape is known but for at most one extent: that becomes −1, and the arithmetic goes away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeFold {
    /// Index of the RESHAPE.
    pub node: usize,
    /// Its shape.
    pub shape: Vec<i32>,
}

/// Why a tensor has its type and parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Stays as it is; the text says why.
    Untouched(String),
    /// A weight: symmetric, from its own values.
    Weight {
        /// Whether it has one scale a channel.
        per_channel: bool,
    },
    /// A bias: scale = input scale × weight scale.
    Bias,
    /// A bias as above, and the mean error of the rounded weights added to its values.
    CorrectedBias,
    /// A constant operand, from its own values.
    Constant,
    /// An activation, from the calibrated range.
    Calibrated {
        /// Smallest value seen.
        min: f32,
        /// Largest value seen.
        max: f32,
    },
    /// The operator that makes it has a fixed output range.
    Fixed,
    /// It must share scale and zero point with this tensor.
    SameAs(TensorId),
}

/// What becomes of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodePlan {
    /// Computes on the mode's integers.
    Quantized,
    /// int8 mode: computes on int16 activations and int8 weights because the recipe's `int16` names it.
    Int16,
    /// float16 or dynamic mode: float activations, smaller weights.
    SmallerWeights,
    /// Untouched by the mode because nothing in it can be quantized (shape arithmetic, no weights, …).
    Unaffected,
    /// Stays float although the mode would quantize it, with the reason in the user's words.
    Float(String),
}

/// Says how `node` sees its `input`: in the tensor's plan if that is still open or says the same, else as a use of its own.
pub(super) fn assign(
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

/// Decides how `graph` is quantized by `recipe`. `calibration` is needed by int8 and int16x8 and ignored by the others.
///
/// Fails with `Invalid` if the model is quantized already, if mode and input/output type do not go together, if the
/// calibration is missing or of another model, if an operator of `recipe.keep_float` or `recipe.int16` is not there or cannot
/// be so, and, with
/// `recipe.strict`, if another operator would stay float.
pub fn plan(
    graph: &Graph,
    recipe: &Recipe,
    calibration: Option<&Calibration>,
) -> Result<QuantPlan> {
    recipe.check()?;
    let Some(main) = graph.subgraphs.first() else {
        return crate::malformed!("The model has no subgraph.");
    };
    check_indices(main)?;
    let main = &*fold::unpacked(main)?;
    if recipe.mode != Mode::Float32 {
        refuse_quantized(main)?;
    }
    let kept = keep::named(main, &recipe.keep_float, KEPT_FLOAT)?;
    let chosen = keep::int16(main, recipe, &kept)?;
    let mut plan = QuantPlan {
        recipe: recipe.clone(),
        tensors: untouched(main),
        nodes: vec![NodePlan::Unaffected; main.nodes.len()],
        uses: vec![],
        parts: vec![],
        shapes: match recipe.mode {
            Mode::Float32 => vec![],
            _ => simplify::shape_folds(main),
        },
        corrections: vec![],
        borders: vec![],
        warnings: vec![],
    };
    let width = match recipe.mode {
        Mode::Float32 => None,
        Mode::Float16 => {
            weights_plan::float16(main, &kept, &mut plan);
            None
        }
        Mode::Dynamic => {
            weights_plan::dynamic(main, &kept, &mut plan);
            None
        }
        Mode::Int8 => Some(Width::Int8),
        Mode::Int16x8 => Some(Width::Int16),
    };
    if let Some(width) = width {
        let calibration = usable(calibration, main, recipe.mode)?;
        let of = |&chosen: &bool| if chosen { Width::Int16 } else { width };
        let nodes: Vec<Width> = chosen.iter().map(of).collect();
        static_plan::decide(main, width, &nodes, calibration, &kept, &mut plan);
        refuse_unknown_border(main, &plan)?;
    }
    let others = graph.subgraphs.len() - 1;
    if others > 0 && recipe.mode != Mode::Float32 {
        let s = if others == 1 { "" } else { "s" };
        plan.warnings.push(format!(
            "Only the main subgraph is quantized; {others} other{s} stay{} as in the float model",
            if others == 1 { "s" } else { "" }
        ));
    }
    if recipe.strict {
        refuse_float(main, &kept, &plan)?;
    }
    Ok(plan)
}

/// A plan in which nothing changes.
fn untouched(main: &Subgraph) -> Vec<TensorPlan> {
    main.tensors
        .iter()
        .enumerate()
        .map(|(tensor, t)| TensorPlan {
            tensor,
            dtype: t.dtype,
            quantization: None,
            reason: Reason::Untouched(if t.dtype == DType::Float32 {
                "no operator computes on it in a smaller type".into()
            } else {
                format!("{} values are exact already", t.dtype)
            }),
        })
        .collect()
}

/// The calibration, if it fits the model.
fn usable<'a>(
    calibration: Option<&'a Calibration>,
    main: &Subgraph,
    mode: Mode,
) -> Result<&'a Calibration> {
    let Some(calibration) = calibration else {
        return crate::invalid!(
            "Mode {} needs calibration data: give some typical inputs of the model.",
            mode.name()
        );
    };
    if calibration.samples == 0 {
        return crate::invalid!("The calibration saw no samples; give at least one.");
    }
    if calibration.ranges.len() != main.tensors.len() {
        return crate::invalid!(
            "The calibration is of another model: it has {} tensors, this model {}.",
            calibration.ranges.len(),
            main.tensors.len()
        );
    }
    Ok(calibration)
}

/// Every tensor that nodes, inputs and outputs name must exist.
pub(super) fn check_indices(main: &Subgraph) -> Result<()> {
    let n = main.tensors.len();
    for (i, node) in main.nodes.iter().enumerate() {
        let inputs = node.inputs.iter().flatten();
        if let Some(t) = inputs
            .chain(&node.outputs)
            .chain(&node.intermediates)
            .find(|&&t| t >= n)
        {
            return crate::malformed!(
                "Operator {i} ({}) names tensor {t}, but there are only {n}.",
                node.op.name()
            );
        }
    }
    if let Some(t) = main.inputs.iter().chain(&main.outputs).find(|&&t| t >= n) {
        return crate::malformed!(
            "The model's inputs and outputs name tensor {t}, but there are only {n}."
        );
    }
    Ok(())
}

/// Integer inputs and outputs need parameters.
fn refuse_unknown_border(main: &Subgraph, plan: &QuantPlan) -> Result<()> {
    if plan.recipe.io == Io::Float32 {
        return Ok(());
    }
    let real = |t: &&TensorId| main.tensors[**t].dtype == DType::Float32;
    let mut border = main.inputs.iter().chain(&main.outputs).filter(real);
    match border.find(|&&t| plan.tensors[t].quantization.is_none()) {
        None => Ok(()),
        Some(&t) => crate::invalid!(
            "Tensor {t} ({:?}) cannot be {}: there is no finite range for it; use float32 inputs and outputs.",
            main.tensors[t].name,
            plan.recipe.io.name()
        ),
    }
}

/// Refuses a model that computes on quantized values.
fn refuse_quantized(main: &Subgraph) -> Result<()> {
    let quantized = |t: &crate::graph::Tensor| {
        let integer = matches!(
            t.dtype,
            DType::Int2 | DType::Int4 | DType::Int8 | DType::UInt4 | DType::UInt8 | DType::Int16
        );
        integer
            && t.quantization
                .as_ref()
                .is_some_and(|q| !q.scales.is_empty())
    };
    // A model with uint8 inputs may compute in int8 inside: what nodes make says which mode it is.
    let made = main.nodes.iter().flat_map(|n| &n.outputs);
    let activation = made
        .map(|&t| &main.tensors[t])
        .chain(&main.tensors)
        .find(|t| !t.is_constant() && quantized(t));
    let sentence = |how: &str| {
        Err(Error::Invalid(format!(
            "This model is already quantized ({how}); start from the float model."
        )))
    };
    if let Some(t) = activation {
        return sentence(match t.dtype {
            DType::Int16 => "int16x8",
            other => other.name(),
        });
    }
    if let Some(t) = main.tensors.iter().find(|t| quantized(t)) {
        return sentence(&format!("{} weights", t.dtype));
    }
    for node in main.nodes.iter().filter(|n| !fold::is_left_behind(main, n)) {
        let from = node.input(0).and_then(|t| main.tensors.get(t));
        match node.op {
            Op::Dequantize if from.is_some_and(|t| t.dtype == DType::Float16) => {}
            Op::Quantize | Op::Dequantize => return sentence("it converts to integers itself"),
            _ => {}
        }
    }
    Ok(())
}

/// With `strict`: one error that lists every operator that stays float, but those the user keeps so.
fn refuse_float(main: &Subgraph, kept: &[bool], plan: &QuantPlan) -> Result<()> {
    // What stays float for the sake of kept operators alone is wanted, too.
    let only_kept = plan
        .nodes
        .iter()
        .zip(kept)
        .all(|(decision, kept)| match decision {
            NodePlan::Float(why) => *kept || islands::is_consequence(why),
            NodePlan::Quantized
            | NodePlan::Int16
            | NodePlan::SmallerWeights
            | NodePlan::Unaffected => true,
        });
    let list: Vec<String> = plan
        .nodes
        .iter()
        .zip(&main.nodes)
        .enumerate()
        .filter(|(i, _)| !kept[*i])
        .filter_map(|(i, (decision, node))| match decision {
            NodePlan::Float(why) if only_kept && islands::is_consequence(why) => None,
            NodePlan::Float(why) => Some(format!("{i} {} ({why})", node.op.name())),
            NodePlan::Quantized
            | NodePlan::Int16
            | NodePlan::SmallerWeights
            | NodePlan::Unaffected => None,
        })
        .collect();
    if list.is_empty() {
        return Ok(());
    }
    crate::invalid!(
        "{} operator{} would stay float in mode {}: {}",
        list.len(),
        if list.len() == 1 { "" } else { "s" },
        plan.recipe.mode.name(),
        list.join("; ")
    )
}

/// Type and parameters of a real tensor at the model's border: how `io` asks for a tensor that is `inside` within.
pub(super) fn at_border(
    inside: Option<(DType, &Quantization)>,
    io: Io,
) -> Option<(DType, Quantization)> {
    let (dtype, q) = inside?;
    match io {
        Io::Float32 => None,
        Io::Int8 | Io::Int16 => Some((dtype, q.clone())),
        Io::Uint8 => {
            let mut q = q.clone();
            q.zero_points.iter_mut().for_each(|z| *z += 128);
            Some((DType::UInt8, q))
        }
    }
}
