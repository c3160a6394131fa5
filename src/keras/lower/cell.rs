//! Cells of recurrent layers: their weights, and one step of each as operators.

use serde_json::Value;

use super::super::config::Config;
use super::super::hdf5::Array;
use super::activation;
use super::builder::Builder;
use super::conv::{elements, output_first, take};
use super::dense::affine;
use super::merge::{add, mul, sub};
use super::ops::split;
use crate::error::Result;
use crate::graph::TensorId;
use crate::unsupported;

/// Which recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Simple,
    Gru,
    Lstm,
}

impl Kind {
    /// Of a layer or cell of this class.
    pub fn of(class: &str) -> Option<Self> {
        match class.strip_suffix("Cell").unwrap_or(class) {
            "SimpleRNN" => Some(Kind::Simple),
            "GRU" | "GRUV1" | "GRUV2" => Some(Kind::Gru),
            "LSTM" | "LSTMV1" | "LSTMV2" => Some(Kind::Lstm),
            _ => None,
        }
    }

    /// Parts that the weights hold side by side.
    fn gates(self) -> usize {
        match self {
            Kind::Simple => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }

    /// Tensors that a step hands to the next; the first is the output.
    pub fn states(self) -> usize {
        match self {
            Kind::Simple | Kind::Gru => 1,
            Kind::Lstm => 2,
        }
    }
}

/// A cell with its weights, output-first: [gates · units, inputs] and [gates · units, units].
pub(super) struct Cell {
    pub kind: Kind,
    pub units: usize,
    pub kernel: Vec<f32>,
    pub recurrent: Vec<f32>,
    /// Of the input's part; GRU with `reset_after` has one for the recurrent part too.
    pub bias: Vec<f32>,
    recurrent_bias: Option<Vec<f32>>,
    pub activation: Value,
    pub gate: Value,
    reset_after: bool,
}

impl Cell {
    /// Takes a cell's weights off `arrays`; `inputs` are the features of a step.
    pub fn read(
        kind: Kind,
        c: &Config,
        arrays: &mut std::vec::IntoIter<Array>,
        inputs: usize,
    ) -> Result<Self> {
        let units = c.size("units", 1)?;
        let wide = elements(&[units, kind.gates()])?;
        let kernel = take(arrays, "kernel", &[inputs, wide])?;
        let recurrent = take(arrays, "recurrent_kernel", &[units, wide])?;
        let mut reset_after = kind == Kind::Gru && c.flag("reset_after", false);
        let (mut bias, mut recurrent_bias) = (vec![0.0; wide], None);
        if c.flag("use_bias", true) {
            // Files from before the setting tell by the shape of the bias.
            let two = arrays
                .as_slice()
                .first()
                .is_some_and(|a| a.shape == [2, wide]);
            if kind == Kind::Gru && (two || reset_after) {
                reset_after = true;
                bias = take(arrays, "bias", &[2, wide])?;
                recurrent_bias = Some(bias.split_off(wide));
            } else {
                bias = take(arrays, "bias", &[wide])?;
            }
        }
        let function = |key: &str, default: &str| {
            let value = c.get(key).cloned();
            value.unwrap_or_else(|| Value::String(default.into()))
        };
        Ok(Self {
            kind,
            units,
            kernel: output_first(&kernel, wide),
            recurrent: output_first(&recurrent, wide),
            bias,
            recurrent_bias,
            activation: function("activation", "tanh"),
            gate: function("recurrent_activation", "sigmoid"),
            reset_after,
        })
    }

    /// The input's part of every step at once: x · kernel + bias.
    pub fn project(&self, b: &mut Builder, x: TensorId) -> TensorId {
        affine(b, x, ("kernel", &self.kernel), Some(&self.bias))
    }

    /// The rows of one or more gates of the recurrent weights.
    fn recur(&self, b: &mut Builder, h: TensorId, gates: std::ops::Range<usize>) -> TensorId {
        let rows = self.units * self.units;
        let part = &self.recurrent[gates.start * rows..gates.end * rows];
        let bias = self.recurrent_bias.as_ref();
        let bias = bias.map(|v| &v[gates.start * self.units..gates.end * self.units]);
        affine(b, h, ("recurrent_kernel", part), bias)
    }

    /// One step: `x` is the input's part of it, `states` what the step before gave; the new states.
    pub fn step(&self, b: &mut Builder, x: TensorId, states: &[TensorId]) -> Result<Vec<TensorId>> {
        let act = |b: &mut Builder, x| activation::of_value(b, Some(&self.activation), x);
        let gate = |b: &mut Builder, x| activation::of_value(b, Some(&self.gate), x);
        match (self.kind, states) {
            (Kind::Simple, &[h]) => {
                let y = self.recur(b, h, 0..1);
                let y = add(b, x, y);
                Ok(vec![act(b, y)?])
            }
            (Kind::Lstm, &[h, memory]) => {
                let y = self.recur(b, h, 0..4);
                let y = add(b, x, y);
                let parts = split(b, y, 4, 1);
                let (input, forget) = (gate(b, parts[0])?, gate(b, parts[1])?);
                let fresh = act(b, parts[2])?;
                let output = gate(b, parts[3])?;
                let kept = mul(b, forget, memory);
                let fresh = mul(b, input, fresh);
                let memory = add(b, kept, fresh);
                let shown = act(b, memory)?;
                Ok(vec![mul(b, output, shown), memory])
            }
            (Kind::Gru, &[h]) => {
                let parts = split(b, x, 3, 1);
                let (update, fresh) = if self.reset_after {
                    let y = self.recur(b, h, 0..3);
                    let back = split(b, y, 3, 1);
                    let update = add(b, parts[0], back[0]);
                    let reset = add(b, parts[1], back[1]);
                    let reset = gate(b, reset)?;
                    (update, mul(b, reset, back[2]))
                } else {
                    let y = self.recur(b, h, 0..2);
                    let back = split(b, y, 2, 1);
                    let update = add(b, parts[0], back[0]);
                    let reset = add(b, parts[1], back[1]);
                    let reset = gate(b, reset)?;
                    let seen = mul(b, reset, h);
                    (update, self.recur(b, seen, 2..3))
                };
                let update = gate(b, update)?;
                let fresh = add(b, parts[2], fresh);
                let fresh = act(b, fresh)?;
                // z · h + (1 − z) · fresh
                let off = sub(b, h, fresh);
                let off = mul(b, update, off);
                Ok(vec![add(b, fresh, off)])
            }
            (_, other) => unsupported!("its state is {} tensors", other.len()),
        }
    }
}
