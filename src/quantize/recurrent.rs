//! Parameters of recurrent operators in int8: their weights, biases, state and intermediate tensors.
//!
//! Types and scales are those of TensorFlow's `operator_property.cc` for LSTM and SVDF, but for what its own kernels make worse:
//! what is projected has zero point 0 (the kernel clips it otherwise), and time weights of SVDF take as many bits as fit.

use super::params::{
    BIAS_MAX_INT32, SMALLEST_MULTIPLIER, bias_scales, guarded_weight_scales, stored_scale,
    symmetric_int8, symmetric_int16,
};
use super::plan::{PartPlan, QuantPlan, Reason, assign};
use super::rules::Cell;
use crate::calibrate::{Calibration, Part, Range};
use crate::graph::{DType, Node, Op, Quantization, Subgraph, TensorId};

/// Scale of what enters a gate's activation function without layer normalization: Q3.12.
const GATE_SCALE: f32 = 1.0 / 4096.0;
/// Inputs of LSTM: weights to the gates, recurrent weights, peepholes, biases, projection, state and layer normalization begin here.
const WEIGHTS: usize = 1;
const RECURRENT: usize = 5;
const PEEPHOLES: usize = 9;
const BIASES: usize = 12;
const PROJECTION: usize = 16;
const STATE: usize = 18;
const NORMS: usize = 20;
/// Largest power of two that a cell state may reach: LiteRT's kernel has no coarser scale than 2^−9.
const MOST_CELL_BITS: i32 = 6;
/// Factors from here on do not fit the kernels' fixed-point arithmetic.
const LARGEST_MULTIPLIER: f64 = (1u64 << 30) as f64;
/// What intermediate tensors of LSTM are called.
const PARTS: [&str; 5] = [
    "input_to_input_intermediate",
    "input_to_forget_intermediate",
    "input_to_cell_intermediate",
    "input_to_output_intermediate",
    "effective_hidden_scale_intermediate",
];

/// A recurrent node and what calibration knows.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The graph.
    pub main: &'a Subgraph,
    /// Index of the node.
    pub index: usize,
    /// The node.
    pub node: &'a Node,
    /// Ranges of what it computes on the way.
    pub calibration: &'a Calibration,
}

/// Parameters of all inputs but the first, and of the intermediates.
pub struct Parameters {
    inputs: Vec<(usize, DType, Quantization, Reason)>,
    parts: Vec<PartPlan>,
}

impl At<'_> {
    fn has(&self, slot: usize) -> bool {
        self.node.input(slot).is_some()
    }

    /// Elements of the constant in `slot`; none if it is absent.
    fn values(&self, slot: usize) -> Vec<f32> {
        let tensor = self.node.input(slot).map(|t| &self.main.tensors[t]);
        tensor
            .and_then(|t| t.f32s())
            .map(|v| v.into_owned())
            .unwrap_or_default()
    }

    fn shape(&self, slot: usize) -> &[usize] {
        self.node
            .input(slot)
            .map_or(&[], |t| &self.main.tensors[t].shape)
    }

    fn range(&self, part: Part, what: &str) -> Result<Range, String> {
        let seen = self.calibration.parts.get(&(self.index, part)).copied();
        match seen.filter(|r| r.min.is_finite() && r.max.is_finite()) {
            Some(range) => Ok(range),
            None => Err(format!("calibration has no finite range for {what}")),
        }
    }

    fn name(&self, slot: usize) -> String {
        match self.node.input(slot) {
            Some(t) => format!("its tensor {t} ({:?})", self.main.tensors[t].name),
            None => format!("its input {slot}"),
        }
    }
}

fn peak(values: &[f32]) -> f32 {
    values.iter().fold(0f32, |m, v| m.max(v.abs()))
}

/// Fails if a product of scales is beyond what kernels can multiply by.
fn fits(multiplier: f64) -> Result<(), String> {
    match multiplier < LARGEST_MULTIPLIER {
        true => Ok(()),
        false => Err("its scales lie too far apart for LiteRT's fixed-point arithmetic".to_owned()),
    }
}

/// Whether a node can compute on int8 at all: constants where weights stand, state that is its own. `real` checks one tensor.
pub fn check(
    at: At<'_>,
    cell: Cell,
    real: impl Fn(TensorId) -> Result<(), String>,
) -> Result<(), String> {
    let (states, weights): (&[usize], Vec<usize>) = match cell {
        Cell::Lstm => (
            &[STATE, STATE + 1],
            (WEIGHTS..STATE).chain(NORMS..24).collect(),
        ),
        Cell::Svdf => (&[4], vec![1, 2, 3]),
    };
    for slot in weights.into_iter().filter(|&slot| at.has(slot)) {
        let Some(t) = at.node.input(slot) else {
            continue;
        };
        if !at.main.tensors[t].is_constant() {
            return Err(format!("{} is computed while running", at.name(slot)));
        }
        real(t)?;
    }
    for &slot in states {
        let Some(t) = at.node.input(slot) else {
            return Err("its state is missing".into());
        };
        let used = |n: &Node| n.inputs.iter().filter(|&&i| i == Some(t)).count();
        let uses: usize = at.main.nodes.iter().map(used).sum();
        let tensor = &at.main.tensors[t];
        let border = at.main.inputs.iter().chain(&at.main.outputs);
        if !tensor.is_variable || tensor.dtype != DType::Float32 {
            return Err(format!("{} is not float state", at.name(slot)));
        }
        if uses != 1 || border.into_iter().any(|&b| b == t) {
            return Err(format!("{} is used elsewhere, too", at.name(slot)));
        }
    }
    match cell {
        Cell::Lstm => check_lstm(at),
        Cell::Svdf => match (at.shape(1), at.shape(2)) {
            (&[_, _], &[filters, memory]) if filters > 0 && memory > 0 => Ok(()),
            _ => Err("its weights do not have two axes each".into()),
        },
    }
}

fn check_lstm(at: At<'_>) -> Result<(), String> {
    for slot in (WEIGHTS..PEEPHOLES).filter(|&slot| at.has(slot)) {
        if at.shape(slot).len() != 2 {
            return Err("LiteRT's integer kernel takes no diagonal recurrent weights".into());
        }
    }
    let (&[cells, _], &[_, outputs]) = (at.shape(WEIGHTS + 3), at.shape(RECURRENT + 3)) else {
        return Err("its weights are missing".into());
    };
    if at.has(PEEPHOLES + 2) && cells != outputs {
        return Err(
            "LiteRT's integer kernel gives peepholes to as many cells as there are outputs, not to all"
                .into(),
        );
    }
    let clip = match &at.node.op {
        Op::Lstm(o) => o.projection_clip,
        Op::UnidirectionalSequenceLstm(o) => o.projection_clip,
        _ => 0.0,
    };
    if at.has(PROJECTION) && clip > 0.0 {
        return Err("LiteRT's integer kernel clips the projection without its zero point".into());
    }
    Ok(())
}

/// The parameters, given the scale of the input and what `output` has.
pub fn parameters(
    at: At<'_>,
    cell: Cell,
    x: f32,
    (output, y): (TensorId, &Quantization),
) -> Result<Parameters, String> {
    let all = Parameters {
        inputs: vec![],
        parts: vec![],
    };
    match cell {
        Cell::Lstm => all.lstm(at, x, output, y),
        Cell::Svdf => all.svdf(at, x, y),
    }
}

impl Parameters {
    /// Enters them into the plan.
    pub fn enter(self, at: At<'_>, plan: &mut QuantPlan) {
        for (slot, dtype, quantization, reason) in self.inputs {
            if let Some(t) = at.node.input(slot) {
                assign(plan, at.index, slot, t, dtype, quantization, reason);
            }
        }
        plan.parts.extend(self.parts);
    }

    fn push(&mut self, slot: usize, dtype: DType, scale: f32, reason: Reason) {
        let quantization = Quantization::per_tensor(scale, 0);
        self.inputs.push((slot, dtype, quantization, reason));
    }

    /// int8 weights that are multiplied with steps of `factor` and give steps of `to`; their bias has the product's scale.
    fn weights(
        &mut self,
        at: At<'_>,
        slot: usize,
        bias: Option<usize>,
        factor: f32,
        to: f32,
    ) -> Result<(), String> {
        if !at.has(slot) {
            return Ok(());
        }
        let bias = bias.filter(|&bias| at.has(bias));
        let largest = bias.map(|bias| [peak(&at.values(bias))]);
        let scales = guarded_weight_scales(
            &[peak(&at.values(slot))],
            largest.as_ref().map(|b| &b[..]),
            factor,
            to,
            BIAS_MAX_INT32,
        );
        for (&scale, product) in scales.iter().zip(bias_scales(factor, &scales)) {
            fits(f64::from(scale) * f64::from(factor) / f64::from(to))?;
            let reason = Reason::Weight { per_channel: false };
            self.push(slot, DType::Int8, scale, reason);
            if let Some(bias) = bias {
                self.push(bias, DType::Int32, product, Reason::Bias);
            }
        }
        Ok(())
    }

    fn lstm(
        mut self,
        at: At<'_>,
        x: f32,
        output: TensorId,
        y: &Quantization,
    ) -> Result<Self, String> {
        let y_scale = y.scales.first().copied().unwrap_or(1.0);
        let seen = at.range(Part::State(STATE + 1), "its cell state")?;
        let reach = seen.min.abs().max(seen.max.abs());
        let bits = (0..=MOST_CELL_BITS).find(|&bits| 2f32.powi(bits) >= reach);
        let Some(bits) = bits else {
            return Err(format!(
                "its cell state reaches {reach}, more than the 64 that LiteRT's integer kernel can hold"
            ));
        };
        let cell_scale = 2f32.powi(bits - 15);
        let normalizes = at.has(NORMS + 1);
        for k in (0..4).filter(|k| at.has(WEIGHTS + k)) {
            let to = match normalizes {
                true => {
                    let sums = at.range(Part::Intermediate(k), "the sums of its gates")?;
                    self.normalization(at, k)?;
                    symmetric_int16(sums.min, sums.max)
                }
                false => GATE_SCALE,
            };
            let bias = (!normalizes).then_some(BIASES + k);
            self.weights(at, WEIGHTS + k, bias, x, to)?;
            self.weights(at, RECURRENT + k, None, y_scale, to)?;
            let peephole = [PEEPHOLES, PEEPHOLES + 1, usize::MAX, PEEPHOLES + 2][k];
            if at.has(peephole) {
                let peak = peak(&at.values(peephole));
                let scale = symmetric_int16(-peak, peak);
                fits(f64::from(cell_scale) * f64::from(scale) / f64::from(to))?;
                let reason = Reason::Weight { per_channel: false };
                self.push(peephole, DType::Int16, scale, reason);
            }
            self.part(at, k, DType::Int16, normalizes.then_some(to));
        }
        if !at.has(WEIGHTS) {
            // The kernel looks at this one, too, though it does not use it.
            let scale = normalizes.then_some(GATE_SCALE);
            self.part(at, 0, DType::Int16, scale);
            self.parts.rotate_right(1);
        }
        let hidden = match at.has(PROJECTION) {
            true => {
                let seen = at.range(Part::Intermediate(4), "what it projects")?;
                let scale = symmetric_int8(seen.min, seen.max);
                self.weights(at, PROJECTION, Some(PROJECTION + 1), scale, y_scale)?;
                Quantization::per_tensor(scale, 0)
            }
            false => y.clone(),
        };
        fits(2f64.powi(-30) / f64::from(hidden.scales.first().copied().unwrap_or(1.0)))?;
        self.parts.push(PartPlan {
            node: at.index,
            name: PARTS[4].into(),
            dtype: DType::Int8,
            quantization: Some(hidden),
        });
        self.inputs
            .push((STATE, DType::Int8, y.clone(), Reason::SameAs(output)));
        let (min, max) = (seen.min, seen.max);
        let reason = Reason::Calibrated { min, max };
        self.push(STATE + 1, DType::Int16, cell_scale, reason);
        Ok(self)
    }

    /// The intermediate tensor of gate `k`, float if the kernel does not look at it.
    fn part(&mut self, at: At<'_>, k: usize, dtype: DType, scale: Option<f32>) {
        self.parts.push(PartPlan {
            node: at.index,
            name: PARTS[k].into(),
            dtype: scale.map_or(DType::Float32, |_| dtype),
            quantization: scale.map(|scale| Quantization::per_tensor(scale, 0)),
        });
    }

    /// Weights and bias of the layer normalization of gate `k`. The kernel adds bias to normalized sum × weight in int32, which
    /// the bias may fill to a quarter.
    fn normalization(&mut self, at: At<'_>, k: usize) -> Result<(), String> {
        const UNIT: f32 = 1024.0;
        const MOST: f32 = (1u32 << 29) as f32;
        let weights = peak(&at.values(NORMS + k));
        let bias = peak(&at.values(BIASES + k));
        let scale = symmetric_int16(-weights, weights).max(bias * UNIT / MOST);
        fits(f64::from(scale) * 4096.0)?;
        let reason = Reason::Weight { per_channel: false };
        self.push(NORMS + k, DType::Int16, scale, reason);
        let bias = stored_scale(f64::from(scale / UNIT));
        self.push(BIASES + k, DType::Int32, bias, Reason::Bias);
        Ok(())
    }

    fn svdf(mut self, at: At<'_>, x: f32, y: &Quantization) -> Result<Self, String> {
        let Op::Svdf(o) = &at.node.op else {
            return Err("it is no SVDF".into());
        };
        let zero_point = y.zero_points.first().copied().unwrap_or(0);
        if zero_point != -128 {
            return Err(
                "its output shares its scale with values below 0, and LiteRT's integer SVDF leaves RELU to the range of its output"
                    .into(),
            );
        }
        let y = f64::from(y.scales.first().copied().unwrap_or(1.0));
        let seen = at.range(Part::State(4), "its state")?;
        let state = symmetric_int16(seen.min, seen.max);
        self.weights(at, 1, None, x, state)?;
        let (&[_, memory], rank) = (at.shape(2), usize::try_from(o.rank).unwrap_or(0)) else {
            return Err("its time weights do not have two axes".into());
        };
        // The sum of a unit over all it remembers must stay within half of int32, the bias within the other half.
        let time = at.values(2);
        let sums = time.chunks((memory * rank).max(1));
        let largest = sums.map(|u| u.iter().map(|v| f64::from(v.abs())).sum());
        let largest = largest.fold(0f64, f64::max);
        let bias = f64::from(peak(&at.values(3)));
        let reach = peak(&time);
        let scale = f64::from(symmetric_int16(-reach, reach))
            .max(largest * 32768.0 / BIAS_MAX_INT32)
            .max(bias / BIAS_MAX_INT32 / f64::from(state))
            .max(y * SMALLEST_MULTIPLIER / f64::from(state));
        let scale = stored_scale(scale);
        fits(f64::from(state) * f64::from(scale) / y)?;
        let reason = Reason::Weight { per_channel: false };
        self.push(2, DType::Int16, scale, reason);
        for bias in bias_scales(state, &[scale]) {
            self.push(3, DType::Int32, bias, Reason::Bias);
        }
        let (min, max) = (seen.min, seen.max);
        self.push(4, DType::Int16, state, Reason::Calibrated { min, max });
        Ok(self)
    }
}
